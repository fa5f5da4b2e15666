"""A rig's last 90 days as a strip: one cell a day, as high as the share of hours it answered in.

Shape tells the kinds of days apart, not colour alone: a bar up, a tick down for a day without any
answer, a dotted line for days before the rig was listed. Coordinates are those of a viewBox which a
page stretches to its width.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from luckrig.web.formats import format_day

DAYS: Final = 90
CELL: Final = 10
"""Width of a day in the viewBox; a bar takes most of it."""
BAR: Final = 8
TOP: Final = 2
BASE: Final = 44
"""y of the highest bar's end, and of the line that bars stand on."""
HEIGHT: Final = 56
_LEAST: Final = 3
"""An hour of 24 can be seen."""

_HOUR, _DAY = 3600, 86_400


@dataclass(frozen=True, slots=True)
class Day:
    """One day on the map, UTC. hours: in so many it answered; of: so many that it was listed in.

    x, height: of the bar; height 0 is a day without an answer.
    """

    date: str
    hours: int
    of: int
    x: int
    height: int


@dataclass(frozen=True, slots=True)
class UptimeStrip:
    """days: those since it was listed, oldest first. listed_x: where they begin.

    hours, of: sums over them. begins, ends: the dates of the strip's ends.
    """

    days: list[Day]
    listed_x: int
    hours: int
    of: int
    begins: str
    ends: str
    width: int = DAYS * CELL
    height: int = HEIGHT
    base: int = BASE
    bar: int = BAR

    @property
    def percent(self) -> int:
        """Rounded down."""
        return self.hours * 100 // self.of


def draw_uptime(live: Mapping[int, int], *, listed_at: int, now: int) -> UptimeStrip:
    """live: hours with an answer by day since 1970, today's included. Times: Unix seconds.

    The hour that runs counts as one of today's, with an answer or (yet) without.
    """
    today = now // _DAY
    first = today - DAYS + 1
    listed = min(listed_at // _DAY, today, *live) if live else min(listed_at // _DAY, today)
    days = [
        _day(day, live.get(day, 0), _listed_hours(day, listed_at, now), (day - first) * CELL)
        for day in range(max(first, listed), today + 1)
    ]
    return UptimeStrip(
        days=days,
        listed_x=days[0].x,
        hours=sum(day.hours for day in days),
        of=sum(day.of for day in days),
        begins=format_day(first * _DAY),
        ends=format_day(now),
    )


def _day(day: int, hours: int, listed: int, x: int) -> Day:
    of = max(listed, hours)  # seen before it was listed: a clock went back
    height = max(_LEAST, hours * (BASE - TOP) // of) if hours else 0
    return Day(format_day(day * _DAY), hours, of, x, height)


def _listed_hours(day: int, listed_at: int, now: int) -> int:
    """Hours of a day that began before `now`, from the one on in which the rig was listed."""
    begin = max(day * 24, listed_at // _HOUR)
    end = min(day * 24 + 24, now // _HOUR + 1)
    return max(1, end - begin)
