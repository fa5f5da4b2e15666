"""The bounded queue in front of the engine. Pure: time comes in, callbacks go out.

The engine would queue by itself, without bound, order, or a way to leave. So at most max_active
requests are at the engine; the rest wait here, where leaving costs nothing.

Who is next, in this order:

1. the rig's owner (OWNER_PRIORITY);
2. the higher level: the token's priority, and one more for each AGEING_SECONDS of waiting, so that
   nobody waits for ever behind a better tier;
3. fair shares by user (start-time fair queueing): each user's requests carry tags that grow by one
   from request to request, and the lowest tag goes first. Whoever sends a thousand requests waits
   behind everybody else's first one;
4. the earlier one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.tokens import OWNER_PRIORITY

AGEING_SECONDS: Final = 30.0
MAX_REMEMBERED: Final = 1024
"""Users whose share is remembered; far more than can wait at once."""
_NEWEST: Final = 0.2  # weight of the last turn in the mean that arrival estimates rest on


def _nobody_waits() -> None:
    """What a turn calls that came at once."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One request's place. id: hard to guess, whoever has it may ask and leave.

    cancel: ends the request, wherever it is. started_at: None while it waits. on_turn: called when
    its turn comes; whoever has to wait sets it.
    """

    id: str
    sub: str
    priority: int
    joined_at: float
    tag: int
    number: int
    cancel: Callable[[], None]
    started_at: float | None = None
    on_turn: Callable[[], None] = _nobody_waits


class RequestQueue:
    """For one event loop; nothing here awaits between looking and changing, so it needs no lock.

    monotonic: seconds from any origin. new_id: a ticket's id.
    """

    def __init__(
        self,
        *,
        max_active: int,
        max_waiting: int,
        monotonic: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.max_active = max_active
        self.max_waiting = max_waiting
        self._monotonic = monotonic
        self._new_id = new_id
        self._waiting: list[Ticket] = []
        self._tickets: dict[str, Ticket] = {}
        self._shares: dict[str, int] = {}  # sub -> tag of its last request
        self._newest_tag = 0  # of a request that got its turn
        self._joined = 0
        self._mean_seconds: float | None = None
        self.active = 0

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def join(
        self,
        *,
        sub: str,
        priority: int,
        cancel: Callable[[], None],
    ) -> Ticket:
        """Take a place; whoever gets a ticket owes one leave(). Raises LuckrigError queue_full.

        The turn may have come already (started_at is set); if not, the ticket's on_turn is called
        when it does.
        """
        if self.active >= self.max_active and self.waiting >= self.max_waiting:
            raise LuckrigError(
                "queue_full",
                f"This rig's queue is full ({self.waiting} waiting). Try again, or pick another.",
                retry_after_seconds=self._retry_after_seconds(),
            )
        self._joined += 1
        tag = max(self._newest_tag, self._shares.get(sub, 0)) + 1
        self._remember_share(sub, tag)
        now = self._monotonic()
        ticket = Ticket(self._new_id(), sub, priority, now, tag, self._joined, cancel)
        self._tickets[ticket.id] = ticket
        if self.active < self.max_active:
            self._start(ticket, now)
        else:
            self._waiting.append(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give up the place, or the turn, which goes to the next one waiting."""
        del self._tickets[ticket.id]
        if ticket.started_at is None:
            self._waiting.remove(ticket)
            return
        seconds = self._monotonic() - ticket.started_at
        mean = seconds if self._mean_seconds is None else self._mean_seconds
        self._mean_seconds = mean + _NEWEST * (seconds - mean)
        self.active -= 1
        self._give_turns()

    def resize(self, max_active: int) -> None:
        """The engine runs that many from now on. What is running goes on."""
        self.max_active = max_active
        self._give_turns()

    def find(self, ticket_id: str) -> Ticket | None:
        """The ticket with that id, waiting or running."""
        return self._tickets.get(ticket_id)

    def position(self, ticket: Ticket) -> int:
        """1 for the next one; 0 when it runs. Others may still come in between."""
        if ticket.started_at is not None:
            return 0
        now = self._monotonic()
        return sorted(self._waiting, key=lambda each: self._rank(each, now)).index(ticket) + 1

    def eta_seconds(self, ticket: Ticket) -> float | None:
        """About how long until its turn; None before any turn has ended here."""
        return self._eta_seconds(self.position(ticket))

    def _eta_seconds(self, position: int) -> float | None:
        if self._mean_seconds is None:
            return None
        return self._mean_seconds * position / self.max_active

    def _retry_after_seconds(self) -> int:
        """When a place should be free: after about one turn."""
        seconds = self._eta_seconds(1)
        return 5 if seconds is None else min(max(1, round(seconds)), 60)

    def _rank(self, ticket: Ticket, now: float) -> tuple[float, int, int]:
        if ticket.priority >= OWNER_PRIORITY:
            return -OWNER_PRIORITY, 0, ticket.number
        aged = ticket.priority + (now - ticket.joined_at) // AGEING_SECONDS
        return -min(aged, OWNER_PRIORITY - 1), ticket.tag, ticket.number

    def _give_turns(self) -> None:
        now = self._monotonic()
        while self._waiting and self.active < self.max_active:
            ticket = min(self._waiting, key=lambda each: self._rank(each, now))
            self._waiting.remove(ticket)
            self._start(ticket, now)
            ticket.on_turn()

    def _start(self, ticket: Ticket, now: float) -> None:
        ticket.started_at = now
        self._newest_tag = max(self._newest_tag, ticket.tag)
        self.active += 1

    def _remember_share(self, sub: str, tag: int) -> None:
        if len(self._shares) >= MAX_REMEMBERED:
            # A share at or below the newest tag says no more than no share at all.
            live = {sub: tag for sub, tag in self._shares.items() if tag > self._newest_tag}
            self._shares = live
        self._shares[sub] = tag
