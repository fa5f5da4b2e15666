"""The showcase of this map."""

from collections import Counter

from luckrig.protocol.wire import ShowcaseReply
from luckrig.tracker.domain.showcase import showcase
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.store.interface import Store


class ShowcaseService:
    """Nothing of the banned is in it."""

    def __init__(self, store: Store, nodes: NodeService, bans: BanService) -> None:
        self._store = store
        self._nodes = nodes
        self._bans = bans

    async def current(self) -> ShowcaseReply:
        """What is worth a look now."""
        banned = await self._bans.banned_users()
        people = await self._store.notes.reproducers()
        reproduced = Counter(node_id for node_id, user_id in people if user_id not in banned)
        return showcase(await self._nodes.listed(), await self._nodes.scarcity(), reproduced)
