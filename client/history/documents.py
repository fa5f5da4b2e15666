"""What the documents of a reply say, whichever of OpenAI's shapes they have. Pure.

| shape                       | of a stream                        | in one piece             |
|-----------------------------|------------------------------------|--------------------------|
| chat                        | choices[].delta                    | choices[].message        |
| completion                  | choices[].text                     | choices[].text           |
| response                    | type: response.….delta             | output[]                 |

A rig is a stranger: what isn't of a known type makes the document unreadable, nothing worse.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from luckrig.client.history.replay import MAX_FIGURES_BYTES, NO_FIGURES, Kind
from luckrig.protocol import strictjson
from luckrig.protocol.errors import PeerError

Heard = tuple[Kind, str]
"""A piece without its time."""

_DELTAS: Final[dict[str, Kind]] = {
    "response.output_text.delta": "text",
    "response.reasoning_text.delta": "reasoning",
    "response.function_call_arguments.delta": "tool",
    "response.refusal.delta": "other",
}
_PARTS: Final[dict[str, Kind]] = {
    "output_text": "text",
    "reasoning_text": "reasoning",
    "refusal": "other",
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    function: _Function | None = None


class _Message(msgspec.Struct):
    """A chat's message, or what a chunk adds to it. Engines call the reasoning by two names."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Message | None = None
    message: _Message | None = None
    text: str | None = None


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    """An item of a response's output. content: of a message or of reasoning."""

    type: str = ""
    name: str | None = None
    arguments: str | None = None
    content: list[_Part] | None = None


class _Timing(msgspec.Struct):
    queue_ms: float | None = None
    ttft_ms: float | None = None
    tokens_per_second: float | None = None


class _Luckrig(msgspec.Struct):
    timing: msgspec.Raw = NO_FIGURES


class _Usage(msgspec.Struct):
    """Chats and completions have the first two, responses the others."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Error(msgspec.Struct):
    code: str | int | None = None
    type: str | None = None


class _Body(msgspec.Struct):
    """What a reply is in the end, or a chunk of one."""

    choices: list[_Choice] | None = None
    output: list[_Item] | None = None
    usage: msgspec.Raw = NO_FIGURES
    luckrig: _Luckrig | None = None
    error: _Error | str | None = None


class _Document(_Body):
    """The same, or an event of a response's stream."""

    type: str | None = None
    code: str | int | None = None
    delta: str | None = None
    item: _Item | None = None
    response: _Body | None = None


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What the last document says, beside text. usage, timing: as they came, null for none."""

    usage: msgspec.Raw = NO_FIGURES
    timing: msgspec.Raw = NO_FIGURES
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    queue_ms: float | None = None
    ttft_ms: float | None = None
    tokens_per_second: float | None = None
    error_code: str | None = None


def hear(document: bytes) -> tuple[list[Heard], Ending | None] | None:
    """The pieces that a document adds, of a stream or in one piece, and what it ends with.

    None: it makes no sense.
    """
    try:
        said = msgspec.json.decode(document, type=_Document)
        pieces: list[Heard] = [(kind, text) for kind, text in _pieces(said) if text]
        return pieces, _ending(said, said.response or said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _ending(said: _Document, body: _Body) -> Ending | None:
    error_code = _error_code(said, body)
    if body.usage is NO_FIGURES and body.luckrig is None and error_code is None:
        return None  # as nearly all of a stream's
    usage = msgspec.json.decode(body.usage, type=_Usage | None) or _Usage()
    timing_raw = NO_FIGURES if body.luckrig is None else body.luckrig.timing
    timing = msgspec.json.decode(timing_raw, type=_Timing | None) or _Timing()
    return Ending(
        usage=_kept(body.usage),
        timing=_kept(timing_raw),
        prompt_tokens=_first(usage.prompt_tokens, usage.input_tokens),
        completion_tokens=_first(usage.completion_tokens, usage.output_tokens),
        queue_ms=timing.queue_ms,
        ttft_ms=timing.ttft_ms,
        tokens_per_second=timing.tokens_per_second,
        error_code=error_code,
    )


def _pieces(said: _Document) -> Iterator[tuple[Kind, str | None]]:
    if said.type in _DELTAS:
        yield _DELTAS[said.type], said.delta
    elif said.type == "response.output_item.added" and said.item is not None and said.item.name:
        yield "tool", f"{said.item.name}\n"
    for choice in said.choices or ():
        for kind, text in _choice_pieces(choice):
            yield kind if choice.index == 0 else "other", text
    for item in said.output or ():
        yield from _item_pieces(item)


def _choice_pieces(choice: _Choice) -> Iterator[tuple[Kind, str | None]]:
    yield "text", choice.text
    message = choice.delta or choice.message
    if message is None:
        return
    yield "reasoning", message.reasoning_content or message.reasoning
    yield "text", message.content
    yield "other", message.refusal
    for call in message.tool_calls or ():
        if call.function is not None:
            yield "tool", f"{call.function.name}\n" if call.function.name else None
            yield "tool", call.function.arguments


def _item_pieces(item: _Item) -> Iterator[tuple[Kind, str | None]]:
    if item.type == "function_call":
        yield "tool", f"{item.name or ''}\n{item.arguments or ''}"
    for part in item.content or ():
        yield _PARTS.get(part.type, "other"), part.text or part.refusal


def _kept(raw: msgspec.Raw) -> msgspec.Raw:
    """A copy on one line, so that the document itself needn't stay in memory."""
    text = bytes(raw)
    if len(text) > MAX_FIGURES_BYTES or text == bytes(NO_FIGURES):
        return NO_FIGURES
    try:
        strictjson.decode(text, dict[str, Any])
    except PeerError:  # what one reader takes for another thing than the next
        return NO_FIGURES
    return msgspec.Raw(msgspec.json.format(text, indent=-1))


def _first(one: int | None, other: int | None) -> int | None:
    return other if one is None else one


def _error_code(said: _Document, body: _Body) -> str | None:
    if said.type == "error":
        return str(said.code or "error")
    if isinstance(body.error, _Error):
        return str(body.error.code or body.error.type or "error")
    return None if body.error is None else "error"
