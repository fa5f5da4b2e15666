"""Measurements are drawn where they are, the numbers beside them are the same, and little data
doesn't look like much."""

import pytest

from luckrig.protocol.wire import TimingView
from luckrig.web.timing_chart import (
    MAX_MODELS,
    MAX_ROWS,
    TimingChart,
    draw_timings,
    format_speed,
    format_wait,
)
from tests.web.rig_samples import BUCKETS, timing, timings


def draw(views: list[TimingView], offered: tuple[str, ...] = ("a", "b")) -> TimingChart:
    return draw_timings(views, offered=offered, buckets=BUCKETS)


def at(text: str) -> float:
    return float(text.removesuffix("%"))


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0.0"), (9.96, "10.0"), (41.23, "41.2"), (312.7, "313")]
)
def test_speeds(value: float, text: str) -> None:
    assert format_speed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.2, "0 ms"), (999.4, "999 ms"), (999.6, "1.0 s"), (1234, "1.2 s"), (61_000, "61 s")],
)
def test_waits(value: float, text: str) -> None:
    assert format_wait(value) == text


def test_models_come_as_the_rig_offers_them_and_prompts_from_short_to_long() -> None:
    views = [timing(model, start, 2, 10, 10) for model in "zba" for start in (1024, 0)]
    chart = draw(views)
    assert [(each.model, each.is_offered) for each in chart.models] == [
        ("a", True), ("b", True), ("z", False)
    ]  # fmt: skip
    bars = chart.models[0].panels[0].bars
    assert [(bar.start, bar.to) for bar in bars] == [(0, 256), (1024, 4096)]
    assert [(row.model, row.start) for row in chart.rows] == [
        (model, start) for model in "abz" for start in (0, 1024)
    ]
    assert draw([timing("a", 65_536, 2, 1, 1)]).rows[0].to is None


def test_speeds_begin_at_zero_and_waits_are_logarithmic() -> None:
    speed, wait = draw(timings("a")).models[0].panels
    assert [tick.text for tick in speed.ticks] == ["0", "20", "40", "60"]
    assert [tick.text for tick in wait.ticks] == ["100 ms", "1 s", "10 s", "100 s"]
    assert (speed.is_logarithmic, wait.is_logarithmic) == (False, True)
    first = speed.bars[0]
    assert at(first.low) / at(speed.ticks[-1].x) == pytest.approx(42.3 / 1.25 / 60, abs=1e-3)
    assert at(first.mid) == pytest.approx(at(speed.ticks[2].x) * 42.3 / 40, abs=0.1)
    assert at(first.low) + at(first.width) == pytest.approx(at(first.mid) * 1.25, abs=0.1)
    tenfold = at(wait.ticks[2].x) - at(wait.ticks[1].x)
    assert at(wait.ticks[3].x) - at(wait.ticks[2].x) == pytest.approx(tenfold, abs=0.02)


def test_one_user_has_no_range() -> None:
    bar = draw([timing("a", 0, 1, 10, 100)]).models[0].panels[0].bars[0]
    assert (bar.users, bar.streams, bar.width, bar.range) == (1, 4, "0.00%", ("10.0", "10.0"))


@pytest.mark.parametrize("value", [0.0, 0.001, 1.0, 1e3, 1e9])
def test_whatever_was_measured_lies_in_the_picture(value: float) -> None:
    for panel in draw([timing("a", 0, 2, value, value)]).models[0].panels:
        (bar,) = panel.bars
        assert 0 <= at(bar.low) <= at(bar.mid) <= at(bar.low) + at(bar.width) + 0.01 <= 95.02
        assert len(panel.ticks) >= 2


def test_a_rig_that_names_many_models_fills_no_page() -> None:
    chart = draw([timing(f"m{number:03}", 0, 1, 1, 1) for number in range(100)])
    assert (len(chart.models), chart.left_out) == (MAX_MODELS, 100 - MAX_MODELS)
    assert (len(chart.rows), chart.cut) == (MAX_ROWS, 100 - MAX_ROWS)


def test_nothing_measured_is_nothing() -> None:
    assert draw([]) == TimingChart([], 0, [], 0)
