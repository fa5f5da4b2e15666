"""A rig's past is drawn as it was, and days of which nothing is known aren't days without it."""

import pytest

from luckrig.web.uptime_strip import BASE, CELL, DAYS, TOP, draw_uptime

DAY = 86_400
TODAY = 20_000
NOW = TODAY * DAY + 10 * 3600 + 60


def test_a_whole_past() -> None:
    live = {day: 24 for day in range(TODAY - 200, TODAY)} | {TODAY: 11}
    strip = draw_uptime(live, listed_at=(TODAY - 300) * DAY, now=NOW)
    assert len(strip.days) == DAYS
    assert strip.listed_x == 0
    assert (strip.hours, strip.of, strip.percent) == (89 * 24 + 11, 89 * 24 + 11, 100)
    assert (strip.days[0].x, strip.days[-1].x) == (0, (DAYS - 1) * CELL)
    assert {day.height for day in strip.days} == {BASE - TOP}
    assert (strip.begins, strip.ends) == ("2024-07-07", "2024-10-04")


def test_days_before_it_was_listed_are_none_without_an_answer() -> None:
    listed_at = (TODAY - 2) * DAY + 20 * 3600 + 5
    strip = draw_uptime({TODAY - 2: 4, TODAY: 1}, listed_at=listed_at, now=NOW)
    assert [(day.hours, day.of) for day in strip.days] == [(4, 4), (0, 24), (1, 11)]
    assert strip.listed_x == strip.days[0].x == (DAYS - 3) * CELL
    assert [day.height > 0 for day in strip.days] == [True, False, True]
    assert strip.percent == 12


def test_one_hour_can_be_seen_and_is_no_day() -> None:
    strip = draw_uptime({TODAY - 1: 1}, listed_at=0, now=NOW)
    assert strip.days[-2].height == 3
    assert strip.days[-1].height == 0


@pytest.mark.parametrize("listed_at", [NOW, NOW + 5, NOW + 3 * DAY])
def test_a_rig_that_was_listed_just_now_has_an_hour(listed_at: int) -> None:
    """Or one that a clock which went back has listed in the future."""
    strip = draw_uptime({}, listed_at=listed_at, now=NOW)
    assert [(day.hours, day.of) for day in strip.days] == [(0, 1)]
    assert strip.percent == 0


def test_answers_from_before_it_was_listed_count_as_hours_that_it_was_there() -> None:
    strip = draw_uptime({TODAY - 1: 7, TODAY: 3}, listed_at=NOW, now=NOW)
    assert [(day.hours, day.of) for day in strip.days] == [(7, 7), (3, 3)]
