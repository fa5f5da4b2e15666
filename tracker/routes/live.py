"""GET /api/v1/events: what changes on the map, as it happens (server-sent events)."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.errors import PeerError
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.connections import SEND_SECONDS, Stream
from luckrig.tracker.routes.operations import Operation, Parameter
from luckrig.tracker.routes.query import parse_query
from luckrig.tracker.service.event_bus import Event, EventBus

MEDIA_TYPE: Final = "text/event-stream"
MAX_LISTENERS: Final = 1000
"""Some 30 KB each; the pages of those who come later ask now and then instead."""
MAX_LISTENERS_OF_NETWORK: Final = 32
HEARTBEAT_SECONDS: Final = 15.0
"""Proxies end what is silent for a minute; nginx does."""
RETRY_MS: Final = 5_000
RETRY_SECONDS: Final = 60

_EXAMPLE: Final = """\
retry: 5000

id: 1f3a9c02-17
event: status
data: {"id":"n1…","seq":3,"status":"busy","queue":{"active":1,"waiting":0,"max_active":1},\
"last_seen_at":1800000000,"opens_at":null}

: still here
"""


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """after: the id of the last event that was heard; the header Last-Event-ID says the same."""

    after: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class ListenerLimits:
    """How many may listen: in all, and of one network."""

    def __init__(
        self, *, total: int = MAX_LISTENERS, of_network: int = MAX_LISTENERS_OF_NETWORK
    ) -> None:
        self._max_total = total
        self._max_of_network = of_network
        self._total = 0
        self._of_network: Counter[str] = Counter()

    @contextmanager
    def place(self, prefix: str | None) -> Generator[None, None, None]:
        """Count a listener while the block runs. None: this machine itself, only counted in all.

        Raises PeerError rate_limited.
        """
        if self._total >= self._max_total:
            raise _too_many("Too many listen to this tracker")
        if prefix is not None and self._of_network[prefix] >= self._max_of_network:
            raise _too_many(f"{self._max_of_network} of your network listen to this tracker")
        self._total += 1
        if prefix is not None:
            self._of_network[prefix] += 1
        try:
            yield
        finally:
            self._total -= 1
            if prefix is not None:
                self._of_network[prefix] -= 1
                if not self._of_network[prefix]:
                    del self._of_network[prefix]


class LiveApi:
    """The handler; `operations` holds it."""

    def __init__(
        self,
        bus: EventBus,
        networks: ClientNetworks,
        *,
        limits: ListenerLimits | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self._bus = bus
        self._networks = networks
        self._limits = limits or ListenerLimits()
        self._heartbeat_seconds = heartbeat_seconds
        self._send_seconds = send_seconds
        self.operations = (
            Operation(
                method="GET",
                path="/api/v1/events",
                name="followMap",
                summary="What changes on the map, as it happens, as server-sent events.",
                handler=self.follow,
                response=str,
                parameters=_PARAMETERS,
                errors=("invalid_request", "rate_limited"),
                media_type=MEDIA_TYPE,
                example=_EXAMPLE,
            ),
        )

    async def follow(self, request: Request) -> Response:
        """GET /api/v1/events."""
        query = parse_query(request.query_params.multi_items(), EventsQuery)
        after = request.headers.get("last-event-id") or query.after
        place = self._limits.place(self._networks.prefix(request))
        return Stream(
            self._pieces(after),
            media_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            is_endless=True,
            place=place,
            send_seconds=self._send_seconds,
        )

    async def _pieces(self, after: str | None) -> AsyncGenerator[bytes, None]:
        subscription = self._bus.subscribe(after=after)
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            while True:
                try:
                    async with asyncio.timeout(self._heartbeat_seconds):
                        events = await subscription.next()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if not events:
                    return
                yield _encode(events)
        finally:
            self._bus.unsubscribe(subscription)


def _encode(events: Sequence[Event]) -> bytes:
    return b"".join(
        b"id: %s\nevent: %s\ndata: %s\n\n" % (event_id.encode(), kind.encode(), data)
        for event_id, kind, data in events
    )


def _too_many(what: str) -> PeerError:
    return PeerError(
        "rate_limited",
        f"{what}, which is the limit. Ask for the list now and then instead.",
        retry_after_seconds=RETRY_SECONDS,
    )


_PARAMETERS: Final = (
    Parameter(
        name="after",
        where="query",
        schema={"type": "string", "maxLength": 100},
        description="The id of the last event that you heard; what came since is sent first.",
    ),
    Parameter(
        name="Last-Event-ID",
        where="header",
        schema={"type": "string", "maxLength": 100},
        description="The same, as browsers send it by themselves.",
    ),
)
