"""What a rig says of itself after what happened to it, on real sockets."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from luckrig.nodeproxy.counters import MAX_RECENT_ERRORS
from luckrig.nodeproxy.sensors import Sensors
from luckrig.nodeproxy.server import ServerLimits
from luckrig.protocol.telemetry import (
    MAX_GPUS,
    MAX_TELEMETRY_BYTES,
    GpuReading,
    Telemetry,
)
from tests.fake_engines.engine import Fault, OnDemand
from tests.fake_engines.moderation import FakeModeration
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.conditions import until
from tests.nodeproxy.moderated_rigs import moderated_rig
from tests.nodeproxy.prometheus import values
from tests.nodeproxy.rigs import Rig, make_token, running_rig
from tests.nodeproxy.test_sensors import RTX_3090, machine
from tests.nodeproxy.test_waiting import stream_of

FORBIDDEN = "a nude 12 year old"


@pytest.fixture
def rig_settings() -> dict[str, Any]:
    """Room for one request, and one that waits.

    The machine's memory stays as it is, so that no figure changes by itself.
    """
    return {"max_active": 1, "max_queue": 1, "sensors": Sensors(machine(), list)}


@pytest.fixture
async def rig(rig: Rig) -> Rig:
    """The usual one, once its memory was read."""
    await until(lambda: rig.node.telemetry().memory_used_bytes)
    return rig


async def metrics(rig: Rig) -> dict[str, float]:
    response = await rig.http.get("/metrics")
    assert response.status_code == 200
    return values(response.text)


def requests(code: str, endpoint: str = "chat") -> str:
    return f'luckrig_requests_total{{endpoint="{endpoint}",code="{code}"}}'


async def change(rig: Rig, happens: Callable[[], Any]) -> dict[str, float]:
    """What changed in the metrics, those of looking at them aside."""
    before = await metrics(rig)
    await happens()
    after = await metrics(rig)
    looking = requests("ok", "metrics")
    return {
        name: value - before.get(name, 0)
        for name, value in after.items()
        if value != before.get(name, 0) and name != looking
    }


async def test_a_reply_counts_itself_its_tokens_and_its_times(rig: Rig) -> None:
    for stream in (False, True):
        seen = await change(rig, partial(rig.chat, stream=stream))
        assert seen.pop(requests("ok")) == 1
        assert seen.pop("luckrig_served_total") == 1
        assert seen.pop("luckrig_prompt_tokens_total") == 7
        assert seen.pop("luckrig_completion_tokens_total") == 10
        assert seen.pop("luckrig_queue_wait_seconds_count") == 1
        assert seen.pop("luckrig_first_token_seconds_count") == 1
        assert seen.pop("luckrig_receipts_waiting") == 1
        assert seen.pop("luckrig_tokens_per_second") > 0
        assert all("seconds" in name for name in seen), seen
    said = rig.node.telemetry()
    assert (said.status, said.served, said.failed, said.error_share) == ("available", 2, 0, 0.0)
    assert said.tokens_per_second is not None


async def test_each_endpoint_has_its_own_number(rig: Rig) -> None:
    model = rig.models[0]
    await rig.post("/v1/completions", {"model": model, "prompt": "x"})
    await rig.post("/v1/responses", {"model": model, "input": "x"})
    await rig.post("/v1/embeddings", {"model": model, "input": ["x", "y"]})
    await rig.http.get("/v1/models", headers={"authorization": f"Bearer {rig.token}"})
    await rig.http.get("/health")
    await rig.http.get("/luckrig/queue/x")
    await rig.http.get("/nowhere")
    seen = await metrics(rig)
    for endpoint in ("completion", "responses", "embeddings", "models", "health"):
        assert seen[requests("ok", endpoint)] == 1
    assert seen[requests("ticket_not_found", "ticket")] == 1
    assert seen[requests("not_found", "none")] == 1
    assert seen["luckrig_served_total"] == 3
    assert seen["luckrig_prompt_tokens_total"] == 7 + 7 + 6
    assert seen["luckrig_first_token_seconds_count"] == 2, "vectors have no first token"


@pytest.mark.parametrize(
    ("fault", "code", "failed"),
    [
        ("error", "engine_error", 1),
        ("busy", "engine_unavailable", 1),
        ("loading", "engine_loading", 1),
        ("too-long", "context_length_exceeded", 0),
    ],
)
async def test_failures_are_those_of_the_engine(
    fault: Fault, code: str, failed: int, engine: FakeOpenAi, rig: Rig
) -> None:
    engine.fault = fault
    assert (await rig.chat()).status_code >= 400
    engine.fault = None
    await rig.chat()
    seen, said = await metrics(rig), rig.node.telemetry()
    assert seen[requests(code)] == 1
    assert (said.failed, said.served, said.error_share) == (failed, 1, failed / 2)
    assert seen["luckrig_failed_total"] == failed
    assert seen["luckrig_error_share"] == failed / 2
    (error,) = rig.node.recent_errors
    assert (error.endpoint, error.code) == ("chat", code)


async def test_a_bug_of_ours_is_a_failure_that_reached_no_engine(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[str]:
        raise RuntimeError

    monkeypatch.setattr("luckrig.nodeproxy.steps.obey_rules.texts_of", broken)
    await rig.chat()
    said = rig.node.telemetry()
    assert (said.failed, said.error_share) == (1, 0.0)
    assert (await metrics(rig))[requests("internal_error")] == 1


async def test_refusals_are_nobodys_failure(rig: Rig) -> None:
    await rig.chat(token="x")
    await rig.chat(FORBIDDEN)
    await rig.chat(model="another")
    seen, said = await metrics(rig), rig.node.telemetry()
    for code in ("token_invalid", "content_filter", "model_not_found"):
        assert seen[requests(code)] == 1
    assert seen['luckrig_rule_hits_total{category="sexual/minors"}'] == 1
    assert seen['luckrig_rule_hits_total{category="illicit"}'] == 0
    assert (said.served, said.failed, said.error_share) == (0, 0, 0.0)
    assert seen["luckrig_queue_wait_seconds_count"] == 0
    assert len(rig.node.recent_errors) == 3


async def test_the_queue_is_seen_while_it_is_full(engine: FakeOpenAi, rig: Rig) -> None:
    engine.pace = pace = OnDemand()
    tasks = [
        asyncio.create_task(rig.chat(token=make_token(sub=f"the-user-called-{name}")))
        for name in ("a", "b")
    ]
    await until(lambda: rig.node.queue.waiting == 1)
    refused = await rig.chat(token=make_token(sub="the-user-called-c"))
    seen, said = await metrics(rig), rig.node.telemetry()
    assert refused.status_code == 429
    assert seen[requests("queue_full")] == 1
    assert (said.status, said.active, said.waiting) == ("busy", 1, 1)
    assert (said.max_active, said.max_waiting) == (1, 1)
    for name in ("active", "waiting", "max_active", "max_waiting"):
        assert seen[f"luckrig_{name}"] == 1
    pace.allow(1000)
    assert [response.status_code for response in await asyncio.gather(*tasks)] == [200, 200]
    seen = await metrics(rig)
    assert (seen["luckrig_active"], seen["luckrig_waiting"]) == (0, 0)
    assert seen["luckrig_queue_wait_seconds_count"] == 2
    assert seen["luckrig_queue_wait_seconds_sum"] > 0


async def test_tokens_of_a_stream_count_while_it_runs_and_after_its_client_left(
    engine: FakeOpenAi, rig: Rig
) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(4)
    async with stream_of(rig) as response:
        lines = response.aiter_lines()
        for _ in range(4):
            await until_data(lines)
        seen = await metrics(rig)
        assert seen["luckrig_completion_tokens_total"] >= 3
        assert seen["luckrig_served_total"] == 0
        assert rig.node.telemetry().tokens_per_second is not None
    await until(lambda: rig.node.queue.active == 0)
    gone = await metrics(rig)
    assert gone[requests("client_gone")] == 1
    assert gone["luckrig_completion_tokens_total"] >= seen["luckrig_completion_tokens_total"]
    assert (gone["luckrig_served_total"], gone["luckrig_failed_total"]) == (0, 0)
    assert rig.node.recent_errors == []


async def until_data(lines: AsyncIterator[str]) -> None:
    async for line in lines:
        if line.startswith("data: "):
            return


async def test_whoever_is_cut_off_is_counted_by_the_reason(engine: FakeOpenAi) -> None:
    engine.pace = OnDemand()
    async with running_rig(engine.url, max_turn_seconds=0.05) as rig:
        assert (await rig.chat()).json()["error"]["code"] == "turn_timeout"
        assert (await metrics(rig))[requests("turn_timeout")] == 1


async def test_connections_are_counted_and_so_is_what_is_no_http(engine: FakeOpenAi) -> None:
    async with running_rig(
        engine.url, limits=ServerLimits(connections=3, linger_seconds=60)
    ) as rig:
        address = rig.origin.removeprefix("http://").split(":")
        assert (await metrics(rig))["luckrig_connections"] == 1
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"NONSENSE\r\n\r\n")
        assert b" 400 " in await reader.readline()
        _, idle = await asyncio.open_connection(*address)
        await until(lambda: rig.node.connections.open == 3)
        turned_away, fourth = await asyncio.open_connection(*address)
        assert await turned_away.read() == b""
        seen = await metrics(rig)
        assert seen["luckrig_malformed_total"] == 1
        assert seen["luckrig_connections_turned_away_total"] == 1
        for each in (writer, idle, fourth):
            each.close()
        await until(lambda: rig.node.connections.open == 1)


async def test_receipts_that_wait_and_that_are_lost(rig: Rig) -> None:
    rig.node.receipts.limit(2)
    rig.tracker.away = True
    for _ in range(3):
        await rig.chat()
    seen = await metrics(rig)
    assert (seen["luckrig_receipts_waiting"], seen["luckrig_receipts_lost_total"]) == (2, 1)
    rig.tracker.away = False
    await rig.node.sender.flush()
    seen = await metrics(rig)
    assert (seen["luckrig_receipts_waiting"], seen["luckrig_receipts_lost_total"]) == (0, 1)


@pytest.mark.parametrize("output", ["block", "record"])
async def test_flags_are_counted_by_direction(
    output: str, engine: FakeOpenAi, tmp_path: Path
) -> None:
    async with (
        FakeModeration(flagged={"awful": "hate"}) as service,
        moderated_rig(engine.url, service, tmp_path, output=output) as rig,
    ):
        await rig.chat("awful")
        engine.reply = ["so ", "awful"]
        await rig.chat()
        assert rig.node.moderation is not None
        flags = rig.node.moderation.flags
        await until(lambda: flags.noted["output"])
        seen = await metrics(rig)
        assert seen['luckrig_moderation_flags_total{direction="input"}'] == 1
        assert seen['luckrig_moderation_flags_total{direction="output"}'] == 1
        assert seen[requests("content_filter")] == 1
        assert all(value == 0 for name, value in seen.items() if "rule_hits" in name)
        assert ("luckrig_moderation_unchecked_total" in seen) == (output == "record")


async def test_replies_that_nobody_checked_are_counted(engine: FakeOpenAi, tmp_path: Path) -> None:
    async with (
        FakeModeration() as service,
        moderated_rig(engine.url, service, tmp_path, output="record") as rig,
    ):
        assert (await metrics(rig))["luckrig_moderation_unchecked_total"] == 0
        service.fault, service.fault_after = "status 500", 1
        await rig.chat()
        assert rig.node.moderation is not None
        recorder = rig.node.moderation.recorder
        assert recorder is not None
        await until(lambda: recorder.failed)
        assert (await metrics(rig))["luckrig_moderation_unchecked_total"] == 1


async def test_the_engines_state_is_the_rigs(engine: FakeOpenAi, rig: Rig) -> None:
    seen = await metrics(rig)
    assert seen['luckrig_engine_state{state="ready"}'] == 1
    assert seen['luckrig_model_offered{model="stand-in"}'] == 1
    await engine.stop()
    await rig.chat()
    await until(lambda: rig.node.telemetry().status == "unavailable")
    seen = await metrics(rig)
    assert seen['luckrig_engine_state{state="ready"}'] == 0
    assert seen['luckrig_engine_state{state="down"}'] == 1


async def test_sensors_reach_heartbeat_and_metrics(engine: FakeOpenAi) -> None:
    sensors = Sensors(machine(), lambda: [RTX_3090, GpuReading(celsius=40.0)])
    async with running_rig(engine.url, sensors=sensors) as rig:
        await until(lambda: rig.node.telemetry().gpus)
        said, seen = rig.node.telemetry(), await metrics(rig)
    assert said.gpus == [RTX_3090, GpuReading(celsius=40.0)]
    assert seen["luckrig_memory_used_bytes"] == said.memory_used_bytes == 24_600_000 << 10
    assert seen["luckrig_memory_total_bytes"] == said.memory_total_bytes
    assert seen['luckrig_gpu_celsius{gpu="0"}'] == 71
    assert seen['luckrig_gpu_celsius{gpu="1"}'] == 40
    assert seen['luckrig_gpu_watts{gpu="0"}'] == 318.5
    assert seen['luckrig_gpu_utilization{gpu="0"}'] == 0.88
    assert 'luckrig_gpu_watts{gpu="1"}' not in seen


async def test_a_sensor_that_hangs_delays_no_request_and_no_end(engine: FakeOpenAi) -> None:
    """Nothing lets the sensor go before the rig has served and stopped."""
    free, asked = threading.Event(), threading.Event()

    def stuck() -> Sequence[GpuReading]:
        asked.set()
        free.wait()
        return []

    async with running_rig(engine.url, sensors=Sensors(machine(), stuck)) as rig:
        await until(asked.is_set)
        assert (await rig.chat()).status_code == 200
        said = rig.node.telemetry()
        assert (said.memory_used_bytes, said.gpus) == (None, [])
        assert "luckrig_memory_used_bytes" not in await metrics(rig)
    assert not free.is_set()
    free.set()


async def test_the_largest_heartbeat_fits(engine: FakeOpenAi) -> None:
    most = GpuReading(
        memory_used_bytes=2**60,
        memory_total_bytes=2**60,
        utilization=0.9999999999999999,
        celsius=-49.99999999999999,
        watts=4999.999999999999,
    )
    sensors = Sensors(machine(), lambda: [most] * (MAX_GPUS + 1))
    async with running_rig(engine.url, sensors=sensors) as rig:
        await rig.chat()
        await until(lambda: rig.node.telemetry().gpus)
        said = rig.node.telemetry()
    encoded = msgspec.json.encode(said)
    assert len(said.gpus) == MAX_GPUS
    assert len(encoded) <= MAX_TELEMETRY_BYTES
    assert msgspec.json.decode(encoded, type=Telemetry) == said


async def test_recent_errors_are_the_last_ones(rig: Rig) -> None:
    for _ in range(MAX_RECENT_ERRORS + 5):
        await rig.chat(token="x")
    await rig.post("/v1/embeddings", {"model": "another", "input": "x"})
    assert len(rig.node.recent_errors) == MAX_RECENT_ERRORS
    last = rig.node.recent_errors[-1]
    assert (last.endpoint, last.code) == ("embeddings", "model_not_found")
