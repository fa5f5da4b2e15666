"""Layer 1: the shipped packs, what they must pass, and how a match comes about."""

import pytest

from luckrig.nodeproxy.filters.pack import RulePack, shipped_packs
from luckrig.nodeproxy.filters.rules import OVERLAP_CHARS, SLICE_CHARS, Hit, RuleSet
from luckrig.nodeproxy.filters.views import SEAM, Folding
from tests.nodeproxy.prompts import benign_prompts, forbidden_prompts

SHIPPED = RuleSet(shipped_packs())

PACK = b"""
name = "test"
version = 1
[[rule]]
id = "pair"
category = "test/pair"
language = "en"
all = ['apple', 'pear']
within = 10
"""


def rules(text: bytes = PACK) -> RuleSet:
    return RuleSet([RulePack.from_toml(text)])


@pytest.mark.parametrize(("category", "text"), forbidden_prompts())
def test_forbidden_prompts_are_refused_with_their_category(category: str, text: str) -> None:
    hit = SHIPPED.first_hit(["Hello.", text])
    assert hit is not None
    assert hit.category == category


def test_sexual_content_about_minors_is_refused() -> None:
    found = [text for category, text in forbidden_prompts() if category == "sexual/minors"]
    assert len(found) >= 30
    for text in found:
        hit = SHIPPED.first_hit([text.upper()])
        assert hit is not None, text
        assert hit.category == "sexual/minors"


def test_the_corpora_are_large_enough() -> None:
    assert len(forbidden_prompts()) >= 60
    assert len({text for texts in benign_prompts().values() for text in texts}) >= 2_000


def test_at_most_one_benign_prompt_in_200_is_refused() -> None:
    prompts = benign_prompts()
    refused = [text for texts in prompts.values() for text in texts if SHIPPED.first_hit([text])]
    assert len(refused) <= 0.005 * sum(map(len, prompts.values())), refused


def test_benign_prompts_pass_together_too() -> None:
    """A long conversation about one topic, as one text: pairs meet across the messages."""
    prompts = benign_prompts()
    refused = 0
    for texts in prompts.values():
        for start in range(0, len(texts), 8):
            hit = SHIPPED.first_hit([SEAM.join(texts[start : start + 8])])
            refused += hit is not None
    assert refused <= 0.01 * sum(map(len, prompts.values())) / 8


@pytest.mark.parametrize(
    "text",
    [
        "How do I explain photosynthesis to a child?",
        "Write a story about a girl and her dog.",
        "An erotic poem for my wife of 40 years.",
        "How can parents protect children from abuse online?",
        "First, why is a minor seventh chord called minor? Second, and it has nothing to do with "
        "the first: which film did the pornography commission of 1970 object to?",
        "My 10 year old laptop is slow.",
        "ロリポップのレシピを教えて",
        "小学生に分数を教える方法",
        "Sort a list of child processes by PID.",
        "categories: sexual/minors, self-harm/instructions, illicit/violent",
        "a b c d e f g h i j k l m n o p q r s t u v w x y z",
        "😀❤️👍🏽👨‍👩‍👧‍👦🇯🇵🏳️‍🌈🏴󠁧󠁢󠁥󠁮󠁧󠁿🏴󠁧󠁢󠁳󠁣󠁴󠁿 葛󠄀城市",
        "❤️" * 50,
        "",
    ],
)
def test_ordinary_prompts_pass(text: str) -> None:
    assert SHIPPED.first_hit([text]) is None


def test_pair_must_stand_close_together() -> None:
    pair = rules()
    assert pair.first_hit(["apple and pear"]) == Hit("test", "pair", "test/pair", "folded")
    assert pair.first_hit(["pear or apple"]) is not None
    assert pair.first_hit(["apple" + " " * 40 + "pear"]) is None
    assert pair.first_hit(["apple", "pear"]) is None


@pytest.mark.parametrize("before", [0, SLICE_CHARS - 8, SLICE_CHARS, 3 * SLICE_CHARS + 5])
def test_place_in_a_long_text_makes_no_difference(before: int) -> None:
    text = ("word " * SLICE_CHARS)[:before] + " apple pear " + "word " * SLICE_CHARS
    assert rules().first_hit([text]) is not None


def test_flood_of_either_word_hides_nothing_and_is_no_match() -> None:
    flood = ("apple" + " " * 20) * 2_000
    assert rules().first_hit([flood]) is None
    assert rules().first_hit([flood + "apple pear" + flood]) is not None


def test_pattern_that_runs_away_counts_as_a_match() -> None:
    """Fail closed, within the time limit of a match. Lint would refuse the pack."""
    pack = RulePack.from_toml(PACK)
    rule = pack.rules[0]
    bad = type(rule)(id=rule.id, category="test/pair", language="en", all=["(a|aa)+$", "b"])
    runaway = RuleSet([RulePack("test", 1, (bad,))])
    assert runaway.first_hit(["a" * 5_000 + "!b"]) is not None


def test_rule_without_anchors_still_runs() -> None:
    pack = PACK.replace(b"['apple', 'pear']", b"['[0-9]{4}-[0-9]{4}']")
    assert rules(pack).first_hit(["call 1234-5678 now"]) is not None
    assert rules(pack).first_hit(["call me now"]) is None


def test_all_hits_name_rule_and_view() -> None:
    hits = list(SHIPPED.hits("a nude child, and how to make a pipe bomb"))
    assert {hit.rule_id for hit in hits} >= {"minors-sexual-en", "weapons-en"}
    assert {hit.pack for hit in hits} == {"baseline", "illicit"}


def test_overlap_holds_the_longest_match() -> None:
    """500 characters within, each with a sign between: see RuleSet's slices."""
    assert OVERLAP_CHARS >= 4 * 500


def test_folding_keeps_japanese_and_korean_whole() -> None:
    fold = Folding().fold
    assert fold("がぎぐ ポルノ 한국어") == "がぎぐ ポルノ 한국어"
    assert fold("Straße ﬁx Ⅷ ｶﾞ") == "strasse fix viii ガ"
    assert fold("ch\x00il\x07d") == "child"
