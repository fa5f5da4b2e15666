"""When to connect again: pure, so that a thousand rigs can be simulated."""

from random import Random
from typing import Final

FIRST_SECONDS: Final = 4.0
"""Rigs that all lost the same tracker spread over at least this long."""
CAP_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""A tunnel that lasted so long makes up for all failures before it."""


class Backoff:
    """Exponential, with full jitter: U(0, min(CAP, FIRST · 2^n)) after n failures in a row."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._failures = 0

    def next_seconds(self, *, at_least: float = 0.0) -> float:
        """How long to wait now. at_least: what the tracker asked for; the jitter comes on top."""
        top = min(CAP_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return at_least + self._rng.uniform(0.0, top)

    def lasted(self, seconds: float) -> None:
        """A tunnel was up for so long."""
        if seconds >= STEADY_SECONDS:
            self._failures = 0
