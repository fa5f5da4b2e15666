"""Cuts long texts, so that no single look at one takes long. Neighbours overlap."""

from collections.abc import Iterator
from typing import Final

PIECE_CHARS: Final = 16_384
WINDOW_CHARS: Final = 4_096
"""What rules themselves look at: a closer look costs 50 times the prefilter's."""
OVERLAP_CHARS: Final = 2_048
"""A match with its surroundings must fit: 500 characters within, spelled with signs between."""

_BASE64_TEXT: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-\r\n"
_BASE64_UNIT: Final = 16
"""Letters of base64, of which four are three bytes; 16 are whole units of base64 of base64."""


def pieces(text: str) -> Iterator[str]:
    """The text in pieces. A run of base64 is cut only where its letters can be decoded from."""
    start = 0
    while len(text) - start > PIECE_CHARS:
        piece = text[start : start + PIECE_CHARS]
        yield piece
        start += _cut(piece, PIECE_CHARS - OVERLAP_CHARS)
    yield text[start:] if start else text


def windows(text: str) -> Iterator[str]:
    """The text in windows, itself if it is short."""
    if len(text) <= WINDOW_CHARS:
        yield text
        return
    for start in range(0, len(text) - OVERLAP_CHARS, WINDOW_CHARS - OVERLAP_CHARS):
        yield text[start : start + WINDOW_CHARS]


def _cut(piece: str, at: int) -> int:
    before = piece[:at].rpartition("\n\n")[2]
    run = before[len(before.rstrip(_BASE64_TEXT)) :]
    surplus = len(run.replace("\r", "").replace("\n", "")) % _BASE64_UNIT
    while surplus:
        at -= 1
        surplus -= piece[at] not in "\r\n"
    return at
