"""The map at a tracker: page, JSON and CSV take the same query and say the same."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.tracker.domain.receipts import TimingRecord
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.timings import PROMPT_BUCKETS
from luckrig.tracker.routes.recent import MAX_AGE_SECONDS
from luckrig.tracker.service.listed_map import TIMINGS_AGE_SECONDS
from luckrig.tracker.store.interface import StoreError
from luckrig.web.render import FIRST_BUCKET_TOKENS
from tests.tracker.factories import NOW, make_hardware, make_health, make_node, make_offer
from tests.tracker.trackers import Tracker, make_keys, running_tracker

OPERATOR = PrivateKey(b"\1" * 32)
NVIDIA = make_node(1, name="attic", note="all night #quiet")
TWIN = make_node(2, name="cellar", offers=[make_offer("gemma3:27b")])
NO_GPU = make_node(3, name="garage", hardware=make_hardware(None), note="#Quiet")
RIGS = (NVIDIA, TWIN, NO_GPU)


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker with three rigs."""
    operators = frozenset((derive_id("u1", OPERATOR.public),))
    async with running_tracker(operators=operators) as running:
        for rig in RIGS:
            assert (await running.publish(rig)).status_code == 200
        yield running


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("vendor=cpu", ["garage"]),
        ("vendor=nvidia&sort=name", ["attic", "cellar"]),
        ("family=gemma", ["cellar"]),
        ("tag=%23quiet&sort=name", ["attic", "garage"]),
        (f"like={TWIN.node_id}&sort=name", ["attic", "cellar"]),
        (f"like=http://tracker.example/nodes/{TWIN.node_id}?lang=ja&tag=quiet", ["attic"]),
        (f"like={NO_GPU.node_id}", ["garage"]),
        (f"like={make_node(9).node_id}", []),
        ("like=my+rig", []),
        ("sort=measured&vendor=nvidia", ["cellar", "attic"]),
    ],
)
async def test_page_json_and_csv_list_the_same(
    tracker: Tracker, query: str, names: list[str]
) -> None:
    await share(tracker, TWIN, "gemma3:27b", 30.0)
    listed = (await tracker.http.get(f"/api/v1/nodes?{query}")).json()
    found = [node["name"] for node in listed["nodes"]]
    assert (found, listed["total"]) == (names, len(names))
    table = csv.DictReader(io.StringIO((await tracker.http.get(f"/api/v1/nodes.csv?{query}")).text))
    assert [row["name"] for row in table] == found
    page = await tracker.http.get(f"/?{query}", headers={"accept-language": "ja"})
    assert (page.status_code, page.headers["vary"]) == (200, "Accept-Language, Accept-Encoding")
    places = [page.text.find(f"<bdi>{name}</bdi></p>") for name in found]
    assert -1 not in places
    assert places == sorted(places)


async def test_a_query_that_cannot_be_is_refused(tracker: Tracker) -> None:
    for query in ("vendor=voodoo", "sort=speed", "tag=" + "x" * 121, "colour=red"):
        reply = await tracker.http.get(f"/api/v1/nodes?{query}")
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_request")


async def share(tracker: Tracker, rig: NodeRecord, model: str, tps: float) -> None:
    """Two users shared a timing each."""
    timings = [
        TimingRecord(
            node_id=rig.node_id,
            request_id=f"{model} {user}",
            account=user,
            model=model,
            prompt_tokens=100,
            completion_tokens=100,
            ttft_ms=100.0,
            tokens_per_second=tps,
            shared_at=NOW,
        )
        for user in ("a", "b")
    ]
    await tracker.store.contributions.put_receipts([], timings, [])


async def test_measured_goes_by_what_users_shared_of_models_that_are_asked_for(
    tracker: Tracker,
) -> None:
    await share(tracker, TWIN, "gemma3:27b", 30.0)
    await share(tracker, NVIDIA, "qwen3:8b", 20.0)
    await share(tracker, NO_GPU, "gone since", 99.0)
    nodes = (await tracker.http.get("/api/v1/nodes?sort=measured")).json()["nodes"]
    assert [node["name"] for node in nodes] == ["cellar", "attic", "garage"]
    assert [node["measured"] and node["measured"]["users"] for node in nodes] == [2, 2, None]
    asked = (await tracker.http.get("/api/v1/nodes?model=qwen3:8b")).json()["nodes"]
    assert {node["name"]: bool(node["measured"]) for node in asked} == {
        "attic": True,
        "garage": False,
    }
    await share(tracker, NO_GPU, "qwen3:8b", 40.0)
    tracker.clock.now += TIMINGS_AGE_SECONDS
    nodes = (await tracker.http.get("/api/v1/nodes?sort=measured")).json()["nodes"]
    assert nodes[0]["name"] == "garage"


async def test_a_list_goes_on_when_timings_cannot_be_read(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(**_: object) -> list[TimingRecord]:
        raise StoreError("disk on fire")

    monkeypatch.setattr(tracker.store.contributions, "timings", fail)
    reply = await tracker.http.get("/api/v1/nodes?sort=measured")
    assert (reply.status_code, reply.json()["total"]) == (200, 3)


async def test_a_page_is_kept_for_a_while_unless_a_rig_comes_goes_or_changes(
    tracker: Tracker,
) -> None:
    first = (await tracker.http.get("/")).text
    await tracker.store.put_health({NVIDIA.node_id: make_health("paused")})
    assert (await tracker.http.get("/")).text == first
    assert "マップ" in (await tracker.http.get("/?lang=ja")).text
    await tracker.publish(make_node(1, name="attic", note="#loud", seq=2))
    assert "#loud" in (await tracker.http.get("/")).text
    banned = await tracker.decide("ban", TWIN.node_id, key=OPERATOR)
    assert banned.status_code == 200
    assert "cellar" not in (await tracker.http.get("/")).text
    await tracker.store.put_health({NVIDIA.node_id: make_health("busy")})
    tracker.clock.now += MAX_AGE_SECONDS
    assert 'data-status="busy"' in (await tracker.http.get("/")).text


async def test_an_old_page_is_given_for_a_while_but_none_without_a_rig_that_came(
    tracker: Tracker,
) -> None:
    first = (await tracker.http.get("/")).text
    await tracker.store.put_health({NVIDIA.node_id: make_health("busy")})
    tracker.clock.now += MAX_AGE_SECONDS - 1
    assert (await tracker.http.get("/")).text == first
    assert 'data-status="busy"' in (await tracker.http.get("/?lang=en")).text
    await tracker.publish(make_node(4, name="porch"))
    assert "porch" in (await tracker.http.get("/")).text
    assert (await tracker.decide("ban", NVIDIA.node_id, key=OPERATOR)).status_code == 200
    assert "attic" not in (await tracker.http.get("/")).text


async def test_a_tracker_whose_loops_run_makes_old_pages_anew() -> None:
    async with running_tracker(keys=make_keys(since=NOW)) as tracker, asyncio.TaskGroup() as group:
        first = (await tracker.http.get("/")).text
        tracker.clock.now += 2
        ends, told = asyncio.Event(), asyncio.Queue[Message]()
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Message:
            kind = next(messages)
            if kind == "lifespan.shutdown":
                await ends.wait()
            return {"type": kind}

        async def live() -> None:
            await tracker.transport.app({"type": "lifespan"}, receive, told.put)

        group.create_task(live())
        assert await told.get() == {"type": "lifespan.startup.complete"}
        while (page := (await tracker.http.get("/")).text) == first:
            await asyncio.sleep(0)  # it is made between these
        assert f'data-now="{NOW + 2}"' in page
        ends.set()
        assert await told.get() == {"type": "lifespan.shutdown.complete"}


async def test_head_says_what_get_sends_and_nobody_keeps_it(tracker: Tracker) -> None:
    plain = {"accept-encoding": "identity"}
    page = await tracker.http.get("/", headers=plain)
    head = await tracker.http.head("/", headers=plain)
    assert int(head.headers["content-length"]) == len(page.content)
    assert page.headers["cache-control"] == head.headers["cache-control"] == "no-cache"
    assert "etag" not in page.headers  # so If-None-Match asks for nothing


async def test_others_have_a_turn_while_a_page_is_made(tracker: Tracker) -> None:
    for number in range(10, 60):
        await tracker.publish(make_node(number))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await tracker.http.get("/")
    made_in = turns
    await tracker.http.get("/")  # it is kept
    task.cancel()
    assert made_in - (turns - made_in) >= 10


async def test_the_page_says_what_is_scarce_and_whom_rigs_are_like(tracker: Tracker) -> None:
    page = (await tracker.http.get(f"/?like={TWIN.node_id}")).text
    assert "Rigs like " in page
    assert 'href="/?gpu=cpu&amp;model=qwen3%3A8b&amp;quant=Q4_K_M"' in page
    unknown = (await tracker.http.get(f"/?like={make_node(9).node_id}")).text
    assert "No rig with that id is on this map." in unknown


def test_the_words_for_the_shortest_prompts_are_true() -> None:
    assert PROMPT_BUCKETS[0] == FIRST_BUCKET_TOKENS
