"""Chunks that are like one that was read, but for their text.

Engines write all chunks of a reply alike. So what stands before the text of one and after it is a
mould: a run of chunks that come out of it is recognised by searches in C, and needs no decoding to
say the same as decoding would.
"""

import re
from typing import Final

_KEY: Final = b'"content"'
_MARKS: Final = (_KEY + b':"', _KEY + b': "')
_EVENT: Final = b"data: "
_END: Final = b"\n\n"
_TEXTS: Final = re.compile(
    rb'[^"\\\x00-\x1f]*+'  # no quote and no control character,
    rb'(?:\\["\\/bfnrt][^"\\\x00-\x1f]*+)*+'  # but as an escape; \u has rules of its own
)


class Mould:
    """before, after: of the document; together with any JSON string between them they are one that
    differs in that string alone. mark: how `before` ends."""

    __slots__ = ("_before", "_between", "_closing", "_mark", "_tail")

    def __init__(self, before: bytes, mark: bytes, after: bytes) -> None:
        self._mark = mark
        self._before = _EVENT + before
        self._closing = after + _END
        self._between = self._closing + self._before
        self._tail = self._between.removesuffix(mark)

    def run(self, data: bytes, start: int) -> tuple[int, int]:
        """(chunks whose text isn't empty, where they end): the events from `start` on that come
        out of this mould, each whole. None of them: (0, start)."""
        if not data.startswith(self._before, start):
            return 0, start
        begin = start + len(self._before)
        if data.endswith(self._closing):
            end = len(data) - len(self._closing)
            if _TEXTS.fullmatch(data, begin, end) and _is_utf8(data[begin:end]):  # just one
                return int(end > begin), len(data)
        end = data.rfind(self._closing, begin)
        if end < 0:
            return 0, start
        texts = self._texts(data[begin:end])
        if not texts:
            return 0, start
        between = len(self._between) * (len(texts) - 1)
        end = begin + sum(map(len, texts)) + between + len(self._closing)
        return len(texts) - texts.count(b""), end

    def _texts(self, data: bytes) -> list[bytes]:
        """What stands between the first text's start and the last one's end, as far as it is
        texts in this mould. Split at a few bytes: a long separator costs more than it finds."""
        pieces = data.split(self._mark)
        cut = -len(self._tail)
        texts = [*(piece[:cut] for piece in pieces[:-1]), pieces[-1]]
        if self._between.join(texts) == data and _are_strings(texts):
            return texts
        for number, piece in enumerate(pieces):
            is_last = number + 1 == len(pieces)
            if not (is_last or piece.endswith(self._tail)) or not _are_strings(
                texts[number : number + 1]
            ):
                return texts[:number]
        return texts


def cast_mould(document: bytes, content: str) -> Mould | None:
    """The mould of a chat chunk that was decoded. content: its text, which isn't empty.

    None where the text's place isn't certain. Without a backslash each quote is the edge of a
    string; and where the key stands once, the string behind it is the text that was decoded.
    """
    if b"\\" in document or document.count(_KEY) != 1:
        return None
    text = content.encode()
    for mark in _MARKS:
        before, _, rest = document.partition(mark)
        if rest.startswith(text + b'"'):
            return Mould(before + mark, mark, rest[len(text) :])
    return None


def _are_strings(texts: list[bytes]) -> bool:
    """Whether each could stand between the quotes of a JSON string."""
    together = b" ".join(texts)  # apart, lest halves of a character make a whole
    return _TEXTS.fullmatch(together) is not None and _is_utf8(together)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
