"""The tracker's map, kept for some seconds, and rigs as they signed themselves.

One refresh runs at a time. A map that is a little old is used while the next one is on its way; one
that is older than LONGEST_SECONDS, or missing, is waited for. While the tracker doesn't answer, the
last map goes on being used: a rig says itself when it is closed or gone.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from luckrig.client.calling.picking import Measure
from luckrig.client.tracker import TrackerClient
from luckrig.protocol.descriptor import Offer
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.wire import NodeView, TimingView

FRESH_SECONDS: Final = 15.0
LONGEST_SECONDS: Final = 120.0
TIMINGS_SECONDS: Final = 300.0
"""They are of 90 days: nobody misses five minutes."""
PAGE_RIGS: Final = 200
MAX_VERIFIED: Final = 1024
API_PATH: Final = "/v1"

Known = TypeVar("Known")

_log = logging.getLogger(__name__)


class RigMap:
    """monotonic: seconds. Close it: it may be reading."""

    def __init__(self, tracker: TrackerClient, *, monotonic: Callable[[], float]) -> None:
        self._tracker = tracker
        self._monotonic = monotonic
        self._rigs: list[NodeView] | None = None
        self._read_at = 0.0
        self._next_at = 0.0  # no sooner is it read again
        self._problem: LuckrigError | None = None
        self._reading: asyncio.Task[None] | None = None
        self._timings: asyncio.Task[None] | None = None
        self._shared: dict[tuple[str, str], Measure] = {}
        self._shared_at: float | None = None
        self._verified: dict[str, NodeView] = {}
        self._newest: dict[str, int] = {}  # rig → the highest seq that it signed

    async def rigs(self) -> list[NodeView]:
        """All rigs on the map, as the tracker tells them. Raises LuckrigError without any map."""
        now = self._monotonic()
        if self._rigs is None or now >= self._next_at:
            reading = self._begin()
            is_old = now - self._read_at >= LONGEST_SECONDS and self._problem is None
            if self._rigs is None or is_old:
                # Shielded: whoever gives up must not end it for the others that wait.
                await asyncio.shield(reading)
        if self._rigs is not None:
            return self._rigs
        raise self._problem or LuckrigError("tracker_unreachable", "The map couldn't be read.")

    def shared(self, rig: NodeView, offer: Offer) -> Measure | None:
        """What users measured there and shared."""
        return self._shared.get((rig.id, offer.model))

    async def verified(self, rig: NodeView) -> NodeView:
        """The rig as it signed itself. Raises PeerError signature_invalid, node_not_found."""
        known = self._verified.get(rig.id)
        if known is not None and known.seq == rig.seq:
            return known
        return await self.look_up(rig.id)

    async def look_up(self, node_id: str) -> NodeView:
        """A rig that needn't be on the map, as it signed itself last. Raises as verified() does."""
        view = (await self._tracker.node(node_id)).node
        if not view.base_url.endswith(API_PATH):
            raise PeerError("signature_invalid", "The tracker shows an address that no rig has.")
        if view.seq < self._newest.get(node_id, 0):
            raise PeerError("signature_invalid", "The tracker shows what the rig signed long ago.")
        _keep(self._verified, node_id, view)
        _keep(self._newest, node_id, view.seq)
        return view

    def distrust(self, node_id: str) -> None:
        """Something about it wasn't as signed or listed: look at it anew, and at the map."""
        self._verified.pop(node_id, None)
        self._next_at = self._monotonic()

    async def close(self) -> None:
        """End what is being read."""
        for task in (self._reading, self._timings):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def _begin(self) -> "asyncio.Task[None]":
        """The read that runs, or a new one."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        try:
            self._rigs = [rig async for rig in self._tracker.each_node(limit=PAGE_RIGS)]
            self._read_at, self._problem = self._monotonic(), None
        except LuckrigError as error:
            self._problem = error
            _log.warning("the map can't be read: %s", error.code)
        self._next_at = self._monotonic() + FRESH_SECONDS
        # Nobody waits for these.
        if self._problem is None and (self._timings is None or self._timings.done()):
            self._timings = asyncio.create_task(self._read_timings())

    async def _read_timings(self) -> None:
        now = self._monotonic()
        if self._shared_at is not None and now - self._shared_at < TIMINGS_SECONDS:
            return
        self._shared_at = now
        try:
            timings = (await self._tracker.timings()).timings
        except LuckrigError as error:
            _log.info("no shared timings: %s", error.code)
            return
        self._shared = {(each.node_id, each.model): _measure(each) for each in _shortest(timings)}


def _keep(known: dict[str, Known], node_id: str, what: Known) -> None:
    """Of one rig, and of MAX_VERIFIED at most."""
    if node_id not in known and len(known) >= MAX_VERIFIED:
        del known[next(iter(known))]
    known[node_id] = what


def _shortest(timings: list[TimingView]) -> list[TimingView]:
    """For each rig and model the one of the shortest prompts, which most requests have, last."""
    return sorted(timings, key=lambda each: -each.prompt_tokens_from)


def _measure(timing: TimingView) -> Measure:
    return Measure(timing.ttft_ms.p50 / 1000, timing.tokens_per_second.p50)
