"""The views of one text that rules look at, because the same words can be spelled many ways.

    folded    lower case, no accents, no invisible signs, compatibility forms resolved
    latin     folded, look-alikes of other scripts as Latin letters
    kana      folded, hiragana as katakana
    joined    latin, with nothing where one message ends and the next begins
    leet      latin, digits and signs as the letters they stand for (two ways: 1 is i, or l)
    bare      without punctuation: of latin and of leet
    single    bare, every run of one letter as one
    reversed  latin from its end
    rot13     latin, letters moved by 13
    spelled   letters that stand alone, joined: "c h i l d"

Views of encoded text (base64 and the like) are in decode.py.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, Literal

from luckrig.nodeproxy.filters import tables

SEAM: Final = "\x1e"
"""Stands where one text of a request ends and the next begins. Rules read it both as a new line and
as nothing, so that a word split over two messages is a word."""

Kind = Literal["plain", "reversed", "rot13"]
KINDS: Final[tuple[Kind, ...]] = ("plain", "reversed", "rot13")

_INVISIBLE: Final = frozenset({"Cf", "Mn", "Me", "Cc", "Co", "Cs"})
_VOICING: Final = "\u3099\u309a"
_KEPT: Final = frozenset("\n\t\r" + SEAM + _VOICING)
"""White space, and the voicing marks of kana: without them Japanese words become other words."""
_ASCII_CONTROLS: Final = {
    code: None for code in (*range(0x20), 0x7F) if chr(code) not in "\n\t\r" + SEAM
}
MAX_CACHED: Final = 30_000
"""Code points that a folding table remembers, some 5 MB: more than any mix of languages
has."""

_PUNCTUATION_RUN: Final = re.compile(r"[^\w\s]+|_+")
_REPEATED: Final = re.compile(r"([^\W\d_])\1+")
_FEWEST_SPELLED: Final = 3
_ASCII_PUNCTUATION: Final = dict.fromkeys(
    code for code in range(0x80) if not (chr(code).isalnum() or chr(code).isspace())
)
_SEAM_TO_LINE: Final = {ord(SEAM): "\n"}


def fold_character(character: str) -> str:
    """What one character is in folded text; empty for an invisible one."""
    decomposed = unicodedata.normalize("NFKD", character)
    kept = (
        part for part in decomposed if part in _KEPT or unicodedata.category(part) not in _INVISIBLE
    )
    return unicodedata.normalize("NFKC", "".join(kept)).casefold()


class Folding(dict[int, str]):
    """fold_character as a table for str.translate that remembers: 20 times as fast."""

    def __missing__(self, code: int) -> str:
        """Fold a character that is met for the first time."""
        folded = fold_character(chr(code))
        if len(self) < MAX_CACHED:
            self[code] = folded
        return folded

    def fold(self, text: str) -> str:
        """Compatibility-normalised, case-folded, without invisible characters and accents.

        Full-width letters, zero-width joiners inside words, variation selectors and combining
        marks all disappear.
        """
        if text.isascii():
            return text.translate(_ASCII_CONTROLS).casefold()
        # Composed again: parts of Hangul, and kana whose voicing mark was a character of its own.
        return unicodedata.normalize("NFC", text.translate(self))


def latin(folded: str) -> str:
    """Look-alikes as Latin letters. folded: from Folding.fold."""
    return folded if folded.isascii() else folded.translate(tables.CONFUSABLES)


def bare(text: str) -> str:
    """Without punctuation, so that "ch.il-d" is a word."""
    if text.isascii():
        return text.translate(_ASCII_PUNCTUATION)
    return _PUNCTUATION_RUN.sub("", text)


def single(text: str) -> str:
    """Every run of one letter as that letter: "chiiilld" is "child", and so is "child"."""
    return _REPEATED.sub(lambda repeated: repeated[1], text)


def spelled(text: str) -> str:
    """The letters that stand alone, at least three in a row, joined; runs on lines of their own."""
    letters = (word if len(word) == 1 else "\n" for word in bare(text).split())
    runs = dict.fromkeys("".join(letters).split("\n"))
    return "\n".join(run for run in runs if len(run) >= _FEWEST_SPELLED)


def plain_views(folded: str) -> Iterator[tuple[str, str]]:
    """The name and text of each view that leaves letters where they are, all but `single`.

    folded: with SEAM where texts were joined. Views that equal an earlier one are left out.
    """
    seen: set[str] = set()
    for name, view in _plain_views(folded):
        if view not in seen:
            seen.add(view)
            yield name, view


def _plain_views(folded: str) -> Iterator[tuple[str, str]]:
    lines = folded.translate(_SEAM_TO_LINE)
    yield "folded", lines
    if not folded.isascii():
        yield "kana", lines.translate(tables.KATAKANA)
        yield "latin", latin(lines)
    for name, base in (("latin", latin(lines)), ("joined", latin(folded.replace(SEAM, "")))):
        yield name, base
        yield "leet", base.translate(tables.LEET)
        yield "leet", base.translate(tables.LEET_L)
        yield "bare", bare(base)
        yield "bare", bare(base.translate(tables.LEET))
        yield "bare", bare(base.translate(tables.LEET_L))


def single_views(folded: str) -> Iterator[tuple[str, str]]:
    """The views without repeated letters; rules look at them with patterns that have none."""
    base = latin(folded.replace(SEAM, ""))
    yield "single", single(bare(base))
    for leet in (tables.LEET, tables.LEET_L):
        yield "single", single(bare(base.translate(leet)))


def turned_view(folded: str, kind: Kind) -> str:
    """Read from its end, or by rot13."""
    base = latin(folded.translate(_SEAM_TO_LINE))
    return base[::-1] if kind == "reversed" else base.translate(tables.ROT13)
