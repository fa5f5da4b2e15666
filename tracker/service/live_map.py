"""Notices what changes on the map, and tells the bus.

Rigs change in several places: looks at their health, new descriptors, decisions, deletions,
suspensions that end. This compares the map that people see with the one that listeners were told
of, so none of those places can be forgotten, and a rig that is held is never in an event.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from luckrig.protocol.wire import RigGone, RigNews
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.service.event_bus import EventBus, EventKind
from luckrig.tracker.store.interface import StoreError

PAUSE_SECONDS: Final = 0.5
"""After each look, so that a rig that goes on and off all the time isn't told of each time."""
LOOK_EVERY_SECONDS: Final = 30.0
"""Nobody calls when a suspension ends."""

_log = logging.getLogger(__name__)


class LiveMap:
    """listed: every rig on the map."""

    def __init__(
        self,
        listed: Callable[[], Awaitable[list[NodeRecord]]],
        bus: EventBus,
        *,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._listed = listed
        self._bus = bus
        self._pause_seconds = pause_seconds
        self._told: dict[str, NodeRecord] | None = None
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Something may have changed."""
        self._changed.set()

    async def run(self) -> NoReturn:
        """Tell of what changes until cancelled."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                _log.error("listeners weren't told what changed: %s", error)
            await asyncio.sleep(self._pause_seconds)
            try:
                async with asyncio.timeout(LOOK_EVERY_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Tell of what changed since the last look; the first one only remembers."""
        self._changed.clear()
        nodes = await self._listed()
        told, self._told = self._told, {node.node_id: node for node in nodes}
        if told is None:
            return
        news: list[tuple[EventKind, object]] = [
            ("gone", RigGone(id=node_id)) for node_id in told.keys() - self._told.keys()
        ]
        for node in nodes:
            before = told.get(node.node_id)
            # Records are replaced, never changed: for most rigs this is all there is to do.
            if before is not node and (kind := _kind(before, node)) is not None:
                news.append((kind, _news(node)))
        if news:
            self._bus.publish(news)


def _kind(before: NodeRecord | None, now: NodeRecord) -> EventKind | None:
    if before is None:
        return "listed"
    if before.descriptor.seq != now.descriptor.seq:
        return "changed"
    health = (before.health.status, before.health.opens_at)
    return "status" if health != (now.health.status, now.health.opens_at) else None


def _news(node: NodeRecord) -> RigNews:
    health = node.health
    return RigNews(
        id=node.node_id,
        seq=node.descriptor.seq,
        status=health.status,
        queue=health.queue,
        last_seen_at=health.last_seen_at,
        opens_at=health.opens_at,
    )
