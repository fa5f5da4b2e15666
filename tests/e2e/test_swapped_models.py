"""An engine that swaps its models while its rig runs: the map follows, calmly."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from luckrig.cli.options import ask_tracker
from luckrig.cli.publishing import CALM_SECONDS, Publisher, is_news
from luckrig.client.tracker import TrackerClient
from luckrig.nodeproxy.describe import Listing
from luckrig.nodeproxy.engine_watch import EngineWatch
from luckrig.nodeproxy.engines.detect import Found, examine
from luckrig.nodeproxy.queue import RequestQueue
from luckrig.nodeproxy.upstream import Upstream
from luckrig.protocol.descriptor import Hardware, Offer, Policy
from luckrig.protocol.surface import relay_endpoint
from luckrig.protocol.wire import NodeView
from tests.e2e.tunnels import NODE, NODE_ID, OWNER, TrackerProcess, tracker_process
from tests.fake_engines.knobs import FakeModel
from tests.fake_engines.openai_compatible import FakeOpenAi


@dataclass
class Scene:
    """A real tracker, a stand-in engine, and a publisher on a clock that tests turn."""

    process: TrackerProcess
    tracker: TrackerClient
    engine: FakeOpenAi
    watch: EngineWatch
    queue: RequestQueue
    publisher: Publisher
    now: float = 0.0

    async def swap(self, *models: str) -> None:
        """The engine has these models from now on, and the rig has noticed."""
        self.engine.models = [FakeModel(model) for model in models]
        await self.watch.look()

    async def listed(self) -> NodeView:
        """The rig as the map shows it, checked against what it signed."""
        return (await self.tracker.node(NODE_ID)).node


@asynccontextmanager
async def scene(folder: Path, *, models: frozenset[str] | None = None) -> AsyncGenerator[Scene]:
    """It begins with the models a and b on the map."""
    async with (
        tracker_process(folder) as process,
        ask_tracker(process.address) as tracker,
        FakeOpenAi(models=[FakeModel("a"), FakeModel("b")]) as engine,
    ):
        began = time.time()
        found = await examine(engine.url)
        assert isinstance(found, Found)
        upstream = Upstream(engine.url)
        watch = EngineWatch(
            upstream, found.dialect, found.state, interval_seconds=5, models=models, on_slots=None
        )
        queue = RequestQueue(max_active=1, max_waiting=1, monotonic=float, new_id=lambda: "x")
        publisher = Publisher(
            listing=Listing(
                name="attic",
                note="",
                endpoints=[relay_endpoint(process.address.origin, NODE_ID)],
                policy=Policy(max_active=1, max_queue=1),
            ),
            watch=watch,
            hardware=Hardware(gpu=None, vram_bytes=None, cpu=None, ram_bytes=None),
            tracker=tracker,
            node_key=NODE,
            owner_key=OWNER,
            clock=lambda: began + made.now,
            monotonic=lambda: made.now,
        )
        made = Scene(process, tracker, engine, watch, queue, publisher)
        await publisher.publish()
        try:
            yield made
        finally:
            await upstream.aclose()


def names(view: NodeView) -> list[str]:
    """Its models."""
    return [offer.model for offer in view.offers]


async def test_new_models_are_published_and_not_too_often(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        before = await s.listed()
        assert names(before) == ["a", "b"]
        s.now = CALM_SECONDS
        assert not await s.publisher.look(), "nothing is new"
        await s.swap("b", "c")
        s.now = CALM_SECONDS - 1
        assert not await s.publisher.look(), "too soon"
        assert names(await s.listed()) == ["a", "b"]
        s.now = CALM_SECONDS
        assert await s.publisher.look()
        after = await s.listed()
        assert names(after) == ["b", "c"]
        assert after.seq > before.seq
        await s.swap("d")
        s.now += CALM_SECONDS - 1
        assert not await s.publisher.look()
        s.now += 1
        assert await s.publisher.look()
        assert names(await s.listed()) == ["d"]


async def test_an_engine_without_models_is_unavailable_and_keeps_its_place(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        s.now = CALM_SECONDS
        assert s.watch.status(s.queue) == "available"
        await s.swap()
        assert s.watch.status(s.queue) == "unavailable"
        assert s.watch.health(NODE_ID, s.queue).status == "unavailable"
        assert not s.watch.has_models
        assert not await s.publisher.look()
        assert names(await s.listed()) == ["a", "b"]
        await s.swap("a", "b")
        assert s.watch.status(s.queue) == "available"
        assert not await s.publisher.look(), "the map has that already"


async def test_the_owners_choice_of_models_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    async with scene(tmp_path, models=frozenset({"a"})) as s:
        s.now = CALM_SECONDS
        assert names(await s.listed()) == ["a"]
        await s.swap("b", "c")
        assert s.watch.status(s.queue) == "unavailable"
        assert not await s.publisher.look()
        await s.swap("c", "a")
        assert s.watch.status(s.queue) == "available"
        assert not await s.publisher.look()


async def test_an_engine_that_vanishes_is_unavailable_and_comes_back_with_others(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as s:
        s.now = CALM_SECONDS
        s.engine.fault, s.engine.everywhere = "hang-up", True
        await s.watch.look()
        assert s.watch.status(s.queue) == "unavailable"
        assert s.watch.has_models, "it will be back"
        assert not await s.publisher.look()
        s.engine.fault = None
        await s.swap("e")
        assert s.watch.status(s.queue) == "available"
        assert await s.publisher.look()
        assert names(await s.listed()) == ["e"]


async def test_a_tracker_that_is_away_is_asked_again_calmly(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        s.now = CALM_SECONDS
        await s.swap("c")
        await s.process.stop()
        assert not await s.publisher.look()
        await s.process.start()
        assert not await s.publisher.look(), "a try counts, too"
        s.now += CALM_SECONDS
        assert await s.publisher.look()
        assert names(await s.listed()) == ["c"]


async def test_a_note_outlives_the_next_descriptor(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        s.now = 1
        await s.publisher.publish("Mind the cat.")
        await s.swap("c")
        s.now += CALM_SECONDS
        assert await s.publisher.look()
        assert (await s.listed()).note == "Mind the cat."


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, False),
        ({"context_length": None}, False),
        ({"context_length": 4096}, True),
        ({"quantization": "Q8_0"}, True),
        ({"capabilities": ["vision"]}, True),
    ],
)
def test_what_is_news(change: dict[str, object], expected: bool) -> None:
    first = Offer(model="a", quantization="Q4_K_M", context_length=8192)
    second = Offer(model="b")
    changed = msgspec.structs.replace(first, **change)
    assert is_news([first, second], [second, changed]) is expected
    assert is_news([first], [first, second])
    assert is_news([first, second], [first])
