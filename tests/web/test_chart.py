"""The chart's places: ordered, apart, inside, and near the truth."""

from itertools import pairwise

import pytest

from luckrig.protocol.wire import NodeView
from luckrig.web.chart import BOTTOM, CROWDED_FROM, HEIGHT, MAX_MARKS, TOP, Chart, draw_chart
from tests.web.rigs import make_rig, many_rigs, offer, twelve_rigs


def rig_at(
    name: str, vram_gb: float | None, scarcity: float = 0.5, gpu: str | None = "X"
) -> NodeView:
    one = offer("m", None, None, None, None)
    return make_rig(name, gpu=gpu, vram_gb=vram_gb, scarcity=scarcity, offers=[one])


def x_of(chart: Chart, index: int) -> float:
    return float(chart.marks[index].x.removesuffix("%"))


def test_no_rigs_make_an_empty_chart() -> None:
    chart = draw_chart([])
    assert chart.marks == []
    assert chart.ticks[0].text == "4 GB"
    assert chart.ticks[-1].text == "128 GB"


def test_more_vram_is_farther_right_and_scarcer_is_higher() -> None:
    sizes = [None, 1, 4, 8, 24, 96, 640, 2000]
    rigs = [rig_at(str(n), size, 1 - n / 10) for n, size in enumerate(sizes)]
    chart = draw_chart(rigs)
    places = [(x_of(chart, n), mark.y) for n, mark in enumerate(chart.marks)]
    assert all(one[0] < two[0] and one[1] < two[1] for one, two in pairwise(places))


def test_scarcity_runs_from_bottom_to_top_and_stays_inside() -> None:
    chart = draw_chart([rig_at(str(n), 4 * 2**n, s) for n, s in enumerate((9.0, 1.0, 0.0, -9.0))])
    assert [mark.y for mark in chart.marks] == [TOP, TOP, BOTTOM, BOTTOM]


@pytest.mark.parametrize("number", [1, 5, 12, CROWDED_FROM, 300])
def test_marks_have_places_of_their_own(number: int) -> None:
    """In the thickest crowd one in a hundred may share, rather than stand far from its place."""
    chart = draw_chart(many_rigs(number))
    places = {(mark.x, mark.y) for mark in chart.marks}
    assert number - number // 100 <= len(places) <= number
    assert all(0 < float(x[:-1]) < 100 and TOP <= y <= BOTTOM < HEIGHT for x, y in places)
    assert chart.crowded == (number >= CROWDED_FROM)


def test_a_thousand_equal_rigs_are_still_drawn() -> None:
    """There is no free place within reach for most of them, and that must not matter."""
    chart = draw_chart([rig_at(str(n), 24) for n in range(1000)])
    assert len(chart.marks) == MAX_MARKS
    assert chart.left_out == 1000 - MAX_MARKS
    middle = x_of(draw_chart([rig_at("one", 24)]), 0)
    assert all(abs(x_of(chart, n) - middle) < 5 for n in range(MAX_MARKS))


def test_the_scarcest_rig_is_named_and_each_name_stands_once() -> None:
    labels = [mark.label for mark in draw_chart(twelve_rigs()).marks]
    assert labels[0] is not None
    assert labels[0].text == "GB10 (DGX Spark)"
    texts = [label.text for label in labels if label is not None]
    assert len(texts) == len(set(texts)) >= 10


def test_a_rig_without_gpu_goes_by_its_cpu() -> None:
    chart = draw_chart([rig_at("pi", None, gpu=None)])
    assert chart.has_no_vram
    assert (chart.marks[0].name, chart.marks[0].vram_bytes) == (
        "AMD Ryzen 9 5950X 16-Core Processor",
        None,
    )


def test_the_same_rigs_give_the_same_chart() -> None:
    rigs = many_rigs(80)
    assert draw_chart(rigs) == draw_chart(rigs)
