"""Opening hours as instants: when a schedule opens and closes. Pure, but for the zone's rules.

A time of the clock stands for the first instant at which the clock shows it or has passed it. So a
time that comes twice (clocks go back) counts when it comes first, and one that is skipped (clocks
go forward) when the clock jumps; a window never opens twice in a night.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from luckrig.protocol.schedule import WEEK, OpenWindow, Schedule

_HORIZON_DAYS: Final = 15
"""A window that a clock skips as a whole comes again a week later."""
_ZONEINFO: Final = "zoneinfo/"


class Hours(NamedTuple):
    """is_open now; changes_at: Unix seconds of the next change, None when there is none."""

    is_open: bool
    changes_at: float | None


def load_zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises ValueError when this machine doesn't know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone; one looks like Europe/Berlin") from error


def local_zone_name(environ: Mapping[str, str], link: Path = Path("/etc/localtime")) -> str:
    """The machine's zone: TZ, or what /etc/localtime links to; UTC where neither tells a name."""
    candidates = [environ.get("TZ", "").removeprefix(":")]
    try:
        candidates.append(os.fspath(link.resolve()).rpartition(_ZONEINFO)[2])
    except OSError:
        pass
    for name in candidates:
        try:
            return load_zone(name).key
        except ValueError:
            continue
    return "UTC"


def hours_at(schedule: Schedule, now: float) -> Hours:
    """Whether a schedule is open, and when that changes. now: Unix seconds.

    Raises ValueError when the machine doesn't know the zone.
    """
    zone = load_zone(schedule.timezone)
    for start, end in _spans(schedule.windows, zone, now):
        if now < start:
            return Hours(False, start)
        if now < end:
            is_endless = end - now > (_HORIZON_DAYS - 2) * 86_400
            return Hours(True, None if is_endless else end)
    return Hours(False, None)


def next_midnight(zone: ZoneInfo, now: float) -> float:
    """When the next day begins there. now and the result: Unix seconds."""
    return _instant(_local_day(zone, now) + timedelta(days=1), 0, zone)


def day_number(zone: ZoneInfo, now: float) -> int:
    """The day that it is there, as a number that grows by one from day to day."""
    return _local_day(zone, now).toordinal()


def _local_day(zone: ZoneInfo, now: float) -> date:
    return datetime.fromtimestamp(now, tz=zone).date()


def _spans(windows: list[OpenWindow], zone: ZoneInfo, now: float) -> Iterator[tuple[float, float]]:
    """When it is open around now: in order, apart from one another, none of them empty."""
    # A window of yesterday's may be open, and with it one of the day before that it follows on.
    first = _local_day(zone, now) - timedelta(days=2)
    days = [first + timedelta(days=number) for number in range(_HORIZON_DAYS + 2)]
    # Day by day, because whoever asks seldom goes on for longer than two or three.
    single = (
        span
        for day in days
        for span in sorted(_span(each, day, zone) for each in _on(windows, day))
    )
    start = end = float("-inf")
    for opens, closes in single:
        if opens <= end:
            end = max(end, closes)
            continue
        if start < end:
            yield start, end
        start, end = opens, closes
    if start < end:
        yield start, end


def _on(windows: list[OpenWindow], day: date) -> list[OpenWindow]:
    return [window for window in windows if WEEK[day.weekday()] in window.days]


def _span(window: OpenWindow, day: date, zone: ZoneInfo) -> tuple[float, float]:
    opens, closes = _minutes(window.opens), _minutes(window.closes)
    if closes <= opens:
        closes += 24 * 60
    return _instant(day, opens, zone), _instant(day, closes, zone)


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def _instant(day: date, minutes: int, zone: ZoneInfo) -> float:
    """The first Unix time at which the clock shows that minute of that day, or has passed it."""
    wanted = datetime.combine(day, time()) + timedelta(minutes=minutes)
    early = wanted.replace(tzinfo=zone, fold=0).timestamp()
    if _clock(early, zone) == wanted:
        return early
    # The clock never shows it. Python reads it with the offsets before and after the jump, which
    # gives an instant on either side of it; the jump is found in between, to the second.
    before, after = wanted.replace(tzinfo=zone, fold=1).timestamp(), early
    while after - before > 1:
        middle = (before + after) // 2
        if _clock(middle, zone) < wanted:
            before = middle
        else:
            after = middle
    return after


def _clock(at: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at, tz=UTC).astimezone(zone).replace(tzinfo=None)
