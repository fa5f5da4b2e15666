"""Opening hours: their words, midnight, the nights when clocks change, and any schedule at all."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.nodeproxy.hours import day_number, hours_at, load_zone, local_zone_name, next_midnight
from luckrig.protocol.errors import PeerError
from luckrig.protocol.schedule import (
    WEEK,
    OpenWindow,
    Schedule,
    check_schedule,
    describe_windows,
    parse_windows,
)

BERLIN = "Europe/Berlin"
DAY = 86_400
DAY_MINUTES = 24 * 60


def at(text: str, zone: str = BERLIN, *, fold: int = 0) -> float:
    """Unix seconds of a clock time there."""
    naive = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(fold=fold)
    return naive.replace(tzinfo=ZoneInfo(zone)).timestamp()


def utc(text: str) -> float:
    return at(text, "UTC")


def schedule(*windows: str, zone: str = BERLIN) -> Schedule:
    return Schedule(windows=parse_windows(windows), timezone=zone)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


# 2026-11-20 is a Friday.
@pytest.mark.parametrize(
    ("words", "now", "is_open", "changes"),
    [
        ("weekdays 22:00-07:00", "2026-11-20 21:59", False, "2026-11-20 22:00"),
        ("weekdays 22:00-07:00", "2026-11-20 22:00", True, "2026-11-21 07:00"),
        ("weekdays 22:00–07:00", "2026-11-21 06:59", True, "2026-11-21 07:00"),
        ("weekdays 22:00-07:00", "2026-11-21 07:00", False, "2026-11-23 22:00"),
        ("weekdays 22:00-07:00", "2026-11-23 03:00", False, "2026-11-23 22:00"),
        ("weekend 09:00 - 18:00", "2026-11-20 12:00", False, "2026-11-21 09:00"),
        ("Mon, Wed 20:00-23:30", "2026-11-18 20:00", True, "2026-11-18 23:30"),
        ("daily 01:00-06:00", "2026-11-20 06:00", False, "2026-11-21 01:00"),
        ("fri 20:00-24:00; sat 00:00-02:00", "2026-11-20 23:00", True, "2026-11-21 02:00"),
        ("fri 20:00-23:00; fri 22:00-02:00", "2026-11-20 20:30", True, "2026-11-21 02:00"),
        ("sun 22:00-21:00", "2026-11-23 20:59", True, "2026-11-23 21:00"),
    ],
)
def test_windows_open_and_close(words: str, now: str, is_open: bool, changes: str) -> None:
    assert hours_at(schedule(words), at(now)) == (is_open, at(changes))


def test_a_rig_that_is_always_open_never_changes() -> None:
    assert hours_at(schedule("daily 00:00-24:00"), at("2026-11-20 12:00")) == (True, None)


def test_weekdays_around_the_clock_end_with_friday() -> None:
    found = hours_at(schedule("weekdays 00:00-24:00"), at("2026-11-18 12:00"))
    assert found == (True, at("2026-11-21 00:00"))


# Clocks in Berlin: 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00.
@pytest.mark.parametrize(
    ("words", "opens", "closes", "hours"),
    [
        ("sat 22:00-07:00", "2026-03-28 21:00", "2026-03-29 05:00", 8),  # an hour is missing
        ("sun 01:00-02:30", "2026-03-29 00:00", "2026-03-29 01:00", 1),  # closes with the jump
        ("sun 02:30-05:00", "2026-03-29 01:00", "2026-03-29 03:00", 2),  # opens with the jump
        ("sat 22:00-07:00", "2026-10-24 20:00", "2026-10-25 06:00", 10),  # an hour comes twice
        ("sun 01:00-02:30", "2026-10-24 23:00", "2026-10-25 00:30", 1.5),  # the first 02:30
        ("sun 02:30-05:00", "2026-10-25 00:30", "2026-10-25 04:00", 3.5),  # opens once
    ],
)
def test_windows_in_the_nights_when_clocks_change(
    words: str, opens: str, closes: str, hours: float
) -> None:
    assert hours_at(schedule(words), utc(opens) - 1) == (False, utc(opens))
    assert hours_at(schedule(words), utc(opens)) == (True, utc(closes))
    assert utc(closes) - utc(opens) == hours * 3600
    assert not hours_at(schedule(words), utc(closes)).is_open


def test_a_window_that_the_clock_skips_comes_a_week_later() -> None:
    found = hours_at(schedule("sun 02:10-02:50"), utc("2026-03-29 00:59"))
    assert found == (False, at("2026-04-05 02:10"))


@pytest.mark.parametrize(
    "words",
    ["", ";", "weekdays", "22:00-07:00", "weekdays 22-07", "weekdays 22:00-25:00", "mo 1:00-2:00",
     "mon 22:00-22:00", "mon 10:00-11:00 tue 10:00-11:00", "mon 24:00-01:00", "mon 10:00\n-11:00x",
     "; ".join(["mon 10:00-11:00"] * 17), "mon 10:00-11:00" + " " * 1000],
)  # fmt: skip
def test_words_that_are_no_hours_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r"hours|window|day|opens and closes"):
        parse_windows([words])


def test_a_zone_that_nobody_knows_is_refused() -> None:
    for name in ("Europe/Nowhere", "", "../etc/passwd", "/etc/localtime"):
        with pytest.raises(ValueError, match="time zone"):
            load_zone(name)


def test_the_machines_zone_has_a_name(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Asia/Kolkata")
    assert local_zone_name({}, link) == "Asia/Kolkata"
    assert local_zone_name({"TZ": ":Europe/Berlin"}, link) == BERLIN
    assert local_zone_name({"TZ": "CET-1CEST"}, tmp_path / "none") == "UTC"


def test_days_begin_at_the_zones_midnight() -> None:
    zone = load_zone(BERLIN)
    before, after = at("2026-10-25 00:00") - 1, at("2026-10-25 00:00")
    assert next_midnight(zone, before) == after
    assert next_midnight(zone, after) - after == 25 * 3600
    assert day_number(zone, after) == day_number(zone, before) + 1


ZONES = [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC", "Pacific/Apia"]


def _window(drawn: tuple[int, int, int]) -> OpenWindow:
    """Of a bit for each day, and the minutes when it opens and closes."""
    days, opens, closes = drawn
    return OpenWindow(
        days=[day for number, day in enumerate(WEEK) if days >> number & 1],
        opens=_clock(opens),
        closes=_clock(closes),
    )


# Few numbers for each window: hypothesis spent most of the time on making them up.
WINDOWS = (
    st.tuples(st.integers(1, 127), st.integers(0, DAY_MINUTES - 1), st.integers(0, DAY_MINUTES))
    .filter(lambda drawn: drawn[1] != drawn[2])
    .map(_window)
)
SCHEDULES = st.builds(
    Schedule,
    windows=st.lists(WINDOWS, min_size=1, max_size=4),
    timezone=st.sampled_from(ZONES),
)
NOWS = st.integers(int(utc("2026-01-01 00:00")), int(utc("2027-01-01 00:00")))


@given(st.lists(WINDOWS, min_size=1, max_size=16))
def test_words_and_windows_say_the_same(windows: list[OpenWindow]) -> None:
    assert parse_windows([describe_windows(windows)]) == windows
    check_schedule(Schedule(windows=windows, timezone="UTC"), field="schedule")


@given(SCHEDULES, NOWS)
def test_an_announced_change_is_the_next_one(wanted: Schedule, now: int) -> None:
    """Between now and the change nothing changes, and at the change it does."""
    found = hours_at(wanted, now)
    if found.changes_at is None:
        assert found.is_open
        return
    assert now < found.changes_at <= now + 15 * DAY
    assert hours_at(wanted, found.changes_at).is_open is not found.is_open
    assert hours_at(wanted, found.changes_at - 1) == found
    assert hours_at(wanted, (now + found.changes_at) // 2) == found


@given(SCHEDULES, NOWS)
def test_it_is_open_when_the_clock_says_so(wanted: Schedule, now: int) -> None:
    """Away from nights when clocks change, the clock on the wall decides."""
    zone = load_zone(wanted.timezone)
    local = datetime.fromtimestamp(now, tz=UTC).astimezone(zone)
    offsets = {
        datetime.fromtimestamp(now + shift * 3600, tz=zone).utcoffset() for shift in range(-26, 27)
    }
    if len(offsets) > 1:
        return
    clock = f"{local:%H:%M}"
    today, yesterday = WEEK[local.weekday()], WEEK[local.weekday() - 1]
    expected = any(
        (today in each.days and each.opens <= clock and (clock < each.closes or _is_over(each)))
        or (yesterday in each.days and _is_over(each) and clock < each.closes)
        for each in wanted.windows
    )
    assert hours_at(wanted, now).is_open is expected


def _is_over(window: OpenWindow) -> bool:
    return window.closes <= window.opens


@pytest.mark.parametrize(
    ("window", "zone"),
    [
        (OpenWindow(days=["mon"], opens="10:00", closes="10:00"), "UTC"),
        (OpenWindow(days=["mon", "mon"], opens="10:00", closes="11:00"), "UTC"),
        (OpenWindow(days=["mon"], opens="10:00", closes="11:00"), "Europe/Berlin\n"),
        (OpenWindow(days=["mon"], opens="10:00", closes="11:00"), "<b>"),
        (OpenWindow(days=["mon"], opens="10:00", closes="11:00"), "a/b/c/d"),
    ],
)
def test_published_schedules_are_checked(window: OpenWindow, zone: str) -> None:
    with pytest.raises(PeerError) as caught:
        check_schedule(Schedule(windows=[window], timezone=zone), field="policy.schedule")
    assert caught.value.code == "invalid_request"
    assert (caught.value.param or "").startswith("policy.schedule.")
