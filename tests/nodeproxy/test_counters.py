"""The counters by themselves: buckets, shares and rates, on a clock of the test's."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from luckrig.nodeproxy.counters import (
    BUCKETS,
    DONE,
    FAULTS,
    GONE,
    MAX_RECENT_ERRORS,
    SHARE_OF,
    Counters,
    ErrorShare,
    Histogram,
    Rate,
    RecentError,
)
from luckrig.nodeproxy.timing import Meter
from luckrig.protocol.errors import CODES


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def meter() -> Meter:
    """Of a reply that has said nothing."""
    return Meter(queue_seconds=0.0, monotonic=Clock())


def counters(clock: Clock | None = None) -> Counters:
    clock = clock or Clock()
    return Counters(clock=clock, monotonic=clock)


def test_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram()
    for seconds in (0.0, BUCKETS[0], BUCKETS[0] + 1e-9, BUCKETS[-1], 1e9):
        histogram.observe(seconds)
    assert histogram.counts[:2] == [2, 1]
    assert histogram.counts[-2:] == [1, 1]
    assert sum(histogram.counts) == 5
    assert histogram.seconds >= 1e9


@given(st.lists(st.booleans(), max_size=3 * SHARE_OF))
def test_the_share_is_that_of_the_last_hundred(faults: list[bool]) -> None:
    share = ErrorShare()
    for is_fault in faults:
        share.add(is_fault)
    last = faults[-SHARE_OF:]
    assert share.share == (sum(last) / len(last) if last else 0.0)


def test_the_rate_slides_over_a_minute() -> None:
    rate = Rate(now=0.0)
    assert rate.per_second(0, 0.0) is None
    assert rate.per_second(50, 0.1) == 50  # as if it had run for a second
    for now in range(5, 125, 5):
        rate.mark(10 * now, float(now))
        assert rate.per_second(10 * now, float(now)) == 10
    for now in range(125, 185, 5):  # nothing more comes
        rate.mark(1_200, float(now))
        if now == 150:
            assert rate.per_second(1_200, 150.0) == (1_200 - 900) / 60
    assert rate.per_second(1_200, 180.0) is None
    assert rate.per_second(1_206, 180.0) == 0.1


def test_marks_are_bounded() -> None:
    rate = Rate(now=0.0)
    for number in range(10_000):
        rate.mark(number, number / 10)
    assert len(vars(rate)["_marks"]) <= 602


def test_outcomes_are_counted_by_whose_fault_they_are() -> None:
    found = counters()
    found.end("chat", DONE, meter())
    found.end("chat", GONE, meter())
    found.end("chat", "engine_error", meter())
    found.end("chat", "internal_error", None)
    found.end("chat", "context_length_exceeded", meter())
    found.end("models", DONE, None)
    assert (found.served, found.failed) == (1, 2)
    assert found.error_share == 1 / 4
    assert found.requests["chat", "engine_error"] == 1
    assert set(CODES) >= FAULTS
    assert not {DONE, GONE} & set(CODES)


def test_the_last_errors_are_kept_with_time_endpoint_and_code_alone() -> None:
    clock = Clock()
    found = counters(clock)
    for number in range(3 * MAX_RECENT_ERRORS):
        clock.now = 1_000.5 + number
        found.end("chat", "rate_limited", None)
        found.end("chat", DONE, meter())
        found.end("chat", GONE, meter())
        found.end("", "not_found", None)
    assert len(found.recent_errors) == MAX_RECENT_ERRORS
    newest = 1_000 + 3 * MAX_RECENT_ERRORS - 1
    assert found.recent_errors[-1] == RecentError(newest, "chat", "rate_limited")
    assert RecentError.__struct_fields__ == ("at", "endpoint", "code")
