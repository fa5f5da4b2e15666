"""What users measured at a rig, as pictures: a bar from p10 to p90 and a mark at p50 for each
length of prompts, one panel for tokens a second and one for the time to the first token.

x is in percent, so that one drawing fits a phone and a desk; y is in pixels. The shortest prompts
stand on top: lengths are an order of their own, speed is none.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from luckrig.protocol.wire import Quantiles, TimingView

MAX_MODELS: Final = 4
"""Pictures of more models would be a page of their own; the table has them."""
MAX_ROWS: Final = 60
"""Of the table. A rig names its models itself, so their number is nobody's promise."""

ROW: Final = 42
"""Height of a row: a line of words, the bar below it."""
AXIS: Final = 24
_WORDS_Y: Final = 14
_BAR_Y: Final = 27
_RIGHT: Final = 95.0
"""Percent at which the scale ends, so that its last number is whole."""

Metric = Literal["speed", "ttft"]


@dataclass(frozen=True, slots=True)
class Bar:
    """One length of prompts. low, mid: x in percent of p10 and p50; width: up to p90, percent.

    to: the first length that is too long, None for the last bucket. words_y, bar_y: pixels.
    """

    start: int
    to: int | None
    users: int
    streams: int
    low: str
    mid: str
    width: str
    words_y: int
    bar_y: int
    value: str
    range: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid. anchor: of its text."""

    x: str
    text: str
    anchor: Literal["start", "middle"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure of one model. is_logarithmic: equal steps are equal factors."""

    metric: Metric
    bars: list[Bar]
    ticks: list[Tick]
    height: int
    is_logarithmic: bool


@dataclass(frozen=True, slots=True)
class ModelTimings:
    """One model's panels. is_offered: whether the rig has it now."""

    model: str
    is_offered: bool
    panels: list[Panel]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table behind the pictures. lone: one user measured it, so there is no range."""

    model: str
    start: int
    to: int | None
    users: int
    streams: int
    speed: tuple[str, str, str]
    ttft: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class TimingChart:
    """models: at most MAX_MODELS, those offered first. left_out: models that have no picture.

    rows: at most MAX_ROWS; cut: how many more there are.
    """

    models: list[ModelTimings]
    left_out: int
    rows: list[Row]
    cut: int


@dataclass(frozen=True, slots=True)
class _Scale:
    """place: a value as a share of the width. ticks: values that get a line."""

    place: Callable[[float], float]
    ticks: list[float]


def draw_timings(
    timings: Sequence[TimingView], *, offered: Sequence[str], buckets: Sequence[int]
) -> TimingChart:
    """timings: of one rig. offered: its models. buckets: where all but the first begin."""
    ends = dict(zip((0, *buckets), buckets, strict=False))
    order = {model: at for at, model in enumerate(offered)}

    def place(view: TimingView) -> tuple[int, str, int]:
        return order.get(view.model, len(order)), view.model, view.prompt_tokens_from

    by_model: dict[str, list[TimingView]] = {}
    for each in sorted(timings, key=place):
        by_model.setdefault(each.model, []).append(each)
    rows = [_row(each, ends) for views in by_model.values() for each in views]
    return TimingChart(
        models=[
            ModelTimings(model, model in order, [_speeds(views, ends), _ttfts(views, ends)])
            for model, views in list(by_model.items())[:MAX_MODELS]
        ],
        left_out=max(0, len(by_model) - MAX_MODELS),
        rows=rows[:MAX_ROWS],
        cut=max(0, len(rows) - MAX_ROWS),
    )


def format_speed(tokens_per_second: float) -> str:
    """41.234 -> "41.2", 312.7 -> "313"."""
    return f"{tokens_per_second:.1f}" if tokens_per_second < 100 else f"{tokens_per_second:,.0f}"


def format_wait(milliseconds: float) -> str:
    """340.2 -> "340 ms", 1234 -> "1.2 s", 61000 -> "61 s"."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:,.0f} s"


def _speeds(views: Sequence[TimingView], ends: dict[int, int]) -> Panel:
    scale = _linear(max(view.tokens_per_second.p90 for view in views))
    return _panel("speed", views, ends, scale)


def _ttfts(views: Sequence[TimingView], ends: dict[int, int]) -> Panel:
    found = [view.ttft_ms for view in views]
    scale = _decades(min(each.p10 for each in found), max(each.p90 for each in found))
    return _panel("ttft", views, ends, scale)


def _panel(
    metric: Metric, views: Sequence[TimingView], ends: dict[int, int], scale: _Scale
) -> Panel:
    words = _words(metric)
    return Panel(
        metric=metric,
        bars=[
            _bar(view, _quantiles(view, metric), ends, scale, words, at * ROW)
            for at, view in enumerate(views)
        ],
        ticks=[
            Tick(_percent(scale.place(value)), _round(value, metric), "middle" if at else "start")
            for at, value in enumerate(scale.ticks)
        ],
        height=len(views) * ROW + AXIS,
        is_logarithmic=metric == "ttft",
    )


def _bar(
    view: TimingView,
    found: Quantiles,
    ends: dict[int, int],
    scale: _Scale,
    words: Callable[[float], str],
    top: int,
) -> Bar:
    low, mid, high = (scale.place(value) for value in (found.p10, found.p50, found.p90))
    return Bar(
        start=view.prompt_tokens_from,
        to=ends.get(view.prompt_tokens_from),
        users=view.users,
        streams=view.streams,
        low=_percent(low),
        mid=_percent(mid),
        width=_percent(high - low),
        words_y=top + _WORDS_Y,
        bar_y=top + _BAR_Y,
        value=words(found.p50),
        range=(words(found.p10), words(found.p90)),
    )


def _row(view: TimingView, ends: dict[int, int]) -> Row:
    speed, wait = view.tokens_per_second, view.ttft_ms
    return Row(
        model=view.model,
        start=view.prompt_tokens_from,
        to=ends.get(view.prompt_tokens_from),
        users=view.users,
        streams=view.streams,
        speed=(format_speed(speed.p10), format_speed(speed.p50), format_speed(speed.p90)),
        ttft=(format_wait(wait.p10), format_wait(wait.p50), format_wait(wait.p90)),
    )


def _round(value: float, metric: Metric) -> str:
    """A value of the axis: those are round."""
    if metric == "speed":
        return f"{value:,g}"
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:,.0f} s"


def _words(metric: Metric) -> Callable[[float], str]:
    return format_speed if metric == "speed" else format_wait


def _quantiles(view: TimingView, metric: Metric) -> Quantiles:
    return view.tokens_per_second if metric == "speed" else view.ttft_ms


def _linear(highest: float) -> _Scale:
    """From 0 to a round number at or above the highest value, in four or five steps."""
    step = _round_up(max(highest, 0.1) / 4)
    steps = math.ceil(max(highest, 0.1) / step)
    top = step * steps
    return _Scale(lambda value: value / top, [step * at for at in range(steps + 1)])


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 with zeros."""
    unit = 10.0 ** math.floor(math.log10(value))
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= value * 0.999)


def _decades(lowest: float, highest: float) -> _Scale:
    """Powers of ten around the values: at 65,000 tokens the first one takes a hundred times as long
    as at 100, and both should be seen. Less than a millisecond is shown as one."""
    low = math.floor(math.log10(max(1.0, lowest)))
    high = max(low + 1, math.ceil(math.log10(max(1.0, highest))))

    def place(value: float) -> float:
        return (math.log10(max(1.0, value)) - low) / (high - low)

    return _Scale(place, [10.0**power for power in range(low, high + 1)])


def _percent(share: float) -> str:
    return f"{share * _RIGHT:.2f}%"
