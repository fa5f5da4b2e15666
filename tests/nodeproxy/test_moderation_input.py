"""Requests at a rig with a moderation service: what is refused, what is noted, what is told."""

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.moderation.flags import FlagLog, Subject
from luckrig.nodeproxy.moderation.hook import Verdict
from luckrig.nodeproxy.pipeline import Stages
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.moderation import ANSWER_SECONDS, FAULTS, FakeModeration
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.moderated_rigs import KEY, flags_in, moderated_rig
from tests.nodeproxy.rigs import Rig, running_rig
from tests.nodeproxy.test_proxy import asked, error_of, events

MARKER = "xyzzy-secret-marker"
SUBJECT = Subject("token-1", "request-1")
HATE = Verdict(("hate",))


def files_in(folder: Path) -> dict[str, str]:
    """The contents of all files."""
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
async def rig(engine: FakeOpenAi, service: FakeModeration, tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig that asks it about requests alone."""
    async with moderated_rig(engine.url, service, tmp_path, output="off") as running:
        engine.requests.clear()
        yield running


async def test_request_that_is_not_flagged_passes(
    rig: Rig, engine: FakeOpenAi, service: FakeModeration, tmp_path: Path
) -> None:
    assert (await rig.chat("Hello there")).status_code == 200
    assert "Hello there" in service.inputs
    assert len(asked(engine)) == 1
    assert flags_in(tmp_path) == []


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "awful"}]},
        {
            "messages": [
                {"role": "system", "content": "so awful"},
                {"role": "user", "content": "Hello"},
            ]
        },
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "awful"}]}]},
        {
            "messages": [
                {"role": "user", "content": "Hello"},
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "1",
                            "type": "function",
                            "function": {"name": "f", "arguments": '{"a":"\\u0061wful"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "1", "content": "x"},
            ]
        },
        {
            "messages": [{"role": "user", "content": "Hello"}],
            "tools": [{"type": "function", "function": {"name": "f", "description": "awful"}}],
        },
    ],
)
async def test_flagged_chat_never_reaches_the_engine(
    body: dict[str, Any], rig: Rig, engine: FakeOpenAi, tmp_path: Path
) -> None:
    for stream in (True, False):
        request = {"model": rig.models[0], "stream": stream, **body}
        response = await rig.post("/v1/chat/completions", request)
        assert error_of(response) == (400, "content_filter")
        assert response.headers["x-should-retry"] == "false"
        assert response.json()["error"]["param"] == "messages"
        assert "hate" in response.json()["error"]["message"]
        assert "awful" not in response.text
    assert asked(engine) == []
    assert len(flags_in(tmp_path)) == 2


async def test_flagged_completion_never_reaches_the_engine(rig: Rig, engine: FakeOpenAi) -> None:
    response = await rig.post("/v1/completions", {"model": rig.models[0], "prompt": "awful"})
    assert error_of(response) == (400, "content_filter")
    assert response.json()["error"]["param"] == "prompt"
    assert asked(engine) == []


@pytest.mark.parametrize("fault", [*FAULTS, "refused"])
async def test_every_fault_of_the_service_blocks(
    fault: str, engine: FakeOpenAi, service: FakeModeration, tmp_path: Path
) -> None:
    """Fail closed: without an answer to rely on nothing reaches the engine."""
    waits = fault in ("silence", "all but the last byte")
    seconds = ANSWER_SECONDS if waits else 5.0
    async with moderated_rig(engine.url, service, tmp_path, timeout_seconds=seconds) as rig:
        engine.requests.clear()
        if fault == "refused":
            await service.stop()
        else:
            service.fault = fault
        response = await rig.chat("Hello", stream=True)
        assert error_of(response) == (503, "moderation_unavailable")
        assert response.headers["retry-after"] == "5"
        assert asked(engine) == []
        assert rig.node.queue.active == 0
        assert rig.node.watch.state.status == "ready"  # it isn't the engine's fault
        assert flags_in(tmp_path) == []


async def test_local_rules_come_first(rig: Rig, service: FakeModeration) -> None:
    """What the rig can refuse by itself is told to nobody."""
    assert error_of(await rig.chat("nude 12 year old")) == (400, "content_filter")
    assert error_of(await rig.chat("Hello", token="x")) == (401, "token_invalid")
    assert service.heads == []


async def test_a_check_takes_no_turn_at_the_engine(
    rig: Rig, engine: FakeOpenAi, service: FakeModeration
) -> None:
    service.hold()
    request = asyncio.create_task(rig.chat("Hello"))
    while not service.heads:
        await asyncio.sleep(0.001)
    assert rig.node.queue.active == 0
    service.allow()
    assert (await request).status_code == 200


async def test_client_that_leaves_during_the_check_never_reaches_the_engine(
    rig: Rig, engine: FakeOpenAi, service: FakeModeration
) -> None:
    service.hold()
    request = asyncio.create_task(rig.chat("Hello"))
    while not service.heads:
        await asyncio.sleep(0.001)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    service.allow(2)
    assert (await rig.chat("Another")).status_code == 200
    assert len(asked(engine)) == 1


async def test_stock_client_never_retries_what_was_flagged(
    rig: Rig, engine: FakeOpenAi, service: FakeModeration
) -> None:
    """Counted where it matters: each retry would be a check of its own."""
    requests: list[httpx2.Request] = []

    async def count(request: httpx2.Request) -> None:
        requests.append(request)

    rig.http.event_hooks = {"request": [count]}
    with pytest.raises(openai.BadRequestError, match="hate") as refused:
        await rig.openai(max_retries=2).chat.completions.create(
            model=rig.models[0], messages=[{"role": "user", "content": "awful"}]
        )
    assert refused.value.code == "content_filter"
    assert len(requests) == len(service.heads) == 1
    assert asked(engine) == []


async def test_what_is_off_costs_nothing(engine: FakeOpenAi, rig: Rig) -> None:
    """Without a service there is no step, and without output checks nothing around the reply."""
    assert rig.node.moderation is not None
    assert rig.node.moderation.output is None
    assert rig.node.moderation.recorder is None
    async with running_rig(engine.url) as plain:
        assert plain.node.moderation is None


def test_the_service_is_asked_after_the_rules_and_before_the_queue() -> None:
    class Named:
        async def __call__(self, exchange: Exchange) -> None:
            """Does nothing."""

    steps: dict[str, Any] = {name: Named() for name in Stages.__dataclass_fields__}
    order = list(Stages(**steps).generation)
    assert order.index(steps["moderate"]) == order.index(steps["obey_rules"]) + 1
    assert order.index(steps["moderate"]) == order.index(steps["wait_for_turn"]) - 1
    without = list(replace(Stages(**steps), moderate=None).generation)
    assert without == [step for step in order if step is not steps["moderate"]]


async def test_nothing_secret_is_logged_or_noted(
    engine: FakeOpenAi, service: FakeModeration, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither prompt nor reply nor key, in any mode, with any fault."""
    caplog.set_level(0)
    caplog.set_level(0, logger="luckrig")
    engine.reply = [MARKER, " awful"]
    answers: list[str] = []
    for output in ("record", "block", "off"):
        async with moderated_rig(
            engine.url, service, tmp_path, output=output, timeout_seconds=ANSWER_SECONDS
        ) as rig:
            answers.append((await rig.chat(f"{MARKER} awful")).text)
            for fault in (None, *FAULTS):
                service.fault, service.fault_after = fault, len(service.heads) + 1
                answers += [(await rig.chat("Hello", stream=True)).headers.__repr__()]
                service.fault = None
    said = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("luckrig")
    )
    noted = "\n".join(files_in(tmp_path).values())
    assert said and noted
    for secret in (MARKER, KEY, "awful"):
        assert secret not in said + noted + "".join(answers)


# The flags file


async def test_a_flag_says_which_request_and_nothing_of_it(rig: Rig, tmp_path: Path) -> None:
    response = await rig.chat("awful")
    (flag,) = flags_in(tmp_path)
    assert flag.keys() == {"time", "jti", "request", "categories", "direction"}
    assert flag["request"] == response.headers["luckrig-request"]
    assert flag["jti"].startswith("token-")
    assert (flag["categories"], flag["direction"]) == (["hate"], "input")
    assert stat.S_IMODE((tmp_path / "flags.jsonl").stat().st_mode) == 0o600


def flag_log(folder: Path, max_bytes: int = 1 << 20) -> FlagLog:
    """A log at a fixed time."""
    return FlagLog(folder, lambda: 1_800_000_000, max_bytes=max_bytes)


async def test_flags_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "moderation"
    await flag_log(folder).note(SUBJECT, HATE, "output")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "flags.jsonl").chmod(0o644)
    await flag_log(folder).note(SUBJECT, HATE, "output")
    assert stat.S_IMODE((folder / "flags.jsonl").stat().st_mode) == 0o600
    assert len(flags_in(folder)) == 2


async def test_flags_file_keeps_its_size(tmp_path: Path) -> None:
    log = flag_log(tmp_path, max_bytes=1000)
    for _ in range(100):
        await log.note(SUBJECT, HATE, "input")
        assert all(len(content) <= 1000 for content in files_in(tmp_path).values())
    assert files_in(tmp_path).keys() == {"flags.1.jsonl", "flags.jsonl"}
    assert flags_in(tmp_path)


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Each log stands for a process: they share nothing but the files."""
    logs = [flag_log(tmp_path, max_bytes=40_000) for _ in range(8)]

    def write(log: FlagLog) -> None:
        for _ in range(50):
            asyncio.run(log.note(SUBJECT, HATE, "input"))

    threads = [threading.Thread(target=write, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = "".join(files_in(tmp_path).values()).splitlines()
    assert len(lines) == 400
    assert len(set(lines)) == 1
    assert sum(log.lost for log in logs) == 0


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
async def test_a_flag_that_cannot_be_written_still_blocks(
    kind: str, rig: Rig, engine: FakeOpenAi, tmp_path: Path
) -> None:
    path = tmp_path / "flags.jsonl"
    target = tmp_path / "target"
    if kind == "link":
        path.symlink_to(target)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    assert error_of(await rig.chat("awful")) == (400, "content_filter")
    assert asked(engine) == []
    assert not target.exists()


async def test_a_reply_is_not_checked_when_output_is_off(
    rig: Rig, engine: FakeOpenAi, service: FakeModeration
) -> None:
    engine.reply = ["so", " awful"]
    engine.pace = pace = OnDemand()
    pace.allow(2)
    *chunks, done = events((await rig.chat("Hello", stream=True)).text)
    assert done == "[DONE]"
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == "so awful"
    assert len(service.heads) == 1
