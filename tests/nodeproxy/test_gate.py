"""A closed rig on a real socket: who is refused, who isn't, what goes on, what is remembered."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from luckrig.nodeproxy.gate import Gate
from luckrig.nodeproxy.opening import RISE_SECONDS, Wishes
from luckrig.nodeproxy.owner_state import OwnerState, load_state, save_state
from luckrig.nodeproxy.queue import RequestQueue
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.schedule import Schedule, parse_windows
from luckrig.protocol.telemetry import GpuReading
from luckrig.protocol.tokens import OWNER_PRIORITY
from luckrig.protocol.wishes import Wish
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.conditions import until
from tests.nodeproxy.rigs import NODE_ID, ROOT_ID, Rig, make_token, running_rig
from tests.nodeproxy.test_proxy import asked, error_of, events


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


def owners_token() -> str:
    """Made when it is used: a token of the first minute isn't one in the tenth."""
    return make_token(sub="the-owner-of-the-rig", priority=OWNER_PRIORITY)


@pytest.fixture
def rig_settings() -> dict[str, Any]:
    """Room for one request."""
    return {"max_active": 1}


def always_closed() -> Wishes:
    """Open for one minute of a day that is three days away."""
    day = datetime.fromtimestamp(time.time() + 3 * 86_400, tz=UTC).strftime("%a").lower()
    windows = parse_windows([f"{day} 12:00-12:01"])
    return Wishes(schedule=Schedule(windows=windows, timezone="UTC"))


async def test_a_paused_rig_refuses_before_any_work(engine: FakeOpenAi, rig: Rig) -> None:
    await rig.node.gate.pause(None)
    for path in ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions"):
        refused = await rig.post(path, b"not even read")
        assert error_of(refused) == (503, "rig_paused")
    assert "owner has paused" in refused.json()["error"]["message"]
    assert refused.headers["retry-after"] == "120"
    assert refused.headers["x-should-retry"] == "false"
    assert asked(engine) == []
    await rig.node.gate.resume()
    assert (await rig.chat()).status_code == 200


async def test_only_good_tokens_hear_that_it_is_paused(rig: Rig) -> None:
    await rig.node.gate.pause(None)
    assert error_of(await rig.chat(token="forged")) == (401, "token_invalid")


async def test_models_and_health_answer_while_it_is_paused(rig: Rig) -> None:
    assert "opens_at" not in (await rig.http.get("/health")).json()
    await rig.node.gate.pause(90)
    health = (await rig.http.get("/health")).json()
    assert health["status"] == "paused"
    assert abs(health["opens_at"] - time.time() - 90) < 30
    headers = {"authorization": f"Bearer {rig.token}"}
    assert (await rig.http.get("/v1/models", headers=headers)).status_code == 200


async def test_the_owners_requests_pass_a_pause_but_not_a_drain(rig: Rig) -> None:
    await rig.node.gate.pause(None)
    assert (await rig.chat(token=owners_token())).status_code == 200
    rig.node.gate.drain(stop=False)
    assert error_of(await rig.chat(token=owners_token())) == (503, "rig_paused")


async def test_the_newest_wish_counts_wherever_it_was_said(rig: Rig) -> None:
    """On the tracker's pages, or here."""
    gate, now = rig.node.gate, int(time.time())

    async def hear(*, paused: bool, at: int) -> str:
        rig.tracker.wish = Wish(iss=ROOT_ID, aud=NODE_ID, paused=paused, at=at)
        await rig.node.revocations.refresh()
        return str((await rig.http.get("/health")).json()["status"])

    assert "wish_at" not in (await rig.http.get("/health")).json()
    assert await hear(paused=True, at=now - 50) == "paused"
    assert gate.from_tracker
    assert (await rig.http.get("/health")).json()["wish_at"] == now - 50
    assert rig.node.telemetry().wish_at == now - 50
    await gate.resume()
    assert await hear(paused=True, at=now - 50) == "available", "the owner was here since"
    assert not gate.from_tracker
    await gate.pause(None)
    assert await hear(paused=False, at=now - 40) == "paused", "older than what was said here"
    assert await hear(paused=False, at=gate.wish_at + 1 if gate.wish_at else 0) == "available"
    with pytest.raises(LuckrigError, match="future"):
        await hear(paused=True, at=now + 500)
    gate.drain(stop=False)
    assert await hear(paused=False, at=int(time.time()) + 5) == "paused", "a drain is no pause"


async def test_a_closed_schedule_says_when_it_opens(engine: FakeOpenAi) -> None:
    async with running_rig(engine.url, wishes=always_closed()) as rig:
        refused = await rig.chat()
        assert error_of(refused) == (503, "rig_paused")
        assert "outside its opening hours. It opens at 20" in refused.json()["error"]["message"]
        assert 1 <= int(refused.headers["retry-after"]) <= 86_400
        health = (await rig.http.get("/health")).json()
        assert health["opens_at"] % 86_400 == 12 * 3600


async def test_a_running_stream_goes_on_and_the_waiting_one_is_refused(
    engine: FakeOpenAi, rig: Rig
) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(1)
    running = asyncio.create_task(rig.chat(stream=True))
    await until(lambda: rig.node.queue.active == 1)
    waiting = asyncio.create_task(rig.chat(token=make_token(sub="another-user-0001")))
    await until(lambda: rig.node.queue.waiting == 1)
    await rig.node.gate.pause(None)
    pace.allow(1000)
    assert events((await running).text)[-1] == "[DONE]"
    assert error_of(await waiting) == (503, "rig_paused")
    assert len(asked(engine)) == 1


async def test_a_drain_serves_whoever_waits_and_then_lets_the_rig_end(
    engine: FakeOpenAi, rig: Rig
) -> None:
    engine.pace = pace = OnDemand()
    running = asyncio.create_task(rig.chat(stream=True))
    await until(lambda: rig.node.queue.active == 1)
    waiting = asyncio.create_task(rig.chat(stream=True))
    await until(lambda: rig.node.queue.waiting == 1)
    gate = rig.node.gate
    gate.drain(stop=True)
    assert error_of(await rig.chat()) == (503, "rig_paused")
    assert not gate.drained.is_set()
    pace.allow(1000)
    assert events((await running).text)[-1] == "[DONE]"
    assert events((await waiting).text)[-1] == "[DONE]"
    await gate.look()
    assert gate.drained.is_set()


# The day's tokens, and what is remembered


async def test_tokens_are_counted_capped_and_outlive_the_rig(
    engine: FakeOpenAi, tmp_path: Path
) -> None:
    path = tmp_path / "run" / "state.json"
    wishes = Wishes(tokens_per_day=20)
    async with running_rig(engine.url, wishes=wishes, state_path=path) as rig:
        assert (await rig.chat(token=owners_token())).status_code == 200
        assert rig.node.gate.tokens_today == 0
        assert (await rig.chat()).status_code == 200
        assert rig.node.gate.tokens_today == 17
        assert (await rig.chat(stream=True)).status_code == 200
        refused = await rig.chat()
        assert error_of(refused) == (503, "rig_paused")
        assert "for today" in refused.json()["error"]["message"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_state(path).tokens == 34
    async with running_rig(engine.url, wishes=wishes, state_path=path) as again:
        assert error_of(await again.chat()) == (503, "rig_paused")
        assert (await again.chat(token=owners_token())).status_code == 200


def gate(clock: Clock, path: Path | None = None, wishes: Wishes | None = None) -> Gate:
    queue = RequestQueue(max_active=1, max_waiting=1, monotonic=clock, new_id=lambda: "id")
    return Gate(
        wishes or Wishes(), queue, state_path=path, readings=list, clock=clock, monotonic=clock
    )


async def test_a_pause_outlives_a_restart_and_ends_by_itself(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "state.json"
    await gate(clock, path).pause(3600)
    restarted = gate(clock, path)
    assert restarted.opening().reason == "paused"
    clock.now += 3601
    assert restarted.opening().reason is None
    await gate(clock, path).pause(None)
    await gate(clock, path).resume()
    assert gate(clock, path).opening().reason is None


async def test_a_new_day_has_new_tokens(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "state.json"
    save_state(path, OwnerState(day=1, tokens=10))
    wishes = Wishes(tokens_per_day=10)
    assert gate(clock, path, wishes).opening().reason is None
    today = gate(clock, path, wishes)
    clock.now += 86_400
    assert today.tokens_today == 0


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"paused": 1}', b'{"pause": true}', b'{"tokens": -1}', b"\xff"]
)
async def test_a_damaged_state_stops_the_start(content: bytes, tmp_path: Path) -> None:
    """It might have said that the owner paused the rig."""
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        gate(Clock(), path)


async def test_a_pause_that_cannot_be_saved_is_on_all_the_same(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    closing = gate(Clock(), blocked / "state.json")
    blocked.touch()
    with pytest.raises(OSError, match="file"):
        await closing.pause(None)
    assert closing.opening().reason == "paused"
    await closing.look()  # the loop only warns


# Readings


@dataclass
class Gpus:
    """What the driver says. Implements Readings."""

    now: list[GpuReading] = field(default_factory=list[GpuReading])

    def __call__(self) -> Sequence[GpuReading]:
        return self.now


async def test_a_hot_rig_closes_for_everybody_and_a_busy_one_for_others() -> None:
    clock, gpus = Clock(), Gpus([GpuReading(celsius=60), GpuReading(celsius=81, utilization=0.1)])
    queue = RequestQueue(max_active=1, max_waiting=1, monotonic=clock, new_id=lambda: "id")
    wishes = Wishes(max_celsius=80, idle_only=True)
    watched = Gate(wishes, queue, state_path=None, readings=gpus, clock=clock, monotonic=clock)
    await watched.look()
    assert watched.opening().reason is None
    clock.now += RISE_SECONDS
    await watched.look()
    assert watched.opening().reason == "too_hot"
    gpus.now = [GpuReading(utilization=0.9, watts=10), GpuReading(watts=20)]
    await watched.look()
    clock.now += RISE_SECONDS
    await watched.look()
    assert watched.opening().reason == "owner_busy"
    assert watched.reading == (0.9, None, 30)


async def test_our_own_request_makes_nobody_busy(engine: FakeOpenAi) -> None:
    gpus = Gpus([GpuReading(utilization=1.0)])
    clock = Clock()
    wishes = Wishes(idle_only=True)
    async with running_rig(engine.url, wishes=wishes, readings=gpus, clock=clock) as rig:
        engine.pace = pace = OnDemand()
        running = asyncio.create_task(rig.chat(stream=True))
        await until(lambda: rig.node.queue.active == 1)
        for _ in range(5):
            clock.now += RISE_SECONDS
            await rig.node.gate.look()
        assert rig.node.gate.opening().reason is None
        pace.allow(1000)
        await running


async def test_only_chosen_models_are_offered(engine: FakeOpenAi) -> None:
    async with running_rig(engine.url) as plain:
        (model,) = plain.models
    async with running_rig(engine.url, models=frozenset({model})) as rig:
        assert rig.models == [model]
    async with running_rig(engine.url, models=frozenset({"other"})) as rig:
        await rig.node.watch.look()
        body = {"model": model, "messages": [{"role": "user", "content": "x"}]}
        refused = await rig.post("/v1/chat/completions", body)
        assert error_of(refused) == (404, "model_not_found")
