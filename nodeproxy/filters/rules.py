"""Finds the first rule that a text breaks. Pure.

A text goes through in pieces (pieces.py). The prefilter (prefilter.py) passes nearly all of them;
for the rest, the few rules that it names look at every view (views.py). What a text hides in an
encoding is decoded (decode.py) and goes the same way.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import regex

from luckrig.nodeproxy.filters.decode import Decoder, Encoding, decoded
from luckrig.nodeproxy.filters.pack import Rule, RulePack
from luckrig.nodeproxy.filters.pieces import pieces, windows
from luckrig.nodeproxy.filters.prefilter import Candidates, Prefilter
from luckrig.nodeproxy.filters.views import (
    KINDS,
    Folding,
    Kind,
    plain_views,
    single_views,
    spelled,
    turned_view,
)

MATCH_TIMEOUT_SECONDS: Final = 0.008
"""Per pattern and view of at most a window; sound patterns need 0.5 ms. One that runs away counts
as a match: fail closed."""
TURNED_PACK: Final = "baseline"
"""The one pack whose rules also look at reversed and rot13 text."""
DECODE_DEPTH: Final = 2
"""base64 of base64 is decoded, and no deeper."""

Writing = Literal["usual", "single", "loose"]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Hit:
    """A broken rule. The category may be told to the client, the rest never.

    pack, rule_id: empty for hidden runs, which no rule is about. view: how the text had to be read,
    such as "base64 > leet".
    """

    pack: str
    rule_id: str
    category: str
    view: str


class _CompiledRule:
    """A rule's patterns in the writings that views need, compiled when first used."""

    def __init__(self, pack: str, rule: Rule) -> None:
        self.pack = pack
        self.rule = rule
        self._compiled: dict[Writing, list[regex.Pattern[str]]] = {}

    def is_broken_by(self, text: str, writing: Writing = "usual") -> bool:
        """Whether every pattern matches, near the first one's match."""
        try:
            return _match_together(self._patterns(writing), text, self.rule.within)
        except TimeoutError:
            return True

    def _patterns(self, writing: Writing) -> list[regex.Pattern[str]]:
        if writing not in self._compiled:
            self._compiled[writing] = [
                regex.compile(rewritten(pattern, writing), regex.VERSION1)
                for pattern in self.rule.all
            ]
        return self._compiled[writing]


_DOUBLE_LETTER: Final = regex.compile(r"(?<!\\)([^\W\d_])\1+(?![?*+{])")


def rewritten(pattern: str, writing: Writing) -> str:
    """single: for text without repeated letters. loose: for letters without word boundaries."""
    if writing == "single":
        return _DOUBLE_LETTER.sub(r"\1", pattern)
    if writing == "loose":
        return pattern.replace(r"\b", "").replace(" ", r"\s*")
    return pattern


def _match_together(patterns: Sequence[regex.Pattern[str]], text: str, within: int) -> bool:
    firsts = _spans(patterns[0], text)
    if not firsts:
        return False
    others = [_spans(pattern, text) for pattern in patterns[1:]]
    if not all(others):
        return False
    return any(
        all(_has_between(spans, start - within, end + within) for spans in others)
        for start, end in firsts
    )


def _spans(pattern: regex.Pattern[str], text: str) -> list[Span]:
    return [match.span() for match in pattern.finditer(text, timeout=MATCH_TIMEOUT_SECONDS)]


def _has_between(spans: Sequence[Span], start: int, end: int) -> bool:
    """spans: in their order in the text."""
    found = bisect_left(spans, (start, 0))
    return found < len(spans) and spans[found][1] <= end


class RuleSet:
    """All packs of a rig. Safe to use from several threads."""

    def __init__(self, packs: Iterable[RulePack]) -> None:
        """Raises ValueError when a rule can't be used."""
        self._rules = [_CompiledRule(pack.name, rule) for pack in packs for rule in pack.rules]
        self._folding = Folding()
        self._decoder = Decoder()
        self._prefilter = Prefilter(
            (each.rule, KINDS if each.pack == TURNED_PACK else KINDS[:1]) for each in self._rules
        )

    def first_hit(self, texts: Iterable[str]) -> Hit | None:
        """What the first text that breaks a rule breaks, or None."""
        for text in texts:
            for hit in self.hits(text):
                return hit
        return None

    def hits(self, text: str) -> Iterator[Hit]:
        """Each rule that the text breaks, once or more often. Lazy: the first one is the cheapest.

        Hidden runs come last, so that what they hide is named if a rule knows it.
        """
        return (step for step in self.check(text) if step is not None)

    def check(self, text: str) -> Iterator[Hit | None]:
        """The hits, and None between pieces of work: a moment to do something else.

        A piece takes a few ms at most. Short texts that need no closer look are one piece.
        """
        is_smuggling = False
        for number, piece in enumerate(pieces(text)):
            if number:
                yield None
            candidates = self._prefilter.candidates(piece)
            if candidates.rules or candidates.spelled:
                yield from self._look(piece, candidates)
            if candidates.encoded:
                encodings = self._decoder.encodings(piece)
                is_smuggling |= "smuggled" in encodings
                yield from self._look_inside(piece, encodings, DECODE_DEPTH)
        if is_smuggling:
            yield Hit("", "", "obfuscation", "hidden run")

    def _look_inside(
        self, text: str, encodings: Iterable[Encoding], depth: int
    ) -> Iterator[Hit | None]:
        """What the text hides in encodings, and what that hides."""
        for name in encodings:
            hidden = decoded(text, name)
            if not hidden or hidden == text:
                continue
            for step in self._hidden_steps(hidden, 0 if name == "signs" else depth - 1):
                yield None if step is None else replace(step, view=f"{name} > {step.view}")

    def _hidden_steps(self, text: str, depth: int) -> Iterator[Hit | None]:
        yield None
        candidates = self._prefilter.candidates(text)
        yield from self._look(text, candidates)
        if depth and candidates.encoded:
            yield from self._look_inside(text, self._decoder.encodings(text), depth)

    def _look(self, text: str, candidates: Candidates) -> Iterator[Hit | None]:
        if candidates.rules:
            for window in windows(text):
                yield None
                near = candidates if window is text else self._prefilter.candidates(window)
                yield from self._look_closer(window, near.rules, "usual")
        if candidates.spelled:
            joined = spelled(self._folding.fold(text))
            loose = self._prefilter.loose_candidates(joined)
            for step in self._look_closer(joined, loose.rules, "loose"):
                yield None if step is None else replace(step, view=f"spelled > {step.view}")

    def _look_closer(
        self, text: str, numbers: Mapping[Kind, Sequence[int]], writing: Writing
    ) -> Iterator[Hit | None]:
        """Let the rules look at the views of their kinds.

        writing: loose for letters that stood alone, where nobody knows where words end.
        """
        if not numbers:
            return
        folded = self._folding.fold(text)
        for kind, found in numbers.items():
            rules = [self._rules[number] for number in sorted(found)]
            if kind == "plain":
                yield from _broken(rules, plain_views(folded), writing)
                if writing == "usual":
                    yield from _broken(rules, single_views(folded), "single")
            else:
                yield from _broken(rules, [(kind, turned_view(folded, kind))], writing)


def _broken(
    rules: Sequence[_CompiledRule], views: Iterable[tuple[str, str]], writing: Writing
) -> Iterator[Hit | None]:
    for name, view in views:
        for rule in rules:
            if rule.is_broken_by(view, writing):
                yield Hit(rule.pack, rule.rule.id, rule.rule.category, name)
        yield None
