"""Chats: what is asked becomes a request, and what comes back typed events. Pure.

It reads /v1/chat/completions only; a program that wants another route asks the Caller itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from luckrig.client.calls import Ask
from luckrig.client.chat_events import ChatEvent, Ended, Text, Timing, Usage, Waiting
from luckrig.client.receipts import receipt_in
from luckrig.client.transport import one_line
from luckrig.client.wanted import read_wanted
from luckrig.protocol.errors import CODES, LuckrigError, UpstreamError
from luckrig.protocol.events import SseSplitter
from luckrig.protocol.wire import NodeView

CHAT_PATH: Final = "/v1/chat/completions"
Messages = str | Sequence[Mapping[str, Any]]
"""OpenAI's messages; a text is one message of the user."""

_QUEUE: Final = re.compile(
    r": queue position=(\d{1,9}) eta=(\d{1,9}(?:\.\d{1,3})?|unknown) ticket=([A-Za-z0-9_-]{1,64})"
)
_DONE: Final = b"[DONE]"


@dataclass(frozen=True, kw_only=True)
class ChatReply:
    """A whole reply. tool_calls: OpenAI's. rig: as it signed itself. model: its name there.

    document: the reply's JSON as it came. timing, receipt: the rig's, None where it sent none.
    """

    text: str
    reasoning: str
    tool_calls: list[dict[str, Any]]
    finish_reason: str | None
    usage: Usage | None
    timing: Timing | None
    receipt: str | None
    rig: NodeView
    model: str
    subtext: bool
    document: dict[str, Any]


def chat_ask(
    messages: Messages,
    *,
    model: str,
    stream: bool,
    wanted: Mapping[str, Any],
    parameters: Mapping[str, Any],
) -> Ask:
    """The request. wanted: the `luckrig` object, None where nothing is asked. parameters: OpenAI's.

    Raises PeerError invalid_request for what `wanted` can't hold.
    """
    asked = {name: value for name, value in wanted.items() if value is not None}
    listed = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    body: dict[str, Any] = {**parameters, "messages": list(listed), "stream": stream}
    if stream:
        body.setdefault("stream_options", {"include_usage": True})
    return Ask(path=CHAT_PATH, body=body, wanted=read_wanted(model, asked, {}))


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Own(msgspec.Struct):
    timing: Timing | None = None


class _Problem(msgspec.Struct):
    code: str | int | None = None
    message: str = ""
    param: str | None = None


class _Document(msgspec.Struct):
    choices: list[_Choice] = []
    usage: Usage | None = None
    luckrig: _Own | None = None
    error: _Problem | None = None


@dataclass
class _Call:
    """A tool call that grows."""

    call_id: str = ""
    name: str = ""
    arguments: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """As OpenAI writes it."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.call_id, "type": "function", "function": function}


@dataclass
class ChatReader:
    """Reads a stream: bytes in, events out. is_whole: [DONE] came."""

    is_whole: bool = False
    _splitter: SseSplitter = field(default_factory=SseSplitter)
    _finish_reason: str | None = None
    _usage: Usage | None = None
    _timing: Timing | None = None
    _receipt: str | None = None
    _calls: dict[int, _Call] = field(default_factory=dict[int, _Call])

    def feed(self, piece: bytes) -> list[ChatEvent]:
        """Whole events, as Reply gives them. Raises LuckrigError: the stream's own error."""
        events: list[ChatEvent] = []
        for block in piece.split(b"\n\n"):
            if block.startswith(b":"):
                events += _waiting(block)
            elif block:
                events += self._block(block + b"\n\n")
        return events

    def _block(self, block: bytes) -> list[ChatEvent]:
        try:
            found = self._splitter.feed(block)
        except UpstreamError as error:
            raise LuckrigError("engine_error", "The reply is no stream of events.") from error
        return [event for each in found for event in self._document(each.data)]

    def _document(self, data: bytes) -> list[ChatEvent]:
        if data == _DONE:
            self.is_whole = True
            calls = [self._calls[index].document for index in sorted(self._calls)]
            return [
                Ended(
                    finish_reason=self._finish_reason,
                    usage=self._usage,
                    timing=self._timing,
                    receipt=self._receipt,
                    tool_calls=calls,
                )
            ]
        document = _read(data)
        if document.error is not None:
            raise _error(document.error)
        self._usage = document.usage or self._usage
        if document.luckrig is not None:
            self._timing = document.luckrig.timing
            self._receipt = receipt_in(msgspec.json.decode(data))
        return [text for choice in document.choices for text in self._texts(choice)]

    def _texts(self, choice: _Choice) -> list[Text]:
        self._finish_reason = choice.finish_reason or self._finish_reason
        delta = choice.delta or _Message()
        texts = [
            Text(delta.reasoning or delta.reasoning_content or "", "reasoning"),
            Text(delta.content or ""),
        ]
        for part in delta.tool_calls or []:
            call = self._calls.setdefault(part.index, _Call())
            function = part.function or _Function()
            call.call_id = call.call_id or part.id or ""
            call.name += function.name or ""
            call.arguments += function.arguments or ""
            texts.append(Text(function.arguments or "", "tool"))
        return [text for text in texts if text.text]


def read_reply(data: bytes, *, rig: NodeView, model: str, subtext: bool) -> ChatReply:
    """A reply that isn't streamed. Raises LuckrigError engine_error for what is no chat."""
    document = _read(data)
    raw: dict[str, Any] = msgspec.json.decode(data)
    choice = document.choices[0] if document.choices else _Choice()
    message = choice.message or _Message()
    calls = [_whole_call(each) for each in message.tool_calls or []]
    return ChatReply(
        text=message.content or "",
        reasoning=message.reasoning or message.reasoning_content or "",
        tool_calls=calls,
        finish_reason=choice.finish_reason,
        usage=document.usage,
        timing=None if document.luckrig is None else document.luckrig.timing,
        receipt=receipt_in(raw),
        rig=rig,
        model=model,
        subtext=subtext,
        document=raw,
    )


def read_error(data: bytes) -> LuckrigError:
    """The error that a body holds."""
    return _error(_read(data).error or _Problem())


def _whole_call(call: _ToolCall) -> dict[str, Any]:
    function = call.function or _Function()
    return _Call(call.id or "", function.name or "", function.arguments or "").document


def _read(data: bytes) -> _Document:
    try:
        return msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LuckrigError("engine_error", "The reply is no chat.") from error


def _error(problem: _Problem) -> LuckrigError:
    code = str(problem.code)
    return LuckrigError(
        code if code in CODES else "engine_error",
        one_line(problem.message) or "The rig failed, and doesn't say why.",
        param=None if problem.param is None else one_line(problem.param),
    )


def _waiting(block: bytes) -> list[ChatEvent]:
    found = _QUEUE.fullmatch(block.decode("utf-8", "replace"))
    if found is None:
        return []
    eta = None if found[2] == "unknown" else float(found[2])
    return [Waiting(position=int(found[1]), eta_seconds=eta, ticket=found[3])]
