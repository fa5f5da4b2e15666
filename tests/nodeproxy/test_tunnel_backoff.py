"""A thousand rigs lose their tracker: all are back in time, and never all at once."""

from collections import Counter
from random import Random

from luckrig.nodeproxy.tunnel.backoff import CAP_SECONDS, STEADY_SECONDS, Backoff

RIGS = 1000


def arrivals(*, down_seconds: float, seed: int = 1) -> list[float]:
    """When each rig that lost the tracker at 0 finds it again, on a virtual clock."""
    rng = Random(seed)  # noqa: S311 -- a failed test must fail again
    found: list[float] = []
    for _ in range(RIGS):
        backoff, now = Backoff(rng), 0.0
        backoff.lasted(3600.0)
        while (now := now + backoff.next_seconds()) < down_seconds:
            pass
        found.append(now)
    return found


def test_all_are_back_within_30_seconds_and_no_second_brings_a_third_of_them() -> None:
    for down_seconds in (0.5, 2.0, 5.0, 20.0, 120.0, 3600.0):
        found = arrivals(down_seconds=down_seconds)
        assert max(found) - down_seconds <= CAP_SECONDS
        busiest = max(Counter(int(when) for when in found).values())
        assert busiest <= RIGS / 3, f"{busiest} in one second after {down_seconds} s"


def test_backoff_grows_to_its_cap_and_forgets_after_a_steady_tunnel() -> None:
    class Top(Random):
        """Chance at its worst."""

        def uniform(self, a: float, b: float) -> float:
            """The upper end."""
            return b

    backoff = Backoff(Top())
    assert [backoff.next_seconds() for _ in range(5)] == [4, 8, 16, 30, 30]
    backoff.lasted(STEADY_SECONDS - 1)
    assert backoff.next_seconds() == 30
    backoff.lasted(STEADY_SECONDS)
    assert backoff.next_seconds(at_least=100) == 104
