"""Waits for a turn at the engine, and tells a streaming client how long that will take."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.exchange import EVENT_STREAM, Exchange
from luckrig.nodeproxy.queue import RequestQueue, Ticket
from luckrig.protocol.errors import LuckrigError, PeerError

QUIET_SECONDS: Final = 10.0
"""The longest silence towards a client that waits: whatever stands between would hang up."""


@dataclass(frozen=True, kw_only=True)
class WaitForTurn:
    """Takes a turn in the queue, until the exchange is over.

    tell_seconds: a streaming client that has waited so long gets its head, and from then on, as
    often, `: queue position=… eta=… ticket=…`, a comment that OpenAI's clients skip. What goes
    wrong after that is an error event; before it, a status. max_wait_seconds: for a turn.
    max_turn_seconds: at the engine.

    Raises LuckrigError queue_full, queue_timeout; ends with turn_timeout, cancelled.
    """

    queue: RequestQueue
    monotonic: Callable[[], float]
    tell_seconds: float
    max_wait_seconds: float
    max_turn_seconds: float

    async def __call__(self, exchange: Exchange) -> None:
        """Wait."""
        claims = exchange.known_claims
        arrived = self.monotonic()
        ticket = self.queue.join(
            sub=claims.sub,
            priority=claims.lim.priority,
            cancel=lambda: exchange.cut(_cancelled()),
        )
        exchange.on_close(lambda: self.queue.leave(ticket))
        if ticket.started_at is None:
            await self._wait(exchange, ticket)
            exchange.queue_seconds = self.monotonic() - arrived
        loop = asyncio.get_running_loop()
        limit = loop.call_later(self.max_turn_seconds, self._end_turn, exchange)
        exchange.on_close(limit.cancel)

    async def _wait(self, exchange: Exchange, ticket: Ticket) -> None:
        turn = asyncio.Event()
        ticket.on_turn = turn.set
        last, last_at = "", self.monotonic()
        while not turn.is_set():
            try:
                async with asyncio.timeout(min(self.tell_seconds, self.max_wait_seconds)):
                    await turn.wait()
                return
            except TimeoutError:
                now = self.monotonic()
            if now - ticket.joined_at >= self.max_wait_seconds:
                raise _waited_too_long(self.max_wait_seconds)
            text = self._describe(ticket)
            if exchange.is_streamed and (text != last or now - last_at >= QUIET_SECONDS):
                if not exchange.started:
                    exchange.start(EVENT_STREAM)
                exchange.connection.write(f": {text}\n\n".encode("ascii"), more=True)
                last, last_at = text, now

    def _describe(self, ticket: Ticket) -> str:
        seconds = self.queue.eta_seconds(ticket)
        eta = "unknown" if seconds is None else f"{seconds:.0f}"
        return f"queue position={self.queue.position(ticket)} eta={eta} ticket={ticket.id}"

    def _end_turn(self, exchange: Exchange) -> None:
        why = f"A request may take {self.max_turn_seconds:.0f} s at this rig's engine."
        exchange.cut(LuckrigError("turn_timeout", why))


def _cancelled() -> PeerError:
    return PeerError("cancelled", "This request was cancelled through its ticket.")


def _waited_too_long(seconds: float) -> LuckrigError:
    return LuckrigError(
        "queue_timeout",
        f"No turn came within {seconds:.0f} s. Try again later, or pick another rig.",
        retry_after_seconds=30,
    )
