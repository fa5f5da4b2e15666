"""Every fault on every engine: the right status or error event, nothing held, nothing told."""

import asyncio
import json
from typing import Any, Final

import httpx2
import pytest

from tests.fake_engines.engine import FakeEngine
from tests.fake_engines.knobs import FAULTS, Fault
from tests.nodeproxy.conditions import until
from tests.nodeproxy.dialect_cases import CASES, EMBEDDER, rig_of
from tests.nodeproxy.rigs import Rig

BROKEN: Final = (502, "engine_error")
SILENT: Final = (503, "engine_unavailable")
EXPECTED: Final[dict[Fault, tuple[int, str]]] = {
    "busy": SILENT,
    "loading": (503, "engine_loading"),
    "locked": SILENT,
    "too-long": (400, "context_length_exceeded"),
    "slow-head": SILENT,
    "hang-up": SILENT,
    "html": BROKEN,
    "redirect": BROKEN,
    "gzip": BROKEN,
    "huge": BROKEN,
    "wrong-length": BROKEN,
    "stall": SILENT,
    "reset": BROKEN,
    "garbage": BROKEN,
    "half": BROKEN,
    "error": BROKEN,
    "endless": (503, "turn_timeout"),
}
IN_THE_MIDDLE: Final = frozenset({"stall", "reset", "garbage", "half", "error", "endless"})
LIMITS: Final[dict[Fault, dict[str, float]]] = {
    "slow-head": {"engine_head_timeout_seconds": 0.1},
    "stall": {"engine_idle_timeout_seconds": 0.2},
    "endless": {"max_turn_seconds": 0.3},
}
"""Only where waiting for the limit is the point: a busy machine must not meet it."""

SECRETS: Final = ("planted", "/home", "CUDA", "DOCTYPE", "127.0.0.1", "Traceback")


def test_every_fault_has_its_answer() -> None:
    assert set(EXPECTED) == set(FAULTS)


@pytest.mark.parametrize("fault", EXPECTED)
@pytest.mark.parametrize("name", CASES)
async def test_a_fault_is_told_and_nothing_is_held_or_leaked(name: str, fault: Fault) -> None:
    async with rig_of(name, max_active=1, **LIMITS.get(fault, {})) as (engine, rig):
        engine.fault = fault
        for form in (_chat, _stream, _completion, _response):
            answer = await form(rig)
            assert _outcome(answer) == _expected(fault, streamed=form is _stream), form
            _assert_tells_nothing(answer)
            await _is_free(engine, rig)
        if fault not in IN_THE_MIDDLE:
            answer = await _embed(rig)
            assert _outcome(answer) == EXPECTED[fault]
            _assert_tells_nothing(answer)
            await _is_free(engine, rig)
        engine.fault = None
        assert (await rig.chat()).status_code == 200
        assert rig.node.queue.waiting == 0


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("fault", ["stall", "endless", "slow-head"])
async def test_a_client_that_leaves_in_the_middle_of_a_fault_frees_everything(
    name: str, fault: Fault
) -> None:
    async with rig_of(name, max_active=1) as (engine, rig):
        engine.fault = fault
        request = asyncio.create_task(rig.chat(stream=True))
        await until(lambda: engine.answering == 1)
        request.cancel()
        await _is_free(engine, rig)


async def _chat(rig: Rig) -> httpx2.Response:
    return await rig.chat()


async def _stream(rig: Rig) -> httpx2.Response:
    return await rig.chat(stream=True)


async def _completion(rig: Rig) -> httpx2.Response:
    return await rig.post("/v1/completions", {"model": rig.models[0], "prompt": "Once"})


async def _response(rig: Rig) -> httpx2.Response:
    return await rig.post("/v1/responses", {"model": rig.models[0], "input": "Hello"})


async def _embed(rig: Rig) -> httpx2.Response:
    return await rig.post("/v1/embeddings", {"model": EMBEDDER.name, "input": "Hello"})


def _expected(fault: Fault, *, streamed: bool) -> tuple[int, str]:
    """Once a stream has begun there is no status any more."""
    status, code = EXPECTED[fault]
    return (200, code) if streamed and fault in IN_THE_MIDDLE else (status, code)


def _outcome(answer: httpx2.Response) -> tuple[int, str]:
    """Status, and the code of the error: in the document, or in the last event of a stream."""
    text = answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        assert "[DONE]" not in text
        text = text.rstrip("\n").rpartition("\n\n")[2].removeprefix("data: ")
    error: dict[str, Any] = json.loads(text)["error"]
    assert error["message"]
    retry_after = answer.headers.get("retry-after")
    assert retry_after is None or answer.status_code == 503
    return answer.status_code, error["code"]


def _assert_tells_nothing(answer: httpx2.Response) -> None:
    told = answer.text + str(answer.headers)
    assert not [secret for secret in SECRETS if secret in told]


async def _is_free(engine: FakeEngine, rig: Rig) -> None:
    """The turn is given back, and the engine works for nobody."""
    await until(lambda: rig.node.queue.active == 0 and engine.answering == 0)
