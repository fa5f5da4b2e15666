"""Waiting for a turn as a client sees it: comments, tickets, leaving, limits of time."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from luckrig.protocol.tokens import OWNER_PRIORITY
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.conditions import until
from tests.nodeproxy.rigs import Rig, make_token, running_rig

COMMENT = re.compile(r"^: queue position=(\d+) eta=(\d+|unknown) ticket=([\w-]{22})$")


class Scene:
    """A rig with one slot, which a first request holds until finish()."""

    def __init__(self, engine: FakeOpenAi, rig: Rig) -> None:
        self.engine, self.rig = engine, rig
        self.pace = OnDemand()
        engine.pace = self.pace

    async def occupy(self) -> "asyncio.Task[httpx2.Response]":
        """The one that runs."""
        running = asyncio.create_task(self.rig.chat(token=make_token(sub="the-one-that-runs")))
        await until(lambda: self.rig.node.queue.active == 1 and len(self.engine.requests) > 0)
        return running

    def finish(self) -> None:
        """The engine says all that it has to say, to everybody."""
        self.pace.allow(10_000)

    async def ask(self, method: str, ticket: str) -> httpx2.Response:
        return await self.rig.http.request(method, f"/luckrig/queue/{ticket}")


@pytest.fixture
def rig_settings() -> dict[str, Any]:
    """Room for one request; who waits hears of it at once."""
    return {"max_active": 1, "tell_seconds": 0.01}


@pytest.fixture
def scene(engine: FakeOpenAi, rig: Rig) -> Scene:
    return Scene(engine, rig)


async def first_comment(lines: AsyncIterator[str]) -> tuple[int, str, str]:
    async for line in lines:
        if found := COMMENT.match(line):
            return int(found[1]), found[2], found[3]
    raise AssertionError("no comment came")


def stream_of(rig: Rig, **fields: Any) -> Any:
    body = {"model": rig.models[0], "messages": [{"role": "user", "content": "x"}], "stream": True}
    headers = {"authorization": f"Bearer {rig.token}"}
    return rig.http.stream("POST", "/v1/chat/completions", json=body | fields, headers=headers)


async def test_streaming_client_reads_its_place_and_then_its_reply(scene: Scene) -> None:
    running = await scene.occupy()
    async with stream_of(scene.rig) as response:
        lines = response.aiter_lines()
        assert response.status_code == 200
        position, eta, ticket = await first_comment(lines)
        assert (position, eta) == (1, "unknown")
        view = (await scene.ask("GET", ticket)).json()
        assert view == {
            "ticket": ticket, "state": "waiting", "position": 1, "eta_seconds": None,
            "waiting": 1, "active": 1, "max_active": 1,
        }  # fmt: skip
        scene.finish()
        rest = [line async for line in lines if line.startswith("data: ")]
    assert rest[-1] == "data: [DONE]"
    assert '"queue_ms":0.0,' not in rest[-2]
    assert (await running).status_code == 200
    assert (await scene.ask("GET", ticket)).status_code == 404


async def test_stock_client_skips_the_comments(scene: Scene) -> None:
    running = await scene.occupy()
    asking = asyncio.create_task(
        scene.rig.openai().chat.completions.create(
            model=scene.rig.models[0],
            messages=[{"role": "user", "content": "x"}],
            stream=True,
        )
    )
    stream = await asking  # the head comes with the first comment
    scene.finish()
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == (await running).json()["choices"][0]["message"]["content"]


async def test_whole_reply_waits_in_silence_with_its_status(scene: Scene) -> None:
    running = await scene.occupy()
    waiting = asyncio.create_task(scene.rig.chat())
    await until(lambda: scene.rig.node.queue.waiting == 1)
    scene.engine.fault = "busy"
    scene.finish()
    assert (await waiting).status_code == 503
    assert (await running).status_code == 200


async def test_what_goes_wrong_after_a_comment_is_an_error_event(scene: Scene) -> None:
    running = await scene.occupy()
    async with stream_of(scene.rig) as response:
        lines = response.aiter_lines()
        await first_comment(lines)
        scene.engine.fault = "busy"
        scene.finish()
        events = [line async for line in lines if line.startswith("data: ")]
    assert len(events) == 1
    assert '"engine_unavailable"' in events[0]
    await running


@pytest.mark.parametrize("is_running", [False, True])
async def test_ticket_ends_its_request(is_running: bool, scene: Scene) -> None:
    running = await scene.occupy()
    async with stream_of(scene.rig) as response:
        lines = response.aiter_lines()
        _, _, ticket = await first_comment(lines)
        if is_running:
            running.cancel()
            await until(lambda: scene.rig.node.queue.waiting == 0)
        left = await scene.ask("DELETE", ticket)
        assert left.json()["state"] == ("running" if is_running else "waiting")
        events = [line async for line in lines if line.startswith("data: ")]
    assert '"cancelled"' in events[-1]
    running.cancel()
    await until(lambda: scene.rig.node.queue.active == 0)
    await scene.engine.left.acquire()


async def test_unknown_tickets_and_other_methods_are_refused(scene: Scene) -> None:
    for ticket in ("", "x", "a" * 22, "%2e%2e", "a" * 5000):
        assert (await scene.ask("GET", ticket)).status_code == 404
        assert (await scene.ask("DELETE", ticket)).status_code == 404
    assert (await scene.ask("POST", "x")).status_code == 405
    assert (await scene.ask("GET", "x/y")).status_code == 404


async def test_nobody_waits_for_ever(engine: FakeOpenAi) -> None:
    async with running_rig(
        engine.url, max_active=1, tell_seconds=0.01, max_wait_seconds=0.02
    ) as rig:
        scene = Scene(engine, rig)
        running = await scene.occupy()
        refused = await rig.chat()
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_timeout")
        assert refused.headers["retry-after"] == "30"
        assert rig.node.queue.waiting == 0
        running.cancel()


async def test_turn_that_lasts_too_long_ends(engine: FakeOpenAi) -> None:
    async with running_rig(engine.url, max_active=1, max_turn_seconds=0.05) as rig:
        engine.pace = pace = OnDemand()
        pace.allow(2)
        ended = await rig.chat()
        assert (ended.status_code, ended.json()["error"]["code"]) == (503, "turn_timeout")
        assert ended.headers["x-should-retry"] == "false"
        await engine.left.acquire()
        assert rig.node.queue.active == 0


async def test_owner_goes_first(scene: Scene) -> None:
    running = await scene.occupy()
    others = [
        asyncio.create_task(
            scene.rig.chat(f"other {n}", token=make_token(sub=f"somebody-else-{n:04}"))
        )
        for n in range(2)
    ]
    await until(lambda: scene.rig.node.queue.waiting == 2)
    owners = make_token(sub="owner-of-this-rig", priority=OWNER_PRIORITY)
    owner = asyncio.create_task(scene.rig.chat("owner", token=owners))
    await until(lambda: scene.rig.node.queue.waiting == 3)
    scene.finish()
    await asyncio.gather(running, owner, *others)
    asked = [b"owner" in request.body for request in scene.engine.requests]
    assert asked == [False, True, False, False]


async def test_queue_follows_the_slots_of_the_engine(scene: Scene) -> None:
    """Unless the owner said how many: here 1."""
    found: list[int] = []
    scene.rig.node.watch.on_slots = found.append
    state = scene.rig.node.watch.state
    for slots in (None, 4, 4, 2):
        scene.rig.node.watch.take(replace(state, slots=slots))
    assert found == [4, 2]
