"""What is inside a reply's frames: one long text of items, cut into frames wherever they are full.

| item  | first byte | then                                                                   |
|-------|------------|------------------------------------------------------------------------|
| head  | 1          | length, JSON: `status`, `content_type`, `headers`                      |
| event | 2          | shared prefix, shared suffix, length, bytes: an event of a stream      |
| bytes | 3          | length, bytes: some of a body that isn't a stream                      |

Numbers are unsigned LEB128. The events of one stream are nearly alike, so each is written as its
difference from the one before: how many bytes at its beginning and at its end are the same, and
what stands between them. An event ends with an empty line; a comment is one, too. So sealed text,
four bytes for one as it is, takes less room than the plain stream did. An event longer than
MAX_EVENT_BYTES is written as bytes, and the next one is a difference from the one before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

from luckrig.protocol.errors import PeerError

HEAD: Final = 1
EVENT: Final = 2
BYTES: Final = 3
MAX_ITEM_BYTES: Final = 1 << 20
MAX_EVENT_BYTES: Final = 1 << 14
"""Of an event written as a difference: five bytes may stand for it, 3,276 times in one frame."""
_EVENT_END: Final = b"\n\n"
_MAX_NUMBER_BYTES: Final = 4


class ReplyHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the answer's head says. headers: of the rig, lower-case names."""

    status: Annotated[int, msgspec.Meta(ge=200, le=599)]
    content_type: Annotated[str, msgspec.Meta(max_length=200, pattern=r"\A[ -~]*\Z")]
    headers: Annotated[
        dict[
            Annotated[str, msgspec.Meta(max_length=64, pattern=r"\A[a-z0-9-]+\Z")],
            Annotated[str, msgspec.Meta(max_length=1024, pattern=r"\A[ -~]*\Z")],
        ],
        msgspec.Meta(max_length=32),
    ] = {}


@dataclass(frozen=True, slots=True)
class Body:
    """Some bytes of the answer's body: an event, or a part of a document. No repr shows them."""

    data: bytes = field(repr=False)


Item = ReplyHead | Body


class ItemWriter:
    """Makes items of one answer.

    made, longest: how many items the last call made, and the bytes of the longest of them.
    """

    def __init__(self) -> None:
        self.made = self.longest = 0
        self._streams = False
        self._last = b""
        self._open = b""  # an event whose end hasn't come

    def head(self, status: int, content_type: str, headers: Mapping[str, str]) -> bytes:
        """The first item."""
        self._streams = content_type.startswith("text/event-stream")
        head = ReplyHead(status=status, content_type=content_type, headers=dict(headers))
        return self._joined([bytes((HEAD,)) + _sized(msgspec.json.encode(head))])

    def body(self, data: bytes) -> bytes:
        """Items for the next bytes of the body; an event waits for its end."""
        if not self._streams:
            return self._joined(_plain(data))
        *whole, self._open = (self._open + data).split(_EVENT_END)
        return self._joined([self._event(each + _EVENT_END) for each in whole])

    def end(self) -> bytes:
        """An event that never ended, as it is."""
        rest, self._open = self._open, b""
        return self._joined(_plain(rest))

    def _joined(self, items: list[bytes]) -> bytes:
        self.made = len(items)
        self.longest = max(map(len, items), default=0)
        return b"".join(items)

    def _event(self, event: bytes) -> bytes:
        if len(event) > MAX_EVENT_BYTES:
            return b"".join(_plain(event))
        last, self._last = self._last, event
        size = min(len(last), len(event))
        prefix = _shared_prefix(last[:size], event[:size])
        rest = size - prefix
        suffix = _shared_suffix(last[len(last) - rest :], event[len(event) - rest :])
        middle = event[prefix : len(event) - suffix]
        return bytes((EVENT,)) + _number(prefix) + _number(suffix) + _sized(middle)


class ItemReader:
    """Reads them again, however they were cut. Of no use any more once it has refused some."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last = b""
        self._started = False

    def feed(self, data: bytes) -> list[Item]:
        """The items that these bytes complete. Raises PeerError sealed_invalid on anything else."""
        self._buffer += data
        items: list[Item] = []
        at = 0
        try:
            while (read := self._read(at)) is not None:
                item, at = read
                items.append(item)
        except (ValueError, msgspec.DecodeError) as error:
            raise PeerError("sealed_invalid", "The sealed reply makes no sense.") from error
        del self._buffer[:at]
        return items

    @property
    def is_whole(self) -> bool:
        """Whether an answer may end here: its head has come, and the end of each item."""
        return self._started and not self._buffer

    def _read(self, at: int) -> tuple[Item, int] | None:
        """The item at that place and where the next one is; None when it isn't there whole."""
        if at >= len(self._buffer):
            return None
        kind = self._buffer[at]
        if (kind == HEAD) == self._started or kind not in (HEAD, EVENT, BYTES):
            raise ValueError("no item may be here")
        numbers = self._numbers(at + 1, 3 if kind == EVENT else 1)
        if numbers is None:
            return None
        *shared, length, start = numbers
        end = start + length
        if length > MAX_ITEM_BYTES:
            raise ValueError("too long")
        if end > len(self._buffer):
            return None
        data = bytes(self._buffer[start:end])
        return self._item(kind, shared, data), end

    def _item(self, kind: int, shared: list[int], data: bytes) -> Item:
        if kind == HEAD:
            self._started = True
            return msgspec.json.decode(data, type=ReplyHead)
        if kind == EVENT:
            prefix, suffix = shared
            if prefix + suffix > len(self._last):
                raise ValueError("shares more than there is")
            if prefix + len(data) + suffix > MAX_EVENT_BYTES:
                raise ValueError("too long")
            data = self._last[:prefix] + data + self._last[len(self._last) - suffix :]
            self._last = data
        return Body(data)

    def _numbers(self, at: int, count: int) -> list[int] | None:
        """So many numbers, and where they end."""
        numbers: list[int] = []
        for _ in range(count):
            value = 0
            for place in range(_MAX_NUMBER_BYTES + 1):
                if place == _MAX_NUMBER_BYTES:
                    raise ValueError("too large")
                if at >= len(self._buffer):
                    return None
                byte = self._buffer[at]
                at += 1
                value |= (byte & 0x7F) << 7 * place
                if byte < 0x80:
                    break
            numbers.append(value)
        return [*numbers, at]


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _plain(data: bytes) -> list[bytes]:
    """As bytes, in as many items as it takes."""
    return [
        bytes((BYTES,)) + _sized(data[at : at + MAX_ITEM_BYTES])
        for at in range(0, len(data), MAX_ITEM_BYTES)
    ]


def _sized(data: bytes) -> bytes:
    if len(data) > MAX_ITEM_BYTES:
        raise ValueError("too long for an item")
    return _number(len(data)) + data


def _shared_prefix(one: bytes, other: bytes) -> int:
    """How many bytes at the beginning are the same. Both have one length.

    As long numbers, so that C does the comparing, in a microsecond.
    """
    difference = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return len(one) - (difference.bit_length() + 7) // 8


def _shared_suffix(one: bytes, other: bytes) -> int:
    """The same at the end."""
    difference = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    if not difference:
        return len(one)
    return ((difference & -difference).bit_length() - 1) // 8
