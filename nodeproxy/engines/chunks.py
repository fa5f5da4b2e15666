"""Pieces of a reply in OpenAI's form, decoded once, as little as the rest of the node needs.

The engine's own bytes go on to the client (`raw`), so that nothing is lost that we don't know.
"""

import re
from typing import Annotated, Any, Final, Literal, cast

import msgspec

from luckrig.nodeproxy.engines.faults import explain
from luckrig.nodeproxy.engines.plain import Mould, cast_mould
from luckrig.protocol.errors import LuckrigError, UpstreamError
from luckrig.protocol.events import PLAIN_FRAME_BYTES, SseSplitter, plain_document

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

DONE: Final = b"[DONE]"

_NOTHING: Final = msgspec.Raw(b"null")

_MODEL_FIELD: Final = re.compile(rb'"model"\s*:\s*"(?:[^"\\]|\\.)*"')
"""No string inside the document can match: its quotes would be escaped."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one request. cached_tokens: prompt tokens that the engine still knew."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class EngineTimings(msgspec.Struct, frozen=True):
    """How long the engine says it took."""

    prompt_seconds: float | None = None
    generation_seconds: float | None = None


class ToolFunction(msgspec.Struct):
    """Part of a call: the name comes once, the arguments in pieces of a JSON text."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct):
    """Part of the tool call number `index`."""

    index: int = 0
    id: str | None = None
    function: ToolFunction | None = None


class Delta(msgspec.Struct):
    """What a chat chunk adds to its message. Engines call the reasoning by two names."""

    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(msgspec.Struct):
    """delta: of a chat. text: of a completion. logprobs: JSON that nobody decoded, often null."""

    index: int = 0
    delta: Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = _NOTHING


class Chunk(msgspec.Struct):
    """One normalised piece of a reply.

    raw: a chat.completion.chunk or text_completion document on one line, to be put after
    `data: `; b"[DONE]" when done. text: what it adds to the visible text. choices is empty on a
    chunk that only carries usage.
    """

    raw: bytes
    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    timings: EngineTimings | None = None
    done: bool = False
    choices: list[Choice] = []


class _UsageDetails(msgspec.Struct):
    cached_tokens: Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_tokens_details: _UsageDetails | None = None


class _Timings(msgspec.Struct):
    """llama-server's own addition."""

    prompt_ms: float | None = None
    predicted_ms: float | None = None


class _Document(msgspec.Struct):
    model: str | None = None
    choices: list[Choice] = []
    usage: _Usage | None = None
    timings: _Timings | None = None
    error: Any = None


_decode: Final = msgspec.json.Decoder(_Document).decode


class _PlainDelta(msgspec.Struct, forbid_unknown_fields=True):
    content: str | None = None
    role: Literal["assistant"] | None = None


class _PlainChoice(msgspec.Struct, forbid_unknown_fields=True):
    delta: _PlainDelta
    index: Literal[0] = 0
    finish_reason: None = None
    logprobs: None = None


class _PlainDocument(msgspec.Struct):
    """A chat chunk that adds text or a role: what any other has is refused, or None here."""

    choices: tuple[_PlainChoice]
    model: str
    usage: None = None
    timings: None = None
    error: None = None


_decode_plain: Final = msgspec.json.Decoder(_PlainDocument).decode
_FINISH: Final = b'"finish_reason":"'
_MOULDS: Final = 4
"""A reply's first chunks may differ from the others. One whose chunks go on to differ isn't worth
trying."""


class SseDecoder:
    """A reply as server-sent events with OpenAI documents, for chats and completions.

    model: the name that the client asked for. An engine may call the model by a file path; every
    chunk goes out with the client's name.
    """

    def __init__(self, *, model: str) -> None:
        self._model = model
        self._model_field = b'"model":' + msgspec.json.encode(model)
        self._splitter = SseSplitter()
        self._fault: LuckrigError | None = None
        self._is_over = False
        self._mould: Mould | None = None
        self._moulds_left = _MOULDS

    def plain(self, data: bytes) -> tuple[int, int]:
        """See base.Decoder. Nothing goes on unread: each chunk is decoded, into less, or differs
        from one that was in its text alone."""
        if self._fault is not None or self._is_over or self._splitter.is_inside:
            return 0, 0
        tokens, length = (0, 0) if self._mould is None else self._mould.run(data, 0)
        while document := plain_document(data, length):
            content = self._plain_content(document)
            if content is None:
                break
            tokens += bool(content)
            length += len(document) + PLAIN_FRAME_BYTES
            if content and self._moulds_left:
                self._moulds_left -= 1
                self._mould = cast_mould(document, content) or self._mould
                if self._mould is not None:
                    more, length = self._mould.run(data, length)
                    tokens += more
        return tokens, length

    def _plain_content(self, document: bytes) -> str | None:
        """What a plain chunk adds, perhaps nothing; None for any other chunk."""
        if (
            _FINISH in document
        ):  # the last chunk of each reply, and an exception costs five times as much
            return None
        try:
            decoded = _decode_plain(document)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        return (decoded.choices[0].delta.content or "") if decoded.model == self._model else None

    def feed(self, data: bytes) -> list[Chunk]:
        """See base.Decoder."""
        chunks: list[Chunk] = []
        if self._fault is None:
            for event in self._splitter.feed(data):
                try:
                    chunks.append(self._to_chunk(event.data))
                except LuckrigError as fault:
                    self._fault = fault
                    break
        if self._fault is not None and not chunks:
            raise self._fault
        return chunks

    def end(self) -> None:
        """See base.Decoder. Some engines never say [DONE]: a finish reason is enough."""
        if self._fault is not None:
            raise self._fault
        if not self._is_over:
            raise broke_off()

    def _to_chunk(self, data: bytes) -> Chunk:
        if data == DONE:
            self._is_over = True
            return Chunk(raw=DONE, done=True)
        try:
            document = _decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise nonsense() from error
        if document.error is not None:
            raise _reported(document.error, data)
        return self._describe(data, document)

    def _describe(self, data: bytes, document: _Document) -> Chunk:
        if b"\n" in data:  # from several data lines; inside a string it would be escaped
            data = data.replace(b"\n", b" ")
        if document.model != self._model and document.model is not None:
            data = _MODEL_FIELD.sub(lambda match: self._model_field, data)
        text, finish_reason = "", None
        for choice in document.choices:
            added = choice.text if choice.delta is None else choice.delta.content
            if added:
                text += added
            if choice.finish_reason is not None:
                finish_reason = choice.finish_reason
                self._is_over = True
        return Chunk(
            data,
            text,
            finish_reason,
            None if document.usage is None else _to_usage(document.usage),
            None if document.timings is None else _to_timings(document.timings),
            choices=document.choices,
        )


def _reported(error: object, data: bytes) -> LuckrigError:
    """The engine says itself what is wrong. vLLM refuses some requests inside a good answer."""
    code = cast(dict[str, object], error).get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and 400 <= code < 500:
        return explain(code, data)
    return UpstreamError("engine_error", "The rig's engine failed in the middle of a reply.")


def broke_off() -> UpstreamError:
    """The engine's reply ended before its end."""
    return UpstreamError("engine_error", "The rig's engine broke off its answer.")


def nonsense() -> UpstreamError:
    """The engine's reply can't be read."""
    return UpstreamError("engine_error", "The rig's engine gave a reply that can't be read.")


def _to_usage(usage: _Usage) -> Usage:
    details = usage.prompt_tokens_details
    cached = details.cached_tokens if details is not None else None
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached or 0)


def _to_timings(timings: _Timings) -> EngineTimings:
    return EngineTimings(
        prompt_seconds=None if timings.prompt_ms is None else timings.prompt_ms / 1000,
        generation_seconds=None if timings.predicted_ms is None else timings.predicted_ms / 1000,
    )
