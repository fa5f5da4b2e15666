"""The map: read once for many, refreshed beside the calls, kept while the tracker is away."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from luckrig.client.calling.rig_map import FRESH_SECONDS, LONGEST_SECONDS, RigMap
from luckrig.client.tracker import open_tracker
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.wire import Quantiles, TimingView
from tests.client.stand_in_network import MODEL, Rig, Scene, World, scene

NODES = "/api/v1/nodes"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def s(world: World) -> AsyncIterator[Scene]:
    async with scene(Rig(1, world), Rig(2, world), world=world) as made:
        yield made


@pytest.fixture
async def rig_map(s: Scene) -> AsyncIterator[RigMap]:
    async with open_tracker(
        s.address, clock=s.world.clock, new_jti=lambda: secrets.token_urlsafe(16)
    ) as tracker:
        opened = RigMap(tracker, monotonic=s.world.monotonic)
        yield opened
        await opened.close()


async def test_many_read_one_map(s: Scene, rig_map: RigMap) -> None:
    maps = await asyncio.gather(*(rig_map.rigs() for _ in range(20)))
    assert all(len(each) == 2 for each in maps)
    assert s.tracker.count(NODES) == 1


async def test_whoever_gives_up_waiting_ends_it_for_nobody_else(s: Scene, rig_map: RigMap) -> None:
    first, second = (asyncio.create_task(rig_map.rigs()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert len(await second) == 2
    assert s.tracker.count(NODES) == 1


async def test_a_map_that_is_a_little_old_is_used_while_the_next_is_read(
    s: Scene, rig_map: RigMap
) -> None:
    await rig_map.rigs()
    del s.tracker.rigs[1:]
    s.world.passed += FRESH_SECONDS
    assert len(await rig_map.rigs()) == 2
    while len(await rig_map.rigs()) == 2:
        await asyncio.sleep(0)
    assert s.tracker.count(NODES) == 2


async def test_a_map_that_is_too_old_is_waited_for(s: Scene, rig_map: RigMap) -> None:
    await rig_map.rigs()
    del s.tracker.rigs[1:]
    s.world.passed += LONGEST_SECONDS
    assert len(await rig_map.rigs()) == 1


async def test_without_the_tracker_the_last_map_stays(s: Scene, rig_map: RigMap) -> None:
    await rig_map.rigs()
    s.tracker.away = True
    s.world.passed += LONGEST_SECONDS
    while s.tracker.count(NODES) < 5:
        s.world.passed += FRESH_SECONDS
        assert len(await rig_map.rigs()) == 2
        await asyncio.sleep(0)
    s.tracker.away = False
    s.world.passed += FRESH_SECONDS
    assert len(await rig_map.rigs()) == 2


async def test_without_the_tracker_and_a_map_there_is_an_error_each_time(
    s: Scene, rig_map: RigMap
) -> None:
    s.tracker.away = True
    for _ in range(2):
        with pytest.raises(LuckrigError) as raised:
            await rig_map.rigs()
        assert raised.value.code == "tracker_unreachable"
    s.tracker.away = False
    assert len(await rig_map.rigs()) == 2


async def test_a_rig_is_looked_up_once_for_each_descriptor(s: Scene, rig_map: RigMap) -> None:
    rig = s.rigs[0]
    for _ in range(3):
        assert (await rig_map.verified(rig.view)).seq == rig.seq
    assert s.tracker.count(f"{NODES}/{rig.node_id}") == 1
    rig.seq += 1
    assert (await rig_map.verified(rig.view)).seq == rig.seq
    assert s.tracker.count(f"{NODES}/{rig.node_id}") == 2


@pytest.mark.parametrize("distrusts", [False, True])
async def test_an_older_descriptor_than_before_is_refused(
    s: Scene, rig_map: RigMap, distrusts: bool
) -> None:
    """It was signed once: for an address that may be somebody else's by now."""
    rig = s.rigs[0]
    rig.seq += 1
    newest = rig.seq
    await rig_map.verified(rig.view)
    if distrusts:
        rig_map.distrust(rig.node_id)
    rig.seq = newest - 1
    with pytest.raises(PeerError) as raised:
        await rig_map.verified(rig.view)
    assert raised.value.code == "signature_invalid"
    rig.seq = newest
    assert (await rig_map.verified(rig.view)).seq == newest


async def test_what_users_shared_comes_beside_the_map(s: Scene, rig_map: RigMap) -> None:
    view = s.rigs[0].view
    s.tracker.timings = [
        TimingView(
            node_id=view.id,
            model=MODEL,
            prompt_tokens_from=tokens,
            users=3,
            streams=9,
            ttft_ms=Quantiles(p10=1, p50=ttft, p90=9000),
            tokens_per_second=Quantiles(p10=1, p50=80, p90=90),
        )
        for tokens, ttft in ((0, 250.0), (4096, 2500.0))
    ]
    await rig_map.rigs()
    while (measure := rig_map.shared(view, view.offers[0])) is None:
        await asyncio.sleep(0)
    assert (measure.first_seconds, measure.tokens_per_second) == (0.25, 80)
