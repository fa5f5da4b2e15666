"""What can go wrong with a tunnel, on real sockets: each ends in a clear state, nothing hangs."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from luckrig.cli.loop import bind
from luckrig.nodeproxy.server.limits import ServerLimits
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.tunnel.ends import Ended, Left, NodeEnd, Readied, TrackerEnd
from luckrig.protocol.tunnel.frames import Hello, Kind, OpenHead, ReplyHead, frame, json_frame
from luckrig.protocol.tunnel.proof import Challenge, make_tunnel_proof
from tests.e2e.tunnel_peers import (
    EVENT,
    Naps,
    Streamer,
    publish_tunnelled,
    read_all,
    tunnel_to,
)
from tests.e2e.tunnels import NODE, NODE_ID, TrackerProcess, tracker_process
from tests.tracker.trackers import make_keys

HOSTILE_TUNNELS = 100


@pytest.fixture
async def tracker(tmp_path: Path) -> AsyncIterator[TrackerProcess]:
    """A tracker with a rig on its map that is to have a tunnel."""
    async with tracker_process(tmp_path) as process:
        await publish_tunnelled(process.address)
        yield process


async def ask(
    tracker: TrackerProcess, *, receive_buffer: int | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request through the relay, by hand; nothing is read unless the test does."""
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", tracker.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    writer.write(
        f"POST /n/{NODE_ID}/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{tracker.port}\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\n{}".encode()
    )
    return reader, writer


async def test_one_stalled_reader_stops_nobody_else(tracker: TrackerProcess) -> None:
    """63 streams come to their end while the 64th has all that it may have under way."""
    app = Streamer(size_of=lambda number: 400 if number == 0 else 40)
    async with tunnel_to(tracker.address, app):
        stalled, writer = await ask(tracker, receive_buffer=4096)
        assert await stalled.readexactly(12) == b"HTTP/1.1 200"
        others = await asyncio.gather(*(ask(tracker) for _ in range(63)))
        answers = await asyncio.gather(*(read_all(reader) for reader, _ in others))
        assert all(b"data: [DONE]" in answer for answer in answers)
        assert all(answer.count(b"data: x") == 40 for answer in answers)
        assert app.done == set(range(1, 64))
        rest = await read_all(stalled)  # it reads on, and misses nothing
        assert rest.count(b"data: x") == 400
        assert b"data: [DONE]" in rest
        for each in (writer, *(writer for _, writer in others)):
            each.close()


async def test_reader_that_stays_stalled_is_dropped_and_frees_the_rig(
    tracker: TrackerProcess,
) -> None:
    app = Streamer(size_of=lambda _: 1000)
    async with tunnel_to(tracker.address, app, limits=ServerLimits(write_seconds=0.2)):
        _, writer = await ask(tracker, receive_buffer=4096)
        await app.left.acquire()
        writer.close()


async def test_more_streams_than_a_tunnel_has_are_refused(tmp_path: Path) -> None:
    async with tracker_process(tmp_path, relay_streams_per_rig=1) as tracker:
        await publish_tunnelled(tracker.address)
        app = Streamer(size_of=lambda _: 2, pause_after=1)
        async with tunnel_to(tracker.address, app):
            first, writer = await ask(tracker)
            await app.begun.acquire()
            second, other = await ask(tracker)
            answer = await read_all(second)
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"relay_full" in answer
            app.go_on.set()
            assert b"[DONE]" in await read_all(first)
            writer.close()
            other.close()


async def test_tunnel_that_breaks_ends_a_stream_with_an_error_event(
    tracker: TrackerProcess,
) -> None:
    """Not with silence; and who comes after that is told that the rig is away."""
    app = Streamer(size_of=lambda _: 2, pause_after=1)
    async with tunnel_to(tracker.address, app) as client:
        reader, writer = await ask(tracker)
        await app.begun.acquire()
        await client.stop()
    answer = await read_all(reader)
    writer.close()
    last = answer.split(b"data: ")[-1].split(b"\n\n")[0]
    assert json.loads(last)["error"]["code"] == "rig_lost"
    reader, writer = await ask(tracker)
    answer = await read_all(reader)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"rig_offline" in answer
    assert b"retry-after: 5" in answer


async def test_second_process_takes_over_and_the_first_waits(tracker: TrackerProcess) -> None:
    """The newest proven connection wins, once: the first comes back only to an empty place."""
    old_app = Streamer(size_of=lambda _: 2, pause_after=1)
    new_app = Streamer(size_of=lambda _: 3)
    naps = Naps()
    async with tunnel_to(tracker.address, old_app, sleep=naps) as old:
        reader, writer = await ask(tracker)
        await old_app.begun.acquire()
        async with tunnel_to(tracker.address, new_app) as new:
            assert new.state.phase == "up"
            state = await old.until(lambda state: state.phase != "up")
            assert (state.phase, state.reason) == ("replaced", "replaced")
            assert "Stop one of them" in state.message
            assert b"rig_lost" in await read_all(reader)
            writer.close()
            reader, writer = await ask(tracker)
            assert (await read_all(reader)).count(b"data: x") == 3
            writer.close()
            assert await naps.over() >= 30
            state = await old.until(lambda state: state.reason == "place_taken")
            assert state.phase == "replaced"
            assert new.state.phase == "up"
        assert await naps.over() >= 30
        await old.until(lambda state: state.phase == "up")


async def test_tracker_that_restarts_gets_its_rig_back(tracker: TrackerProcess) -> None:
    naps = Naps()
    async with tunnel_to(tracker.address, Streamer(size_of=lambda _: 1), sleep=naps) as client:
        await tracker.stop()
        state = await client.until(lambda state: state.phase != "up")
        assert (state.phase, state.reason) == ("waiting", "lost")
        assert await naps.over() <= 4
        state = await client.until(lambda state: state.reason == "unreachable")
        assert state.phase == "waiting"
        await tracker.start()
        assert await naps.over() <= 8
        await client.until(lambda state: state.phase == "up")
        reader, writer = await ask(tracker)
        assert b"[DONE]" in await read_all(reader)
        writer.close()


async def test_tracker_with_another_key_is_refused(tracker: TrackerProcess) -> None:
    naps = Naps()
    async with tunnel_to(tracker.address, Streamer(size_of=lambda _: 1), sleep=naps) as client:
        await tracker.stop()
        tracker.keys = make_keys(since=int(time.time()), root=b"evil" * 8)
        await tracker.start()
        await naps.over()
        state = await client.until(lambda state: state.phase == "refused")
        assert state.reason == "wrong_tracker"
        assert "Ask its operator" in state.message


@pytest.mark.parametrize(("off", "text"), [(600, "600 s ahead of"), (-600, "600 s behind")])
async def test_clock_off_by_ten_minutes(tracker: TrackerProcess, off: int, text: str) -> None:
    clock = {"off": off}
    naps = Naps()
    async with tunnel_to(
        tracker.address,
        Streamer(size_of=lambda _: 1),
        clock=lambda: time.time() + clock["off"],
        sleep=naps,
    ) as client:
        assert client.state.phase == "clock_off"
        digits = text.split()[0]
        assert digits[:2] in client.state.message, client.state.message
        assert text.split(" ", 2)[2] in client.state.message
        clock["off"] = 0
        await naps.over()
        await client.until(lambda state: state.phase == "up")


async def test_rig_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    async with (
        tracker_process(tmp_path) as tracker,
        tunnel_to(tracker.address, Streamer(size_of=lambda _: 1)) as client,
    ):
        assert (client.state.phase, client.state.reason) == ("refused", "not_listed")


async def test_what_is_no_tracker_is_told_apart(tmp_path: Path) -> None:
    """A redirect is never followed: the proof names the origin that the owner gave."""

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 307 X\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    root_id = make_keys().root_id
    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = TrackerAddress(f"http://127.0.0.1:{port}", root_id)
    async with server, tunnel_to(address, Streamer(size_of=lambda _: 1)) as client:
        assert (client.state.phase, client.state.reason) == ("refused", "no_tunnel")
        assert "307" in client.state.message


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"Origin": "https://evil.example"}, "/api/v1/tunnel", 400),
        ({"Host": "evil.example"}, "/api/v1/tunnel", 400),
        ({}, "/api/v1/other", 404),
    ],
)
async def test_websockets_that_are_no_rigs(
    tracker: TrackerProcess, headers: dict[str, str], path: str, status: int
) -> None:
    request = "".join(
        f"{name}: {value}\r\n"
        for name, value in {
            "Host": f"127.0.0.1:{tracker.port}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            **headers,
        }.items()
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", tracker.port)
    writer.write(f"GET {path} HTTP/1.1\r\n{request}\r\n".encode())
    assert (await reader.readline()).startswith(f"HTTP/1.1 {status}".encode())
    writer.close()


async def proven(tracker: TrackerProcess) -> tuple[websockets.ClientConnection, NodeEnd]:
    """A rig whose next frames a test writes by hand."""
    end = NodeEnd()
    wire = await connect(
        f"ws://127.0.0.1:{tracker.port}/api/v1/tunnel", compression=None, proxy=None
    )
    hello = end.receive(_bytes(await wire.recv()))
    assert isinstance(hello, Hello)
    challenge = Challenge(hello.root_id, tracker.address.origin, hello.nonce)
    await wire.send(
        end.proof(make_tunnel_proof(challenge, key=NODE, now=time.time(), takes_over=True))
    )
    assert end.receive(_bytes(await wire.recv())) == Readied()
    return wire, end


async def until_asked(wire: websockets.ClientConnection, end: NodeEnd) -> None:
    """Until stream 1's request has come whole."""
    while end.receive(_bytes(await wire.recv())) != Ended(1):
        pass


def _bytes(data: str | bytes) -> bytes:
    assert isinstance(data, bytes)
    return data


async def goodbye(wire: websockets.ClientConnection, end: NodeEnd) -> str:
    """Why the tracker closes: it must, and say so."""
    event = None
    while not isinstance(event, Left):
        event = end.receive(_bytes(await wire.recv()))
    await wire.wait_closed()
    return event.why.reason


async def test_forged_stream_id_closes_the_tunnel(tracker: TrackerProcess) -> None:
    wire, end = await proven(tracker)
    await wire.send(frame(Kind.DATA, 1, b"x"))
    assert await goodbye(wire, end) == "protocol_error"


@pytest.mark.timeout(60)
async def test_hostile_rigs_close_their_own_tunnels_only(
    tracker: TrackerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    """Noise after a good proof: a goodbye each time, no traceback, and the tracker lives on."""
    rng = Random(7)  # noqa: S311 -- repeats itself
    for _ in range(HOSTILE_TUNNELS):
        wire, end = await proven(tracker)
        for _ in range(20):
            head = bytes((rng.randrange(0x12),)) + rng.choice((0, 1, 2, 99)).to_bytes(4)
            try:
                await wire.send(head + rng.randbytes(rng.choice((0, 1, 4, 8, 400))))
            except websockets.ConnectionClosed:
                break
        await wire.send(frame(Kind.DATA, 7, b"x")) if wire.state.name == "OPEN" else None
        try:
            await goodbye(wire, end)
        except websockets.ConnectionClosed:
            pass
    async with tunnel_to(tracker.address, Streamer(size_of=lambda _: 1)) as client:
        assert client.state.phase == "up"
        reader, writer = await ask(tracker)
        assert b"[DONE]" in await read_all(reader)
        writer.close()
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize(
    "head",
    [
        ReplyHead(status=302, headers=[("content-type", "application/json")]),
        ReplyHead(status=204, headers=[("content-type", "application/json")]),
        ReplyHead(status=200, headers=[("content-type", "text/html")]),
        ReplyHead(status=200, headers=[]),
        ReplyHead(status=200, headers=[("content-type", "application/json")] * 2),
        ReplyHead(status=200, headers=[("content-type", "application/json")], length=7),
        ReplyHead(status=200, headers=[("content-type", "application/json")], length=99),
    ],
)
async def test_hostile_answers_reach_nobody(
    tracker: TrackerProcess, head: ReplyHead, caplog: pytest.LogCaptureFixture
) -> None:
    """A rig answers under the tracker's own origin: no page, no redirect, no false length."""
    wire, end = await proven(tracker)
    reader, writer = await ask(tracker)
    await until_asked(wire, end)
    await wire.send(end.head(1, head))
    await wire.send(end.data(1, b"<script>"))
    await wire.send(end.end(1))
    answer = await read_all(reader)
    if head.length is None:
        assert answer.startswith(b"HTTP/1.1 502")
        assert b"rig_lost" in answer
        assert b"<script>" not in answer
    else:
        assert len(answer.partition(b"\r\n\r\n")[2]) < head.length
    writer.close()
    await wire.close()
    assert not [record for record in caplog.records if record.exc_info]


async def test_headers_of_a_rig_that_are_not_on_the_list_are_dropped(
    tracker: TrackerProcess,
) -> None:
    wire, end = await proven(tracker)
    reader, writer = await ask(tracker)
    await until_asked(wire, end)
    names = (
        "set-cookie", "location", "server", "date", "transfer-encoding", "content-length",
        "access-control-allow-origin", "clear-site-data", "content-security-policy",
        "strict-transport-security", "service-worker-allowed", "connection", "x-forwarded-for",
    )  # fmt: skip
    head = [("content-type", "application/json"), ("luckrig-gpu", "a GPU")]
    head += [(name, "7357") for name in names]
    await wire.send(end.head(1, ReplyHead(status=200, headers=head)))
    await wire.send(end.data(1, b"{}"))
    await wire.send(end.end(1))
    answer = await read_all(reader)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"luckrig-gpu: a GPU" in answer
    assert b"7357" not in answer
    writer.close()
    await wire.close()


@pytest.mark.parametrize("tries", [30])
async def test_hostile_tracker_closes_the_tunnel_only(
    tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Noise from the tracker's side: the rig closes, says why, and comes again."""
    rng = Random(8)  # noqa: S311 -- repeats itself
    keys = make_keys()

    async def hostile(wire: ServerConnection) -> None:
        end = TrackerEnd()
        await wire.send(end.hello(Hello(version=1, root_id=keys.root_id, nonce="n" * 22)))
        await wire.recv()
        await wire.send(end.ready())
        head = OpenHead(method="GET", path="/v1/models", headers=[])
        await wire.send(json_frame(Kind.OPEN, 5, head))
        for _ in range(10):
            noise = bytes((rng.randrange(0x12),)) + rng.choice((0, 1, 5, 6)).to_bytes(4)
            await wire.send(noise + rng.randbytes(rng.choice((0, 1, 4, 8, 400))))
        await wire.send(frame(Kind.DATA, 77, b"x"))
        await wire.wait_closed()

    sock = bind("127.0.0.1", 0)
    address = TrackerAddress(f"http://127.0.0.1:{sock.getsockname()[1]}", keys.root_id)
    naps = Naps()
    async with (
        serve(hostile, sock=sock, compression=None),
        tunnel_to(address, Streamer(size_of=lambda _: 1), sleep=naps) as client,
    ):
        for _ in range(tries):
            await naps.over()
            assert client.state.phase in ("refused", "waiting", "up")
    assert not [record for record in caplog.records if record.exc_info]


async def test_client_that_leaves_cancels_the_request(tracker: TrackerProcess) -> None:
    app = Streamer(size_of=lambda _: 2, pause_after=1)
    async with tunnel_to(tracker.address, app):
        _, writer = await ask(tracker)
        await app.begun.acquire()
        writer.close()
        await app.left.acquire()


def test_events_are_as_long_as_they_say() -> None:
    assert len(EVENT) == 16_384
