"""Pages that were just made, for those who ask for the same a moment later."""

from collections.abc import Hashable
from typing import Final

from luckrig.tracker.routes.packing import Packable

MAX_PAGES: Final = 64
"""Some 150 KB each. Queries are free to choose; whoever tries many only empties this."""


class RecentPages:
    """Keeps pages for as long as their stamp is the present one.

    stamp: of what a page must show at once, and of the second, so that nothing else in it is older.
    """

    def __init__(self) -> None:
        self._stamp: Hashable = None
        self._pages: dict[Hashable, Packable] = {}

    def get(self, key: Hashable, stamp: Hashable) -> Packable | None:
        """The page of that key, if there is one with that stamp."""
        return self._pages.get(key) if stamp == self._stamp else None

    def put(self, key: Hashable, stamp: Hashable, page: Packable) -> None:
        """Keep a page; those with another stamp are forgotten."""
        if stamp != self._stamp or len(self._pages) >= MAX_PAGES:
            self._stamp = stamp
            self._pages.clear()
        self._pages[key] = page
