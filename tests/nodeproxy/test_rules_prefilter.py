"""The prefilter never hides a match: where a rule matches a view, its shadow is in the skeleton."""

import re
from collections.abc import Callable, Iterator

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from luckrig.nodeproxy.filters.automaton import Automaton
from luckrig.nodeproxy.filters.decode import Decoder
from luckrig.nodeproxy.filters.pack import Rule, shipped_packs
from luckrig.nodeproxy.filters.prefilter import Prefilter, Skeletons, spelling_of
from luckrig.nodeproxy.filters.rules import rewritten
from luckrig.nodeproxy.filters.shadow import EVERYTHING, shadow
from luckrig.nodeproxy.filters.tables import LEET
from luckrig.nodeproxy.filters.views import (
    KINDS,
    SEAM,
    Folding,
    plain_views,
    single_views,
    spelled,
    turned_view,
)
from tests.nodeproxy.evasions import EVASIONS

PATTERNS = [pattern for pack in shipped_packs() for rule in pack.rules for pattern in rule.all]
PLAIN = spelling_of(Skeletons(), "plain", spaced=True)
ODD_PATTERNS = [
    r"\bapple\w*|pears?\b",
    r"(?:ab|cde)fg?",
    r"a\W?bcd",
    r"ab{2,3}c",
    r"ab{0,3}c+d*e",
    r"(?!no)(?<!x)ab(?=c)",
    r"pipe bomb\.",
    r"[abc]x[1-9]y",
    r"[^a]bc.d",
    r"a{2,20}b(?:cd){3,}",
    r"a\sb\S\d\Dc",
    r"ill\b.\bto",
    r"\b\w+ kid\b",
    r"c\+\+|\$\$\$",
    r"がく|각",
    r"(a)\1",
    r"(?i)apple",
]


@pytest.mark.parametrize(
    "pattern", [r"(?i)apple", r"(?P<name>a)", r"(a)\1", "a{e<=1}", "(a", "a)", "\\"]
)
def test_pattern_that_cannot_be_read_has_the_shadow_that_matches_everything(pattern: str) -> None:
    assert shadow(pattern, PLAIN) == EVERYTHING


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_shipped_pattern_is_looked_for_in_every_text(pattern: str) -> None:
    found = Automaton([shadow(pattern, PLAIN)]).found(b"the quick brown fox, once, jumps")
    assert found == [1]


def views(text: str) -> Iterator[tuple[str, str, bool]]:
    """Kind, view, and whether repeated letters are one."""
    folded = Folding().fold(text)
    for _, view in plain_views(folded):
        yield "plain", view, False
    for _, view in single_views(folded):
        yield "plain", view, True
    for kind in KINDS[1:]:
        yield kind, turned_view(folded, kind), False


NOISE = st.text(
    st.sampled_from("".join(map(chr, LEET)) + SEAM + "aeils .,-_'\u200b\u3099🅰éアか각ㄱ日﹩ﬁＡ\n"),
    max_size=6,
)


def written(data: st.DataObject, text: str) -> str:
    """The text as somebody may write it who doesn't want it to be found."""
    way = data.draw(st.sampled_from(["usual", "reversed", "rot13", "spelled", "leet", "stretched"]))
    if way == "reversed":
        text = text[::-1]
    elif way == "rot13":
        text = text.translate({code: chr((code - 84) % 26 + 97) for code in range(97, 123)})
    elif way == "spelled":
        text = data.draw(st.sampled_from([" ", SEAM, "  ", " . "])).join(text)
    elif way == "leet":
        text = text.translate(
            {ord(letter): sign for letter, sign in zip("aeiost", "@3!0$+", strict=True)}
        )
    elif way == "stretched":
        text = "".join(letter * 3 for letter in text)
    return data.draw(NOISE) + text + data.draw(NOISE)


@pytest.mark.parametrize("pattern", [*PATTERNS, *ODD_PATTERNS])
def test_where_a_pattern_matches_a_view_the_prefilter_says_so(pattern: str) -> None:
    # Hypothesis generates for `re`, which knows no look-behind of several lengths.
    readable = re.sub(r"\(\?<!(?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", "", pattern)
    rule = Rule(id="x", category="x", language="en", all=[pattern])
    prefilter = Prefilter([(rule, KINDS)])
    usual, single, loose = (
        regex.compile(rewritten(pattern, writing), regex.VERSION1)
        for writing in ("usual", "single", "loose")
    )

    @settings(max_examples=25, database=None)
    @given(st.from_regex(readable), st.data())
    def check(match: str, data: st.DataObject) -> None:
        text = written(data, match)
        candidates = prefilter.candidates(text)
        for kind, view, is_single in views(text):
            if (single if is_single else usual).search(view) is not None:
                assert kind in candidates.rules, (kind, view)
        joined = spelled(Folding().fold(text))
        if loose.search(joined) is not None:
            assert candidates.spelled
            assert prefilter.loose_candidates(joined).rules

    check()


@pytest.mark.parametrize("text", ["裸 体 0🅰", "0🅰 裸 体", "k i d🅰"])
def test_what_one_view_leaves_out_hides_no_letter_that_stands_alone(text: str) -> None:
    assert spelled(Folding().fold(text))
    assert Prefilter([]).candidates(text).spelled


@pytest.mark.parametrize("write", EVASIONS.values(), ids=EVASIONS)
def test_what_is_encoded_is_never_taken_for_plain(write: Callable[[str], str]) -> None:
    prefilter, decoder = Prefilter([]), Decoder()
    letters = st.sampled_from(list("AzZ0189afxXuU+/_-%&#;\\|{}.,:; \t\n\x1c" + SEAM))

    @settings(max_examples=100, database=None)
    @given(st.text(letters, max_size=4), st.text(letters, max_size=30))
    def check(before: str, after: str) -> None:
        text = before + write("naked kid") + after
        for each in (text, after * 3):
            assert prefilter.candidates(each).encoded or not decoder.encodings(each)

    check()
