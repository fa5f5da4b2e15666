"""A score as a picture: bars as wide as what counts, on the scale of what could.

Numbers only; me.html draws them. x is in percent of the width, so that one drawing fits a phone and
a desk; y is in pixels. The five axes share one scale, so that a point has the same length on each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

ROW: Final = 46
"""Pixels for each bar with its line of text."""
TEXT: Final = 14
"""The baseline of a row's text, and"""
BAR: Final = 22
"""the top of its bar, which is"""
THICK: Final = 12
"""so high."""
TICK: Final = 5_000
"""A line of the grid at each so many thousandths of a point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLine:
    """One term. amount: thousandths of a point, negative where a rule takes away.

    kind: a word of me.term, or "gift", whose words are under its axis. n: what it counts, if it
    counts something. who: a giver's name in the ledger.
    """

    axis: str
    kind: str
    amount: int
    n: int = 0
    who: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One axis. counts, waits, cap: thousandths of a point; *_x: percent, as SVG takes it."""

    axis: str
    y: int
    counts: int
    waits: int
    cap: int
    counts_x: str
    waits_x: str
    cap_x: str


@dataclass(frozen=True, slots=True)
class ScoreChart:
    """way: the share of the way to contributor, percent. ticks: x of the axes' grid."""

    bars: Sequence[Bar]
    way: str
    ticks: Sequence[str]
    height: int
    row: int = ROW
    text: int = TEXT
    bar: int = BAR
    thick: int = THICK


def draw_score(
    lines: Sequence[ScoreLine], caps: Mapping[str, int], *, total: int, contributor_at: int
) -> ScoreChart:
    """caps: the most that each axis can hold, thousandths of a point, in the order to show them."""
    widest = max(caps.values())
    bars: list[Bar] = []
    for place, (axis, cap) in enumerate(caps.items(), start=1):
        mine = [line for line in lines if line.axis == axis]
        counts = min(cap, max(0, sum(line.amount for line in mine)))
        waits = -sum(line.amount for line in mine if line.kind == "unmatched")
        bars.append(
            Bar(
                axis=axis,
                y=place * ROW,
                counts=counts,
                waits=waits,
                cap=cap,
                counts_x=_percent(counts, widest),
                waits_x=_percent(waits, widest),
                cap_x=_percent(cap, widest),
            )
        )
    return ScoreChart(
        bars=bars,
        way=_percent(min(max(0, total), contributor_at), contributor_at),
        ticks=[_percent(at, widest) for at in range(0, widest + 1, TICK)],
        height=ROW * (len(bars) + 1),
    )


def format_points(milli: int) -> str:
    """Thousandths of a point, all of them: 1234 -> "1.234", -5 -> "-0.005"."""
    sign = "-" if milli < 0 else ""
    return f"{sign}{abs(milli) // 1000}.{abs(milli) % 1000:03d}"


def format_short_points(milli: int) -> str:
    """The same without the zeros behind it: 5000 -> "5", 500 -> "0.5"."""
    return format_points(milli).rstrip("0").rstrip(".")


def all_short_points(amounts: Mapping[str, int]) -> dict[str, str]:
    """Each of them, by the same name."""
    return {name: format_short_points(amount) for name, amount in amounts.items()}


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:g}%"
