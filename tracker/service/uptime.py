"""Notes in which hours rigs are live, for the ledger."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from luckrig.tracker.domain.records import Health
from luckrig.tracker.domain.scarcity import LIVE
from luckrig.tracker.store.interface import Store

_HOUR_SECONDS: Final = 3600


class UptimeRecorder:
    """scarcity_of: every listed rig's scarcity in [0, 1], by node id; banned rigs aren't in it."""

    def __init__(
        self,
        store: Store,
        *,
        scarcity_of: Callable[[], Awaitable[Mapping[str, float]]],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._scarcity_of = scarcity_of
        self._clock = clock
        self._hour = -1
        self._noted: set[str] = set()

    async def note(self, reports: Mapping[str, Health]) -> None:
        """Take in what a round of looks saw: one good answer makes an hour."""
        hour = int(self._clock()) // _HOUR_SECONDS
        if hour != self._hour:
            self._hour, self._noted = hour, set()
        live = {
            node_id
            for node_id, health in reports.items()
            if health.status in LIVE and not health.misses
        }
        new = live - self._noted
        if not new:
            return
        scarcities = await self._scarcity_of()
        noted = {name: round(scarcities[name] * 1000) for name in new if name in scarcities}
        await self._store.contributions.add_live(hour=hour, scarcities=noted)
        self._noted |= new
