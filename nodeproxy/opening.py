"""Whether a rig takes requests: the owner's wishes, the machine's readings, one decision.

Pure: time and readings come in. The first reason that holds is the one that is told; the first
three hold for the owner's own requests too.

| reason         | while                                                    | opens at         |
|----------------|----------------------------------------------------------|------------------|
| `draining`     | the owner wants it to finish and take nothing new        | unknown          |
| `too_hot`      | a GPU has max_celsius, until it is 5 degrees below       | unknown          |
| `power`        | the GPUs draw max_watts, until it is a tenth less        | unknown          |
| `paused`       | the owner paused it by hand                              | the pause's end  |
| `schedule`     | it is outside the opening hours                          | the next opening |
| `daily_tokens` | it has served what it wants to in a day                  | midnight         |
| `owner_busy`   | somebody else keeps a GPU busy, until it is a quarter less | unknown        |

What nothing can be read of has no effect.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from luckrig.nodeproxy.hours import Hours, hours_at, load_zone, next_midnight
from luckrig.protocol.schedule import Schedule

Reason = Literal["draining", "too_hot", "power", "paused", "schedule", "daily_tokens", "owner_busy"]
FOR_EVERYBODY: Final[frozenset[Reason]] = frozenset({"draining", "too_hot", "power"})
"""What the machine can't do, it can't do for its owner either."""

COOLER_CELSIUS: Final = 5.0
LESS_WATTS: Final = 0.9
LESS_BUSY: Final = 0.75
RISE_SECONDS: Final = 10.0
"""A value must be too high for so long: a window that opens, or one frame, is no game."""
FALL_SECONDS: Final = 60.0
"""And low for so long before the rig opens: between two levels of a game nobody wants company."""
SETTLE_SECONDS: Final = 5.0
"""For so long after a request of ours the driver's averages still hold its work."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the owner decided beforehand. None: no such limit.

    timezone: an IANA name; tokens_per_day are counted by its days. idle_only: closed while somebody
    else keeps a GPU at busy_share (0 to 1) or above. max_celsius: the hottest GPU's. max_watts: all
    GPUs' together.
    """

    schedule: Schedule | None = None
    timezone: str = "UTC"
    tokens_per_day: int | None = None
    max_celsius: float | None = None
    max_watts: float | None = None
    idle_only: bool = False
    busy_share: float = 0.3

    @property
    def need_readings(self) -> bool:
        """Whether anything here depends on what the GPUs say."""
        return self.idle_only or self.max_celsius is not None or self.max_watts is not None


@dataclass(frozen=True, kw_only=True)
class Hand:
    """What the owner does by hand. paused_until: Unix seconds, None for until further notice."""

    paused: bool = False
    paused_until: float | None = None
    draining: bool = False

    def is_paused(self, now: float) -> bool:
        """Whether a pause is on; one with an end ends by itself."""
        return self.paused and (self.paused_until is None or now < self.paused_until)


class Reading(NamedTuple):
    """The GPUs now. busy_share: the busiest one's, 0 to 1. celsius: the hottest's. watts: all."""

    busy_share: float | None = None
    celsius: float | None = None
    watts: float | None = None


@dataclass(frozen=True)
class Latch:
    """Says "too high" late and takes it back later, so that nothing flaps.

    turning_at: Unix seconds since when the value asks for the other answer.
    """

    is_high: bool = False
    turning_at: float | None = None

    def see(self, value: float | None, *, high: float, low: float, now: float) -> "Latch":
        """One more value. high: from here on it is too high; low: below it isn't any more."""
        if value is None:
            return Latch()
        asks_to_turn = value < low if self.is_high else value >= high
        if not asks_to_turn:
            return replace(self, turning_at=None)
        # A clock that was set back begins the wait anew.
        since = now if self.turning_at is None else min(self.turning_at, now)
        wait = FALL_SECONDS if self.is_high else RISE_SECONDS
        if now - since >= wait:
            return Latch(is_high=not self.is_high)
        return replace(self, turning_at=since)


@dataclass(frozen=True)
class Strain:
    """What the readings of the last minutes come to."""

    heat: Latch = Latch()
    power: Latch = Latch()
    busy: Latch = Latch()

    def see(
        self, reading: Reading, wishes: Wishes, *, quiet_seconds: float, now: float
    ) -> "Strain":
        """One more reading. quiet_seconds: how long no request of ours has been at the engine.

        While one is, and just after, nobody can tell whose work keeps the GPU busy: what was known
        of the owner's own use stays.
        """
        busy = self.busy
        if not wishes.idle_only or reading.busy_share is None:
            busy = Latch()
        elif quiet_seconds >= SETTLE_SECONDS:
            share = wishes.busy_share
            busy = busy.see(reading.busy_share, high=share, low=share * LESS_BUSY, now=now)
        return Strain(
            heat=_limit(self.heat, reading.celsius, wishes.max_celsius, COOLER_CELSIUS, now),
            power=_limit(
                self.power,
                reading.watts,
                wishes.max_watts,
                (wishes.max_watts or 0) * (1 - LESS_WATTS),
                now,
            ),
            busy=busy,
        )


def _limit(
    latch: Latch, value: float | None, limit: float | None, margin: float, now: float
) -> Latch:
    if limit is None:
        return Latch()
    return latch.see(value, high=limit, low=limit - margin, now=now)


class Opening(NamedTuple):
    """reason: why the rig is closed, None when it is open. opens_at: Unix seconds, if known.

    look_again_at: Unix seconds, when time alone may change the answer; None for never.
    """

    reason: Reason | None = None
    opens_at: float | None = None
    look_again_at: float | None = None


def decide(wishes: Wishes, hand: Hand, strain: Strain, *, tokens_today: int, now: float) -> Opening:
    """Open or closed. tokens_today: served since midnight in the owner's zone. now: Unix seconds.

    opens_at is when every reason that is known to end has ended; one that isn't known to end leaves
    it None.
    """
    hours = Hours(True, None) if wishes.schedule is None else hours_at(wishes.schedule, now)
    midnight = None
    if wishes.tokens_per_day is not None:
        midnight = next_midnight(load_zone(wishes.timezone), now)
    is_paused = hand.is_paused(now)
    has_served_enough = wishes.tokens_per_day is not None and tokens_today >= wishes.tokens_per_day
    reasons: list[tuple[Reason, bool, float | None]] = [
        ("draining", hand.draining, None),
        ("too_hot", strain.heat.is_high, None),
        ("power", strain.power.is_high, None),
        ("paused", is_paused, hand.paused_until),
        ("schedule", not hours.is_open, hours.changes_at),
        ("daily_tokens", has_served_enough, midnight),
        ("owner_busy", strain.busy.is_high, None),
    ]
    closed: list[tuple[Reason, float | None]] = [
        (reason, ends_at) for reason, holds, ends_at in reasons if holds
    ]
    changes = [hours.changes_at, midnight, hand.paused_until if is_paused else None]
    look_again_at = min((at for at in changes if at is not None), default=None)
    if not closed:
        return Opening(look_again_at=look_again_at)
    return Opening(closed[0][0], _opens_at(wishes, [at for _, at in closed]), look_again_at)


def _opens_at(wishes: Wishes, ends: list[float | None]) -> float | None:
    """When all of it has ended, and the opening hours are on again by then."""
    known = [at for at in ends if at is not None]
    if len(known) < len(ends):
        return None
    latest = max(known)
    if wishes.schedule is None:
        return latest
    hours = hours_at(wishes.schedule, latest)
    return latest if hours.is_open else hours.changes_at
