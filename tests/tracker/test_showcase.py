"""The showcase: who stands where and why, and who doesn't."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.names import gpu_key
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.scarcity import scarcities
from luckrig.tracker.domain.showcase import GPU_FACTS, PER_CATEGORY, showcase
from luckrig.tracker.service.showcase import AGE_SECONDS
from luckrig.tracker.store.memory import MemoryStore
from luckrig.tracker.store.memory_contributions import MemoryContributions
from luckrig.tracker.store.memory_notes import MemoryNotes
from tests.nodeproxy.conditions import until
from tests.tracker.factories import (
    NOW,
    make_hardware,
    make_health,
    make_node,
    make_offer,
    owner_key,
)
from tests.tracker.trackers import Tracker, running_tracker


def live(seed: int, gpu: str | None = "RTX 4090", **changes: Any) -> NodeRecord:
    """A rig that answers."""
    vram_gib = changes.pop("vram_gib", 24)
    hardware = make_hardware(gpu, vram_gib=vram_gib)
    return make_node(seed, hardware=hardware, health=make_health(), **changes)


def shown(*nodes: NodeRecord, **reproduced: int) -> dict[str, list[tuple[str, float]]]:
    """category → (rig's name, number)."""
    by_id = {node.node_id: reproduced.get(f"rig{n}", 0) for n, node in enumerate(nodes, start=1)}
    reply = showcase(nodes, scarcities(nodes), by_id)
    return {
        category.key: [(entry.name, entry.number) for entry in category.rigs]
        for category in reply.categories
    }


def test_an_empty_map_has_an_empty_showcase() -> None:
    assert shown() == {}


def test_each_number_says_why() -> None:
    found = shown(
        live(1, "Tesla P40"),
        live(2, "RTX 5090", vram_gib=32),
        live(3, None),
        live(4, "Apple M2 Max"),
        live(5, "NVIDIA Tesla T4", vram_gib=16, offers=[make_offer(context_length=131_072)]),
        rig1=2,
    )
    assert found["oldest-gpu"][0] == ("rig 1", 2016.0)
    assert found["lowest-power"][0] == ("rig 5", 70.0)
    assert found["lowest-vram"][0] == ("rig 5", 16.0)
    assert found["cpu-only"] == [("rig 3", 64.0)]
    assert found["apple-silicon"] == [("rig 4", 64.0)]
    assert found["largest-context"][0] == ("rig 5", 131_072.0)
    assert found["most-reproduced"] == [("rig 1", 2.0)]


def test_hardware_that_nobody_knows_wins_nothing_by_age_or_power() -> None:
    found = shown(live(1, "Quantum 9000"))
    assert "oldest-gpu" not in found
    assert "lowest-power" not in found


def test_only_live_rigs_are_shown() -> None:
    assert shown(replace(live(1), health=make_health("unavailable"))) == {}


def test_an_owner_stands_in_a_category_once() -> None:
    """Ten rigs of one owner don't fill it; and three places are all there are."""
    others = [live(seed, vram_gib=20 + seed) for seed in range(2, 6)]
    owner_id = derive_id("u1", owner_key(1).public)
    same = [live(1, vram_gib=8)]
    for seed in (11, 12):
        twin = live(seed, vram_gib=8)
        descriptor = replace_owner(twin, owner_id)
        same.append(replace(twin, descriptor=descriptor))
    names = [name for name, _ in shown(*same, *others)["lowest-vram"]]
    assert len(names) == PER_CATEGORY
    assert names[1:] == ["rig 2", "rig 3"]


def replace_owner(node: NodeRecord, owner_id: str) -> Any:
    return msgspec.structs.replace(node.descriptor, owner_id=owner_id)


def test_the_first_of_a_kind_is_the_one_that_others_followed() -> None:
    first, second = live(1, listed_at=NOW), live(2, listed_at=NOW + 60)
    alone = live(3, "Tesla P40", listed_at=NOW - 60)
    assert shown(first, second, alone)["first-of-its-kind"] == [("rig 1", float(NOW))]


@pytest.mark.parametrize("name", GPU_FACTS)
def test_the_table_spells_gpus_as_names_are_normalised(name: str) -> None:
    assert gpu_key(name) == name
    facts = GPU_FACTS[name]
    assert 2010 <= facts.year <= 2026
    assert 10 <= facts.watts <= 1000


async def test_the_api_shows_it_and_hides_banned_rigs() -> None:
    async with running_tracker() as tracker:
        node = live(1)
        await tracker.publish(node, is_seen=False)
        assert (await tracker.http.get("/api/v1/showcase")).json() == {"categories": []}
        await tracker.store.put_health({node.node_id: make_health()})
        tracker.clock.now += 5
        answer = await tracker.http.get("/api/v1/showcase")
        keys = {category["key"] for category in answer.json()["categories"]}
        assert keys == {"lowest-vram", "oldest-gpu", "lowest-power", "largest-context"}
        etag = {"if-none-match": answer.headers["etag"]}
        assert (await tracker.http.get("/api/v1/showcase", headers=etag)).status_code == 304


OPERATOR = PrivateKey(b"\1" * 32)


class SlowNotes(MemoryNotes):
    """Counts how often the showcase is counted, and makes it wait."""

    counted = 0

    def __init__(self, contributions: MemoryContributions) -> None:
        super().__init__(contributions)
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def reproducers(self) -> set[tuple[str, str]]:
        self.counted += 1
        await self.may_go_on.wait()
        return await super().reproducers()


@pytest.fixture
async def slow() -> AsyncIterator[tuple[Tracker, SlowNotes]]:
    """A tracker with two rigs that count."""
    store = MemoryStore()
    notes = store.notes = SlowNotes(store.contributions)
    operators = frozenset((derive_id("u1", OPERATOR.public),))
    async with running_tracker(store, operators=operators) as tracker:
        for node in (live(1), live(2, "Tesla P40")):
            await tracker.publish(node)
        tracker.clock.now += AGE_SECONDS
        yield tracker, notes


async def names(tracker: Tracker) -> set[str]:
    """Of all rigs that the API shows."""
    found = (await tracker.http.get("/api/v1/showcase")).json()["categories"]
    return {rig["name"] for category in found for rig in category["rigs"]}


async def test_it_is_counted_now_and_then_and_whoever_leaves_is_gone_at_once(
    slow: tuple[Tracker, SlowNotes],
) -> None:
    tracker, notes = slow
    for _ in range(2):
        assert await names(tracker) == {"rig 1", "rig 2"}
        assert "rig 2" in (await tracker.http.get("/showcase")).text
    assert notes.counted == 1
    await tracker.store.put_health({live(1).node_id: make_health("unavailable")})
    assert (await tracker.decide("ban", live(2).node_id, key=OPERATOR)).status_code == 200
    assert await names(tracker) == {"rig 1"}
    page = (await tracker.http.get("/showcase")).text
    assert 'data-status="unavailable"' in page  # it says so until it is counted anew
    assert "rig 2" not in page
    tracker.clock.now += AGE_SECONDS
    assert await names(tracker) == set()
    tracker.clock.now -= 10 * AGE_SECONDS  # set back: it must not stay for as long
    await tracker.store.put_health({live(1).node_id: make_health()})
    assert await names(tracker) == {"rig 1"}
    assert notes.counted == 3


async def test_those_who_come_together_wait_for_one_count_and_later_for_none(
    slow: tuple[Tracker, SlowNotes],
) -> None:
    tracker, notes = slow
    notes.may_go_on.clear()
    first = [asyncio.create_task(names(tracker)) for _ in range(5)]
    await until(lambda: notes.counted == 1)
    notes.may_go_on.set()
    assert await asyncio.gather(*first) == [{"rig 1", "rig 2"}] * 5
    assert notes.counted == 1

    tracker.clock.now += AGE_SECONDS
    notes.may_go_on.clear()
    recounts = asyncio.create_task(names(tracker))
    await until(lambda: notes.counted == 2)
    assert await names(tracker) == {"rig 1", "rig 2"}  # though it is being counted anew
    notes.may_go_on.set()
    assert await recounts == {"rig 1", "rig 2"}
    assert notes.counted == 2
