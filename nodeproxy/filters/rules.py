"""Finds the first rule that a text breaks. Pure.

A text goes through in slices. The prefilter (prefilter.py) passes nearly all of them; for the rest,
the few rules that it names look at every view (views.py). What a text hides in an encoding is
decoded (decode.py) and goes the same way.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import regex

from luckrig.nodeproxy.filters.anchors import find_anchors
from luckrig.nodeproxy.filters.decode import has_smuggled_run, hidden_texts
from luckrig.nodeproxy.filters.pack import Rule, RulePack
from luckrig.nodeproxy.filters.prefilter import Anchor, Prefilter, is_telling
from luckrig.nodeproxy.filters.views import (
    KINDS,
    Folding,
    Kind,
    plain_views,
    single_views,
    spelled,
    turned_view,
)

MATCH_TIMEOUT_SECONDS: Final = 0.05
"""Per pattern and view. A pattern that runs away counts as a match: fail closed."""
SLICE_CHARS: Final = 16_384
OVERLAP_CHARS: Final = 2_048
"""A match with its surroundings must fit: 500 characters within, spelled with signs between."""
TURNED_PACK: Final = "baseline"
"""The one pack whose rules also look at reversed and rot13 text: more anchors would make every
request dearer, for most of a check's time is the look for anchors."""
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
                regex.compile(_write(pattern, writing), regex.VERSION1) for pattern in self.rule.all
            ]
        return self._compiled[writing]


_DOUBLE_LETTER: Final = regex.compile(r"(?<!\\)([^\W\d_])\1+")


def _write(pattern: str, writing: Writing) -> str:
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
        anchors: list[tuple[str, int, Sequence[Kind]]] = []
        self._always: set[int] = set()
        for number, compiled in enumerate(self._rules):
            found = _usable(compiled.rule.all[0])
            kinds = KINDS if compiled.pack == TURNED_PACK else KINDS[:1]
            anchors += [(literal, number, kinds) for literal in found]
            if not found:
                self._always.add(number)
        self._prefilter = Prefilter(anchors)
        self._others = [self._other_anchors(compiled.rule) for compiled in self._rules]

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
        yield from self._hits(text, DECODE_DEPTH)
        if has_smuggled_run(text):
            yield Hit("", "", "obfuscation", "hidden run")

    def _hits(self, text: str, depth: int) -> Iterator[Hit]:
        for start in range(0, max(1, len(text) - OVERLAP_CHARS), SLICE_CHARS - OVERLAP_CHARS):
            yield from self._hits_in_slice(text[start : start + SLICE_CHARS])
        if depth == 0:
            return
        for name, hidden in hidden_texts(text):
            if hidden and hidden != text:
                for hit in self._hits(hidden, depth - 1):
                    yield replace(hit, view=f"{name} > {hit.view}")

    def _hits_in_slice(self, text: str) -> Iterator[Hit]:
        anchors: set[Anchor] = set()
        has_spelled = False
        for skeleton in self._prefilter.skeletons(text):
            found, letters_alone = self._prefilter.hits(skeleton)
            anchors |= found
            has_spelled |= letters_alone
        if anchors or self._always:
            yield from self._look_closer(text, anchors, "usual")
        if has_spelled:
            joined = spelled(self._folding.fold(text))
            for hit in self._look_closer(
                joined, self._prefilter.hits_without_spaces(joined), "loose"
            ):
                yield replace(hit, view=f"spelled > {hit.view}")

    def _look_closer(self, text: str, anchors: Iterable[Anchor], writing: Writing) -> Iterator[Hit]:
        """Let the rules look at the views of the kinds in which an anchor was found.

        writing: loose for letters that stood alone, where nobody knows where words end.
        """
        found: dict[Kind, set[int]] = {}
        for anchor in anchors:
            found.setdefault(anchor.kind, set()).update(anchor.rules)
        if not found and not self._always:
            return
        collapsed = self._prefilter.collapsed(text).replace(" ", "")
        folded = self._folding.fold(text)
        for kind in KINDS:
            numbers = {
                number
                for number in found.get(kind, set()) | self._always
                if self._may_hold_others(number, kind, collapsed)
            }
            rules = [self._rules[number] for number in sorted(numbers)]
            if not rules:
                continue
            if kind == "plain":
                yield from _broken(rules, plain_views(folded), writing)
                if writing == "usual":
                    yield from _broken(rules, single_views(folded), "single")
            else:
                yield from _broken(rules, [(kind, turned_view(folded, kind))], writing)

    def _other_anchors(self, rule: Rule) -> list[dict[Kind, list[str]]]:
        """For each pattern but the first, if it has anchors: their skeletons by kind."""
        found: list[dict[Kind, list[str]]] = []
        for pattern in rule.all[1:]:
            literals = _usable(pattern)
            if not literals:
                continue
            kinds: dict[Kind, list[str]] = {kind: [] for kind in KINDS}
            for literal in literals:
                for kind, skeleton in self._prefilter.written(literal):
                    kinds[kind].append(skeleton.replace(" ", ""))
            found.append(kinds)
        return found

    def _may_hold_others(self, number: int, kind: Kind, collapsed: str) -> bool:
        return all(
            any(skeleton in collapsed for skeleton in kinds[kind]) for kinds in self._others[number]
        )


def _usable(pattern: str) -> list[str]:
    """A pattern's anchors, unless one is so short that it would be in every text."""
    found = find_anchors(pattern)
    if found is None or not all(map(is_telling, found)):
        return []
    return sorted(found)


def _broken(
    rules: Sequence[_CompiledRule], views: Iterable[tuple[str, str]], writing: Writing
) -> Iterator[Hit]:
    for name, view in views:
        for rule in rules:
            if rule.is_broken_by(view, writing):
                yield Hit(rule.pack, rule.rule.id, rule.rule.category, name)
