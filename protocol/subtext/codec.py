"""Bytes as Unicode variation selectors, one for each byte, behind a text that anybody may read.

| byte      | selector                | UTF-8   |
|-----------|-------------------------|---------|
| 0 to 15   | U+FE00 to U+FE0F        | 3 bytes |
| 16 to 255 | U+E0100 to U+E01EF      | 4 bytes |

No font shows them, and no Unicode normalisation changes them. What is carried is frames, one or
more:

| bytes | what                                                   |
|-------|--------------------------------------------------------|
| 2     | magic `LR`                                             |
| 1     | version, 1                                             |
| 1     | kind: 1 request, 2 reply, 3 a reply's last frame       |
| 4     | length of the payload, big endian                      |
| n     | payload                                                |

The eight bytes before a payload tell a sealed text from an emoji, which has one selector, and from
a name with rare Chinese characters, which have one each.
"""

import codecs
import re
from dataclasses import dataclass
from typing import Final, Literal

from luckrig.protocol.errors import PeerError

MAGIC: Final = b"LR"
VERSION: Final = 1
HEADER_BYTES: Final = 8
MAX_PAYLOAD_BYTES: Final = 1 << 20
"""Of one frame. A body of 1 MiB carries a quarter of that."""

REQUEST: Final = 1
REPLY: Final = 2
LAST_REPLY: Final = 3
FrameKind = Literal[1, 2, 3]

_LOW: Final = 16
_FIRST_LOW, _FIRST_HIGH = 0xFE00, 0xE0100
_TABLE: Final = "".join(
    chr(_FIRST_LOW + byte if byte < _LOW else _FIRST_HIGH + byte - _LOW) for byte in range(256)
)
# One selector may follow any character of an honest text; so many in a row carry something.
_RUN: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{8,}")
_MAGIC_TEXT: Final = "".join(_TABLE[byte] for byte in MAGIC)
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]*")
# In UTF-32 the first byte of a selector is its byte, less 16 where the third byte isn't 0.
_ADD_LOW: Final = bytes(_LOW if byte else 0 for byte in range(256))


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a run. kind: REQUEST, REPLY or LAST_REPLY."""

    kind: FrameKind
    payload: bytes


def to_selectors(data: bytes) -> str:
    """One selector for each byte."""
    # CPython takes a string as table, and is quicker with it; typeshed names dictionaries only.
    return codecs.charmap_decode(data, "strict", _TABLE)[0]  # pyright: ignore[reportArgumentType]


def from_selectors(text: str) -> bytes:
    """The bytes of a text of selectors. Raises ValueError on any other character."""
    if _SELECTORS.fullmatch(text) is None:
        raise ValueError("not a variation selector")
    code_points = text.encode("utf-32-le")
    # Two long numbers added in C, where no sum of two bytes carries: four times a table's speed.
    low = int.from_bytes(code_points[::4], "little")
    add = int.from_bytes(code_points[2::4].translate(_ADD_LOW), "little")
    return (low + add).to_bytes(len(text), "little")


def frame(kind: FrameKind, payload: bytes) -> str:
    """A frame as selectors. Raises ValueError when the payload is longer than a frame may be."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError("too long for a frame")
    head = MAGIC + bytes((VERSION, kind)) + len(payload).to_bytes(4, "big")
    return to_selectors(head + payload)


def carries_run(text: str) -> bool:
    """Whether the text has more selectors in a row than any honest text."""
    return _RUN.search(text) is not None


def carries_frames(text: str) -> bool:
    """Whether the text has a run that begins as ours do, whole or not."""
    return _MAGIC_TEXT in text and any(run.startswith(_MAGIC_TEXT) for run in _RUN.findall(text))


def read_frames(text: str) -> list[Frame]:
    """The frames of the one run in a text; none when it has no run that begins with the magic.

    Raises PeerError sealed_invalid for a run that begins like ours and isn't whole, has another
    version, or has a second run beside it: a text that was cut, or put together of two.
    """
    runs = _RUN.findall(text)
    if not any(run.startswith(_MAGIC_TEXT) for run in runs):
        return []
    if len(runs) != 1:
        raise _refused("holds more than one sealed run; send one")
    return _split(from_selectors(runs[0]))


def _split(data: bytes) -> list[Frame]:
    frames: list[Frame] = []
    at = 0
    while at < len(data):
        head = data[at : at + HEADER_BYTES]
        if len(head) < HEADER_BYTES or head[:2] != MAGIC:
            raise _refused("was cut or changed on its way")
        if head[2] != VERSION:
            raise _refused(f"has version {head[2]} of the format; this side speaks {VERSION}")
        length = int.from_bytes(head[4:], "big")
        at += HEADER_BYTES + length
        if length > MAX_PAYLOAD_BYTES or at > len(data):
            raise _refused("was cut or changed on its way")
        frames.append(Frame(_kind(head[3]), data[at - length : at]))
    return frames


def _kind(byte: int) -> FrameKind:
    if byte == REQUEST:
        return REQUEST
    if byte == REPLY:
        return REPLY
    if byte == LAST_REPLY:
        return LAST_REPLY
    raise _refused("has a frame of no known kind")


def _refused(why: str) -> PeerError:
    return PeerError("sealed_invalid", f"The sealed text {why}.")
