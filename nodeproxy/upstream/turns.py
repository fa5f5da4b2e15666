"""Who may read next, when many connections have more to read than one turn of the loop should."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

READ_BYTES: Final = 16 * 1024
"""What a connection reads at once: some fifty events of an engine, in less than 100 µs. The loop's
own measure is 256 KB, and uvloop comes back for more as long as reads fill that."""

READERS: Final = 4
"""Connections that go on in one turn of the loop. When all did that had more to read, a hundred
ready replies of a megabyte made turns of 190 ms, and a new request needs several turns."""


class Turns:
    """Lets connections that gave way go on, the one that has waited longest first.

    For one event loop. Nothing idles: as long as somebody waits, the next turn of the loop comes at
    once, with whatever else has become ready in it.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call go_on in a later turn of the loop. Raises nothing; neither may go_on."""
        self._waiting.append(go_on)
        if len(self._waiting) == 1:
            self._come_back()

    def _come_back(self) -> None:
        asyncio.get_running_loop().call_soon(self._give)

    def _give(self) -> None:
        for _ in range(min(READERS, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            self._come_back()
