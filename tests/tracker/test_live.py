"""/api/v1/events on real sockets: what listeners hear, and what they can't do to the tracker."""

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from luckrig.cli.loop import bind, origin_of
from luckrig.cli.serve import serving
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.wire import NodeHealth, QueueView, RigGone
from luckrig.tracker.app import create_app
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.http import error_response
from luckrig.tracker.routes.live import ListenerLimits, LiveApi
from luckrig.tracker.service.event_bus import (
    KEPT_EVENTS,
    MAX_BATCH,
    MAX_WAITING,
    EventKind,
    LocalBus,
)
from luckrig.tracker.service.live_map import LiveMap
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.factories import NOW, make_health, make_node, seeded
from tests.tracker.trackers import FakeProber, healthy, make_keys

OPERATOR = PrivateKey(b"\1" * 32)
RIG = make_node(1)
MUCH: Final[tuple[EventKind, object]] = ("gone", {"id": "x" * 1000})


@dataclass(frozen=True)
class Heard:
    """An event as a listener reads it."""

    event_id: str
    kind: str
    data: dict[str, object]


async def listen(reply: httpx2.Response) -> AsyncGenerator[Heard | str, None]:
    """Events, and comments as texts."""
    fields: dict[str, str] = {}
    async for line in reply.aiter_lines():
        if line.startswith(":"):
            yield line
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield Heard(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}


async def next_event(events: AsyncGenerator[Heard | str, None]) -> Heard:
    """The next that is no comment."""
    while not isinstance(heard := await anext(events), Heard):
        pass
    return heard


# The whole tracker


@dataclass
class Served:
    """A tracker with its loops on a real socket."""

    http: httpx2.AsyncClient
    prober: FakeProber
    store: MemoryStore

    async def publish(self, node: NodeRecord) -> None:
        """List a rig."""
        headers = {"content-type": "application/json"}
        reply = await self.http.post("/api/v1/nodes", content=node.signed, headers=headers)
        assert reply.status_code == 200, reply.text

    async def ban(self, node: NodeRecord) -> None:
        """As an operator does it."""
        body = {"target_kind": "node", "target_id": node.node_id, "action": "ban", "reason": "x"}
        path, content = "/api/v1/admin/decisions", json.dumps(body).encode()
        proof = make_proof(
            key=OPERATOR,
            method="POST",
            url=f"{str(self.http.base_url).rstrip('/')}{path}",
            body=content,
            now=time.time(),
            jti=os.urandom(16).hex(),
        )
        headers = {"DPoP": proof, "content-type": "application/json"}
        reply = await self.http.post(path, content=content, headers=headers)
        assert reply.status_code == 200, reply.text


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """It looks at rigs all the time."""
    sock = bind("127.0.0.1", 0)
    origin, store, prober = origin_of(sock), MemoryStore(), FakeProber()
    app = create_app(
        TrackerSettings(
            public_url=origin,
            health_interval_seconds=0.1,
            operators=frozenset({derive_id("u1", OPERATOR.public)}),
        ),
        store,
        make_keys(since=int(time.time())),
        prober,
        clock=time.time,
        random_bytes=os.urandom,
        rng=seeded(1),
        version="1",
    )
    async with (
        serving(app, sock),
        httpx2.AsyncClient(base_url=origin, trust_env=False) as http,
    ):
        yield Served(http, prober, store)


async def test_listener_hears_a_rig_come_change_and_go(served: Served) -> None:
    async with served.http.stream("GET", "/api/v1/events") as reply:
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-accel-buffering"] == "no"
        events = listen(reply)
        assert (await next_event(events)).kind == "hello"

        served.prober.answers[RIG.node_id] = healthy(RIG)
        await served.publish(RIG)
        listed = await next_event(events)
        assert (listed.kind, listed.data["id"]) == ("listed", RIG.node_id)
        heard = [listed]
        while heard[-1].data["status"] != "available":
            heard.append(await next_event(events))
        assert {each.kind for each in heard[1:]} <= {"status"}
        fields = {"id", "seq", "status", "queue", "last_seen_at", "opens_at"}
        assert set(heard[-1].data) == fields

        queue = QueueView(active=1, waiting=2, max_active=2)
        busy = NodeHealth(node_id=RIG.node_id, status="busy", queue=queue)
        served.prober.answers[RIG.node_id] = busy
        status = await next_event(events)
        assert (status.kind, status.data["status"]) == ("status", "busy")
        assert status.data["queue"] == {"active": 1, "waiting": 2, "max_active": 2}

        await served.publish(make_node(1, seq=2, name="renamed"))
        changed = await next_event(events)
        assert (changed.kind, changed.data["seq"]) == ("changed", 2)

        await served.ban(RIG)
        gone = await next_event(events)
        assert (gone.kind, gone.data) == ("gone", {"id": RIG.node_id})
        ids = [each.event_id for each in (*heard, status, changed, gone)]
        assert len(set(ids)) == len(ids)


async def test_who_comes_back_hears_what_was_missed(served: Served) -> None:
    served.prober.answers[RIG.node_id] = healthy(RIG)
    async with served.http.stream("GET", "/api/v1/events") as reply:
        events = listen(reply)
        await next_event(events)
        await served.publish(RIG)
        first = await next_event(events)
        last = first
        while last.data["status"] != "available":
            last = await next_event(events)
    headers = {"Last-Event-ID": first.event_id}
    for path, extra in (
        (f"/api/v1/events?after={first.event_id}", {}),
        ("/api/v1/events", headers),
    ):
        async with served.http.stream("GET", path, headers=extra) as reply:
            events = listen(reply)
            missed = first
            while missed.event_id != last.event_id:
                missed = await next_event(events)
                assert missed.kind == "status"
    for unknown in ("00000000-1", "x", "-", "%00"):
        async with served.http.stream("GET", f"/api/v1/events?after={unknown}") as reply:
            assert (await next_event(listen(reply))).kind == "resync"


@pytest.mark.parametrize("query", ["after=" + "x" * 101, "nope=1", "after=a&after=b"])
async def test_wrong_questions_are_refused(served: Served, query: str) -> None:
    refused = await served.http.get(f"/api/v1/events?{query}")
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "invalid_request"


async def test_asking_for_the_head_alone_ends(served: Served) -> None:
    reply = await served.http.head("/api/v1/events")
    assert (reply.status_code, reply.content) == (200, b"")


async def test_a_tracker_that_stops_does_not_wait_for_listeners() -> None:
    """Its grace of 2 s is for answers that end; the client sees an end, no reset."""
    bus = LocalBus(epoch="e")
    sock = bind("127.0.0.1", 0)
    async with httpx2.AsyncClient(trust_env=False) as http:
        async with serving(small_app(LiveApi(bus, ClientNetworks([]))), sock):
            reply = await http.send(
                http.build_request("GET", f"{origin_of(sock)}/api/v1/events"), stream=True
            )
            events = listen(reply)
            await next_event(events)
        # Not a moment later: the server has stopped, and nobody cancelled the answer after 2 s.
        assert len(bus) == 0
        await reply.aclose()


# The events' own server, without a tracker


def small_app(api: LiveApi) -> Starlette:
    """Just these operations."""
    return Starlette(
        routes=[Route(each.path, each.handler, methods=["GET"]) for each in api.operations],
        exception_handlers={PeerError: _refuse},
    )


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, PeerError)
    return error_response(error)


@asynccontextmanager
async def events_server(api: LiveApi) -> AsyncGenerator[str, None]:
    """Its origin."""
    sock = bind("127.0.0.1", 0)
    async with serving(small_app(api), sock):
        yield origin_of(sock)


async def until(holds: Callable[[], bool]) -> None:
    """Let others run until it holds; the test's own timeout is the limit."""
    while not holds():
        await asyncio.sleep(0.005)


async def test_silence_is_filled_with_comments() -> None:
    api = LiveApi(LocalBus(epoch="e"), ClientNetworks([]), heartbeat_seconds=0.01)
    async with (
        events_server(api) as origin,
        httpx2.AsyncClient(trust_env=False) as http,
        http.stream("GET", f"{origin}/api/v1/events") as reply,
    ):
        heard = listen(reply)
        assert isinstance(await anext(heard), Heard)
        assert [await anext(heard) for _ in range(3)] == [": still here"] * 3


async def test_who_leaves_is_forgotten() -> None:
    bus = LocalBus(epoch="e")
    async with (
        events_server(LiveApi(bus, ClientNetworks([]))) as origin,
        httpx2.AsyncClient(trust_env=False) as http,
    ):
        for _ in range(20):
            async with http.stream("GET", f"{origin}/api/v1/events") as reply:
                await next_event(listen(reply))
                assert len(bus) >= 1
        await until(lambda: len(bus) == 0)


async def test_who_does_not_read_is_dropped_and_delays_nobody() -> None:
    """Its queue is given back at once, its connection after the deadline."""
    bus = LocalBus(epoch="e")
    api = LiveApi(bus, ClientNetworks([]), send_seconds=0.1)
    async with (
        events_server(api) as origin,
        httpx2.AsyncClient(trust_env=False) as http,
        http.stream("GET", f"{origin}/api/v1/events") as reply,
    ):
        events = listen(reply)
        await next_event(events)
        port = urlsplit(origin).port
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", port))
            deaf.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: len(bus) == 2)
            told = 0
            while len(bus) == 2:
                bus.publish([MUCH] * 100)
                told += 100
                for _ in range(100):
                    assert (await next_event(events)).kind == "gone"
                assert told < 100_000
            await until(lambda: is_closed(deaf))
        bus.publish([("gone", {"id": "the end"})])
        assert (await next_event(events)).data == {"id": "the end"}


def is_closed(sock: socket.socket) -> bool:
    """Whether the other side dropped it: what it sent before may be read first."""
    sock.setblocking(False)
    try:
        return not sock.recv(1 << 16)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


async def test_one_network_has_so_many_places_and_all_have_so_many() -> None:
    limits = ListenerLimits(total=3, of_network=2)
    trusting = ClientNetworks(
        TrackerSettings.from_env({"LUCKRIG_TRACKER_TRUSTED_PROXIES": "127.0.0.1"}).trusted_proxies
    )
    bus = LocalBus(epoch="e")
    async with (
        events_server(LiveApi(bus, trusting, limits=limits)) as origin,
        httpx2.AsyncClient(trust_env=False) as http,
    ):

        def ask(address: str) -> httpx2.Request:
            headers = {"X-Forwarded-For": address}
            return http.build_request("GET", f"{origin}/api/v1/events", headers=headers)

        held = [await http.send(ask(f"198.51.100.{n}"), stream=True) for n in (1, 2)]
        assert (await http.send(ask("198.51.100.3"))).status_code == 429
        held.append(await http.send(ask("203.0.113.1"), stream=True))
        assert (await http.send(ask("192.0.2.1"))).status_code == 429
        for reply in held:
            assert reply.status_code == 200
            await reply.aclose()
        await until(lambda: len(bus) == 0)
        again = await http.send(ask("198.51.100.3"), stream=True)
        assert again.status_code == 200
        await again.aclose()


# Bus and differences, without sockets


async def test_too_much_at_once_is_one_word_to_read_the_list_again() -> None:
    bus = LocalBus(epoch="e")
    early = bus.subscribe(after=None)
    (hello,) = await early.next()
    bus.publish([("gone", RigGone(id=f"n{number}")) for number in range(MAX_BATCH + 1)])
    assert [event.kind for event in await early.next()] == ["resync"]
    late = bus.subscribe(after=hello.event_id)
    assert [event.kind for event in await late.next()] == ["resync"]


async def test_what_is_kept_is_bounded() -> None:
    bus = LocalBus(epoch="e")
    slow, early = bus.subscribe(after=None), bus.subscribe(after=None)
    (hello,) = await early.next()
    for _ in range(MAX_WAITING + 10):
        bus.publish([("gone", {})])
        await early.next()
    assert len(bus) == 1
    assert list(await slow.next()) == []
    (resync,) = await bus.subscribe(after=hello.event_id).next()
    assert resync.kind == "resync"
    assert len(await bus.subscribe(after=f"e-{MAX_WAITING + 10 - KEPT_EVENTS + 1}").next()) == (
        KEPT_EVENTS - 1
    )


async def test_nothing_is_told_of_what_did_not_change() -> None:
    """A look that sees the same, a queue that moves, a map that was just read."""
    store, bus = MemoryStore(), LocalBus(epoch="e")
    await store.put_descriptor(RIG.descriptor, RIG.signed, now=NOW)
    live = LiveMap(store.nodes, bus)
    listener = bus.subscribe(after=None)
    (hello,) = await listener.next()
    await live.look()
    await live.look()
    await store.put_health({RIG.node_id: make_health()})
    await live.look()
    queue = QueueView(active=4, waiting=9, max_active=4)
    await store.put_health({RIG.node_id: replace(make_health(seen_at=NOW + 9), queue=queue)})
    await live.look()
    (status,) = await listener.next()
    assert (status.kind, json.loads(status.data)["status"]) == ("status", "available")
    assert bus.subscribe(after=status.event_id) is not None
    assert hello.event_id != status.event_id


async def test_a_rig_that_is_held_is_gone_and_comes_back() -> None:
    shown = [RIG, make_node(2)]

    async def listed() -> list[NodeRecord]:
        return list(shown)

    bus = LocalBus(epoch="e")
    live, listener = LiveMap(listed, bus), bus.subscribe(after=None)
    await listener.next()
    await live.look()
    held = shown.pop()
    await live.look()
    (gone,) = await listener.next()
    assert (gone.kind, json.loads(gone.data)) == ("gone", {"id": held.node_id})
    shown.append(held)
    await live.look()
    (back,) = await listener.next()
    assert back.kind == "listed"
