"""From an engine's chunks to the items of a Response, and the events that tell of them.

Pure state: chunks in, events out. One item is open at a time, but for function calls, of which an
engine may write several at once. The order of the events of one item:

| message                    | reasoning               | function_call                 |
|----------------------------|-------------------------|-------------------------------|
| output_item.added          | output_item.added       | output_item.added             |
| content_part.added         | content_part.added      |                               |
| output_text.delta, ...     | reasoning_text.delta    | function_call_arguments.delta |
| output_text.done           | reasoning_text.done     | function_call_arguments.done  |
| content_part.done          | content_part.done       |                               |
| output_item.done           | output_item.done        | output_item.done              |
"""

from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

import msgspec

from luckrig.nodeproxy.engines.chunks import Chunk, Delta, ToolCall, Usage, nonsense
from luckrig.protocol.openai.response_object import (
    FunctionCallItem,
    ItemStatus,
    MessageItem,
    OutputItem,
    OutputText,
    ReasoningItem,
    ReasoningText,
    Refusal,
)


class TextDelta(NamedTuple):
    """What nearly all events are. head: the event up to the delta's text, the same for a part."""

    head: bytes
    text: str


Event = dict[str, Any] | TextDelta
"""An event without its sequence number."""


class _Kind(NamedTuple):
    """event: how its deltas are called. key: where its text stands in the part and in `done`."""

    event: str
    key: str
    more: dict[str, Any]


_KINDS: Final = {
    "text": _Kind("response.output_text", "text", {"logprobs": []}),
    "refusal": _Kind("response.refusal", "refusal", {}),
    "reasoning": _Kind("response.reasoning_text", "text", {}),
}
_PartKind = Literal["text", "refusal", "reasoning"]


class _Spoken:
    """A message or reasoning. Its last part is open until the item ends, or another part begins."""

    def __init__(self, item_id: str, output_index: int, *, is_reasoning: bool) -> None:
        self.is_reasoning = is_reasoning
        self._id = item_id
        self._output_index = output_index
        self._parts: list[tuple[_PartKind, list[str]]] = []
        self._head = b""

    def item(self, status: ItemStatus) -> OutputItem:
        parts = [_part(kind, "".join(pieces)) for kind, pieces in self._parts]
        if self.is_reasoning:
            thoughts = [part for part in parts if isinstance(part, ReasoningText)]
            return ReasoningItem(id=self._id, status=status, content=thoughts)
        content = [part for part in parts if not isinstance(part, ReasoningText)]
        return MessageItem(id=self._id, status=status, content=content)

    def say(self, kind: _PartKind, text: str) -> list[Event]:
        events: list[Event] = []
        if not self._parts or self._parts[-1][0] != kind:
            events += self.end_part()
            self._parts.append((kind, []))
            events.append(self._event("response.content_part.added", part=_part(kind, "")))
            known = _KINDS[kind]
            self._head = _delta_head(self._event(f"{known.event}.delta", **known.more))
        self._parts[-1][1].append(text)
        if text:
            events.append(TextDelta(self._head, text))
        return events

    def end_part(self) -> list[Event]:
        if not self._parts:
            return []
        kind, pieces = self._parts[-1]
        known, text = _KINDS[kind], "".join(pieces)
        return [
            self._event(f"{known.event}.done", **{known.key: text}, **known.more),
            self._event("response.content_part.done", part=_part(kind, text)),
        ]

    def _event(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        return {
            "type": kind,
            "item_id": self._id,
            "output_index": self._output_index,
            "content_index": len(self._parts) - 1,
            **fields,
        }


class _Called:
    """A function call. Its name comes once, its arguments in pieces."""

    def __init__(self, item_id: str, output_index: int, call_id: str, name: str) -> None:
        self._id = item_id
        self._output_index = output_index
        self._call_id = call_id
        self._name = name
        self._arguments: list[str] = []
        self._head = _delta_head(self._event("response.function_call_arguments.delta"))

    def item(self, status: ItemStatus) -> FunctionCallItem:
        return FunctionCallItem(
            id=self._id,
            call_id=self._call_id,
            status=status,
            name=self._name,
            arguments="".join(self._arguments),
        )

    def add(self, name: str, arguments: str) -> list[Event]:
        self._name += name
        if not arguments:
            return []
        self._arguments.append(arguments)
        return [TextDelta(self._head, arguments)]

    def end_part(self) -> list[Event]:
        arguments = "".join(self._arguments)
        return [
            self._event(
                "response.function_call_arguments.done", arguments=arguments, name=self._name
            )
        ]

    def _event(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        return {
            "type": kind,
            "item_id": self._id,
            "output_index": self._output_index,
            **fields,
        }


class Output:
    """The output of one response as it grows. unique: part of every id in it."""

    def __init__(self, unique: str) -> None:
        self._unique = unique
        self._done: dict[int, OutputItem] = {}
        self._spoken: tuple[int, _Spoken] | None = None
        self._calls: dict[int, tuple[int, _Called]] = {}  # by the engine's number
        self._calls_seen: set[int] = set()
        self._begun = 0
        self.usage: Usage | None = None
        self.finish_reason = "stop"

    def add(self, chunks: Iterable[Chunk]) -> list[Event]:
        """Take the next chunks, in order. Raises UpstreamError for what no reply can hold."""
        events: list[Event] = []
        for chunk in chunks:
            self.usage = chunk.usage or self.usage
            self.finish_reason = chunk.finish_reason or self.finish_reason
            for choice in chunk.choices:
                if choice.delta is not None:
                    events += self._add_delta(choice.delta)
        return events

    def end(self) -> list[Event]:
        """The reply is over: end what is open. Without any output there is an empty message."""
        events = [] if self._begun else self._say("text", "")
        return events + self._end_items(self.item_status)

    @property
    def item_status(self) -> ItemStatus:
        """Of the items that the end of the reply ends."""
        return "incomplete" if self.finish_reason in ("length", "content_filter") else "completed"

    @property
    def items(self) -> list[OutputItem]:
        """Those that are over, in their order."""
        return [self._done[index] for index in sorted(self._done)]

    def _add_delta(self, delta: Delta) -> list[Event]:
        events: list[Event] = []
        if reasoning := delta.reasoning_content or delta.reasoning:
            events += self._say("reasoning", reasoning)
        if delta.content:
            events += self._say("text", delta.content)
        if delta.refusal:
            events += self._say("refusal", delta.refusal)
        for call in delta.tool_calls or ():
            events += self._call(call)
        return events

    def _say(self, kind: _PartKind, text: str) -> list[Event]:
        events: list[Event] = []
        is_reasoning = kind == "reasoning"
        if self._spoken is None or self._spoken[1].is_reasoning != is_reasoning:
            events += self._end_items("completed")
            index = self._begin()
            item_id = f"{'rs' if is_reasoning else 'msg'}_{self._unique}_{index}"
            self._spoken = index, _Spoken(item_id, index, is_reasoning=is_reasoning)
            events.append(_added(index, self._spoken[1]))
        return events + self._spoken[1].say(kind, text)

    def _call(self, call: ToolCall) -> list[Event]:
        events: list[Event] = []
        function = call.function
        name = (function.name if function else None) or ""
        arguments = (function.arguments if function else None) or ""
        if call.index not in self._calls:
            if call.index in self._calls_seen:  # it was over: something else came in between
                raise nonsense()
            if self._spoken is not None:
                events += self._end_items("completed")
            self._calls_seen.add(call.index)
            index = self._begin()
            call_id = call.id or f"call_{self._unique}_{index}"
            called = _Called(f"fc_{self._unique}_{index}", index, call_id, name)
            self._calls[call.index] = index, called
            events.append(_added(index, called))
            name = ""
        return events + self._calls[call.index][1].add(name, arguments)

    def _begin(self) -> int:
        self._begun += 1
        return self._begun - 1

    def _end_items(self, status: ItemStatus) -> list[Event]:
        events: list[Event] = []
        opened: list[tuple[int, _Spoken | _Called]] = [*self._calls.values()]
        if self._spoken is not None:
            opened.append(self._spoken)
        for index, open_item in opened:
            self._done[index] = item = open_item.item(status)
            events += open_item.end_part()
            events.append(
                {"type": "response.output_item.done", "output_index": index, "item": item}
            )
        self._spoken = None
        self._calls.clear()
        return events


def _part(kind: _PartKind, text: str) -> OutputText | Refusal | ReasoningText:
    if kind == "text":
        return OutputText(text=text)
    return Refusal(refusal=text) if kind == "refusal" else ReasoningText(text=text)


def _delta_head(event: dict[str, Any]) -> bytes:
    kind = event["type"].encode("ascii")
    return b'event: %b\ndata: %b,"delta":' % (kind, msgspec.json.encode(event)[:-1])


def _added(index: int, item: _Spoken | _Called) -> Event:
    return {
        "type": "response.output_item.added",
        "output_index": index,
        "item": item.item("in_progress"),
    }
