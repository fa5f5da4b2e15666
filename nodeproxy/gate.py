"""Lets requests in, or says that the owner doesn't want any now."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.hours import day_number, load_zone, next_midnight
from luckrig.nodeproxy.opening import (
    FOR_EVERYBODY,
    Hand,
    Opening,
    Reading,
    Reason,
    Strain,
    Wishes,
    decide,
)
from luckrig.nodeproxy.owner_state import OwnerState, load_state, save_state
from luckrig.nodeproxy.queue import RequestQueue
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.telemetry import GpuReading
from luckrig.protocol.tokens import OWNER_PRIORITY, Claims
from luckrig.protocol.wire import NodeHealth, NodeStatus

LOOK_SECONDS: Final = 5.0
UNKNOWN_RETRY_SECONDS: Final = 120
MAX_RETRY_SECONDS: Final = 86_400

_WHY: Final[Mapping[Reason, str]] = {
    "draining": "It is about to stop.",
    "too_hot": "Its hardware is too hot.",
    "power": "It draws as much power as it may.",
    "paused": "Its owner has paused it.",
    "schedule": "It is outside its opening hours.",
    "daily_tokens": "It has served all that it wants to for today.",
    "owner_busy": "Its owner is using it.",
}

Readings = Callable[[], Sequence[GpuReading]]
"""Says how the GPUs are, at once; nothing where nothing is."""

_log = logging.getLogger(__name__)


class Gate:
    """Keeps the owner's wishes, by hand and beforehand, and holds requests to them.

    state_path: where the pause and the count of tokens outlive a restart; None for nowhere.
    readings: the GPUs. clock: Unix seconds. monotonic: seconds from any origin, for durations.
    Raises ValueError when the state can't be read or the zone isn't known.
    """

    def __init__(
        self,
        wishes: Wishes,
        queue: RequestQueue,
        *,
        state_path: Path | None,
        readings: Readings,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self.wishes = wishes
        self.reading = Reading()
        self.drained = asyncio.Event()
        """Set when the owner wants the rig to end and nothing runs or waits any more."""
        self._queue = queue
        self._state_path = state_path
        self._readings = readings
        self._clock = clock
        self._monotonic = monotonic
        self._zone = load_zone(wishes.timezone)
        self._state = OwnerState() if state_path is None else load_state(state_path)
        self._saved = self._state
        self._saving = asyncio.Lock()
        self._draining = self._ends_when_drained = False
        self._strain = Strain()
        self._worked_at = monotonic()
        self._day_began = self._day_ends = 0.0
        self._opening = self._decide()

    # What requests meet

    def admit(self, exchange: Exchange, *, at_turn: bool = False) -> None:
        """Let it in, or raise LuckrigError rig_paused.

        at_turn: it was let in before and has waited since; a rig that drains serves it still.
        """
        reason = self.opening().reason
        if reason is None or (at_turn and reason == "draining"):
            return
        if _is_owners(exchange.known_claims) and reason not in FOR_EVERYBODY:
            return
        raise self._refusal(reason)

    def note_work(self) -> None:
        """A request of ours was at the engine until now."""
        self._worked_at = self._monotonic()

    def count(self, claims: Claims, tokens: int) -> None:
        """As many tokens were served, prompt and reply. The owner's own aren't counted."""
        if _is_owners(claims):
            return
        state = self._today()
        self._state = msgspec.structs.replace(state, tokens=state.tokens + tokens)
        cap = self.wishes.tokens_per_day
        if cap is not None and self._state.tokens >= cap:  # deciding costs more than counting
            self._look()

    def health(self, health: NodeHealth) -> NodeHealth:
        """The engine's state, or that the rig is closed: an owner may end a paused rig's engine."""
        health = msgspec.structs.replace(health, wish_at=self.wish_at)
        if self.opening().reason is None:
            return health
        return msgspec.structs.replace(health, status="paused", opens_at=self.opens_at)

    def status(self, status: NodeStatus) -> NodeStatus:
        """The same of a state alone."""
        return status if self.opening().reason is None else "paused"

    @property
    def opens_at(self) -> int | None:
        """Unix seconds at which a closed rig opens; None when it is open, or nobody knows."""
        at = self.opening().opens_at
        return None if at is None else math.ceil(at)

    # What the owner does

    def opening(self) -> Opening:
        """Open or closed, and why."""
        due = self._opening.look_again_at
        if due is not None and self._clock() >= due:
            self._look()
        return self._opening

    @property
    def tokens_today(self) -> int:
        """Served since midnight in the owner's zone."""
        return self._today().tokens

    async def pause(self, seconds: int | None) -> None:
        """Take nothing new for so long, or until resume(). What runs goes on.

        Raises OSError when it can't be remembered; the pause is on all the same.
        """
        until = None if seconds is None else math.ceil(self._clock()) + seconds
        await self._by_hand(paused=True, paused_until=until, wish_at=self._next_wish())

    async def resume(self) -> None:
        """End a pause or a drain. Raises OSError as pause() does."""
        self._draining = self._ends_when_drained = False
        await self._by_hand(paused=False, paused_until=None, wish_at=self._next_wish())

    async def obey(self, *, paused: bool, at: int) -> None:
        """What the owner said on the tracker's pages, unless they have said something since.

        at: Unix seconds. It ends no drain. Raises OSError as pause() does.
        """
        if at > self._state.wish_at:
            await self._by_hand(paused=paused, paused_until=None, wish_at=at, from_tracker=True)

    @property
    def wish_at(self) -> int | None:
        """When the owner last paused or opened it, here or there; None for never."""
        return self._state.wish_at or None

    @property
    def from_tracker(self) -> bool:
        """Whether that was on the tracker's pages."""
        return self._state.from_tracker

    def drain(self, *, stop: bool) -> None:
        """Finish what runs and waits, and take nothing new; stop: then set `drained`."""
        self._draining = True
        self._ends_when_drained = stop
        self._look()
        self._check_drained()

    @property
    def ends_when_drained(self) -> bool:
        """Whether the rig ends as soon as nothing runs or waits."""
        return self._ends_when_drained

    # The loop

    async def run(self) -> NoReturn:
        """Read, decide and remember until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """One round."""
        if self.wishes.need_readings:
            self.reading = _sum_up(self._readings())
            quiet = 0.0 if self._queue.active else self._monotonic() - self._worked_at
            self._strain = self._strain.see(
                self.reading, self.wishes, quiet_seconds=quiet, now=self._clock()
            )
        self._look()
        self._check_drained()
        try:
            await self.remember()
        except OSError as error:
            _log.warning("the rig's state can't be saved: %s", error)

    async def remember(self) -> None:
        """Save what must outlive a restart, if it changed. Raises OSError.

        In a thread, since a memory card may take its time; one at a time, so that the newest wins.
        """
        async with self._saving:
            state = self._state
            if self._state_path is not None and state != self._saved:
                await asyncio.to_thread(save_state, self._state_path, state)
                self._saved = state

    def _next_wish(self) -> int:
        return max(int(self._clock()), self._state.wish_at + 1)

    async def _by_hand(
        self, *, paused: bool, paused_until: int | None, wish_at: int, from_tracker: bool = False
    ) -> None:
        self._state = msgspec.structs.replace(
            self._state,
            paused=paused,
            paused_until=paused_until,
            wish_at=wish_at,
            from_tracker=from_tracker,
        )
        self._look()
        await self.remember()

    def _today(self) -> OwnerState:
        now = self._clock()
        if not self._day_began <= now < self._day_ends:
            day = day_number(self._zone, now)
            self._day_began, self._day_ends = now, next_midnight(self._zone, now)
            if day != self._state.day:
                self._state = msgspec.structs.replace(self._state, day=day, tokens=0)
        return self._state

    def _look(self) -> None:
        before, self._opening = self._opening, self._decide()
        if before.reason != self._opening.reason:
            _log.info("the rig is %s", self._opening.reason or "open")

    def _decide(self) -> Opening:
        state = self._today()
        hand = Hand(paused=state.paused, paused_until=state.paused_until, draining=self._draining)
        return decide(self.wishes, hand, self._strain, tokens_today=state.tokens, now=self._clock())

    def _check_drained(self) -> None:
        if self._ends_when_drained and not self._queue.active and not self._queue.waiting:
            self.drained.set()

    def _refusal(self, reason: Reason) -> LuckrigError:
        opens_at = self._opening.opens_at
        retry, when = UNKNOWN_RETRY_SECONDS, "Try again later"
        if opens_at is not None:
            retry = min(max(1, math.ceil(opens_at - self._clock())), MAX_RETRY_SECONDS)
            time = datetime.fromtimestamp(math.ceil(opens_at), tz=UTC)
            when = f"It opens at {time:%Y-%m-%d %H:%M} UTC; come back then"
        return LuckrigError(
            "rig_paused",
            f"This rig takes no requests now. {_WHY[reason]} {when}, or pick another rig.",
            retry_after_seconds=retry,
        )


def _is_owners(claims: Claims) -> bool:
    return claims.lim.priority >= OWNER_PRIORITY


def _sum_up(gpus: Sequence[GpuReading]) -> Reading:
    watts = [gpu.watts for gpu in gpus if gpu.watts is not None]
    return Reading(
        busy_share=max((g.utilization for g in gpus if g.utilization is not None), default=None),
        celsius=max((g.celsius for g in gpus if g.celsius is not None), default=None),
        watts=sum(watts) if watts else None,
    )
