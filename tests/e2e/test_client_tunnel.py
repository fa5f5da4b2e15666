"""The library, a real tracker and a real rig behind a tunnel: plain, waiting, and receipts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from luckrig.client import AsyncClient, ChatEvent, Ended, LuckrigError, Started, Waiting
from luckrig.client.me import export
from tests.e2e.tunnels import NODE_ID, USER, Scene, tunnelled
from tests.fake_engines.engine import OnDemand


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with tunnelled(tmp_path) as running:
        yield running


def client_of(scene: Scene) -> AsyncClient:
    return AsyncClient(scene.process.address, USER)


@pytest.mark.parametrize("subtext", [False, True])
async def test_a_chat_through_the_relay_and_its_receipt(scene: Scene, subtext: bool) -> None:
    """Bound token, proof for the relay's address, and at the end both signatures at the tracker."""
    async with client_of(scene) as client:
        model = f"{scene.rig.models[0]}@{NODE_ID[:6]}"
        reply = await client.chat("Hi", model=model, subtext=subtext)
        assert reply.text
        assert reply.subtext == subtext
        assert reply.rig.id == NODE_ID
        assert reply.timing is not None
        assert reply.timing.ttft_ms is not None
        events = [event async for event in client.stream("Hi", subtext=subtext)]
        assert isinstance(events[0], Started)
        assert isinstance(events[-1], Ended)
        assert events[-1].receipt
    exported, _ = await export(scene.tracker, user_key=USER)
    assert [row["state"] for row in exported.tables["receipts"]] == ["two-sided"] * 2


@pytest.mark.parametrize("subtext", [False, True])
async def test_who_waits_is_told_the_place(scene: Scene, subtext: bool) -> None:
    scene.engine.pace = pace = OnDemand()
    pace.allow(1)
    async with client_of(scene) as client, client.stream("first") as first:
        assert isinstance(await anext(first), Started)
        second = client.stream("second", subtext=subtext)
        waiting: ChatEvent = await anext(second)
        assert isinstance(waiting, Waiting)
        assert waiting.position == 1
        await first.aclose()
        scene.engine.pace.allow(1000)
        rest = [event async for event in second]
        assert isinstance(rest[-1], Ended)


async def test_a_rig_whose_tracker_went_away_is_said_to_be_unreachable(scene: Scene) -> None:
    async with client_of(scene) as client:
        await client.chat("Hi")
        await scene.process.stop()
        with pytest.raises(LuckrigError) as raised:
            await asyncio.wait_for(client.chat("Hi"), 15)
        assert raised.value.code in ("rig_lost", "tracker_unreachable")
