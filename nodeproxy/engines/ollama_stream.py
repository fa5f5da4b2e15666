"""ollama's native streams (lines of JSON) turned into OpenAI's chunks.

| line                                     | becomes                                              |
|------------------------------------------|------------------------------------------------------|
| message.content, or response             | a content chunk; the first one carries the role      |
| message.thinking                         | delta.reasoning_content                              |
| message.tool_calls, arguments an object  | delta.tool_calls, arguments a string, ids made here  |
| done: true                               | a finish chunk, a usage chunk, [DONE]                |
| error                                    | engine_error                                         |
| remote_host, remote_model                | engine_error: it came from somebody's cloud          |

Counters that are zero are absent (Go's omitempty). Durations are nanoseconds.
"""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from luckrig.nodeproxy.engines.chunks import (
    DONE,
    Choice,
    Chunk,
    Count,
    Delta,
    EngineTimings,
    ToolCall,
    ToolFunction,
    Usage,
    broke_off,
    nonsense,
)
from luckrig.protocol.errors import LuckrigError, UpstreamError
from luckrig.protocol.events import NdjsonSplitter

_NANOSECONDS: Final = 1e9
_encode = msgspec.json.encode


class _CalledFunction(msgspec.Struct):
    name: str
    arguments: dict[str, Any] = {}


class _ToolCall(msgspec.Struct):
    function: _CalledFunction
    id: str = ""


class _Message(msgspec.Struct):
    content: str = ""
    thinking: str = ""
    tool_calls: list[_ToolCall] = []


class _Line(msgspec.Struct):
    """A line of /api/chat (message) or /api/generate (response, thinking)."""

    message: _Message | None = None
    response: str = ""
    thinking: str = ""
    logprobs: list[dict[str, Any]] | None = None
    done: bool = False
    done_reason: str = ""
    created_at: str = ""
    prompt_eval_count: Count = 0
    prompt_eval_duration: Count = 0
    eval_count: Count = 0
    eval_duration: Count = 0
    error: str = ""
    remote_host: str = ""
    remote_model: str = ""


_NO_MESSAGE: Final = _Message()
_decode: Final = msgspec.json.Decoder(_Line).decode


class OllamaDecoder:
    """The reply to one call. model: as the client calls it; reply_id: unique, for the chunks."""

    def __init__(self, *, model: str, reply_id: str, form: Literal["chat", "completion"]) -> None:
        self._is_chat = form == "chat"
        self._id = reply_id
        self._model = model
        self._splitter = NdjsonSplitter()
        self._head = b""
        self._fault: LuckrigError | None = None
        self._is_over = False
        self._tool_calls = 0

    def plain(self, data: bytes) -> tuple[int, int]:
        """See base.Decoder. Nothing here is as clients get it."""
        return 0, 0

    def feed(self, data: bytes) -> list[Chunk]:
        """See base.Decoder."""
        chunks: list[Chunk] = []
        if self._fault is None and not self._is_over:
            try:
                for line in self._splitter.feed(data):
                    chunks += self._read(line)
            except LuckrigError as fault:
                self._fault = fault
        if self._fault is not None and not chunks:
            raise self._fault
        return chunks

    def end(self) -> None:
        """See base.Decoder."""
        if self._fault is not None:
            raise self._fault
        if not self._is_over:
            raise broke_off()

    def _read(self, data: bytes) -> list[Chunk]:
        try:
            line = _decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise nonsense() from error
        if line.error:
            raise UpstreamError("engine_error", "The rig's engine failed in the middle of a reply.")
        if line.remote_host or line.remote_model:  # a local model gave way to one of that name
            raise UpstreamError("engine_error", "The rig's engine asked a cloud, not the rig.")
        is_first = not self._head
        if is_first:
            self._head = self._make_head(line.created_at)
        chunks = self._text_chunks(line, is_first=is_first)
        if line.done:
            self._is_over = True
            chunks += self._last_chunks(line)
        return chunks

    def _make_head(self, created_at: str) -> bytes:
        """The start of every chunk; its choices follow."""
        try:
            created = int(datetime.fromisoformat(created_at).timestamp())
        except (ValueError, OverflowError):
            created = 0
        head = {
            "id": self._id,
            "object": "chat.completion.chunk" if self._is_chat else "text_completion",
            "created": created,
            "model": self._model,
        }
        return _encode(head)[:-1] + b',"choices":['

    def _text_chunks(self, line: _Line, *, is_first: bool) -> list[Chunk]:
        if not self._is_chat:
            return [self._completion_chunk(line)] if line.response or is_first else []
        message = line.message or _NO_MESSAGE
        if not (message.thinking or message.tool_calls or line.logprobs or is_first):
            return [self._plain_chunk(message.content)] if message.content else []
        delta = Delta(
            role="assistant" if is_first else None,
            content=message.content if message.content or is_first else None,
            reasoning_content=message.thinking or None,
            tool_calls=[self._tool_call(call) for call in message.tool_calls] or None,
        )
        choice = Choice(delta=delta)
        shown: dict[str, Any] = {"index": 0, "delta": _without_nulls(delta), "finish_reason": None}
        if line.logprobs:
            shown["logprobs"] = {"content": line.logprobs, "refusal": None}
            choice.logprobs = msgspec.Raw(_encode(shown["logprobs"]))
        return [self._chunk(choice, shown, text=message.content)]

    def _plain_chunk(self, text: str) -> Chunk:
        """What nearly all chunks are: a piece of text and nothing else."""
        raw = b'%b{"index":0,"delta":{"content":%b},"finish_reason":null}]}' % (
            self._head,
            _encode(text),
        )
        return Chunk(raw=raw, text=text, choices=[Choice(delta=Delta(content=text))])

    def _completion_chunk(self, line: _Line) -> Chunk:
        shown = {"index": 0, "text": line.response, "logprobs": None, "finish_reason": None}
        return self._chunk(Choice(text=line.response), shown, text=line.response)

    def _chunk(self, choice: Choice, shown: dict[str, Any], **known: Any) -> Chunk:
        return Chunk(raw=self._head + _encode(shown) + b"]}", choices=[choice], **known)

    def _tool_call(self, call: _ToolCall) -> ToolCall:
        """ollama streams whole calls. Its own ids came late; clients need one in any case."""
        index = self._tool_calls
        self._tool_calls += 1
        arguments = _encode(call.function.arguments).decode()
        return ToolCall(
            index=index,
            id=call.id or f"call_{self._id.rpartition('-')[2]}_{index}",
            function=ToolFunction(name=call.function.name, arguments=arguments),
        )

    def _last_chunks(self, line: _Line) -> list[Chunk]:
        reason = "length" if line.done_reason == "length" else "stop"
        if self._tool_calls:
            reason = "tool_calls"
        choice = Choice(delta=Delta(), finish_reason=reason)
        shown: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": reason}
        if not self._is_chat:
            choice = Choice(text="", finish_reason=reason)
            shown = {"index": 0, "text": "", "logprobs": None, "finish_reason": reason}
        usage = Usage(line.prompt_eval_count, line.eval_count)
        timings = EngineTimings(
            prompt_seconds=line.prompt_eval_duration / _NANOSECONDS or None,
            generation_seconds=line.eval_duration / _NANOSECONDS or None,
        )
        return [
            self._chunk(choice, shown, finish_reason=reason),
            Chunk(raw=self._usage_document(usage), usage=usage, timings=timings),
            Chunk(raw=DONE, done=True),
        ]

    def _usage_document(self, usage: Usage) -> bytes:
        shown = {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        }
        return self._head + b'],"usage":' + _encode(shown) + b"}"


def _without_nulls(delta: Delta) -> dict[str, Any]:
    shown: dict[str, Any] = {
        name: value
        for name in ("role", "content", "reasoning_content")
        if (value := getattr(delta, name)) is not None
    }
    if delta.tool_calls:
        shown["tool_calls"] = [
            {"index": call.index, "id": call.id, "type": "function", "function": call.function}
            for call in delta.tool_calls
        ]
    return shown
