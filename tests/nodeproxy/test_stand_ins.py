"""The stand-ins run by hand: one command line for every dialect."""

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from luckrig.nodeproxy.engines.detect import detect
from tests.fake_engines.__main__ import make_engine, make_parser, parse_fault
from tests.fake_engines.dialects import DIALECTS
from tests.fake_engines.engine import FakeEngine, OnDemand
from tests.fake_engines.knobs import FAULTS
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.dialect_cases import CASES
from tests.nodeproxy.rigs import running_rig

ROOT = Path(__file__).parents[2]
CHAT = {"model": "a", "messages": [{"role": "user", "content": "x"}], "stream": True}


def engine_of(*arguments: str) -> FakeEngine:
    return make_engine(make_parser().parse_args(arguments))


@asynccontextmanager
async def by_hand(*arguments: str) -> AsyncGenerator[str, None]:
    """Start one as a person does; gives its address."""
    command = (sys.executable, "-m", "tests.fake_engines", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def test_one_runs_by_hand_and_is_recognised() -> None:
    async with by_hand("vllm", "--port", "0", "--model", "a", "--context", "512") as url:
        found = await detect(url)
        assert found is not None
        assert found.state.kind == "vllm"
        (offer,) = found.state.offers
        assert (offer.model, offer.context_length) == ("a", 512)


async def test_help_names_every_fault() -> None:
    shown = make_parser().format_help()
    assert all(name in shown for name in (*FAULTS, *DIALECTS))


@pytest.mark.parametrize("name", DIALECTS)
async def test_the_knobs_are_the_same_for_every_dialect(name: str) -> None:
    assert set(DIALECTS) == set(CASES)
    asked = ("--model", "a", "--model", "b", "--slots", "2", "--api-key", "k", "--calls-tools")
    engine = engine_of(name, *asked, "--fault", "stall@5", "--tps", "50", "--everywhere")
    assert [model.name for model in engine.models] == ["a", "b"]
    assert (engine.slots, engine.api_key, engine.calls_tools) == (2, "k", True)
    assert (engine.fault, engine.fault_after, engine.everywhere) == ("stall", 5, True)
    engine = engine_of(name)
    async with engine:
        found = await detect(engine.url)
        assert found is not None
        assert found.state.kind == CASES[name].kind


def test_a_fault_has_a_place_or_the_usual_one() -> None:
    assert parse_fault("half") == ("half", 2)
    assert parse_fault("half@0") == ("half", 0)
    for wrong in ("", "halt", "half@-1", "half@x"):
        with pytest.raises(argparse.ArgumentTypeError):
            parse_fault(wrong)


@pytest.mark.parametrize("name", DIALECTS)
async def test_a_prompt_beyond_the_context_is_too_long(name: str) -> None:
    engine = engine_of(name, "--context", "300")
    async with engine, running_rig(engine.url) as rig:
        refused = await rig.chat("word " * 1000)
        assert refused.json()["error"]["code"] == "context_length_exceeded"


async def test_requests_beyond_the_slots_wait() -> None:
    pace = OnDemand()
    async with FakeOpenAi(slots=1, pace=pace) as engine:
        async with httpx2.AsyncClient(base_url=engine.url, trust_env=False) as http:
            first = asyncio.create_task(http.post("/v1/chat/completions", json=CHAT))
            second = asyncio.create_task(http.post("/v1/chat/completions", json=CHAT))
            while engine.answering < 2:
                await asyncio.sleep(0.001)
            pace.allow(len(engine.reply))
            done, waiting = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
            assert (len(done), len(waiting)) == (1, 1)
            pace.allow(len(engine.reply))
            assert (await waiting.pop()).status_code == 200
