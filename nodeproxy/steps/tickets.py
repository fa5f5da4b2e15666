"""A waiting request's place, for whoever has its ticket: no token, the id is hard to guess."""

from dataclasses import dataclass

import msgspec

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.queue import RequestQueue, Ticket
from luckrig.protocol.errors import PeerError
from luckrig.protocol.wire import TicketView


@dataclass(frozen=True)
class ShowTicket:
    """GET /luckrig/queue/{ticket}. Raises PeerError ticket_not_found."""

    queue: RequestQueue

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange."""
        exchange.send_json(msgspec.json.encode(_view(self.queue, _find(self.queue, exchange))))


@dataclass(frozen=True)
class LeaveQueue:
    """DELETE /luckrig/queue/{ticket}: ends the request, waiting or running.

    Raises PeerError ticket_not_found.
    """

    queue: RequestQueue

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange with what the request's place was."""
        ticket = _find(self.queue, exchange)
        view = _view(self.queue, ticket)
        ticket.cancel()
        exchange.send_json(msgspec.json.encode(view))


def _find(queue: RequestQueue, exchange: Exchange) -> Ticket:
    ticket = queue.find(exchange.path.rpartition("/")[2])
    if ticket is None:
        raise PeerError("ticket_not_found", "No request with that ticket waits or runs here.")
    return ticket


def _view(queue: RequestQueue, ticket: Ticket) -> TicketView:
    seconds = queue.eta_seconds(ticket)
    return TicketView(
        ticket=ticket.id,
        state="waiting" if ticket.started_at is None else "running",
        position=queue.position(ticket),
        eta_seconds=None if seconds is None else round(seconds, 1),
        waiting=queue.waiting,
        active=queue.active,
        max_active=queue.max_active,
    )
