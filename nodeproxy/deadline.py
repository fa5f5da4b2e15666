"""A deadline that is moved far more often than it passes."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls on_passed when the moment set last has passed. For one event loop.

    One timer serves many deadlines: setting one only stores it, and a timer that fires early arms
    itself again. A timer for each read of a stream costs more than the read.
    """

    __slots__ = ("_at", "_loop", "_on_passed", "_timer", "_timer_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_passed: Callable[[], None]) -> None:
        self._loop = loop
        self._on_passed = on_passed
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def set(self, seconds: float) -> None:
        """In that many seconds from now, whatever was set before."""
        self._at = at = self._loop.time() + seconds
        if self._timer is None or self._timer_at > at:
            self._arm(at)

    def clear(self) -> None:
        """Never. The timer stays: the next deadline may come soon."""
        self._at = None

    def close(self) -> None:
        """Never again: drop the timer, which holds on to its owner."""
        self._at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._at is None:
            return
        if self._loop.time() < self._at:
            self._arm(self._at)
        else:
            self._at = None
            self._on_passed()
