"""Ids of cases, decisions and appeals: they sort in the order in which they were made."""

from collections.abc import Callable
from typing import Final

_RANDOM_BYTES: Final = 6


class NewIds:
    """24 hex digits: Unix milliseconds, then chance. One for the whole tracker.

    What was decided last holds, also when two operators decide within one second, so no two ids
    have the same milliseconds; a clock that goes back waits for itself.
    """

    def __init__(self, *, clock: Callable[[], float], random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._last = 0

    def __call__(self) -> str:
        """The next one."""
        self._last = max(self._last + 1, int(self._clock() * 1000))
        return f"{self._last:012x}{self._random_bytes(_RANDOM_BYTES).hex()}"
