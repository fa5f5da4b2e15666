"""The showcase of this map."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from luckrig.protocol.wire import ShowcaseCategory, ShowcaseReply
from luckrig.tracker.domain.showcase import showcase
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.store.interface import Store

AGE_SECONDS: Final = 5.0
"""Every rig is read for it: some 15 us each, and statuses of 10,000 change all the time."""


class ShowcaseService:
    """Nothing of the banned is in it."""

    def __init__(
        self, store: Store, nodes: NodeService, bans: BanService, *, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._nodes = nodes
        self._bans = bans
        self._clock = clock
        self._kept: ShowcaseReply | None = None
        self._counted_at = -AGE_SECONDS
        self._counting = asyncio.Lock()

    async def current(self) -> ShowcaseReply:
        """What was worth a look at most AGE_SECONDS ago, but for rigs that left the map since."""
        kept = self._kept
        # Whoever comes while it is counted anew gets what was kept, if anything was.
        if kept is None or (self._is_old() and not self._counting.locked()):
            async with self._counting:
                if self._kept is None or self._is_old():
                    self._kept = await self._count()
                    self._counted_at = self._clock()
                kept = self._kept
        return await self._without_gone(kept)

    def _is_old(self) -> bool:
        # A clock that was set back makes it old, too.
        return not 0 <= self._clock() - self._counted_at < AGE_SECONDS

    async def _count(self) -> ShowcaseReply:
        banned = await self._bans.banned_users()
        people = await self._store.notes.reproducers()
        reproduced = Counter(node_id for node_id, user_id in people if user_id not in banned)
        listed, scarcity = await self._nodes.listed(), await self._nodes.scarcity()
        # Records are never changed, so a thread may read them: the event loop has others to serve.
        return await asyncio.to_thread(showcase, listed, scarcity, reproduced)

    async def _without_gone(self, found: ShowcaseReply) -> ShowcaseReply:
        shown = {rig.node_id for category in found.categories for rig in category.rigs}
        here = await self._nodes.views(shown)
        left = [
            ShowcaseCategory(
                key=each.key,
                title=each.title,
                unit=each.unit,
                rigs=[rig for rig in each.rigs if rig.node_id in here],
            )
            for each in found.categories
        ]
        return ShowcaseReply(categories=[each for each in left if each.rigs])
