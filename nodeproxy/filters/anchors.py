"""Finds literals that every match of a pattern must contain, so that most texts need no pattern.

Reads the part of the regex language that rules use. Whatever it doesn't know makes it give up, and
a rule without anchors simply runs on every text: slow, never wrong.
"""

import re
from typing import Final

_ZERO_WIDTH: Final = frozenset("bBAZzmM")
_CLASSES: Final = frozenset("wWdDsSRX")
_QUANTIFIER: Final = re.compile(r"(?:([?*+])|\{(\d*)(,?)\d*\})[?+]?")
_SET: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\\[])*\]")
_LOOK_AROUND: Final = re.compile(r"\?<?[=!]")

Anchors = frozenset[str]


def find_anchors(pattern: str) -> Anchors | None:
    """Literals of which every match contains at least one, or None when that can't be told."""
    reader = _Reader(pattern)
    try:
        found = reader.alternatives()
    except _UnknownSyntaxError:
        return None
    if found is None or reader.at != len(pattern):
        return None
    return frozenset(literal.strip() for literal in found)


def _telling(anchors: Anchors) -> tuple[int, int]:
    """Long literals are in few texts; of equally long ones, few are in fewer."""
    return min(len(literal.strip()) for literal in anchors), -len(anchors)


class _UnknownSyntaxError(Exception):
    """The pattern has something that this module doesn't read."""


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def alternatives(self) -> Anchors | None:
        branches = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            branches.append(self._sequence())
        union: set[str] = set()
        for branch in branches:
            if branch is None:
                return None
            union |= branch
        return frozenset(union)

    def _sequence(self) -> Anchors | None:
        found: list[Anchors] = []
        run = ""
        while self._peek() not in ("", "|", ")"):
            atom = self._atom()
            least, repeated = self._quantifier()
            if atom == "":
                continue  # zero width: the letters before and after it are neighbours
            if isinstance(atom, str) and least:
                run += atom
                if not repeated:
                    continue
            found.append(frozenset({run}))
            run = atom if isinstance(atom, str) and least else ""
            if isinstance(atom, frozenset) and least:
                found.append(atom)
        found.append(frozenset({run}))
        usable = [each for each in found if all(literal.strip() for literal in each)]
        return max(usable, key=_telling, default=None)

    def _atom(self) -> "str | Anchors | None":
        """A literal, "" for something without width, a group's anchors, or None for a class."""
        character = self.pattern[self.at]
        self.at += 1
        if character == "\\":
            return self._escape()
        if character == "[":
            self._skip_set()
            return None
        if character == "(":
            return self._group()
        if character == "." or (character.isspace() and character != " "):
            return None
        if character in "^$":
            return ""
        if character in "?*+{}":
            raise _UnknownSyntaxError
        return character

    def _escape(self) -> str | None:
        escaped = self._peek()
        self.at += 1
        if escaped in _ZERO_WIDTH and escaped:
            return ""
        if escaped in _CLASSES and escaped:
            return None
        if not escaped or escaped.isalnum():
            raise _UnknownSyntaxError
        return escaped if escaped == " " or not escaped.isspace() else None

    def _skip_set(self) -> None:
        found = _SET.match(self.pattern, self.at - 1)
        if found is None:
            raise _UnknownSyntaxError
        self.at = found.end()

    def _group(self) -> "str | Anchors | None":
        look_around = _LOOK_AROUND.match(self.pattern, self.at)
        if look_around is not None:
            self.at = look_around.end()
        elif self.pattern.startswith("?:", self.at):
            self.at += 2
        elif self._peek() == "?":
            raise _UnknownSyntaxError
        inner = self.alternatives()
        if self._peek() != ")":
            raise _UnknownSyntaxError
        self.at += 1
        return "" if look_around is not None else inner

    def _quantifier(self) -> tuple[int, bool]:
        """The least count, and whether there may be more than one."""
        found = _QUANTIFIER.match(self.pattern, self.at)
        if found is None:
            return 1, False
        self.at = found.end()
        sign, least, _ = found.groups()
        if sign:
            return int(sign == "+"), True
        return int(least or 0), True

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]
