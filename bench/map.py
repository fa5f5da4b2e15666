"""How long a list takes while the map is alive: 10,000 rigs, heartbeats, listeners.

`python -m bench.map`: the tracker's application in a process of its own, on loopback. Each rig is
looked at every 28.6 s, so that 350 answers a second arrive in-process, one in twenty with another
status; 100 listeners follow /api/v1/events. One client asks for lists, one after the other.
DESIGN asks for 100 ms at p99.
"""

import asyncio
import contextlib
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import click
import httpx2

from bench.spread import percentile
from luckrig.cli.loop import bind, origin_of, run, spare_collector
from luckrig.cli.serve import serving
from luckrig.protocol.wire import NodeHealth, NodeStatus, QueueView
from luckrig.tracker.app import create_app
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.factories import make_hardware, make_node, make_offer
from tests.tracker.trackers import make_keys

BEATS_PER_SECOND: Final = 350
GPUS: Final = ("NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 5090", "AMD Radeon RX 7900 XTX",
               "Apple M2 Max", "NVIDIA GeForce GTX 1080", "Intel Arc A770", None)  # fmt: skip
MODELS: Final = ("qwen3:8b", "llama3:70b", "gemma3:27b", "mistral:7b", "phi4:14b", "gpt-oss:20b")
PATHS: Final = {
    "list": "/api/v1/nodes",
    "filter": "/api/v1/nodes?gpu=rtx3090&model=qwen3:8b&status=available",
    "words": "/api/v1/nodes?q=rig+gemma&min_vram=16",
    "family": "/api/v1/nodes?family=qwen&sort=measured",
    "newest": "/api/v1/nodes?sort=newest&limit=200",
    "map page": "/",
    "CSV of all": "/api/v1/nodes.csv",
}


@dataclass
class Beats:
    """Rigs that answer at once. Implements service.monitor.Prober."""

    rng: random.Random
    statuses: dict[str, NodeStatus] = field(default_factory=dict[str, NodeStatus])
    answered: int = 0

    async def probe(self, node: NodeRecord) -> NodeHealth | None:
        """What the rig says."""
        self.answered += 1
        status = self.statuses.setdefault(node.node_id, "available")
        if self.rng.random() < 0.05:
            status = "paused" if status == "available" else "available"
            self.statuses[node.node_id] = status
        queue = QueueView(active=self.rng.randrange(4), waiting=0, max_active=4)
        return NodeHealth(node_id=node.node_id, status=status, queue=queue)


async def serve(rigs: int) -> None:
    """Be the tracker; prints its origin, and at the end how many answers came in a second."""
    rng = random.Random(1)  # noqa: S311 -- the same map each time
    store, beats = MemoryStore(), Beats(rng)
    for number in range(rigs):
        offers = [make_offer(model) for model in rng.sample(MODELS, 2)]
        node = make_node(number, hardware=make_hardware(rng.choice(GPUS)), offers=offers)
        await store.put_descriptor(node.descriptor, node.signed, now=int(time.time()) - number)
    sock = bind("127.0.0.1", 0)
    app = create_app(
        TrackerSettings(
            public_url=origin_of(sock), health_interval_seconds=rigs / BEATS_PER_SECOND
        ),
        store,
        make_keys(since=int(time.time())),
        beats,
        clock=time.time,
        random_bytes=os.urandom,
        rng=rng,
        version="bench",
    )
    async with serving(app, sock):
        await asyncio.sleep(2 * rigs / BEATS_PER_SECOND)  # the jitter spreads the first wave
        spare_collector()  # as `luckrig tracker` does when it has read its rigs
        started, before = time.monotonic(), beats.answered
        sys.stdout.write(f"{origin_of(sock)}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        rate = (beats.answered - before) / (time.monotonic() - started)
        sys.stdout.write(f"{rate:.0f} answers of rigs a second\n")


@asynccontextmanager
async def listening(origin: str, count: int) -> AsyncGenerator[Counter[str], None]:
    """So many listeners; what they heard by kind."""
    heard: Counter[str] = Counter()

    async def listen(http: httpx2.AsyncClient) -> None:
        async with http.stream("GET", f"{origin}/api/v1/events") as reply:
            reply.raise_for_status()
            async for line in reply.aiter_lines():
                if line.startswith("event: "):
                    heard[line.removeprefix("event: ")] += 1

    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(trust_env=False, timeout=None, limits=limits) as http:
        tasks = [asyncio.create_task(listen(http)) for _ in range(count)]
        while heard["hello"] < count:
            await asyncio.sleep(0.05)
        try:
            yield heard
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def measure(rigs: int, listeners: int, rounds: int) -> None:
    """Start the tracker and ask it."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.map", "--serve", "--rigs", str(rigs),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert server.stdin is not None  # noqa: S101 -- PIPE
    assert server.stdout is not None  # noqa: S101
    try:
        origin = (await server.stdout.readline()).decode().strip()
        for count in (0, listeners):
            async with listening(origin, count) as heard:
                await _ask(origin, rounds, count)
                sys.stdout.write(f"heard: {dict(heard)}\n")
        server.stdin.write(b"\n")
        sys.stdout.write((await server.stdout.readline()).decode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        await server.wait()


async def _ask(origin: str, rounds: int, listeners: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in PATHS}
    async with httpx2.AsyncClient(base_url=origin, trust_env=False, timeout=60) as http:
        for number in range(rounds):
            for name, path in PATHS.items():
                if name == "CSV of all" and number % 20:
                    continue
                before = time.monotonic()
                (await http.get(path)).raise_for_status()
                seconds[name].append(time.monotonic() - before)
    for name, taken in seconds.items():
        at = [f"{1000 * percentile(taken, percent):.0f}" for percent in (50, 90, 99)]
        sys.stdout.write(f"| {name} | {listeners} | {len(taken)} | {' | '.join(at)} |\n")
    sys.stdout.flush()


@click.command()
@click.option("--rigs", default=10_000, show_default=True)
@click.option("--listeners", default=100, show_default=True)
@click.option("--rounds", default=200, show_default=True)
@click.option("--serve", "is_server", is_flag=True, hidden=True)
def main(rigs: int, listeners: int, rounds: int, is_server: bool) -> None:
    """Lists of a map that is alive: path, listeners, requests, ms at p50, p90, p99."""
    run(serve(rigs) if is_server else measure(rigs, listeners, rounds))


if __name__ == "__main__":
    main()
