"""The bounded queue in front of the engine.

The engine would queue by itself, without bound, order, or a way to leave. So at most max_active
requests are at the engine; the rest wait here, where leaving costs nothing.
"""

import asyncio
import heapq
from itertools import count

from luckrig.protocol.errors import LuckrigError


class RequestQueue:
    """Higher priority first, and first come first served within one.

    For one event loop; nothing here awaits between looking and changing, so it needs no lock.
    """

    def __init__(self, *, max_active: int, max_waiting: int) -> None:
        self.max_active = max_active
        self._max_waiting = max_waiting
        self._arrivals = count()
        self._heap: list[tuple[int, int, asyncio.Future[None]]] = []
        self.active = 0

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return sum(not turn.done() for _, _, turn in self._heap)

    async def enter(self, *, priority: int) -> None:
        """Wait for a turn; whoever returns from here owes one leave().

        Raises LuckrigError queue_full at once. Cancelling while waiting gives the place up.
        """
        if self.active < self.max_active:
            self.active += 1
            return
        if (waiting := self.waiting) >= self._max_waiting:
            raise LuckrigError(
                "queue_full",
                f"This rig's queue is full ({waiting} waiting). Try again, or pick another rig.",
                retry_after_seconds=5,
            )
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._heap, (-priority, next(self._arrivals), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # given the turn at the very moment of leaving: pass it on
                self.leave()
            raise

    def leave(self) -> None:
        """Give the turn to the next one waiting."""
        while self._heap:
            _, _, turn = heapq.heappop(self._heap)
            if not turn.done():  # a cancelled one has left, its entry stayed behind
                turn.set_result(None)
                return
        self.active -= 1
