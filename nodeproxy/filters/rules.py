"""Rule packs: loading them, and finding the first rule that a text breaks.

    [[rule]]
    id = "example"              # unique in the pack
    category = "sexual/minors"  # OpenAI's moderation category; the only thing a client is told
    language = "en"
    all = ['first', 'second']   # every pattern must match ...
    within = 60                 # ... with at most this many characters between first and others

A rule of several patterns exists because a single word over-blocks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
import regex

from luckrig.nodeproxy.filters.views import VIEWS

MATCH_TIMEOUT_SECONDS: Final = 0.05
"""Per pattern and view. A pattern that runs away counts as a match: fail closed."""
MAX_ANCHORS: Final = 200
"""How many places of a rule's first pattern are looked around; a text with more is a match, so
that flooding a text with anchors hides nothing."""


class _Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    category: str
    language: str
    all: Annotated[list[str], msgspec.Meta(min_length=1, max_length=8)]
    within: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0


class _Pack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    version: int
    rule: list[_Rule]


@dataclass(frozen=True, slots=True)
class Hit:
    """A broken rule. The category may be told to the client, the rule never."""

    rule_id: str
    category: str


class RulePack:
    """Compiled rules in their file's order."""

    def __init__(self, pack: _Pack) -> None:
        self.name = pack.name
        self._rules = [(rule, [_compile(rule, text) for text in rule.all]) for rule in pack.rule]

    @classmethod
    def from_toml(cls, text: bytes) -> "RulePack":
        """Raises ValueError naming the rule when the file is malformed or a pattern is wrong."""
        try:
            pack = msgspec.toml.decode(text, type=_Pack)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"rule pack: {error}") from error
        if len({rule.id for rule in pack.rule}) != len(pack.rule):
            raise ValueError(f"rule pack {pack.name}: a rule id stands twice")
        return cls(pack)

    def first_hit(self, texts: Iterable[str]) -> Hit | None:
        """The first rule that any view of any text breaks, or None."""
        for text in texts:
            for view in VIEWS:
                seen = view(text)
                for rule, patterns in self._rules:
                    if _breaks(seen, patterns, rule.within):
                        return Hit(rule.id, rule.category)
        return None


def _compile(rule: _Rule, text: str) -> "regex.Pattern[str]":
    try:
        return regex.compile(text, regex.VERSION1)
    except regex.error as error:
        raise ValueError(f"rule {rule.id}: {error}") from error


def _breaks(text: str, patterns: "list[regex.Pattern[str]]", within: int) -> bool:
    first, *others = patterns
    try:
        for count, anchor in enumerate(first.finditer(text, timeout=MATCH_TIMEOUT_SECONDS)):
            if count >= MAX_ANCHORS:
                return True
            start, end = max(0, anchor.start() - within), anchor.end() + within
            if all(_found(other, text[start:end]) for other in others):
                return True
    except TimeoutError:
        return True
    return False


def _found(pattern: "regex.Pattern[str]", text: str) -> bool:
    return pattern.search(text, timeout=MATCH_TIMEOUT_SECONDS) is not None
