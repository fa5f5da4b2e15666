"""What the sidecar costs: `python -m bench.sidecar`.

Tracker, rig, engine and sidecars are processes of their own; requests go to the rig itself and
through a sidecar in turns, one at a time, so that what else the machine does falls on all alike.
What is told is the time from sending a request to the first event of its stream.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
import msgspec

from bench.luckrig_process import running
from bench.mock_engine import Listening
from bench.processes import Child, cpu_seconds
from bench.spread import percentile
from luckrig.cli.home import Home
from luckrig.cli.local_key import load_local_key
from luckrig.cli.loop import run
from tests.e2e.commands import answer_of

ROUNDS: Final = 12
REQUESTS: Final = 25
"""For each way in a round."""
WARM_UP: Final = 10
TOKEN_REQUESTS: Final = 100
"""A token of the limited tier is good for 120."""
PAUSE_SECONDS: Final = 0.02
"""Before each request: what is left to do of the one before (receipt, replay) counts as CPU time,
and not as the wait of the next."""
POLL_SECONDS: Final = 0.05
"""Its first line comes through a file, which nobody can wait for."""
MODEL: Final = "split"


@dataclass
class Way:
    """A way to the rig. base_url: of the API. key: as an app sends it. pids: whose CPU time is
    cpu_seconds, all requests together."""

    name: str
    base_url: str
    key: str
    pids: list[int] = field(default_factory=list[int])
    cpu_seconds: float = 0.0
    first_us: list[int] = field(default_factory=list[int])
    whole_us: list[int] = field(default_factory=list[int])


@click.command()
@click.option("--rounds", default=ROUNDS, show_default=True)
def main(rounds: int) -> None:
    """Measure the sidecar."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        run(_measure(Path(folder), stack, rounds))


async def _measure(folder: Path, stack: ExitStack, rounds: int) -> None:
    engine = Child.module("mock_engine", cpu=None)
    stack.callback(engine.stop)
    engine_url = f"http://127.0.0.1:{engine.read(Listening).port}"
    tracker = stack.enter_context(
        running(folder / "tracker", "tracker", "--allow-private", "--listen", "127.0.0.1:0")
    ).announced
    rig = stack.enter_context(
        running(folder / "rig", "node", "start", "--engine", engine_url, "--tracker",
                tracker["address"], "--listen", "127.0.0.1:0")
    ).announced  # fmt: skip
    user = folder / "user"
    await _until_a_token(user, rig["node_id"], tracker["address"])
    direct = Way("the rig itself", rig["base_url"], "")
    plain = _sidecar(stack, user, tracker["address"], "plain")
    sealed = _sidecar(stack, user, tracker["address"], "subtext")
    ways = [direct, plain, sealed]
    for number in range(rounds + 1):
        if number * REQUESTS % TOKEN_REQUESTS == 0:
            direct.key = answer_of(user, "token", rig["node_id"], "--tracker", tracker["address"])[
                "token"
            ]
        for way in ways:
            before = cpu_seconds(way.pids)
            await _round(way, WARM_UP if number == 0 else REQUESTS)
            way.cpu_seconds += cpu_seconds(way.pids) - before
            if number == 0:
                way.first_us.clear()
                way.whole_us.clear()
                way.cpu_seconds = 0.0
    _tell(direct, ways)


def _sidecar(stack: ExitStack, home: Path, tracker: str, mode: str) -> Way:
    log = home / f"{mode}.log"
    command = ("connect", "--json", "--port", "0", "--tracker", tracker, f"--{mode}")
    child = Child(
        [sys.executable, "-m", "luckrig.cli.main", *command],
        cpu=None, environ={"LUCKRIG_HOME": str(home)}, log=log,
    )  # fmt: skip
    stack.callback(child.stop)
    while b"\n" not in log.read_bytes():
        if not child.is_running:
            raise RuntimeError(f"luckrig connect has ended: {log.read_text()}")
        time.sleep(POLL_SECONDS)
    base_url = msgspec.json.decode(log.read_bytes().splitlines()[0])["base_url"]
    return Way(f"the sidecar, {mode}", base_url, load_local_key(Home(home)), child.pids())


async def _until_a_token(home: Path, node_id: str, tracker: str) -> None:
    """Wait until the tracker has looked at the rig."""
    while True:
        try:
            await asyncio.to_thread(answer_of, home, "token", node_id, "--tracker", tracker)
        except AssertionError:
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


async def _round(way: Way, requests: int) -> None:
    """So many streams, one after the other, on one connection, as an app's client keeps it."""
    parts = urlsplit(way.base_url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
    messages = [{"role": "user", "content": "Tell me a story of the sea. " * 20}]
    body = msgspec.json.encode({"model": MODEL, "messages": messages, "stream": True})
    head = (
        f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {way.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode("ascii")
    for _ in range(requests):
        await asyncio.sleep(PAUSE_SECONDS)
        began = time.monotonic_ns()
        writer.write(head + body)
        answer = b""
        first = 0
        while not answer.endswith(b"0\r\n\r\n"):
            data = await reader.read(1 << 18)
            if not data:
                raise RuntimeError(f"{way.name} broke off: {answer[:400]!r}")
            answer += data
            if not first and b"data: {" in answer:
                first = time.monotonic_ns()
        if not answer.startswith(b"HTTP/1.1 200") or b"[DONE]" not in answer:
            raise RuntimeError(f"{way.name}: {answer[:400]!r}")
        way.first_us.append((first - began) // 1000)
        way.whole_us.append((time.monotonic_ns() - began) // 1000)
    writer.close()


def _tell(direct: Way, ways: Sequence[Way]) -> None:
    sys.stdout.write("| way | first event p10 | p50 | p90 | added, p10 | p50 | whole stream p50 ")
    sys.stdout.write("| its CPU for each |\n")
    sys.stdout.write("|-----|-----------------|-----|-----|------------|-----|------------------")
    sys.stdout.write("|------------------|\n")
    for way in ways:
        first = [percentile(way.first_us, at) / 1000 for at in (10, 50, 90)]
        added = [
            (percentile(way.first_us, at) - percentile(direct.first_us, at)) / 1000
            for at in (10, 50)
        ]
        figures = [*first, *added, percentile(way.whole_us, 50) / 1000]
        figures.append(way.cpu_seconds * 1000 / len(way.first_us))
        cells = " | ".join(f"{figure:.2f} ms" for figure in figures)
        sys.stdout.write(f"| {way.name} | {cells} |\n")


if __name__ == "__main__":
    main()
