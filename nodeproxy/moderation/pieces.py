"""What a chunk of a reply says, and the same chunk written anew with nothing else in it. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from luckrig.nodeproxy.engines.chunks import Choice, Chunk, Delta, ToolCall, Usage, nonsense
from luckrig.protocol.openai.texts import resolve_escapes

TOOL: Final = "tool"


class Piece(NamedTuple):
    """A piece of text. channel: what it continues: `content`, `reasoning`, `tool 0` …"""

    channel: str
    text: str


def pieces_of(chunk: Chunk) -> Iterator[Piece]:
    """Every text that the chunk adds to its reply: what clients show, keep or pass to tools."""
    for choice in chunk.choices:
        if choice.text:
            yield Piece("text", choice.text)
        if choice.delta is not None:
            yield from _delta_pieces(choice.delta)


def joined(pieces: Iterable[Piece]) -> dict[str, str]:
    """The texts by channel."""
    found: dict[str, list[str]] = {}
    for piece in pieces:
        found.setdefault(piece.channel, []).append(piece.text)
    return {channel: "".join(texts) for channel, texts in found.items()}


def to_check(texts: Mapping[str, str]) -> list[str]:
    """The texts as a moderation service gets them: arguments of tools also without escapes."""
    found = list(texts.values())
    for channel, text in texts.items():
        if channel.startswith(TOOL) and "\\" in text:
            found.append(resolve_escapes(text))
    return found


def _delta_pieces(delta: Delta) -> Iterator[Piece]:
    for channel, text in (
        ("content", delta.content),
        ("reasoning_content", delta.reasoning_content),
        ("reasoning", delta.reasoning),
        ("refusal", delta.refusal),
    ):
        if text:
            yield Piece(channel, text)
    for call in delta.tool_calls or ():
        channel = f"{TOOL} {call.index}"
        if call.id:  # some models write it themselves
            yield Piece(channel, f"{call.id}\n")
        if call.function is not None:
            if call.function.name:
                yield Piece(channel, f"{call.function.name}\n")
            if call.function.arguments:
                yield Piece(channel, call.function.arguments)


# Writing anew

_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_FINISH_REASONS: Final = frozenset(
    {"stop", "length", "tool_calls", "function_call", "content_filter"}
)


class _Head(msgspec.Struct):
    id: str | None = None
    created: float | None = None


_decode_head: Final = msgspec.json.Decoder(_Head).decode


class Rewriter:
    """Writes a reply's chunks anew: the fields of which pieces_of() gives the text, and numbers.

    An engine's own bytes may hold what nobody here reads: logprobs, which repeat the text, or
    fields of its own.
    """

    def __init__(self, *, chat: bool, model: str) -> None:
        self._chat = chat
        self._model = model
        self._head = _Head()

    def rewrite(self, chunk: Chunk) -> Chunk:
        """The chunk with nothing unknown in it. Raises UpstreamError on what isn't one."""
        if chunk.done:
            return chunk
        try:
            self._head = _decode_head(chunk.raw)
        except msgspec.MsgspecError as error:
            raise nonsense() from error
        choices = [
            Choice(each.index, each.delta, each.text, _known(each.finish_reason))
            for each in chunk.choices
        ]
        return self._chunk(choices, chunk)

    def cut(self) -> Chunk:
        """The last chunk of a reply that was flagged."""
        delta, text = (Delta(), None) if self._chat else (None, "")
        return self._chunk([Choice(0, delta, text, "content_filter")], Chunk(b""))

    def _chunk(self, choices: list[Choice], numbers: Chunk) -> Chunk:
        name = self._head.id or ""
        document: dict[str, Any] = {
            "id": name if _ID.fullmatch(name) else "",
            "object": "chat.completion.chunk" if self._chat else "text_completion",
            "created": int(self._head.created or 0),
            "model": self._model,
            "choices": [self._choice(choice) for choice in choices],
        }
        if numbers.usage is not None:
            document["usage"] = _usage(numbers.usage)
        finish_reasons = [each.finish_reason for each in choices if each.finish_reason]
        return Chunk(
            msgspec.json.encode(document),
            numbers.text,
            finish_reasons[-1] if finish_reasons else None,
            numbers.usage,
            numbers.timings,
            choices=choices,
        )

    def _choice(self, choice: Choice) -> dict[str, Any]:
        written: dict[str, Any] = {"index": choice.index, "finish_reason": choice.finish_reason}
        if self._chat:
            written["delta"] = {} if choice.delta is None else _delta(choice.delta)
        else:
            written["text"] = choice.text or ""
        return written


def _delta(delta: Delta) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "role": None if delta.role is None else "assistant",
        "content": delta.content,
        "reasoning_content": delta.reasoning_content,
        "reasoning": delta.reasoning,
        "refusal": delta.refusal,
    }
    if delta.tool_calls:
        fields["tool_calls"] = [_tool_call(call) for call in delta.tool_calls]
    return {name: value for name, value in fields.items() if value is not None}


def _tool_call(call: ToolCall) -> dict[str, Any]:
    written: dict[str, Any] = {"index": call.index}
    if call.id:
        written |= {"id": call.id, "type": "function"}
    if call.function is not None:
        function = {"name": call.function.name, "arguments": call.function.arguments}
        written["function"] = {name: text for name, text in function.items() if text is not None}
    return written


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _known(finish_reason: str | None) -> str | None:
    return finish_reason if finish_reason is None or finish_reason in _FINISH_REASONS else "stop"
