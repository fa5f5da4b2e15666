"""Knows how the engine is, by asking it every few seconds."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from luckrig.nodeproxy.engines.base import Dialect, EngineState
from luckrig.nodeproxy.engines.detect import probe
from luckrig.nodeproxy.queue import RequestQueue
from luckrig.nodeproxy.upstream.pool import Upstream
from luckrig.protocol.wire import NodeHealth, NodeStatus, QueueView


class EngineWatch:
    """state: what the engine said last; its offers are those of the last time it had any.

    has_models: whether it has any of them now; an engine that is away may still have them.
    models: the only ones to offer; None for all. on_slots: told when the engine runs more or fewer
    requests in parallel than before.
    """

    def __init__(
        self,
        upstream: Upstream,
        dialect: Dialect,
        state: EngineState,
        *,
        interval_seconds: float,
        models: frozenset[str] | None = None,
        on_slots: Callable[[int], None] | None,
    ) -> None:
        self._upstream = upstream
        self._dialect = dialect
        self._interval_seconds = interval_seconds
        self.on_slots = on_slots
        self._fault_seen = asyncio.Event()
        self._models = models
        self._keep(self._chosen(state))
        self.has_models = True

    async def run(self) -> NoReturn:
        """Ask until cancelled: after each interval, and as soon as a request met a fault."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_seconds):
                    await self._fault_seen.wait()
            self._fault_seen.clear()
            await self.look()

    def note_fault(self) -> None:
        """A request got no good answer: look now, so that the map doesn't show what was."""
        self._fault_seen.set()

    def is_offered(self, model: str) -> bool:
        """Whether the engine serves a model of that name."""
        return model in self._by_name

    def quantization(self, model: str) -> str | None:
        """How that model is quantised, where the engine says it."""
        offer = self._by_name.get(model)
        return None if offer is None else offer.quantization

    async def look(self) -> None:
        """Ask once. An engine that is down still has the models it had: it will be back."""
        self.take(await probe(self._upstream, self._dialect))

    def take(self, state: EngineState) -> None:
        """This is how the engine is now."""
        state = self._chosen(state)
        if self.on_slots is not None and state.slots and state.slots != self.state.slots:
            self.on_slots(state.slots)
        self.has_models = bool(state.offers) or state.status != "ready"
        self._keep(state if state.offers else replace(state, offers=self.state.offers))

    def _keep(self, state: EngineState) -> None:
        self.state = state
        self._by_name = {offer.model: offer for offer in reversed(state.offers)}

    def _chosen(self, state: EngineState) -> EngineState:
        if self._models is None:
            return state
        offers = [offer for offer in state.offers if offer.model in self._models]
        return replace(state, offers=tuple(offers))

    def health(self, node_id: str, queue: RequestQueue) -> NodeHealth:
        """What the node says of itself at GET /health."""
        view = QueueView(active=queue.active, waiting=queue.waiting, max_active=queue.max_active)
        return NodeHealth(node_id=node_id, status=self.status(queue), queue=view)

    def status(self, queue: RequestQueue) -> NodeStatus:
        """The engine's state and the queue's, in the map's words."""
        if self.state.status == "loading":
            return "starting"
        if self.state.status != "ready" or not self.has_models:
            return "unavailable"
        return "busy" if queue.active >= queue.max_active else "available"
