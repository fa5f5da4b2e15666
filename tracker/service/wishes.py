"""What owners want of their rigs and say on the tracker's pages: pause, or go on.

The tracker opens and closes nothing itself: it keeps the last wish about each rig and signs it for
whoever asks (revocations.py); the rig asks every few seconds and obeys, unless its owner has told
it otherwise since. Until it says that it knows, the map shows it as its owner wants it.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from luckrig.protocol.errors import PeerError
from luckrig.protocol.wire import NodeHealth
from luckrig.tracker.domain.records import NodeRecord, WishRecord
from luckrig.tracker.service.monitor import Prober
from luckrig.tracker.service.owners import rigs_of
from luckrig.tracker.store.interface import Store, StoreError

WISHES_AGE_SECONDS: Final = 1.0
"""Every rig asks every few seconds; the store is asked once a second for all of them."""

_OPEN: Final = frozenset(("available", "busy", "starting"))

_log = logging.getLogger(__name__)


class WishService:
    """on_wish: called with a rig's id when its owner wants something else."""

    def __init__(
        self, store: Store, *, clock: Callable[[], float], on_wish: Callable[[str], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._on_wish = on_wish
        self._known: tuple[float, Mapping[str, WishRecord]] | None = None

    async def want(self, node_id: str, *, paused: bool, user_id: str) -> WishRecord:
        """Keep a wish. Raises PeerError node_not_found for a rig that isn't this user's."""
        users = self._store.users
        own = await rigs_of(self._store, await users.all_ids(user_id))
        node = next((each for each in own if each.node_id == node_id), None)
        if node is None:
            raise PeerError("node_not_found", "You own no rig with that id on this tracker.")
        earlier = (await self.all(fresh=True)).get(node_id)
        # Above the one before, and above what the rig was last told by hand: the newest counts.
        known = max(-1 if earlier is None else earlier.at, node.health.wish_at or -1)
        at = max(int(self._clock()), known + 1)
        wish = WishRecord(node_id=node_id, paused=paused, at=at, by=user_id)
        await self._store.put_wish(wish)
        self._known = None
        if paused and node.health.status in _OPEN:  # nobody gets a token in the meantime
            closed = replace(node.health, status="paused", opens_at=None)
            await self._store.put_health({node_id: closed})
        _log.info("the owner of %s wants it to %s", node_id, "pause" if paused else "go on")
        self._on_wish(node_id)
        return wish

    async def all(self, *, fresh: bool = False) -> Mapping[str, WishRecord]:
        """node id → the last wish about it, as of a moment ago; fresh: as of now."""
        now = self._clock()
        if fresh or self._known is None or not 0 <= now - self._known[0] < WISHES_AGE_SECONDS:
            self._known = now, {wish.node_id: wish for wish in await self._store.wishes()}
        return self._known[1]

    async def apply(self, health: NodeHealth) -> NodeHealth:
        """A rig's answer as the map shows it: paused where its owner wants that, and the rig hasn't
        been told otherwise since. One that opens again does so when it says so itself."""
        if health.status not in _OPEN:
            return health
        wish = (await self.all()).get(health.node_id)
        if wish is None or not wish.paused or (health.wish_at or -1) > wish.at:
            return health
        return msgspec.structs.replace(health, status="paused", opens_at=None)


class WishProber:
    """Implements monitor.Prober: another one's answers, as owners want their rigs to be shown."""

    def __init__(self, prober: Prober, wishes: WishService) -> None:
        self._prober = prober
        self._wishes = wishes

    async def probe(self, node: NodeRecord) -> NodeHealth | None:
        """What the other one says, paused where the owner wants that."""
        health = await self._prober.probe(node)
        if health is None:
            return None
        try:
            return await self._wishes.apply(health)
        except StoreError as error:  # a look must not fail; the rig itself asks for the wish, too
            _log.error("what owners want isn't known: %s", error)
            return health


def in_force(wish: WishRecord | None, *, wish_at: int | None) -> WishRecord | None:
    """A wish, unless the rig was told something else since. wish_at: Health.wish_at."""
    return None if wish is None or (wish_at or -1) > wish.at else wish
