"""The decision whether a rig is open: every reason, when it ends, and that nothing flaps."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.nodeproxy.opening import (
    FALL_SECONDS,
    RISE_SECONDS,
    SETTLE_SECONDS,
    Hand,
    Latch,
    Opening,
    Reading,
    Reason,
    Strain,
    Wishes,
    decide,
)
from luckrig.protocol.schedule import Schedule, parse_windows

NIGHTS = Schedule(windows=parse_windows(["daily 22:00-07:00"]), timezone="UTC")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
MIDNIGHT = NOON + 12 * 3600
HIGH = Latch(is_high=True)


def opening(
    wishes: Wishes | None = None,
    hand: Hand | None = None,
    strain: Strain | None = None,
    *,
    tokens: int = 0,
    now: float = NOON,
) -> Opening:
    return decide(
        wishes or Wishes(), hand or Hand(), strain or Strain(), tokens_today=tokens, now=now
    )


def test_without_wishes_it_is_open_for_good() -> None:
    assert opening() == Opening(None, None, None)


@pytest.mark.parametrize(
    ("found", "reason", "opens_at"),
    [
        (opening(hand=Hand(paused=True)), "paused", None),
        (opening(hand=Hand(paused=True, paused_until=NOON + 60)), "paused", NOON + 60),
        (opening(hand=Hand(draining=True)), "draining", None),
        (opening(Wishes(schedule=NIGHTS)), "schedule", NOON + 10 * 3600),
        (opening(Wishes(tokens_per_day=10), tokens=10), "daily_tokens", MIDNIGHT),
        (opening(strain=Strain(heat=HIGH)), "too_hot", None),
        (opening(strain=Strain(power=HIGH)), "power", None),
        (opening(strain=Strain(busy=HIGH)), "owner_busy", None),
    ],
)
def test_every_reason_closes(found: Opening, reason: Reason, opens_at: float | None) -> None:
    assert found[:2] == (reason, opens_at)


def test_a_pause_with_an_end_ends() -> None:
    hand = Hand(paused=True, paused_until=NOON)
    assert opening(hand=hand, now=NOON - 1).reason == "paused"
    assert opening(hand=hand, now=NOON).reason is None


def test_it_opens_when_every_reason_has_ended() -> None:
    pause = Hand(paused=True, paused_until=NOON + 60)
    assert opening(Wishes(schedule=NIGHTS), pause).opens_at == NOON + 10 * 3600
    late = replace(pause, paused_until=NOON + 11 * 3600)
    assert opening(Wishes(schedule=NIGHTS), late).opens_at == NOON + 11 * 3600
    # A pause that ends in the next closed hours: then the opening after them.
    next_noon = replace(pause, paused_until=NOON + 24 * 3600)
    assert opening(Wishes(schedule=NIGHTS), next_noon).opens_at == NOON + 34 * 3600


def test_one_reason_without_an_end_leaves_it_open_when() -> None:
    both = opening(Wishes(schedule=NIGHTS), Hand(paused=True))
    assert both[:2] == ("paused", None)


def test_what_the_machine_cannot_do_comes_first() -> None:
    """Else an owner's own request would pass a pause into a rig that is too hot."""
    found = opening(hand=Hand(paused=True, draining=True), strain=Strain(heat=HIGH))
    assert found.reason == "draining"
    assert opening(hand=Hand(paused=True), strain=Strain(heat=HIGH)).reason == "too_hot"


def test_tokens_under_the_cap_are_fine_and_midnight_is_looked_at() -> None:
    found = opening(Wishes(tokens_per_day=10), tokens=9)
    assert found == Opening(None, None, MIDNIGHT)


# Readings


def see(latch: Latch, *values: tuple[float, float | None]) -> Latch:
    for now, value in values:
        latch = latch.see(value, high=80, low=75, now=now)
    return latch


def test_a_short_peak_closes_nothing() -> None:
    assert not see(Latch(), (0, 90), (RISE_SECONDS - 1, 90), (RISE_SECONDS, 79)).is_high
    assert see(Latch(), (0, 90), (RISE_SECONDS, 80)).is_high


def test_between_the_two_marks_it_stays_as_it_is() -> None:
    assert see(HIGH, (0, 76), (1000, 79)).is_high
    assert not see(Latch(), (0, 76), (1000, 79)).is_high


def test_a_short_dip_opens_nothing() -> None:
    assert see(HIGH, (0, 70), (FALL_SECONDS - 1, 70), (FALL_SECONDS, 76)).is_high
    assert not see(HIGH, (0, 70), (FALL_SECONDS, 70)).is_high


def test_a_clock_that_was_set_back_only_delays() -> None:
    latch = see(Latch(), (1000, 90), (0, 90))
    assert not latch.is_high
    assert see(latch, (RISE_SECONDS, 90)).is_high


def test_what_cannot_be_read_has_no_effect() -> None:
    assert not see(HIGH, (0, None)).is_high
    wishes = Wishes(idle_only=True, max_celsius=80, max_watts=300)
    strain = Strain(heat=HIGH, power=HIGH, busy=HIGH)
    assert strain.see(Reading(), wishes, quiet_seconds=60, now=0) == Strain()


def test_wishes_that_nobody_has_are_not_watched() -> None:
    strain = Strain(heat=HIGH, power=HIGH, busy=HIGH)
    assert strain.see(Reading(1.0, 120, 900), Wishes(), quiet_seconds=60, now=0) == Strain()


def strained(*looks: tuple[float, Reading, float]) -> Strain:
    wishes = Wishes(idle_only=True, busy_share=0.4, max_celsius=80, max_watts=300)
    strain = Strain()
    for now, reading, quiet in looks:
        strain = strain.see(reading, wishes, quiet_seconds=quiet, now=now)
    return strain


def test_a_gpu_that_our_own_requests_keep_busy_is_not_the_owners() -> None:
    ours = Reading(busy_share=1.0)
    assert not strained((0, ours, 0), (100, ours, SETTLE_SECONDS - 1)).busy.is_high
    assert strained((0, ours, SETTLE_SECONDS), (10, ours, SETTLE_SECONDS + 10)).busy.is_high


def test_the_owners_use_stays_known_while_requests_of_ours_run() -> None:
    """Their own request passes; it must not open the rig for everybody."""
    game = Reading(busy_share=0.9)
    found = strained((0, game, 10), (10, game, 20), (20, Reading(busy_share=0.0), 0))
    assert found.busy.is_high


def test_heat_and_power_count_whoever_makes_them() -> None:
    hot = Reading(celsius=80, watts=300)
    found = strained((0, hot, 0), (RISE_SECONDS, hot, 0))
    assert (found.heat.is_high, found.power.is_high) == (True, True)
    warm = Reading(celsius=76, watts=280)
    later = [(float(now), warm, 0.0) for now in range(20, 200, 10)]
    found = strained((0, hot, 0), (10, hot, 0), *later)
    assert (found.heat.is_high, found.power.is_high) == (True, True)
    low = Reading(celsius=74, watts=269)
    cool = [(200.0, low, 0.0), (260.0, low, 0.0)]
    found = strained((0, hot, 0), (10, hot, 0), *later, *cool)
    assert (found.heat.is_high, found.power.is_high) == (False, False)


@given(st.lists(st.tuples(st.floats(0.5, 30), st.floats(0, 120)), max_size=60))
def test_it_never_turns_twice_within_the_shorter_wait(steps: list[tuple[float, float]]) -> None:
    latch, now, turned = Latch(), 0.0, float("-inf")
    for pause, value in steps:
        now += pause
        after = latch.see(value, high=80, low=75, now=now)
        if after.is_high != latch.is_high:
            assert now - turned >= RISE_SECONDS
            turned = now
        latch = after


@given(
    st.booleans(),
    st.one_of(st.none(), st.floats(NOON - 1e6, NOON + 1e6)),
    st.booleans(),
    st.integers(0, 20),
    st.booleans(),
)
def test_when_it_says_it_opens_it_does(
    paused: bool, until: float | None, has_hours: bool, tokens: int, hot: bool
) -> None:
    wishes = Wishes(schedule=NIGHTS if has_hours else None, tokens_per_day=10)
    hand = Hand(paused=paused, paused_until=until)
    strain = Strain(heat=Latch(is_high=hot))
    found = decide(wishes, hand, strain, tokens_today=tokens, now=NOON)
    if found.reason is None:
        assert found.opens_at is None
    elif found.opens_at is not None:
        assert found.opens_at > NOON
        later = decide(wishes, hand, strain, tokens_today=0, now=found.opens_at)
        assert later.reason is None
