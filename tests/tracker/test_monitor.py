"""The health monitor survives every answer, and the prober never reaches a private network."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from luckrig.protocol.wire import NodeHealth
from luckrig.tracker.domain.endpoints import is_public_address
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.probe import MAX_HEALTH_BYTES, HttpProber, make_probe_client
from luckrig.tracker.service.monitor import HealthMonitor
from luckrig.tracker.service.uptime import UptimeRecorder
from luckrig.tracker.store.interface import LiveHours
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.factories import NOW, make_node, seeded
from tests.tracker.trackers import Clock, FakeProber, healthy

INTERVAL = 30.0


async def rig_one_is_rare() -> dict[str, float]:
    return {make_node(1).node_id: 0.25}


async def make_monitor(*rigs: NodeRecord) -> tuple[HealthMonitor, MemoryStore, FakeProber, Clock]:
    """A monitor over these rigs; time stands still."""
    store, prober, clock = MemoryStore(), FakeProber(), Clock()
    for rig in rigs:
        await store.put_descriptor(rig.descriptor, rig.signed, now=NOW)
    monitor = HealthMonitor(
        store,
        prober,
        interval_seconds=INTERVAL,
        on_looked=UptimeRecorder(store, scarcity_of=rig_one_is_rare, clock=clock).note,
        clock=clock,
        rng=seeded("jitter"),
    )
    return monitor, store, prober, clock


async def status_of(store: MemoryStore, rig: NodeRecord) -> str:
    """What the map would show."""
    record = await store.node(rig.node_id)
    assert record is not None
    return record.health.status


async def test_each_hour_with_a_good_answer_is_noted_once() -> None:
    """With the scarcity of its first look; rigs that the map doesn't show count nowhere."""
    monitor, store, prober, clock = await make_monitor(make_node(1), make_node(2))
    for rig in (make_node(1), make_node(2)):
        prober.answers[rig.node_id] = healthy(rig)
    clock.now = NOW // 86_400 * 86_400
    for _ in range(6):
        await monitor.check_due()
        clock.now += 1800
    prober.answers.clear()
    clock.now += 3600
    await monitor.check_due()
    noted = await store.contributions.live_hours(day=NOW // 86_400)
    assert noted == [LiveHours(make_node(1).node_id, 3, 250)]


async def test_new_rig_is_looked_at_at_once() -> None:
    rig = make_node(1)
    monitor, store, prober, _ = await make_monitor(rig)
    prober.answers[rig.node_id] = healthy(rig)
    assert await monitor.check_due() == 1
    assert await status_of(store, rig) == "available"
    assert await monitor.check_due() == 0


async def test_rig_that_falls_silent_is_late_first_and_unavailable_then() -> None:
    rig = make_node(1)
    monitor, store, prober, clock = await make_monitor(rig)
    prober.answers[rig.node_id] = healthy(rig)
    await monitor.check_due()
    prober.answers.clear()
    seen: list[str] = []
    for _ in range(2):
        clock.now += 2 * INTERVAL
        await monitor.check_due()
        seen.append(await status_of(store, rig))
    assert seen == ["available", "unavailable"]
    prober.answers[rig.node_id] = healthy(rig)
    clock.now += 2 * INTERVAL
    await monitor.check_due()
    assert await status_of(store, rig) == "available"


async def test_silent_rigs_are_asked_less_and_less() -> None:
    rig = make_node(1)
    monitor, _, prober, clock = await make_monitor(rig)
    for _ in range(100):
        await monitor.check_due()
        clock.now += INTERVAL * 1.3
    assert 12 <= len(prober.asked) <= 25


async def test_waits_vary_so_that_probes_spread_out() -> None:
    rigs = [make_node(seed) for seed in range(1, 30)]
    monitor, _, prober, clock = await make_monitor(*rigs)
    prober.answers = {rig.node_id: healthy(rig) for rig in rigs}
    await monitor.check_due()
    rounds: list[int] = []
    for _ in range(12):
        clock.now += INTERVAL / 20
        rounds.append(await monitor.check_due())
    clock.now += INTERVAL / 2
    rounds.append(await monitor.check_due())
    assert max(rounds) < len(rigs)


async def test_monitor_wakes_when_a_rig_is_listed() -> None:
    """No waiting for the next round: the map shows a new rig's state at once."""
    rig = make_node(1)
    monitor, store, prober, _ = await make_monitor()
    asked = asyncio.Event()

    async def probe(node: NodeRecord) -> NodeHealth | None:
        asked.set()
        return healthy(node)

    prober.probe = probe  # type: ignore[method-assign]
    running = asyncio.create_task(monitor.run())
    await store.put_descriptor(rig.descriptor, rig.signed, now=NOW)
    monitor.wake()
    await asked.wait()
    running.cancel()


# The prober, against real sockets that say all sorts of things

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncGenerator[str, None]:
    """A TCP server on loopback; yields its origin."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


async def resolve_loopback(host: str, port: int) -> list[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


@asynccontextmanager
async def probing(
    *, allow_private: bool = True, timeout_seconds: float = 5.0
) -> AsyncGenerator[HttpProber, None]:
    """A prober with a real client."""
    async with make_probe_client() as http:
        yield HttpProber(
            http=http,
            resolve=resolve_loopback,
            timeout_seconds=timeout_seconds,
            allow_private=allow_private,
        )


def says(answer: bytes) -> Handler:
    """A server that sends these bytes to whoever asks, and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    return handle


def http_answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """An HTTP answer."""
    head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


RIG = make_node(1)
GOOD = msgspec.json.encode(healthy(RIG))


async def probe_with(answer: bytes, **options: object) -> NodeHealth | None:
    """What the prober makes of an answer."""
    async with listening(says(answer)) as url, probing(**options) as prober:  # type: ignore[arg-type]
        return await prober.probe(make_node(1, endpoints=[url]))


async def test_good_answer_is_read() -> None:
    assert await probe_with(http_answer(GOOD)) == healthy(RIG)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 100,
        b"HTTP/1.1 200 OK\r\n\r\n",
        http_answer(GOOD)[:-5],
        http_answer(b""),
        http_answer(b"{}"),
        http_answer(b"[" * 5000),
        http_answer(b"not json"),
        http_answer(b'"\xff"'),
        http_answer(GOOD.replace(b"available", b"splendid")),
        http_answer(GOOD.replace(b'"active":0', b'"active":"0"')),
        http_answer(GOOD, status=b"500 Oh"),
        http_answer(GOOD, status=b"204 No"),
        http_answer(b"", b"Location: http://127.0.0.1:1/", status=b"302 Found"),
        http_answer(msgspec.json.encode(healthy(make_node(2)))),
        http_answer(GOOD + b" " * MAX_HEALTH_BYTES),
        http_answer(gzip.compress(GOOD), b"Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ],
)
async def test_any_other_answer_is_no_answer(answer: bytes) -> None:
    assert await probe_with(answer) is None


async def test_endless_answer_is_cut_at_the_bound() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 4096)
                await writer.drain()
                sent += 4096
        except ConnectionError:
            writer.close()

    async with listening(endless) as url, probing() as prober:
        assert await prober.probe(make_node(1, endpoints=[url])) is None
    assert sent < 100 * MAX_HEALTH_BYTES


async def test_silence_ends_at_the_deadline() -> None:
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    async with listening(silent) as url, probing(timeout_seconds=0.05) as prober:
        assert await prober.probe(make_node(1, endpoints=[url])) is None
        await gone.wait()


async def test_public_tracker_never_connects_to_a_private_address() -> None:
    """The name looks public, its address is this machine's."""
    connections = 0

    async def canary(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    async with listening(canary) as url, probing(allow_private=False) as prober:
        port = url.rpartition(":")[2]
        rig = make_node(1, endpoints=[f"http://rig.example:{port}"])
        assert await prober.probe(rig) is None
    assert connections == 0


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",  # noqa: S104
     "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
     "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::ffff:10.0.0.1",
     "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:53aa:64c::1", "2001:db8::1",
     "64:ff9b:1::1", "not an address", ""],
)  # fmt: skip
def test_private_and_disguised_addresses_are_not_public(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111"])
def test_public_addresses_are(address: str) -> None:
    assert is_public_address(address)
