"""Sealed requests through a tracker's relay, which sees all that passes and reads none of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.e2e.tunnels import Scene, tunnelled
from tests.fake_engines.engine import OnDemand
from tests.nodeproxy.conditions import until
from tests.nodeproxy.rigs import NODE_ID, Rig, StandInTracker
from tests.nodeproxy.sealed import CHAT, EMBEDDINGS, ask, asking, chat

MARKER = "xyzzy-sentinel-4711"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """One rig behind a tunnel."""
    async with tunnelled(tmp_path) as running:
        yield running


@pytest.fixture
async def rig(scene: Scene) -> AsyncIterator[Rig]:
    """That rig, as its clients reach it."""
    origin = f"{scene.process.address.origin}/n/{NODE_ID}"
    token = (await scene.token()).token
    async with httpx2.AsyncClient(base_url=origin, trust_env=False, timeout=None) as http:
        yield Rig(origin, scene.rig.node, http, StandInTracker(), token)


async def test_relay_passes_keys_and_sealed_answers(scene: Scene, rig: Rig) -> None:
    scene.engine.reply = [MARKER] * 3
    for stream in (False, True):
        answer = await ask(rig, CHAT, chat(rig, MARKER, stream=stream))
        assert MARKER in answer.body.decode()
        assert MARKER.encode() not in answer.visible
        assert answer.response.headers["luckrig-node"] == NODE_ID
    body = {"model": rig.models[0], "input": [MARKER] * 100}
    assert len((await ask(rig, EMBEDDINGS, body)).json["data"]) == 100
    assert (await ask(rig, CHAT, chat(rig, model="other"))).error == (404, "model_not_found")


async def test_long_reply_in_one_piece_comes_whole(scene: Scene, rig: Rig) -> None:
    """Longer than a tunnel's frame, its window and its queue."""
    scene.engine.reply = ["x" * 1000] * 700
    answer = await ask(rig, CHAT, chat(rig, stream=False))
    assert answer.body.count(b"x" * 1000) == 700


async def test_client_that_leaves_the_relay_frees_the_slot(scene: Scene, rig: Rig) -> None:
    scene.engine.pace = pace = OnDemand()
    pace.allow(1)
    async with asking(rig, CHAT, chat(rig, stream=True)) as live:
        await live.until(b'"Hello"')
    await asyncio.wait_for(scene.engine.left.acquire(), 10)
    await until(lambda: rig.node.queue.active == 0)
