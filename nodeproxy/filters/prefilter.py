"""Says in microseconds that a text can't break any rule, which is so for nearly every text.

A *skeleton* is coarser than every view of views.py: lower case, digits and look-alikes as letters,
no accents, one mark for all punctuation, i for l. It is made letter by letter, so the skeleton of a
text holds the skeleton of each part. What no table can know stays in it: a sign such as "$" is s,
or nothing; the end of a message is a space, or nothing.

Patterns are rewritten for skeletons, with both readings and any repetition (shadow.py). One pass of
an automaton (automaton.py) then says which of them a text holds. A rule can only be broken if all
its patterns are among them.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import regex

from luckrig.nodeproxy.filters import tables
from luckrig.nodeproxy.filters.automaton import Automaton
from luckrig.nodeproxy.filters.pack import Rule
from luckrig.nodeproxy.filters.shadow import Spelling, shadow
from luckrig.nodeproxy.filters.views import MAX_CACHED, SEAM, Kind, bare, fold_character

_MARK: Final = "."
"""Stands for punctuation and other signs: a word may end there, or go on behind it."""
_SIGNS: Final = "".join(chr(code) for code in tables.LEET if not chr(code).isalnum())
"""Leet signs, which are punctuation too."""
_ESCAPING: Final = "%&\\"
"""Punctuation that begins an escape, and so is left as it is."""
_NO_LETTERS: Final = _MARK + _ESCAPING + _SIGNS + SEAM


def _one_of(letters: str) -> str:
    return "[" + "".join(f"\\x{{{ord(letter):x}}}" for letter in letters) + "]"


_WORD: Final = regex.compile(r"\w")
_FOREIGN: Final = re.compile("[^\x00-\x7f]")
_FEW: Final = 8
_FEW_KINDS: Final = 40
"""Of characters beyond ASCII, in a text in which at most one in _FEW is one: replacing each kind is
then three times as fast as a look at every character."""

_GAP: Final = _one_of(" " + _NO_LETTERS)
_NO_GAP: Final = _GAP.replace("[", "[^", 1)
_BREAK: Final = f"{_one_of(_NO_LETTERS)}*{_one_of(' ' + SEAM)}{_GAP}*"
_ONE: Final = f"(?:{_NO_GAP}|[\u1100-\u11ff]{{2,3}})"
_SPELLED: Final = f"(?:^|{_GAP}){_ONE}(?:{_BREAK}{_ONE}){{2}}(?:{_GAP}|$)"
"""Three letters, or syllables of Hangul, that stand alone."""
_DIGIT: Final = "[oi2easbtgcdf]"
_ENCODED: Final = "|".join(
    (
        r"[a-z0-9.+]{16}",  # base64; its "-", "_" and "/" are marks
        rf"(?:(?:ox|\\x)?{_DIGIT}{{2}}[ .{SEAM}]{{0,2}}){{6}}",  # hexadecimal, 0 as o and so on
        rf"[|\\]|&[^ ]|%{_DIGIT}{{2}}|u\+{_DIGIT}{{4}}",
        r"\.(?:[ |.]+\.){4}",  # Morse
    )
)
"""What the skeleton of ASCII text has if the text has any of the encodings of decode.py."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a text may break: numbers of rules by kind of view.

    spelled: letters stand alone. encoded: it may hold what decode.py knows; that is so of all text
    beyond ASCII.
    """

    rules: Mapping[Kind, Sequence[int]]
    spelled: bool = False
    encoded: bool = False


_NOTHING: Final = Candidates({})
_NOTHING_BEYOND_ASCII: Final = Candidates({}, encoded=True)


class Skeletons(dict[int, str]):
    """Skeletons of texts, as UTF-8. A table for str.translate that remembers."""

    def __init__(self) -> None:
        """The table for ASCII is made at once."""
        super().__init__()
        letters = [_skeleton_character(chr(code)) for code in range(128)]
        self._letters = bytes(ord(each or " ") for each in letters) + bytes(range(128, 256))
        self._deleted = bytes(code for code, each in enumerate(letters) if not each)

    def __missing__(self, code: int) -> str:
        """The skeleton of a character that is met for the first time."""
        skeleton = chr(code) if code < 0x80 else _skeleton_character(chr(code))
        if len(self) < MAX_CACHED:
            self[code] = skeleton
        return skeleton

    def of(self, text: str) -> bytes:
        """text: may hold SEAM, and surrogates, which disappear."""
        if not text.isascii():
            text = self._without_foreign(text)
        return text.encode().translate(self._letters, self._deleted)

    def _without_foreign(self, text: str) -> str:
        """Only ASCII is left as it is: it comes next, 50 times as fast."""
        if len(text.encode("utf-8", "replace")) - len(text) > len(text) // _FEW:
            return text.translate(self)
        kinds = set(_FOREIGN.findall(text))
        if len(kinds) > _FEW_KINDS:
            return text.translate(self)
        for character in kinds:
            text = text.replace(character, self[ord(character)])
        return text


def _skeleton_character(character: str) -> str:
    if character == SEAM:
        return character
    return "".join(map(_skeleton_part, fold_character(character)))


def _skeleton_part(folded: str) -> str:
    """folded: one character."""
    if folded.isspace():
        return " "
    letter = folded.translate(tables.CONFUSABLES)
    if letter in _SIGNS or letter in _ESCAPING:
        return letter
    # Decomposed: kana without their voicing marks, Hangul as its letters, so that it makes no
    # difference whether a text came composed.
    decomposed = unicodedata.normalize("NFKD", letter.translate(tables.KATAKANA))
    kept = "".join(filter(str.isalnum, decomposed.translate(tables.LEET))).replace("l", "i")
    if not kept:
        return _MARK
    # 🅰 is a sign in one view and a letter in another; and rules and views.bare differ about some.
    is_letter = _WORD.fullmatch(folded) and bare(folded)
    return kept if is_letter else f"{_MARK}{kept}{_MARK}"


class Prefilter:
    """Which rules may match a text: the shadows of all their patterns, all in one pass."""

    def __init__(self, rules: Iterable[tuple[Rule, Sequence[Kind]]]) -> None:
        """rules: by number, each with the kinds of view that it looks at.

        Raises ValueError when they are too many for RE2.
        """
        self._skeletons = Skeletons()
        numbered = list(enumerate(rules))
        self._usual = _Requirements(numbered, spaced=True)
        self._loose = _Requirements(numbered, spaced=False)

    def candidates(self, text: str) -> Candidates:
        """Rules that may be broken by one of the text's views, other than its spelled one."""
        return self._usual.candidates(self._skeletons.of(text), is_ascii=text.isascii())

    def loose_candidates(self, text: str) -> Candidates:
        """The same for a text in which nobody knows where words end."""
        return self._loose.candidates(
            self._skeletons.of(text).replace(b" ", b""), is_ascii=text.isascii()
        )


@lru_cache(maxsize=8)
def _spelling(kind: Kind, spaced: bool) -> Spelling:
    return spelling_of(Skeletons(), kind, spaced=spaced)


# All of it takes 0.4 s, and says the same whichever rig of a process asks.
@lru_cache(maxsize=4096)
def _shadow_of(pattern: str, kind: Kind, spaced: bool) -> str:
    return shadow(pattern, _spelling(kind, spaced))


@lru_cache(maxsize=4)
def _automaton(patterns: tuple[str, ...]) -> Automaton:
    return Automaton(patterns)


class _Requirements:
    """The shadow of each pattern as one pattern of an automaton."""

    def __init__(
        self,
        rules: Sequence[tuple[int, tuple[Rule, Sequence[Kind]]]],
        *,
        spaced: bool,
    ) -> None:
        patterns: dict[str, int] = {_SPELLED: 0, _ENCODED: 1}
        self._by_first: dict[int, list[tuple[int, Kind, frozenset[int]]]] = {}
        for number, (rule, kinds) in rules:
            for kind in kinds:
                needed = [
                    patterns.setdefault(_shadow_of(pattern, kind, spaced), len(patterns))
                    for pattern in rule.all
                ]
                requirement = (number, kind, frozenset(needed))
                self._by_first.setdefault(needed[0], []).append(requirement)
        self._automaton = _automaton(tuple(patterns))

    def candidates(self, skeleton: bytes, *, is_ascii: bool) -> Candidates:
        found = self._automaton.found(skeleton)
        if len(found) == 1:
            return _NOTHING if is_ascii else _NOTHING_BEYOND_ASCII
        present = frozenset(found)
        rules: dict[Kind, list[int]] = {}
        for first in present:
            for number, kind, needed in self._by_first.get(first, ()):
                if needed <= present:
                    rules.setdefault(kind, []).append(number)
        return Candidates(rules, 0 in present, 1 in present or not is_ascii)


def spelling_of(skeletons: Skeletons, kind: Kind, *, spaced: bool) -> Spelling:
    """spaced: whether skeletons have spaces."""

    # Patterns are made of a few dozen letters, and hold them 13,000 times.
    @cache
    def skeleton(letter: str) -> str:
        turned = letter.translate(tables.ROT13) if kind == "rot13" else letter
        found = skeletons.of(turned).decode()
        return found if spaced else found.replace(" ", "")

    @cache
    def letter(character: str) -> str:
        written = "".join(map(_stretched, letters := skeleton(character)))
        return f"(?:{written})+" if len(letters) > 1 else written  # Hangul, repeated as a whole

    def same(one: str, other: str) -> bool:
        return skeleton(one) == skeleton(other)

    ends = (f"(?:^|{_GAP})", f"(?:{_GAP}|$)") if spaced else ("", "")
    begin, end = reversed(ends) if kind == "reversed" else ends
    return Spelling(
        letter=letter,
        same=same,
        word="[^ ]*",
        other=f"(?:{_GAP}{_NO_GAP}?){'+' if spaced else '*'}",
        begin=begin,
        end=end,
        backwards=kind == "reversed",
    )


def _stretched(letter: str) -> str:
    """Once or more, as a letter or a sign that means it, and then signs for nothing."""
    meant = letter.translate(tables.LEET).replace("l", "i")
    if meant in _NO_LETTERS:
        return f"{_one_of(_NO_LETTERS)}*"
    signs = "".join(
        sign
        for sign in _SIGNS
        if sign.translate(tables.LEET_L).replace("l", "i") == meant
        or sign.translate(tables.LEET) == meant
    )
    return f"{_one_of(meant + signs)}{_one_of(meant + _NO_LETTERS)}*"
