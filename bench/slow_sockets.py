"""`python -m bench.slow_sockets`: good requests next to a thousand sockets that only hold on.

A rig in a process of its own, with the limits it ships with. Good requests come at a steady rate;
first alone, then next to sockets of four kinds, all from loopback, each opened again as soon as the
rig closes it:

| kind        | what it does                                                              |
|-------------|---------------------------------------------------------------------------|
| idle        | connects and says nothing                                                 |
| slow head   | a header's byte each second                                               |
| slow body   | a good head, a good token, then a byte of the body each second            |
| dead reader | a good request for a megabyte, of which it reads nothing                  |

After that, dead readers alone: how long each keeps its slot at the engine.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from bench.chat import HOST
from bench.load import Job, Result
from bench.mock_engine import Listening
from bench.processes import Child, cpu_pair, raise_file_limit
from bench.scenarios import CHUNKS, Scenario
from bench.servers import SERVERS, Server
from bench.spread import Estimate, estimate, percentile, quotient
from luckrig.cli.loop import run

TICK_SECONDS: Final = 1.0
"""Between two bytes of a slow sender, and two looks at whether the rig has hung up."""
RAMP_SECONDS: Final = 10.0
"""The sockets are opened one by one: what is measured is that they are there. With --ramp 0 they
come, and come back, all at once."""
POLL_SECONDS: Final = 0.05
"""How exact the times are that dead readers keep their slots."""
DEAD_READERS: Final = 20
GIVE_UP_SECONDS: Final = 60.0
RECEIVE_BYTES: Final = 4096
SPARE_FILES: Final = 500
WINDOW_REQUESTS: Final = 250
"""Of each such window the p99 is taken, and of these the median: on a machine that is shared, one
moment taken by others would else decide the p99 of a whole minute."""
ATTACK_NICENESS: Final = 15
"""The attack shares a CPU with engine and load client, whose time is what is measured."""

IDLE, HEAD, BODY, READER = "idle", "slow head", "slow body", "dead reader"
KINDS: Final = (IDLE, HEAD, BODY, READER)
MIX: Final = (IDLE, HEAD, BODY) * 3 + (READER,)
"""One in ten is a dead reader: 100 of 1,000 keep 100 of the rig's 256 slots. With 250 what is
measured is the queue for the last six slots, and no longer what sockets cost."""


class Attack:
    """Slow sockets against one server. closed: how many the rig has ended, by kind."""

    def __init__(
        self, server: Server, sockets: int, kinds: Sequence[str], *, ramp_seconds: float
    ) -> None:
        self._server = server
        self._ramp_seconds = ramp_seconds
        self.sockets = sockets
        self._kinds = kinds
        self.closed: Counter[str] = Counter()
        self.refused = 0
        self.open = 0

    async def run(self, seconds: float) -> None:
        """Hold on, for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for number in range(self.sockets):
                    group.create_task(
                        self._again_and_again(self._kinds[number % len(self._kinds)], number)
                    )

    async def _again_and_again(self, kind: str, number: int) -> None:
        await asyncio.sleep(self._ramp_seconds * number / self.sockets)
        while True:
            try:
                await self._hold(kind, number)
            except ConnectionRefusedError:
                self.refused += 1
                await asyncio.sleep(TICK_SECONDS)
            else:
                self.closed[kind] += 1

    async def _hold(self, kind: str, number: int) -> None:
        """One socket, until the rig ends it. A byte a second shows whether it has."""
        loop = asyncio.get_running_loop()
        sock = await connect(self._server.port)
        self.open += 1
        try:
            await loop.sock_sendall(sock, first_bytes(self._server, kind, number))
            while True:
                await asyncio.sleep(TICK_SECONDS)
                if kind != READER and await _has_ended(sock):
                    return
                if kind != IDLE:
                    await loop.sock_sendall(sock, b"x")
        except (ConnectionResetError, BrokenPipeError):
            return
        finally:
            self.open -= 1
            sock.close()


async def _has_ended(sock: socket.socket) -> bool:
    """Whether the rig has closed; what it says before that is read."""
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        return False
    return True


async def connect(port: int) -> socket.socket:
    """A socket with next to no room for what it is sent."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (HOST, port))
    except BaseException:
        sock.close()
        raise
    return sock


def first_bytes(server: Server, kind: str, number: int) -> bytes:
    """What a socket of that kind begins with."""
    tokens = server.tokens or ["no-token"]
    message = {"role": "user", "content": "Tell me all."}
    asked: dict[str, Any] = {"model": "flood", "messages": [message], "stream": True}
    body = msgspec.json.encode(asked)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}:{server.port}\r\n"
        f"Authorization: Bearer {tokens[number % len(tokens)]}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    ).encode("ascii")
    match kind:
        case "slow head":
            return head + b"X-Slow: "
        case "slow body":
            return head + b"\r\n" + body[:1]
        case "dead reader":
            return head + b"\r\n" + body
        case _:
            return b""


async def slot_seconds(server: Server) -> list[float]:
    """How long each of DEAD_READERS keeps its slot, by the rig's own count of requests."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while await _active(server.port):
            await asyncio.sleep(POLL_SECONDS)
        sockets = [await connect(server.port) for _ in range(DEAD_READERS)]
        began = time.monotonic()
        for number, sock in enumerate(sockets):
            await loop.sock_sendall(sock, first_bytes(server, READER, number))
        while await _active(server.port) < DEAD_READERS:
            await asyncio.sleep(POLL_SECONDS)
        held: list[float] = []
        while len(held) < DEAD_READERS:
            free = DEAD_READERS - await _active(server.port)
            held += [time.monotonic() - began] * (free - len(held))
            await asyncio.sleep(POLL_SECONDS)
    for sock in sockets:
        sock.close()
    return held


async def _active(port: int) -> int:
    """Requests at the engine, by the rig's own word."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(f"GET /health HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode("ascii"))
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    document = msgspec.json.decode(await reader.readexactly(length))
    writer.close()
    return int(document["queue"]["active"])


def good_load(server: Server, seconds: float, rate: float) -> Job:
    """Good requests of many users."""
    scenario = Scenario(
        name="good", title="good requests", model="burst", connections=16, rate=rate
    )
    return scenario.job(server, seconds=seconds, warmup_seconds=0.3)


async def measure(load: Child, job: Job) -> Result:
    """One window, without blocking what runs beside it."""
    load.ask(job)
    return await asyncio.get_running_loop().run_in_executor(None, load.read, Result)


async def main_of(options: argparse.Namespace, engine: Server, server: Server, load: Child) -> int:
    """Measure and print. Exit status 1 when a good request failed."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    short, long = options.baseline, options.seconds
    await measure(load, good_load(server, 2.0, options.rate))  # everything is imported and cached
    bare = await measure(load, good_load(engine, short, options.rate))
    alone = await measure(load, good_load(server, short, options.rate))
    kinds = options.kind or MIX
    attack = Attack(server, options.sockets, kinds, ramp_seconds=options.ramp)
    attacking = asyncio.create_task(attack.run(long + short + 1.0))
    beside = await measure(load, good_load(server, long, options.rate))
    control = await measure(load, good_load(engine, short, options.rate))
    await attacking
    held = await slot_seconds(server)
    results = {
        "engine itself, alone": bare,
        "engine itself, beside": control,
        "rig, alone": alone,
        "rig, beside": beside,
    }
    _print(console, results, attack, held)
    return 1 if any(result.errors for result in results.values()) else 0


def p99_ms(result: Result) -> Estimate:
    """Of the time to first token, milliseconds: over windows of WINDOW_REQUESTS."""
    times = result.ttft_us
    whole = range(0, len(times) - WINDOW_REQUESTS + 1, WINDOW_REQUESTS) or range(1)
    return estimate([percentile(times[at : at + WINDOW_REQUESTS], 99) / 1000 for at in whole])


def _print(console: Console, results: dict[str, Result], attack: Attack, held: list[float]) -> None:
    table = Table(title=f"Good requests, alone and beside {attack.sockets} slow sockets")
    headings = ("", "requests", "errors", "TTFT p50 ms", "p99 ms", "between", "ratio", "rig's CPU")
    for heading in headings:
        table.add_column(heading, justify="left" if not heading else "right")
    before: Estimate | None = None
    for name, result in results.items():
        p50, p99 = percentile(result.ttft_us, 50) / 1000, p99_ms(result)
        ratio = ""
        if before is not None and name.endswith("beside"):
            ratio = f"{quotient(p99.value, before.value):.2f}"
        cpu = f"{result.cpu_seconds / result.seconds:.0%}" if result.cpu_seconds else ""
        table.add_row(
            name,
            str(result.requests),
            str(result.errors),
            f"{p50:.2f}",
            f"{p99.value:.2f}",
            f"{p99.low:.2f} to {p99.high:.2f}",
            ratio,
            cpu,
        )
        before = p99
        if result.error:
            console.print(f"[red]error:[/] {name}: {result.error!r}")
    console.print(table)
    closed = ", ".join(f"{attack.closed[kind]} {kind}" for kind in KINDS)
    console.print(f"closed by the rig: {closed}; connections refused: {attack.refused}")
    console.print(
        f"{len(held)} of {DEAD_READERS} slots of dead readers freed,"
        f" the first after {min(held):.1f} s, the last after {max(held):.1f} s"
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.slow_sockets", description=__doc__)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--baseline", type=float, default=30.0, help="seconds without them")
    parser.add_argument("--seconds", type=float, default=60.0, help="seconds with them")
    parser.add_argument("--kind", action="append", choices=KINDS, help="may be repeated")
    parser.add_argument("--ramp", type=float, default=RAMP_SECONDS, help="seconds to open them all")
    parser.add_argument("--rate", type=float, default=50.0, help="good requests a second")
    options = parser.parse_args()
    files = raise_file_limit()
    if files < options.sockets + SPARE_FILES:
        raise SystemExit(
            f"the limit of open files ({files}) is too low for {options.sockets} sockets"
        )
    server_cpu, load_cpu = cpu_pair()
    with ExitStack() as stack:
        engine_child = Child.module("mock_engine", str(CHUNKS), cpu=load_cpu)
        stack.callback(engine_child.stop)
        load = Child.module("load", cpu=load_cpu)
        stack.callback(load.stop)
        engine = Server(name="direct", port=engine_child.read(Listening).port, pids=[])
        server = SERVERS["luckrig"](stack, engine.port, server_cpu)
        if load_cpu is not None:
            os.sched_setaffinity(0, {load_cpu})  # not where the rig works
        os.nice(ATTACK_NICENESS)
        return run(main_of(options, engine, server, load))


if __name__ == "__main__":
    sys.exit(main())
