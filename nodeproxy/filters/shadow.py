"""The shadow of a rule's pattern: what it is in a skeleton (prefilter.py), in RE2's language.

Wherever a view holds a match of the pattern, the text's skeleton holds a match of its shadow. So a
shadow is always the wider one: look-around and word boundaries fall away, whatever isn't a plain
letter becomes "some letters" or "some gap", and each letter may be repeated. Reads the part of the
regex language that rules use; a pattern with anything else has the shadow that matches every text:
its rule runs on each, which is slow, never wrong.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

EVERYTHING: Final = ""
_ZERO_WIDTH: Final = frozenset("bBAZzmM")
_WORD_CLASSES: Final = frozenset("wd")
_GAP_CLASSES: Final = frozenset("Ws")
_OTHER_CLASSES: Final = frozenset("DSRX")
_QUANTIFIER: Final = re.compile(r"(?:([?*+])|\{(\d*)(,?)(\d*)\})[?+]?")
_SET: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\\[])*\]")
_PLAIN_SET: Final = re.compile(r"\[((?:[a-z]-[a-z]|[0-9]-[0-9]|[^\W_])+)\]")
_RANGE: Final = re.compile("(.)-(.)")
_LOOK_AROUND: Final = re.compile(r"\?<?[=!]")
_MOST_REPEATS: Final = 8
"""RE2 writes out counted repeats; from here on any count will do."""


class _UnknownSyntaxError(Exception):
    """The pattern has something that this module doesn't read."""


@dataclass(frozen=True)
class Spelling:
    """How a view's letters stand in a skeleton.

    letter: the shadow of one literal character, empty for what a skeleton lacks. same: whether two
    are one letter there, so that a double one may be single. word: the shadow of any number of
    characters of words. other: of at least one other. begin, end: of a word's ends. backwards: the
    view is the text from its end.
    """

    letter: Callable[[str], str]
    same: Callable[[str, str], bool]
    word: str
    other: str
    begin: str
    end: str
    backwards: bool = False


def shadow(pattern: str, spelling: Spelling) -> str:
    """In RE2's language; EVERYTHING when this module can't read the pattern."""
    reader = _Reader(pattern, spelling)
    try:
        found = reader.alternatives(outermost=True)
    except _UnknownSyntaxError:
        return EVERYTHING
    return found.text if reader.at == len(pattern) else EVERYTHING


@dataclass(frozen=True)
class _Part:
    """first, last: whether each match surely begins, or ends, with a character of a word.

    many: whether the text stands for any number of what the pattern says. letter: the pattern's
    own, if it is one.
    """

    text: str
    first: bool = False
    last: bool = False
    many: bool = False
    letter: str = ""
    is_edge: bool = False
    is_optional: bool = False


_NOTHING: Final = _Part("")
_EDGE: Final = _Part("", is_edge=True)


class _Reader:
    def __init__(self, pattern: str, spelling: Spelling) -> None:
        self.pattern = pattern
        self.spelling = spelling
        self.at = 0

    def alternatives(self, *, outermost: bool = False) -> _Part:
        branches = [self._sequence(outermost)]
        while self._peek() == "|":
            self.at += 1
            branches.append(self._sequence(outermost))
        return _Part(
            "|".join(dict.fromkeys(branch.text for branch in branches)),
            first=all(branch.first for branch in branches),
            last=all(branch.last for branch in branches),
        )

    def _sequence(self, outermost: bool) -> _Part:
        parts: list[_Part] = []
        edges = [False, False]
        before = ""
        while self._peek() not in ("", "|", ")"):
            part = self._quantified(self._atom())
            if part.is_edge:
                edges = [edges[0] or not parts, True]
            if part.is_edge or part is _NOTHING:
                continue
            edges[1] = False
            letter = "" if part.is_optional else part.letter
            if not (letter and before and self.spelling.same(before, letter)):
                parts.append(part)
            before = letter
        written = [part.text for part in parts]
        first, last = _is_word(parts, "first"), _is_word(reversed(parts), "last")
        if outermost and edges[0] and first:
            written.insert(0, self.spelling.begin)
        if outermost and edges[1] and last:
            written.append(self.spelling.end)
        return _Part(
            "".join(reversed(written) if self.spelling.backwards else written), first, last
        )

    def _atom(self) -> _Part:
        character = self.pattern[self.at]
        self.at += 1
        if character == "\\":
            return self._escape()
        if character == "[":
            return self._set()
        if character == "(":
            return self._group()
        if character == "." or (character.isspace() and character != " "):
            return self._any()
        if character in "^$":
            return _NOTHING
        if character in "?*+{}":
            raise _UnknownSyntaxError
        return self._letter(character)

    def _letter(self, character: str) -> _Part:
        is_word = character.isalnum()
        return _Part(self.spelling.letter(character), is_word, is_word, letter=character)

    def _any(self) -> _Part:
        return _Part(f"(?:{self.spelling.word}|{self.spelling.other})", many=True)

    def _escape(self) -> _Part:
        escaped = self._peek()
        self.at += 1
        if not escaped:
            raise _UnknownSyntaxError
        if escaped == "b":
            return _EDGE
        if escaped in _ZERO_WIDTH:
            return _NOTHING
        if escaped in _WORD_CLASSES:
            return _Part(self.spelling.word, True, True, many=True)
        if escaped in _GAP_CLASSES:
            return _Part(self.spelling.other, many=True)
        if escaped in _OTHER_CLASSES or (escaped.isspace() and escaped != " "):
            return self._any()
        if escaped.isalnum():
            raise _UnknownSyntaxError
        return self._letter(escaped)

    def _set(self) -> _Part:
        found = _SET.match(self.pattern, self.at - 1)
        if found is None:
            raise _UnknownSyntaxError
        self.at = found.end()
        plain = _PLAIN_SET.fullmatch(found[0])
        if plain is None:
            return self._any()
        letters = dict.fromkeys(map(self.spelling.letter, _RANGE.sub(_written_out, plain[1])))
        return _Part(f"(?:{'|'.join(letters)})", True, True)

    def _group(self) -> _Part:
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
        if look_around is not None:
            return _NOTHING
        return replace(inner, text=f"(?:{inner.text})")

    def _quantified(self, part: _Part) -> _Part:
        found = _QUANTIFIER.match(self.pattern, self.at)
        if found is None:
            return part
        self.at = found.end()
        sign, least, comma, most = found.groups()
        if not sign and not least and not comma:
            raise _UnknownSyntaxError  # {}: braces that mean themselves
        is_optional = sign in ("?", "*") or (not sign and not int(least or 0))
        if part.many:
            suffix = "?" if is_optional else ""
        elif sign:
            suffix = sign
        else:
            suffix = _count(int(least or 0), int(most or 0) if comma else int(least))
        return replace(part, text=f"(?:{part.text}){suffix}", is_optional=is_optional, letter="")

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]


def _count(least: int, most: int) -> str:
    """most: 0 for any number."""
    if 0 < most <= _MOST_REPEATS:
        return f"{{{least},{most}}}"
    return "+" if least else "*"


def _is_word(parts: Iterable[_Part], end: Literal["first", "last"]) -> bool:
    for part in parts:
        if not getattr(part, end):
            return False
        if not part.is_optional:
            return True
    return False


def _written_out(letters: re.Match[str]) -> str:
    return "".join(map(chr, range(ord(letters[1]), ord(letters[2]) + 1)))
