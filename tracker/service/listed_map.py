"""The listed rigs, and the index of them that every list is made from."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from luckrig.tracker.domain.map_index import MapIndex
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.timings import summarise
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.scores import TIMINGS_SECONDS
from luckrig.tracker.store.interface import Store, StoreError

SCARCITY_AGE_SECONDS: Final = 2.0
"""Scarcity isn't counted more often because of statuses alone: it touches all rigs."""
TIMINGS_AGE_SECONDS: Final = 30.0
"""All shared timings of a quarter are read for it."""

_log = logging.getLogger(__name__)


class ListedMap:
    """Keeps one MapIndex on the store's heels. Held rigs aren't in it."""

    def __init__(self, store: Store, bans: BanService, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._bans = bans
        self._clock = clock
        self._index = MapIndex()
        self._counted_at = -SCARCITY_AGE_SECONDS
        self._timed_at = -TIMINGS_AGE_SECONDS

    async def nodes(self) -> list[NodeRecord]:
        """Every rig on the map, in no particular order."""
        nodes, unlisted = await self._store.nodes(), await self._bans.unlisted_nodes()
        return [node for node in nodes if node.node_id not in unlisted] if unlisted else nodes

    async def index(self) -> MapIndex:
        """The index as the store is now; scarcity and timings may be somewhat older.

        Ask for it again after anything that waits: others make it follow, too.
        """
        await self._read_timings()
        must_count = self._index.follow(await self.nodes())
        now = self._clock()
        if must_count or now - self._counted_at >= SCARCITY_AGE_SECONDS:
            self._counted_at = now
            self._index.count_scarcity()
        return self._index

    async def _read_timings(self) -> None:
        now = self._clock()
        if now - self._timed_at < TIMINGS_AGE_SECONDS:
            return
        self._timed_at = now  # whoever comes meanwhile uses the timings of before
        since = int(now) - TIMINGS_SECONDS
        try:
            shared = await self._store.contributions.timings(node_id=None, since=since)
        except StoreError as error:  # lists need nothing else from the disk, and go on without
            _log.error("the map's timings weren't read anew: %s", error)
            return
        # Some 10 us each, which a hundred thousand of them must not take from the event loop.
        self._index.put_timings(await asyncio.to_thread(summarise, shared))
