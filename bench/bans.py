"""How soon a ban holds: real tracker, real rig, running streams.

`python -m bench.bans`: 100 users, each with a stream that runs, are banned at random moments. It
prints how long after the tracker's answer their streams ended, and their next requests were
refused. DESIGN asks for 5 s at p99.
"""

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import click
import httpx2

from bench.luckrig_process import running, start
from bench.spread import percentile
from luckrig.cli.options import ask_tracker
from luckrig.client.operators import ban
from luckrig.client.tracker import TrackerClient
from luckrig.protocol.address import TrackerAddress, parse_tracker_address
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from tests.fake_engines.engine import PerSecond
from tests.fake_engines.openai_compatible import FakeOpenAi

AT_ONCE = 25
WAIT_SECONDS = 3.0
"""Bans come at any moment between two of a rig's looks at the list, which it takes every 3 s."""
GIVE_UP_SECONDS = 30.0
POLL_SECONDS = 0.02
"""How exact the time of the first refusal is."""
OPERATOR = PrivateKey(b"operator" * 4)


@dataclass(frozen=True)
class Scene:
    """What all tries share."""

    tracker: TrackerClient
    node_id: str
    base_url: str
    model: str
    http: httpx2.AsyncClient
    rng: Random


@dataclass(frozen=True)
class Try:
    """Seconds from the ban's answer to the stream's end, and to the first refusal."""

    cut_seconds: float
    refused_seconds: float


@click.command()
@click.option("--tries", default=100, show_default=True)
def main(tries: int) -> None:
    """Ban users whose streams run."""
    found = asyncio.run(_measure(tries))
    for what, seconds in (
        ("running stream ended", [each.cut_seconds for each in found]),
        ("next request refused", [each.refused_seconds for each in found]),
    ):
        at = [percentile(seconds, percent) for percent in (50, 90, 99)]
        numbers = " | ".join(f"{value:.2f}" for value in (*at, max(seconds)))
        sys.stdout.write(f"| {what} | {len(seconds)} of {tries} | {numbers} |\n")


async def _measure(tries: int) -> list[Try]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        operators = {"LUCKRIG_TRACKER_OPERATORS": derive_id("u1", OPERATOR.public)}
        command = ("tracker", "--listen", "127.0.0.1:0", "--allow-private")
        async with FakeOpenAi() as engine:
            engine.pace = PerSecond(0.3)  # a reply takes longer than any ban
            with running(home / "tracker", *command, environ=operators) as tracker:
                address = str(tracker.announced["address"])
                options = ("--tracker", address, "--engine", engine.url, "--listen", "127.0.0.1:0")
                places = ("--max-active", str(AT_ONCE + 5))
                # In a thread: the rig asks the engine, which is in this one, before it is ready.
                rig = await asyncio.to_thread(
                    start, home / "rig", "node", "start", *options, *places
                )
                try:
                    return await _try_all(parse_tracker_address(address), tries)
                finally:
                    rig.kill()


async def _try_all(address: TrackerAddress, tries: int) -> list[Try]:
    async with (
        ask_tracker(address) as tracker,
        httpx2.AsyncClient(trust_env=False, timeout=GIVE_UP_SECONDS) as http,
    ):
        while not (page := await tracker.nodes(status="available")).nodes:
            await asyncio.sleep(POLL_SECONDS)
        (node,) = page.nodes
        rng = Random(1)  # noqa: S311 -- the same moments each time
        scene = Scene(tracker, node.id, node.base_url, node.offers[0].model, http, rng)
        found: list[Try] = []
        for first in range(0, tries, AT_ONCE):
            wave = range(first, min(tries, first + AT_ONCE))
            found += await asyncio.gather(*(_try_once(scene, number) for number in wave))
        return found


async def _try_once(scene: Scene, number: int) -> Try:
    user = PrivateKey(number.to_bytes(32))
    token = await scene.tracker.token(scene.node_id, user_key=user)
    async with scene.http.stream("POST", **_chat(scene, token.token)) as response:
        lines = response.aiter_lines()
        await anext(lines)
        await asyncio.sleep(scene.rng.uniform(0, WAIT_SECONDS))
        await ban(
            scene.tracker, derive_id("u1", user.public), reason="Measured.", operator_key=OPERATOR
        )
        banned_at = time.monotonic()
        refusal = asyncio.create_task(_until_refused(scene, token.token))
        last = ""
        async for line in lines:
            last = line or last
        cut_seconds = time.monotonic() - banned_at
    code = json.loads(last.removeprefix("data: "))["error"]["code"]
    if code != "banned":
        raise RuntimeError(f"the stream ended with {code}")
    return Try(cut_seconds, await refusal - banned_at)


async def _until_refused(scene: Scene, token: str) -> float:
    """When the first new request was refused. It asks for the models: that needs no turn."""
    headers = {"authorization": f"Bearer {token}"}
    while True:
        answer = await scene.http.get(f"{scene.base_url}/models", headers=headers)
        if answer.status_code == 403:
            return time.monotonic()
        await asyncio.sleep(POLL_SECONDS)


def _chat(scene: Scene, token: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": "x"}]
    return {
        "url": f"{scene.base_url}/chat/completions",
        "json": {"model": scene.model, "messages": messages, "stream": True},
        "headers": {"authorization": f"Bearer {token}"},
    }


if __name__ == "__main__":
    main()
