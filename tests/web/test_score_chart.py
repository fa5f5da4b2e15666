"""The picture of a score says what the table says."""

from luckrig.web.score_chart import ScoreLine, draw_score, format_points, format_short_points
from tests.web.desk_samples import CAPS, every_term, score


def test_bars_are_as_wide_as_what_counts_on_one_scale() -> None:
    chart = draw_score(every_term(), CAPS, total=4_749, contributor_at=5_000)
    bars = {bar.axis: bar for bar in chart.bars}
    assert list(bars) == list(CAPS)
    assert (bars["existence"].counts, bars["existence"].counts_x) == (2_000, "5%")
    assert bars["usage"].cap_x == "100%", "the widest axis fills the width"
    assert (bars["scarcity"].counts, bars["scarcity"].waits) == (75, 4_925)
    assert chart.way == "94.98%"
    assert [bar.y for bar in chart.bars] == sorted({bar.y for bar in chart.bars})


def test_nothing_leaves_the_picture() -> None:
    odd = [
        ScoreLine(axis="usage", kind="gift", amount=90_000, who="u1"),
        ScoreLine(axis="notes", kind="cap", amount=-5),
    ]
    chart = draw_score(odd, CAPS, total=89_995, contributor_at=5_000)
    assert chart.way == "100%"
    assert [bar.counts for bar in chart.bars] == [0, 0, 40_000, 0, 0]
    assert draw_score([], CAPS, total=0, contributor_at=5_000).way == "0%"


def test_advice_is_about_what_isnt_full() -> None:
    assert score().advice[0] == "rig"
    assert "rig" not in score(*every_term()).advice
    full = [ScoreLine(axis=axis, kind="gift", amount=cap) for axis, cap in CAPS.items()]
    assert score(*full).advice == []
    assert score(*full).waits == 0
    assert score(*every_term()).waits == 4_925


def test_a_long_table_keeps_the_largest_terms() -> None:
    many = [
        ScoreLine(axis="usage", kind="gift", amount=amount, who=f"u{amount}")
        for amount in range(1, 200)
    ]
    shown = score(*many).shown
    assert len(shown) == 60
    assert min(line.amount for line in shown) == 140


def test_points() -> None:
    assert [format_points(each) for each in (1_234, -5, 0, 61_000)] == [
        "1.234", "-0.005", "0.000", "61.000",
    ]  # fmt: skip
    assert [format_short_points(each) for each in (5_000, 500, 0, -1, 1_500)] == [
        "5", "0.5", "0", "-0.001", "1.5",
    ]  # fmt: skip
