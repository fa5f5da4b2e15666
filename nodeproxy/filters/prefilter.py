"""Says in microseconds that a text can't break any rule, which is so for nearly every text.

A *skeleton* is coarser than every view of views.py: lower case, leet and look-alikes as letters,
no punctuation, i for l. Where a view holds one of a rule's anchors, the skeleton holds the anchor's
skeleton, up to repeated letters. So one scan of one string stands for all views.

The scan is one alternation of fragments, each at the rarest letter of its anchor, because a regular
expression costs little at letters that begin no branch. A fragment that is found is only then
compared with the whole anchor.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Final

from luckrig.nodeproxy.filters import tables
from luckrig.nodeproxy.filters.views import MAX_CACHED, SEAM, Kind, fold_character

_WINDOW: Final = 40
"""Characters beside a fragment in which its anchor is looked for; repeated letters make it long."""
_MANY_SIGNS: Final = 3
"""From so many of one sign on, not before a space, signs may be leet or separators; both count."""
_FRAGMENT_LETTERS: Final = 5

# Letters of English in 100,000; l is with i in a skeleton.
_FREQUENCY: Final = dict(
    zip(
        "etaoinshrdcumwfgypbvkjxqz",
        (12_700, 9_100, 8_200, 7_500, 11_000, 6_700, 6_300, 6_100, 6_000, 4_300, 2_800, 2_800,
         2_400, 2_400, 2_200, 2_000, 2_000, 1_900, 1_500, 1_000, 800, 200, 200, 100, 100),
        strict=True,
    )
)  # fmt: skip
_RARE: Final = 50
_FREQUENT: Final = 4_500
"""Letters from here on make a bad beginning of a branch: it would be tried everywhere."""


def _skeleton_character(character: str, *, signs: bool) -> str:
    if character in " \n\t\r":
        return " "
    if character == SEAM:
        return ""
    if not signs and character in tables.SEPARATING_SIGNS:
        return ""
    kept = ""
    for part in fold_character(character).translate(tables.CONFUSABLES).translate(tables.LEET):
        part = part.translate(tables.KATAKANA)
        if part.isspace():
            kept += " "
        elif part.isalnum() or unicodedata.combining(part):
            kept += "i" if part == "l" else part
    return kept


class _Skeletons(dict[int, str]):
    """_skeleton_character as a table for str.translate that remembers."""

    def __init__(self, *, signs: bool) -> None:
        super().__init__()
        self._signs = signs
        ascii_skeletons = [_skeleton_character(chr(code), signs=signs) for code in range(128)]
        self._letters = bytes(ord(each or " ") for each in ascii_skeletons) + bytes(128)
        self._deleted = bytes(code for code, each in enumerate(ascii_skeletons) if not each)

    def __missing__(self, code: int) -> str:
        skeleton = _skeleton_character(chr(code), signs=self._signs)
        if len(self) < MAX_CACHED:
            self[code] = skeleton
        return skeleton

    def of(self, text: str) -> str:
        if text.isascii():
            return text.encode("ascii").translate(self._letters, self._deleted).decode("ascii")
        return unicodedata.normalize("NFC", text.translate(self))


_REPEATED: Final = re.compile(r"(.)\1+")


def _once(repeated: re.Match[str]) -> str:
    """Python 3.11 expands a template such as \\1 much more slowly than it calls a function."""
    return repeated[1]


def _may_separate(sign: str, text: str) -> bool:
    count = text.count(sign)
    return count >= _MANY_SIGNS and count - text.count(sign + " ") >= _MANY_SIGNS


@dataclass(frozen=True, slots=True)
class Anchor:
    """A literal in one of the ways it may be written. rules: numbers of the rules that have it."""

    skeleton: str
    kind: Kind
    rules: frozenset[int]


class Prefilter:
    """Which rules may match a text: their first patterns' anchors, all in one scan."""

    def __init__(self, anchors: Iterable[tuple[str, int, Sequence[Kind]]]) -> None:
        """anchors: each with its rule's number and the kinds to look for; telling ones only."""
        self._signs = _Skeletons(signs=True)
        self._no_signs = _Skeletons(signs=False)
        rules: dict[tuple[str, Kind], set[int]] = {}
        for literal, rule, kinds in anchors:
            for kind, skeleton in self.written(literal):
                if kind not in kinds:
                    continue
                rules.setdefault((skeleton, kind), set()).add(rule)
        self._anchors = [
            Anchor(skeleton, kind, frozenset(numbers))
            for (skeleton, kind), numbers in rules.items()
        ]
        first_letters = _first_letters(anchor.skeleton for anchor in self._anchors)
        self._by_first: dict[str, list[Anchor]] = {}
        parts: set[tuple[str, str]] = set()
        for anchor in self._anchors:
            part = _fragment(anchor.skeleton, first_letters)
            parts.add(part)
            self._by_first.setdefault(part[1][0], []).append(anchor)
        self._ascii_scan = _compile(part for part in parts if part[1].isascii())
        self._scan = _compile(parts)

    def written(self, literal: str) -> Iterator[tuple[Kind, str]]:
        """The skeletons of a literal in plain, reversed and rot13 text, repeated letters as one."""
        yield "plain", self.collapsed(literal)
        yield "reversed", self.collapsed(literal[::-1])
        if any("a" <= letter <= "z" for letter in literal):
            yield "rot13", self.collapsed(literal.translate(tables.ROT13))

    def collapsed(self, text: str) -> str:
        """A text's skeleton, repeated letters as one. For short texts: it costs 30 ns a letter."""
        return _REPEATED.sub(_once, self._signs.of(text))

    def skeletons(self, text: str) -> list[str]:
        """The skeletons to scan: a second one if signs may be separators."""
        found = [self._signs.of(text)]
        if any(_may_separate(sign, text) for sign in tables.SEPARATING_SIGNS):
            found.append(self._no_signs.of(text))
        return found

    def hits(self, skeleton: str) -> tuple[set[Anchor], bool]:
        """The anchors in a skeleton, and whether letters stand alone as in "c h i l d"."""
        found: set[Anchor] = set()
        is_spelled = False
        scan = self._ascii_scan if skeleton.isascii() else self._scan
        match = scan.search(skeleton)
        while match is not None:
            start = match.start()
            if " " in match[0]:
                is_spelled = True
            elif not found.issuperset(self._by_first[skeleton[start]]):
                near = skeleton[max(0, start - _WINDOW) : match.end() + _WINDOW]
                near = _REPEATED.sub(_once, near)
                found.update(
                    each for each in self._by_first[skeleton[start]] if each.skeleton in near
                )
            # From the next letter on: what this match has consumed may belong to others too.
            match = scan.search(skeleton, start + 1)
        return found, is_spelled

    def hits_without_spaces(self, text: str) -> set[Anchor]:
        """The anchors in a text whose words run into each other."""
        collapsed = self.collapsed(text)
        return {anchor for anchor in self._anchors if anchor.skeleton.replace(" ", "") in collapsed}


def is_telling(literal: str) -> bool:
    """Whether a literal is worth looking for: two letters, or one that isn't ASCII."""
    letters = {letter for letter in literal if letter.isalnum()}
    return len(letters) >= 2 or any(not letter.isascii() for letter in letters)


def _first_letters(skeletons: Iterable[str]) -> set[str]:
    """Rare letters of which every skeleton has one: the anchors with few rare letters decide."""
    chosen: set[str] = set()
    choices = [{part[1][0] for part in _parts(skeleton)} for skeleton in skeletons]
    for letters in sorted(choices, key=lambda each: -min(map(_frequency, each))):
        if chosen.isdisjoint(letters):
            chosen.add(min(letters, key=lambda letter: (_frequency(letter), letter)))
    return chosen


def _parts(skeleton: str) -> list[tuple[str, str]]:
    """Parts of an anchor's longest word: a letter and what follows it, and two letters before."""
    word = max(skeleton.split(), key=len)
    starts = range(max(1, len(word) - 1))  # with a letter after it: looking ahead is cheap
    if min(_frequency(word[at]) for at in starts) > _FREQUENT:
        starts = range(len(word))
    return [(word[max(0, at - 2) : at], word[at : at + _FRAGMENT_LETTERS]) for at in starts]


def _fragment(skeleton: str, first_letters: set[str]) -> tuple[str, str]:
    """The part of an anchor that is rarest in English, out of those that are cheap to find."""
    parts = [part for part in _parts(skeleton) if part[1][0] in first_letters]
    return min(parts, key=_chance)


def _chance(part: tuple[str, str]) -> float:
    chance = 1.0
    for letter in part[0] + part[1]:
        chance *= min(1.0, 2 * _frequency(letter) / 100_000)  # letters of a word aren't independent
    return chance


def _frequency(letter: str) -> int:
    return _FREQUENCY.get(letter, _RARE)


def _after(before: str, part: str) -> str:
    """A look back at `before` and `part`; the last letter of `before` may be repeated."""
    if not before:
        return ""
    spellings = [before + part]
    if len(before) == 2:
        spellings += [before + before[-1] + part, before[-1] * 3 + part]
    return "(?:" + "|".join(f"(?<={re.escape(each)})" for each in spellings) + ")"


def _compile(parts: Iterable[tuple[str, str]]) -> re.Pattern[str]:
    """One alternation by first and second letter, so that few branches are tried.

    Every letter may be repeated. The letters before the first one are looked at last, because
    looking back is what costs most.
    """
    branches: dict[str, dict[str, list[str]]] = {}
    for before, part in sorted(parts):
        first, second, others = part[:1], part[1:2], part[2:]
        tail = _after(before, first + second) + _repeatable(others, after=second)
        branches.setdefault(first, {}).setdefault(second, []).append(tail)
        if second:
            stretched = _repeatable(part[1:], after=first)
            branches[first].setdefault(first, []).append(stretched)
    return re.compile("|".join(starmap(_branch, branches.items())) or r"(?!)")


def _branch(first: str, tails: dict[str, list[str]]) -> str:
    ways = [f"{re.escape(second)}(?:{'|'.join(each)})" for second, each in tails.items() if second]
    ways += tails.get("", [])
    ways.append(" [ ]*[^ ] [ ]*[^ ](?![^ ])")  # letters that stand alone
    return f"{re.escape(first)}(?:{'|'.join(ways)})"


def _repeatable(letters: str, *, after: str) -> str:
    """The letters, each as often as it likes, and before them more of the letter that was last."""
    more = f"{re.escape(after)}*" if after else ""
    return more + "".join(f"{re.escape(letter)}{re.escape(letter)}*" for letter in letters)
