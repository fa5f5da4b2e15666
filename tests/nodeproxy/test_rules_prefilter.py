"""The prefilter never hides a match: its anchors are in whatever a pattern matches."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luckrig.nodeproxy.filters.anchors import find_anchors
from luckrig.nodeproxy.filters.pack import shipped_packs
from luckrig.nodeproxy.filters.prefilter import Prefilter
from luckrig.nodeproxy.filters.views import KINDS

PATTERNS = [pattern for pack in shipped_packs() for rule in pack.rules for pattern in rule.all]
LETTERS = st.sampled_from("abcikprxy")
WORDS = st.text(LETTERS, min_size=3, max_size=8).filter(lambda word: len(set(word)) > 2)


@pytest.mark.parametrize(
    ("pattern", "anchors"),
    [
        ("apple", {"apple"}),
        ("apples?", {"apple"}),
        (r"\bapple\w*|pears?\b", {"apple", "pear"}),
        ("(?:ab|cde)fg?", {"ab", "cde"}),
        ("(?:ab)?cd", {"cd"}),
        (r"a\W?bcd", {"bcd"}),
        ("ab+cd", {"bcd"}),
        ("ab{2,3}", {"ab"}),
        ("ab{0,3}", {"a"}),
        ("(?!no)(?<!x)ab(?=c)", {"ab"}),
        (r"pipe bomb\.", {"pipe bomb."}),
        ("[abc]x", {"x"}),
        ("[]x]ab", {"ab"}),
        ("a|", None),
        (r"\d+", None),
        ("(?i)apple", None),
        ("(?P<name>apple)", None),
        (r"(a)\1", None),
        ("apple{e<=1}", None),
        ("(apple", None),
        ("apple)", None),
    ],
)
def test_anchors_of_a_pattern(pattern: str, anchors: set[str] | None) -> None:
    assert find_anchors(pattern) == anchors


def test_every_first_pattern_of_the_shipped_packs_has_anchors() -> None:
    """One without would run on every text of every request."""
    for pack in shipped_packs():
        for rule in pack.rules:
            assert find_anchors(rule.all[0]), rule.id


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_match_of_a_shipped_pattern_holds_an_anchor(pattern: str) -> None:
    anchors = find_anchors(pattern)
    assert anchors is not None
    # Hypothesis generates for `re`, which knows no look-behind of several lengths.
    readable = re.sub(r"\(\?<!(?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", "", pattern)

    @settings(max_examples=25, deadline=None, database=None)
    @given(st.from_regex(readable))
    def check(text: str) -> None:
        match = re.search(readable, text)
        assert match is not None
        assert any(anchor in match[0] for anchor in anchors)

    check()


@settings(max_examples=150, deadline=None)
@given(
    words=st.lists(WORDS, min_size=1, max_size=12, unique=True),
    before=st.text(st.sampled_from("abcikprxy .-!4@"), max_size=20),
    after=st.text(st.sampled_from("abcikprxy .-!4@"), max_size=20),
    data=st.data(),
)
def test_scan_finds_each_anchor_however_letters_are_repeated(
    words: list[str], before: str, after: str, data: st.DataObject
) -> None:
    prefilter = Prefilter((word, number, KINDS) for number, word in enumerate(words))
    number = data.draw(st.integers(0, len(words) - 1))
    repeats = data.draw(st.lists(st.integers(1, 3), min_size=8, max_size=8))
    written = "".join(letter * count for letter, count in zip(words[number], repeats, strict=False))
    found, _ = prefilter.hits(prefilter.skeletons(before + " " + written + " " + after)[0])
    assert number in {rule for anchor in found if anchor.kind == "plain" for rule in anchor.rules}
