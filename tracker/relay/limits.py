"""How much of the relay one network may have."""

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from luckrig.protocol.errors import PeerError

WINDOW_SECONDS: Final = 60
MAX_PREFIXES: Final = 65_536
"""Networks counted in a window; those that come later share one place."""
_OTHERS: Final = "others"


class RelayLimits:
    """streams: at once, requests: in a minute, for one network prefix. clock: Unix seconds.

    The tracker doesn't read tokens here: a rig holds each user to their own limits.
    """

    def __init__(self, *, streams: int, requests: int, clock: Callable[[], float]) -> None:
        self._max_streams = streams
        self._max_requests = requests
        self._clock = clock
        self._streams: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._window = 0

    @contextmanager
    def place(self, prefix: str | None) -> Generator[None, None, None]:
        """Count a request while the block runs. None: this machine itself, which isn't limited.

        Raises PeerError rate_limited.
        """
        if prefix is None:
            yield
            return
        self._count(prefix)
        if self._streams[prefix] >= self._max_streams:
            raise PeerError(
                "rate_limited",
                f"Your network has {self._max_streams} requests running through this tracker, "
                "which is the limit. Wait for one to end.",
                retry_after_seconds=1,
            )
        self._streams[prefix] += 1
        try:
            yield
        finally:
            self._streams[prefix] -= 1
            if not self._streams[prefix]:
                del self._streams[prefix]

    def _count(self, prefix: str) -> None:
        now = self._clock()
        window = int(now) // WINDOW_SECONDS
        if window != self._window:
            self._window = window
            self._requests.clear()
        if prefix not in self._requests and len(self._requests) >= MAX_PREFIXES:
            prefix = _OTHERS
        if self._requests[prefix] >= self._max_requests:
            raise PeerError(
                "rate_limited",
                f"Your network has had its {self._max_requests} requests of this minute through "
                "this tracker.",
                retry_after_seconds=WINDOW_SECONDS - int(now) % WINDOW_SECONDS,
            )
        self._requests[prefix] += 1
