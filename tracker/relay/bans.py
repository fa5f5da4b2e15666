"""Makes bans hold at once for rigs behind tunnels, instead of at their next question."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import NoReturn

from luckrig.protocol.tunnel.frames import GoAway
from luckrig.tracker.relay.hub import Hub
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.revocations import RevocationService
from luckrig.tracker.store.interface import StoreError

_log = logging.getLogger(__name__)


class BanCrier:
    """Closes banned rigs' tunnels, and tells rigs whose list of banned users changed."""

    def __init__(self, hub: Hub, bans: BanService, revocations: RevocationService) -> None:
        self._hub = hub
        self._bans = bans
        self._revocations = revocations
        self._changed = asyncio.Event()
        self._told: Mapping[str, Sequence[str]] = {}

    def changed(self) -> None:
        """A ban was put or lifted."""
        self._changed.set()

    async def run(self) -> NoReturn:
        """Spread the word until cancelled. When the store fails, rigs still ask by themselves."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._tell()
            except StoreError as error:
                _log.error("rigs weren't told of a ban: %s", error)

    async def _tell(self) -> None:
        for node_id in await self._bans.banned_nodes():
            if self._hub.get(node_id) is not None:
                self._hub.close([node_id], await banned(self._bans, node_id))
        told, lists = self._told, await self._revocations.lists()
        self._told = lists
        self._hub.tell_revoked(
            node_id for node_id in told.keys() | lists.keys()
            if told.get(node_id, ()) != lists.get(node_id, ())
        )  # fmt: skip


async def banned(bans: BanService, node_id: str) -> GoAway:
    """What a banned rig is told: the operator's reason, if there is one left to tell."""
    refusal = await bans.refusal(node_id)
    text = "This rig is banned." if refusal is None else refusal.message
    return GoAway(reason="banned", message=text[:1000], retry_seconds=60)
