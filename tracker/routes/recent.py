"""Pages that were just made, for those who ask for the same a moment later. Nobody waits for a page
that may be a little old: it is made anew behind their back, once for all who ask meanwhile.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, NamedTuple, NoReturn

from luckrig.tracker.routes.packing import Packable

MAX_PAGES: Final = 64
"""Some 150 KB each. Queries are free to choose; whoever tries many only pushes out the oldest."""
FRESH_SECONDS: Final = 1.0
"""A page of this age isn't made anew."""
MAX_AGE_SECONDS: Final = 3.0
"""Nobody gets an older page, at whatever price."""

_log = logging.getLogger(__name__)

Make = Callable[[], Awaitable[Packable]]


class _Kept(NamedTuple):
    """made_at: when its making began, so that nothing in it is older."""

    page: Packable
    generation: int
    made_at: float


class RecentPages:
    """Pages by key. They are made one after the other, so that each is made once.

    generation: another number when all pages must be made anew at once. clock: Unix seconds. While
    `run` doesn't run, only those are made that somebody waits for.
    """

    def __init__(
        self, generation: Callable[[], Awaitable[int]], *, clock: Callable[[], float]
    ) -> None:
        self._generation = generation
        self._clock = clock
        self._pages: dict[Hashable, _Kept] = {}
        self._turn = asyncio.Lock()
        self._wanted: dict[Hashable, Make] = {}
        self._is_wanted = asyncio.Event()

    async def get(self, key: Hashable, make: Make) -> Packable:
        """The page of that key: of this generation, and not MAX_AGE_SECONDS old.

        make: for when there is none, and for `run`. Raises what it does when there is none.
        """
        generation = await self._generation()
        kept = self._find(key, generation, MAX_AGE_SECONDS)
        if kept is None:
            async with self._turn:
                return await self._made(key, make, MAX_AGE_SECONDS)
        if self._find(key, generation, FRESH_SECONDS) is None:
            self._want(key, make)
        return kept.page

    async def run(self) -> NoReturn:
        """Make anew what was handed out though it wasn't fresh, until cancelled.

        A page that can't be made is forgotten, so that who asks next makes it and is told why.
        """
        while True:
            await self._is_wanted.wait()
            while self._wanted:
                key, make = next(iter(self._wanted.items()))
                try:
                    async with self._turn:
                        await self._made(key, make, FRESH_SECONDS)
                except Exception as error:  # a loop: the next page may be well
                    _log.error("a page wasn't made anew: %s", type(error).__qualname__)
                    self._pages.pop(key, None)
                finally:
                    del self._wanted[key]  # not before: it was wanted until now
            self._is_wanted.clear()

    def _want(self, key: Hashable, make: Make) -> None:
        if len(self._wanted) < MAX_PAGES:
            self._wanted.setdefault(key, make)
            self._is_wanted.set()

    async def _made(self, key: Hashable, make: Make, seconds: float) -> Packable:
        """A page younger than that: somebody may have made one while this waited for its turn."""
        generation = await self._generation()
        kept = self._find(key, generation, seconds)
        if kept is None:
            made_at = self._clock()
            kept = _Kept(await make(), generation, made_at)
            self._keep(key, kept)
        return kept.page

    def _keep(self, key: Hashable, kept: _Kept) -> None:
        self._pages.pop(key, None)
        self._pages[key] = kept  # at the end: the first one is the oldest
        if len(self._pages) > MAX_PAGES:
            del self._pages[next(iter(self._pages))]

    def _find(self, key: Hashable, generation: int, seconds: float) -> _Kept | None:
        """The page, if it is of that generation and younger than that."""
        kept = self._pages.get(key)
        if kept is None or kept.generation != generation:
            return None
        # A clock that was set back would keep a page for as long.
        return kept if 0 <= self._clock() - kept.made_at < seconds else None
