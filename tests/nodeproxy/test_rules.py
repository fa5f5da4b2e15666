"""Layer 1: the shipped packs, what they must pass, and how a match comes about."""

import base64

import pytest

from luckrig.nodeproxy.filters.pack import RulePack, shipped_packs
from luckrig.nodeproxy.filters.pieces import OVERLAP_CHARS, PIECE_CHARS, pieces
from luckrig.nodeproxy.filters.rules import Hit, RuleSet
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


@pytest.mark.parametrize("before", [0, PIECE_CHARS - 8, PIECE_CHARS, 3 * PIECE_CHARS + 5])
def test_place_in_a_long_text_makes_no_difference(before: int) -> None:
    text = ("word " * PIECE_CHARS)[:before] + " apple pear " + "word " * PIECE_CHARS
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


def turns(text: str) -> int:
    """How often a check lets others go on."""
    return sum(step is None for step in SHIPPED.check(text))


def test_short_text_is_one_piece_and_long_ones_let_others_go_on_for_each_16_kb() -> None:
    assert turns("Why does the tide come twice a day? " * 100) == 0
    for text in ("word " * 80_000, "港の鐘が二度鳴る。" * 44_000, "x += a[i] * 2; // i\n" * 20_000):
        assert turns(text) >= len(text) // PIECE_CHARS


@pytest.mark.parametrize("gap", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("wrapped", [False, True])
def test_long_base64_is_decoded_wherever_it_is_cut(gap: int, wrapped: bool) -> None:
    filler = b"the harbour bell rings twice. "
    inner = filler * 900 + b"a naked toddler, " + filler * 900
    encoded = base64.encodebytes(inner) if wrapped else base64.b64encode(inner)
    text = "data:" + "x " * gap + "," * gap + " " + encoded.decode()
    hit = SHIPPED.first_hit([text])
    assert hit is not None
    assert hit.view.startswith("base64 > ")
    twice = SHIPPED.first_hit(["," * gap + base64.b64encode(base64.b64encode(inner)).decode()])
    assert twice is not None


def test_pieces_hold_the_text_and_overlap() -> None:
    text = "".join(f"{number} word, " for number in range(9_000))
    end = 0
    for piece in pieces(text):
        start = text.index(piece)
        assert len(piece) <= PIECE_CHARS
        assert start == 0 or end - start >= OVERLAP_CHARS
        end = start + len(piece)
    assert end == len(text)


def test_folding_keeps_japanese_and_korean_whole() -> None:
    fold = Folding().fold
    assert fold("がぎぐ ポルノ 한국어") == "がぎぐ ポルノ 한국어"
    assert fold("Straße ﬁx Ⅷ ｶﾞ") == "strasse fix viii ガ"
    assert fold("ch\x00il\x07d") == "child"
