"""Rigs that are killed while an app goes on asking: the sidecar finds another one in time.

Everything is a process of its own, and killed with SIGKILL: no rig gets to say goodbye.
"""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import openai
import pytest

from tests.e2e.commands import COMMAND, environ, running
from tests.e2e.sidecars import RunningSidecar, free_port, running_sidecar, until_on_the_map
from tests.fake_engines.knobs import OnDemand
from tests.fake_engines.openai_compatible import FakeOpenAi

REQUESTS: Final = 300
KILL_AFTER: Final = 30
"""So often a rig dies: every 30 requests. It is started again at once, and the requests don't wait
for it."""
WORKERS: Final = 2
"""A user of the limited tier may have two requests at once."""
BAR: Final = 0.995


@dataclass
class MortalRig:
    """A `luckrig node start` that can be killed, and started again with its key and port."""

    home: Path
    tracker: str
    engine_url: str
    port: int
    process: "subprocess.Popen[str] | None" = None
    node_id: str = ""

    def start(self) -> None:
        """Start it, and wait until it is listed."""
        command = (
            "node", "start", "--json", "--engine", self.engine_url, "--tracker", self.tracker,
            "--listen", f"127.0.0.1:{self.port}", "--name", self.home.name,
        )  # fmt: skip
        self.process = subprocess.Popen(  # noqa: S603 -- our own command line
            [*COMMAND, *command], env=environ(self.home), text=True, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.node_id = told["node_id"]

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@dataclass
class Scene:
    """A tracker, three rigs with an engine each, and a sidecar."""

    rigs: list[MortalRig]
    engines: list[FakeOpenAi]
    sidecar: RunningSidecar
    client: openai.AsyncOpenAI


@asynccontextmanager
async def scene(folder: Path) -> AsyncGenerator[Scene, None]:
    async with AsyncExitStack() as stack:
        tracker = ("tracker", "--allow-private", "--listen", "127.0.0.1:0")
        _, told = await asyncio.to_thread(
            stack.enter_context, running(folder / "operator", *tracker)
        )
        engines = [await stack.enter_async_context(FakeOpenAi()) for _ in range(3)]
        rigs = [
            MortalRig(folder / f"rig{number}", told["address"], engine.url, free_port())
            for number, engine in enumerate(engines)
        ]
        for rig in rigs:
            await asyncio.to_thread(rig.start)
            stack.callback(rig.kill)
        await asyncio.to_thread(until_on_the_map, told["tracker"], len(rigs))
        sidecar = await asyncio.to_thread(
            stack.enter_context, running_sidecar(folder / "user", told["address"])
        )
        client = openai.AsyncOpenAI(base_url=sidecar.base_url, api_key=sidecar.key, max_retries=0)
        await stack.enter_async_context(client)
        yield Scene(rigs, engines, sidecar, client)


async def ask(client: openai.AsyncOpenAI, number: int) -> tuple[str | None, int]:
    """What went wrong, and how many rigs were asked; every second request is a stream."""
    create: Any = client.chat.completions.with_raw_response.create
    fields = {"model": "luckrig/auto", "messages": [{"role": "user", "content": "x"}]}
    try:
        raw = await create(**fields, stream=number % 2 == 0)
        if number % 2 == 0:
            reasons = [
                choice.finish_reason async for chunk in raw.parse() for choice in chunk.choices
            ]
            if reasons[-1] != "stop":
                return "no end", 1
        elif raw.parse().choices[0].finish_reason != "stop":
            return "no end", 1
        return None, int(raw.headers["luckrig-tries"])
    except openai.APIError as error:
        return str(error), 1


@pytest.mark.timeout(180)  # a dozen processes start while requests go on
async def test_new_requests_survive_rigs_that_die_one_after_the_other(tmp_path: Path) -> None:
    async with scene(tmp_path) as world, asyncio.TaskGroup() as restarts:
        problems: list[str] = []
        most_tries = 0
        restart: asyncio.Task[None] | None = None
        for batch in range(REQUESTS // KILL_AFTER):
            if restart is not None:
                await restart  # one rig at a time is dead, never two
            rig = world.rigs[batch % len(world.rigs)]
            rig.kill()
            restart = restarts.create_task(asyncio.to_thread(rig.start))
            numbers = iter(range(KILL_AFTER))

            async def work(numbers: Iterator[int] = numbers) -> None:
                nonlocal most_tries
                for number in numbers:
                    problem, tries = await ask(world.client, number)
                    most_tries = max(most_tries, tries)
                    if problem is not None:
                        problems.append(problem)

            async with asyncio.TaskGroup() as workers:
                for _ in range(WORKERS):
                    workers.create_task(work())
        assert len(problems) <= REQUESTS * (1 - BAR), problems
        assert most_tries > 1, "no rig was dead when it was asked"


async def test_a_rig_that_dies_before_its_first_byte_is_replaced(tmp_path: Path) -> None:
    async with scene(tmp_path) as world:
        paces = [OnDemand() for _ in world.engines]
        for engine, pace in zip(world.engines, paces, strict=True):
            engine.pace = pace
        asked = asyncio.create_task(ask(world.client, 1))
        while not (busy := [n for n, engine in enumerate(world.engines) if engine.answering]):
            await asyncio.sleep(0)
        world.rigs[busy[0]].kill()
        for pace in paces:
            pace.allow(1000)
        assert await asked == (None, 2)


async def test_a_stream_that_runs_at_the_end_is_finished_first(tmp_path: Path) -> None:
    """SIGTERM to the sidecar: it takes nothing new, and what runs gets some seconds."""
    async with scene(tmp_path) as world:
        paces = [OnDemand() for _ in world.engines]
        for engine, pace in zip(world.engines, paces, strict=True):
            engine.pace = pace
            pace.allow(1)
        stream = await world.client.chat.completions.create(
            model="luckrig/auto", messages=[{"role": "user", "content": "x"}], stream=True
        )
        pieces = aiter(stream)
        await anext(pieces)
        world.sidecar.process.send_signal(signal.SIGTERM)
        await until_refusing(world.sidecar.base_url)
        for pace in paces:
            pace.allow(1000)
        reasons = [choice.finish_reason async for chunk in pieces for choice in chunk.choices]
        assert reasons[-1] == "stop"
        assert await asyncio.to_thread(world.sidecar.process.wait) == 0
        assert world.sidecar.finished[-1]["outcome"] == "complete"
        assert (world.sidecar.folder / "connect.err").read_text().count("\n") <= 1


async def until_refusing(base_url: str) -> None:
    """Wait until nothing listens there any more."""
    port = int(base_url.rpartition(":")[2].partition("/")[0])
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it was about to be accepted when the socket closed
            continue
        writer.close()
