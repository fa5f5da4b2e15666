"""Watches the health of every listed rig, whatever they answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Final, NoReturn, Protocol

from luckrig.protocol.wire import NodeHealth
from luckrig.tracker.domain.health import next_health
from luckrig.tracker.domain.records import Health, NodeRecord
from luckrig.tracker.store.interface import Store, StoreError

MAX_PROBES_AT_ONCE: Final = 64
MAX_BACKOFF: Final = 8
"""A rig that stays silent is asked up to eight times less often: a thousand dead rigs must not
delay the live ones."""
JITTER: Final = 0.2
"""Each wait varies by ± 20 %, so that probes spread out instead of coming in waves."""

_log = logging.getLogger(__name__)


class Prober(Protocol):
    """Asks one rig how it is."""

    async def probe(self, node: NodeRecord) -> NodeHealth | None:
        """Its answer, or None for anything but a good one. Bounded in time; never raises."""
        ...


class HealthMonitor:
    """Probes each rig every interval_seconds, give or take the jitter.

    on_looked: told what each round saw.
    """

    def __init__(
        self,
        store: Store,
        prober: Prober,
        *,
        interval_seconds: float,
        on_looked: Callable[[Mapping[str, Health]], Awaitable[None]],
        clock: Callable[[], float],
        rng: Random,
    ) -> None:
        self._store = store
        self._prober = prober
        self._interval_seconds = interval_seconds
        self._on_looked = on_looked
        self._clock = clock
        self._rng = rng
        self._due_at: dict[str, float] = {}
        self._asked_for: set[str] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for due rigs now: a rig was just listed."""
        self._wake.set()

    def look(self, node_id: str) -> None:
        """Look at that rig now, whenever it was looked at last."""
        self._asked_for.add(node_id)  # a round that is under way may have looked already
        self._wake.set()

    async def run(self) -> NoReturn:
        """Watch until cancelled. A round that fails is logged, and the next one comes."""
        tick_seconds = min(1.0, self._interval_seconds / 4)
        while True:
            try:
                await self.check_due()
            except StoreError as error:
                _log.error("health round not stored: %s", error)
            try:
                async with asyncio.timeout(tick_seconds):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def check_due(self) -> int:
        """Probe every rig whose time has come and store what was seen. Returns how many."""
        now = self._clock()
        nodes = await self._store.nodes()
        asked_for, self._asked_for = self._asked_for, set()
        due = [node for node in nodes if node.node_id in asked_for or self._is_due(node, now)]
        if not due:
            return 0
        gate = asyncio.Semaphore(MAX_PROBES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            tasks = {node.node_id: group.create_task(self._check(node, gate)) for node in due}
        reports = {
            node.node_id: tasks[node.node_id].result() for node in due if await self._stayed(node)
        }
        await self._store.put_health(reports)
        await self._on_looked(reports)
        for node_id, health in reports.items():
            self._due_at[node_id] = self._clock() + self._wait_seconds(health)
        known = {node.node_id for node in nodes}
        self._due_at = {key: due_at for key, due_at in self._due_at.items() if key in known}
        return len(due)

    async def _stayed(self, node: NodeRecord) -> bool:
        """Whether the rig is still where it was when it was asked."""
        current = await self._store.node(node.node_id)
        return current is not None and current.descriptor.endpoints == node.descriptor.endpoints

    async def _check(self, node: NodeRecord, gate: asyncio.Semaphore) -> Health:
        async with gate:
            outcome = await self._prober.probe(node)
        return next_health(node.health, outcome, now=int(self._clock()))

    def _is_due(self, node: NodeRecord, now: float) -> bool:
        just_listed = node.health.checked_at is None
        return just_listed or self._due_at.get(node.node_id, 0.0) <= now

    def _wait_seconds(self, health: Health) -> float:
        backoff = min(MAX_BACKOFF, 1 << max(0, health.misses - 2))
        return self._interval_seconds * backoff * self._rng.uniform(1 - JITTER, 1 + JITTER)
