"""What the relay costs: `python -m bench.relay`. Tracker, rigs and clients are processes of their
own; "direct" is the same rig at a port of its own, in the same run."""

import asyncio
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from urllib.parse import urlsplit

import click
import msgspec
import psutil

from bench.luckrig_process import Running, start
from bench.processes import Child
from bench.relay_rig import Order, State, Wish
from bench.spread import percentile
from luckrig.cli.loop import run
from luckrig.nodeproxy.tunnel.backoff import Backoff
from tests.tracker.factories import make_node

STREAMER = make_node(0).node_id
ROUNDS = 5
SETTLE_SECONDS = 1.0
"""The tracker has let go of the streams that were measured before."""
IDLE_SECONDS = 12.0
"""Every idle rig has sent a heartbeat by then."""
CPU_SECONDS = 10.0
"""In which every idle rig sends one heartbeat."""
FILL_SECONDS = 0.5
"""Until all that may be under way to a client that doesn't read is."""
POLL_SECONDS = 0.1
"""The rigs answer each poll, on the CPUs that the tracker needs to let them back in."""
GIVE_UP_SECONDS = 60.0
_STAMP = re.compile(rb"data: (\d{20}) ")


@dataclass(frozen=True)
class Scene:
    """Base URLs of one rig: through the tracker, and at its own port."""

    relay: str
    direct: str


@dataclass
class Answer:
    """One stream as its client saw it. transit_us: from the rig's write to the client's read."""

    seconds: float
    size: int
    transit_us: list[int]


@click.command()
@click.option("--tunnels", default=1000, show_default=True)
@click.option("--rounds", default=ROUNDS, show_default=True)
def main(tunnels: int, rounds: int) -> None:
    """Measure the relay."""
    with tempfile.TemporaryDirectory() as folder:
        run(_measure(Path(folder), tunnels, rounds))
    _simulate(tunnels)


async def _measure(folder: Path, tunnels: int, rounds: int) -> None:
    command = ("tracker", "--allow-private", "--listen")
    tracker = await asyncio.to_thread(start, folder, *command, "127.0.0.1:0")
    origin = str(tracker.announced["tracker"])
    rigs = Child.module("relay_rig", str(tracker.announced["address"]), cpu=None)
    try:
        state = await _wish(rigs, 1)
        scene = Scene(f"{origin}/n/{STREAMER}", state.direct)
        await _latency(scene, rounds)
        await _throughput(scene, rounds)
        await _stalled(scene, rounds)
        await _idle(tracker, rigs, tunnels)
        port = urlsplit(origin).port
        tracker = await _restart(tracker, rigs, tunnels, folder, *command, f"127.0.0.1:{port}")
    finally:
        rigs.stop()
        tracker.kill()


async def _wish(rigs: Child, tunnels: int) -> State:
    rigs.ask(Wish(tunnels))
    return await asyncio.to_thread(rigs.read, State)


async def _latency(scene: Scene, rounds: int) -> None:
    """8 streams, 50 events/s each, 100 bytes."""
    found: dict[str, list[int]] = {"direct": [], "relay": []}
    order = Order(events=150, size=100, pause_ms=20)
    for _ in range(rounds):
        for name, url in (("direct", scene.direct), ("relay", scene.relay)):
            answers = await asyncio.gather(*(_ask(url, order) for _ in range(8)))
            found[name] += [us for answer in answers for us in answer.transit_us]
    for name, values in found.items():
        _say(f"transit {name}", *(percentile(values, at) / 1000 for at in (50, 90, 99)), unit="ms")
    added = (percentile(found["relay"], 50) - percentile(found["direct"], 50)) / 1000
    _say("added by the relay, p50", added, unit="ms")


async def _throughput(scene: Scene, rounds: int) -> None:
    for what, order in (
        ("events of 100 B, 16 streams", Order(events=2000, size=100)),
        ("events of 16 KiB, 16 streams", Order(events=200, size=16_384)),
    ):
        for name, url in (("direct", scene.direct), ("relay", scene.relay)):
            rates: list[float] = []
            for _ in range(rounds):
                began = time.monotonic()
                answers = await asyncio.gather(*(_ask(url, order) for _ in range(16)))
                seconds = time.monotonic() - began
                assert all(each.size >= order.events * order.size for each in answers)  # noqa: S101
                rates.append(16 * order.events / seconds)
            rate = median(rates)
            _say(f"{what}, {name}", rate, rate * order.size / 1e6, unit="events/s, MB/s")


async def _stalled(scene: Scene, rounds: int) -> None:
    """63 streams of 1 MiB, alone and next to one whose reader has stopped."""
    order = Order(events=64, size=16_384)
    found: dict[bool, list[float]] = {False: [], True: []}
    for number in range(2 * rounds):
        with_one = number % 2 == 1
        stalled = await _stall(scene.relay) if with_one else None
        began = time.monotonic()
        await asyncio.gather(*(_ask(scene.relay, order) for _ in range(63)))
        found[with_one].append(time.monotonic() - began)
        if stalled is not None:
            stalled.close()
    without, beside = median(found[False]), median(found[True])
    _say("63 streams alone; next to a stalled one", without, beside, unit="s")
    _say("ratio", beside / without, unit="")


async def _stall(url: str) -> socket.socket:
    """A client that asks for a lot and reads nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    parts = urlsplit(url)
    await asyncio.to_thread(sock.connect, (parts.hostname, parts.port))
    sock.sendall(_request(url, Order(events=10_000, size=16_384)))
    await asyncio.sleep(FILL_SECONDS)
    return sock


async def _idle(tracker: Running, rigs: Child, tunnels: int) -> None:
    process = psutil.Process(tracker.pid)
    await asyncio.sleep(SETTLE_SECONDS)
    before = process.memory_info().rss
    began = time.monotonic()
    state = await _wish(rigs, tunnels)
    _say(f"{state.up} of {tunnels} rigs listed and connected after", time.monotonic() - began,
         unit="s")  # fmt: skip
    await asyncio.sleep(IDLE_SECONDS)
    after = process.memory_info().rss
    _say("tracker before and with them", before / 1e6, after / 1e6, unit="MB RSS")
    _say("for each, its place on the map included", (after - before) / tunnels / 1e3, unit="KB")
    cpu = process.cpu_times()
    await asyncio.sleep(CPU_SECONDS)
    used = process.cpu_times()
    share = (used.user + used.system - cpu.user - cpu.system) / CPU_SECONDS
    _say("CPU of the tracker with all of them idle", 100 * share, unit="% of one core")


async def _restart(
    tracker: Running, rigs: Child, tunnels: int, folder: Path, *command: str
) -> Running:
    """kill -9, and the same command again."""
    tracker.kill()
    began = time.monotonic()
    tracker = await asyncio.to_thread(start, folder, *command)
    ready = time.monotonic()
    while (state := await _wish(rigs, tunnels)).up < tunnels:
        if time.monotonic() - ready > GIVE_UP_SECONDS:
            break
        await asyncio.sleep(POLL_SECONDS)
    back = time.monotonic() - ready
    _say("tracker killed and ready again after", ready - began, unit="s")
    _say(f"{state.up} of {tunnels} tunnels are back, after it was ready", back, unit="s")
    return tracker


def _simulate(rigs: int) -> None:
    """The real backoff on a virtual clock: how many come in each second once it is back."""
    for down in (1.0, 10.0, 60.0, 3600.0):
        rng = Random(1)  # noqa: S311 -- repeats itself
        found: Counter[int] = Counter()
        last = 0.0
        for _ in range(rigs):
            backoff, now = Backoff(rng), 0.0
            while (now := now + backoff.next_seconds()) < down:
                pass
            found[int(now - down)] += 1
            last = max(last, now - down)
        _say(f"down for {down:g} s: all back after", last, unit="s")
        _say("  arrivals in each second", *(found[second] for second in range(31)), unit="")


async def _ask(url: str, order: Order) -> Answer:
    parts = urlsplit(url)
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
    writer.write(_request(url, order))
    answer = Answer(0.0, 0, [])
    tail = b""
    while data := await reader.read(1 << 18):
        now = time.monotonic_ns()
        answer.size += len(data)
        tail += data
        if order.pause_ms:
            end = 0
            for stamp in _STAMP.finditer(tail):
                answer.transit_us.append((now - int(stamp[1])) // 1000)
                end = stamp.end()
            tail = tail[end:]
        tail = tail[-64:]
    writer.close()
    assert b"[DONE]" in tail, tail  # noqa: S101 -- a wrong reply means no figure
    answer.seconds = time.monotonic() - began
    return answer


def _request(url: str, order: Order) -> bytes:
    parts = urlsplit(url)
    body = msgspec.json.encode(order)
    head = (
        f"POST {parts.path}/v1/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def _say(what: str, *values: float, unit: str) -> None:
    numbers: Sequence[str] = [
        f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
        for value in values
    ]
    sys.stdout.write(f"| {what} | {' / '.join(numbers)} {unit} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
