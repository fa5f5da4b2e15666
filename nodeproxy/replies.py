"""From an engine's chunks to OpenAI's two forms of a reply: a stream of events, or one document."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import UNSET

from luckrig.nodeproxy.engines.chunks import Chunk, Delta, Usage, nonsense
from luckrig.nodeproxy.engines.chunks import ToolCall as ToolCallDelta
from luckrig.nodeproxy.timing import Timing
from luckrig.protocol.openai import responses
from luckrig.protocol.openai.requests import FunctionCall, ToolCall
from luckrig.protocol.openai.responses import (
    AnswerMessage,
    ChatChoice,
    ChatCompletion,
    Completion,
    TextChoice,
)

DONE: Final = b"data: [DONE]\n\n"


class StreamedReply:
    """Passes chunks on as they come, and holds back only the last ones.

    The engine is always asked for its usage; the client gets it only if it asked. And the rig's
    timing belongs on the last document, so that no client sees an event that it doesn't know.
    """

    takes_plain = True

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._held: list[Chunk] = []

    def pass_on(self, chunks: Iterable[Chunk]) -> bytes:
        """The events to send now; empty when there are none."""
        events: list[bytes] = []
        for chunk in chunks:
            if chunk.done:
                continue
            if self._held or chunk.finish_reason is not None or not chunk.choices:
                self._held.append(chunk)
            else:
                events.append(b"data: " + chunk.raw + b"\n\n")
        return b"".join(events)

    def ending(self, timing: Timing, receipt: str) -> bytes:
        """The last events: finish reason, usage if it was asked for, timing and receipt, [DONE]."""
        usage: msgspec.Raw | None = None
        names: _Document | None = None
        kept: list[_Document] = []
        for chunk in self._held:
            document = _decode_document(chunk.raw)
            if names is None:
                names = {key: document[key] for key in _NAMES if key in document}
            if _is_something(found := document.pop("usage", None)):
                usage = found
            document.pop("timings", None)  # llama-server's; they are in ours
            if _is_something(document.get("choices")):
                kept.append(document)
        if self._include_usage and usage is not None and names is not None:
            kept.append({**names, "choices": _NO_CHOICES, "usage": usage})
        if kept:
            own = msgspec.json.encode({"timing": timing, "receipt": receipt})
            kept[-1]["luckrig"] = msgspec.Raw(own)
        events = [b"data: " + msgspec.json.encode(document) + b"\n\n" for document in kept]
        return b"".join([*events, DONE])


_Document = dict[str, msgspec.Raw]
"""What the engine wrote, decoded no deeper than is needed to leave some of it out."""

_NO_CHOICES: Final = msgspec.Raw(b"[]")
_NAMES: Final = ("id", "object", "created", "model", "system_fingerprint")


def _is_something(value: msgspec.Raw | None) -> bool:
    return value is not None and bytes(value) not in (b"null", b"[]", b"{}")


_Logprobs = dict[str, list[Any] | None]


class _Head(msgspec.Struct):
    """What every chunk of a reply says of the reply. Some engines send null, or fractions."""

    id: str | None = None
    created: float | None = None
    model: str | None = None


# Made once: building a decoder costs three times as much as decoding a chunk.
_decode_document: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_head: Final = msgspec.json.Decoder(_Head).decode


class WholeReply:
    """Puts one document together out of the chunks of a stream. chat: or else a completion."""

    def __init__(self, *, chat: bool) -> None:
        self._chat = chat
        self._head: _Head | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._tool_calls: dict[int, _ToolCallParts] = {}
        self._logprobs: dict[str, Any] = {}
        self._finish_reason = "stop"

    def add(self, chunks: Iterable[Chunk]) -> None:
        """Take the next chunks, in order. Raises UpstreamError on what isn't one."""
        for chunk in chunks:
            if self._head is None and not chunk.done:
                self._head = _read_head(chunk.raw)
            self._text.append(chunk.text)
            self._finish_reason = chunk.finish_reason or self._finish_reason
            for choice in chunk.choices:
                self._add_logprobs(choice.logprobs)
                if choice.delta is not None:
                    self._add_delta(choice.delta)

    def document(self, usage: Usage | None, timing: Timing, receipt: str) -> bytes:
        """The reply as JSON."""
        head = self._head or _Head()
        totals = None if usage is None else _totals(usage)
        own = {"timing": timing, "receipt": receipt}
        reply: ChatCompletion | Completion
        if self._chat:
            reply = ChatCompletion(
                id=head.id or "",
                created=int(head.created or 0),
                model=head.model or "",
                choices=[self._chat_choice()],
                usage=totals,
                luckrig=own,
            )
        else:
            reply = Completion(
                id=head.id or "",
                created=int(head.created or 0),
                model=head.model or "",
                choices=[self._text_choice()],
                usage=totals,
                luckrig=own,
            )
        return msgspec.json.encode(reply)

    def _add_delta(self, delta: Delta) -> None:
        self._reasoning.append(delta.reasoning_content or delta.reasoning or "")
        self._refusal.append(delta.refusal or "")
        for part in delta.tool_calls or ():
            self._tool_calls.setdefault(part.index, _ToolCallParts()).add(part)

    def _add_logprobs(self, raw: msgspec.Raw) -> None:
        """Chats have lists of tokens, completions parallel lists: either way, lists grow."""
        if bytes(raw) == b"null":  # nearly always
            return
        try:
            added = msgspec.json.decode(raw, type=_Logprobs)
        except msgspec.DecodeError as error:
            raise nonsense() from error
        for key, values in added.items():
            self._logprobs.setdefault(key, []).extend(values or ())

    def _chat_choice(self) -> ChatChoice:
        text, reasoning = "".join(self._text), "".join(self._reasoning)
        calls = [self._tool_calls[index].whole() for index in sorted(self._tool_calls)]
        message = AnswerMessage(
            content=text if text or not calls else None,
            refusal="".join(self._refusal) or None,
            reasoning_content=reasoning or UNSET,
            tool_calls=calls or UNSET,
        )
        return ChatChoice(
            message=message, logprobs=self._logprobs or None, finish_reason=self._finish_reason
        )

    def _text_choice(self) -> TextChoice:
        return TextChoice(
            text="".join(self._text),
            logprobs=self._logprobs or None,
            finish_reason=self._finish_reason,
        )


class _ToolCallParts:
    """One tool call, whose arguments come in pieces."""

    def __init__(self) -> None:
        self._id = ""
        self._name = ""
        self._arguments: list[str] = []

    def add(self, part: ToolCallDelta) -> None:
        self._id = part.id or self._id
        if part.function is not None:
            self._name += part.function.name or ""
            self._arguments.append(part.function.arguments or "")

    def whole(self) -> ToolCall:
        function = FunctionCall(name=self._name, arguments="".join(self._arguments))
        return ToolCall(id=self._id, function=function)


def _read_head(raw: bytes) -> _Head:
    try:
        return _decode_head(raw)
    except msgspec.DecodeError as error:
        raise nonsense() from error


def _totals(usage: Usage) -> responses.Usage:
    return responses.Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details=responses.PromptTokensDetails(cached_tokens=usage.cached_tokens),
    )
