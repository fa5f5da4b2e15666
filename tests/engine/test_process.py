"""Starting, stopping and losing the engine: the real llama.cpp server each time."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import psutil
import pytest

from luckrig.engine.process import EngineSpec, EngineStartError, Patience, start_engine
from tests.engine.conftest import StartEngine

PARENT_SCRIPT = """
import asyncio, sys
from pathlib import Path
from luckrig.engine.process import EngineSpec, start_engine

async def main():
    spec = EngineSpec(model_path=Path(sys.argv[1]), alias="tiny", slots=1, context_length=256)
    async with start_engine(spec, log_path=Path(sys.argv[2])) as engine:
        print(engine.pid, flush=True)
        await engine.wait()

asyncio.run(main())
"""
MARKER = "Quorvath"  # planted in a prompt; must not be in any log


async def test_engine_answers_with_its_alias(random_engine: StartEngine) -> None:
    """Health, models and slots are what the node proxy asks first."""
    async with (
        random_engine(slots=2) as engine,
        httpx2.AsyncClient(base_url=engine.url, timeout=None) as client,
    ):
        health = await client.get("/health")
        models = await client.get("/v1/models")
        slots = await client.get("/slots")
        metrics = await client.get("/metrics")
    assert health.json() == {"status": "ok"}
    assert [model["id"] for model in models.json()["data"]] == ["random"]
    assert len(slots.json()) == 2
    assert "llamacpp:requests_processing" in metrics.text


async def test_each_slot_has_the_whole_context(random_engine: StartEngine) -> None:
    """llama.cpp divides n_ctx among the slots; our context_length is for each one."""
    async with (
        random_engine(slots=3, context_length=512) as engine,
        httpx2.AsyncClient(base_url=engine.url, timeout=None) as client,
    ):
        slots = (await client.get("/slots")).json()
    assert [slot["n_ctx"] for slot in slots] == [512, 512, 512]


async def test_embedding_engine_serves_vectors(random_engine: StartEngine) -> None:
    """Off by default, since pooling costs every request a little."""
    async with (
        random_engine(embedding=True) as engine,
        httpx2.AsyncClient(base_url=engine.url, timeout=None) as client,
    ):
        answer = await client.post("/v1/embeddings", json={"input": "rain", "model": "random"})
    assert len(answer.json()["data"][0]["embedding"]) == 64


async def test_chat_template_knows_every_role(random_engine: StartEngine) -> None:
    """Developer text counts as system text; content may be null or a list of parts."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[dict[str, object]] = [
        {"role": "system", "content": "be kind"},
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "add"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "42"},
        {"role": "user", "content": "so?"},
    ]
    async with (
        random_engine() as engine,
        httpx2.AsyncClient(base_url=engine.url, timeout=None) as client,
    ):
        answer = await client.post("/apply-template", json={"messages": messages})
    assert answer.json()["prompt"] == (
        "<|system|>be kind<|system|>be brief<|user|>add<|assistant|></s><|tool|>42"
        "<|user|>so?<|assistant|>"
    )


async def test_no_web_page_may_read_the_engine(random_engine: StartEngine) -> None:
    """Browsers talk to the node proxy, never to the engine behind it."""
    origin = "https://page.example"
    async with (
        random_engine() as engine,
        httpx2.AsyncClient(base_url=engine.url, timeout=None) as client,
    ):
        answer = await client.get("/health", headers={"Origin": origin})
    assert answer.headers.get("Access-Control-Allow-Origin") not in {origin, "*", "null"}


@pytest.fixture
def public_log(log_path: Path) -> Path:
    """A log that somebody left readable."""
    log_path.write_text("older")
    log_path.chmod(0o644)
    return log_path


async def test_log_is_private_and_holds_no_prompt(
    random_engine: StartEngine, public_log: Path
) -> None:
    """An older log with wider rights is taken over, too."""
    body = {"messages": [{"role": "user", "content": MARKER}], "max_tokens": 4}
    async with (
        random_engine() as engine,
        httpx2.AsyncClient(base_url=engine.url, timeout=None) as client,
    ):
        answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    mode, log = read_log(public_log)
    assert MARKER not in log
    assert "older" not in log
    assert mode == 0o600


def read_log(log_path: Path) -> tuple[int, str]:
    """Access rights and text."""
    return log_path.stat().st_mode & 0o777, log_path.read_text()


async def test_leaving_ends_the_process_and_frees_the_port(random_engine: StartEngine) -> None:
    """Nothing listens any more and no child is left."""
    async with random_engine() as engine:
        pass
    assert await engine.wait() == 0
    assert not psutil.pid_exists(engine.pid)
    async with httpx2.AsyncClient(base_url=engine.url, timeout=None) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("/health")


async def test_cancelled_user_leaves_no_engine(random_engine: StartEngine) -> None:
    """Cancellation runs the same steps as leaving."""
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve_for_ever() -> None:
        async with random_engine() as engine:
            started.set_result(engine.pid)
            await engine.wait()

    task = asyncio.create_task(serve_for_ever())
    pid = await started
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not psutil.pid_exists(pid)


async def test_engine_that_hangs_is_killed(random_model: Path, log_path: Path) -> None:
    """A stopped process hears neither EOF nor SIGTERM."""
    spec = EngineSpec(model_path=random_model, alias="tiny", slots=1, context_length=256)
    patience = Patience(close=0.05, terminate=0.05)
    async with start_engine(spec, log_path=log_path, patience=patience) as engine:
        os.kill(engine.pid, signal.SIGSTOP)
        # until it really has stopped, and without reaping it
        await asyncio.to_thread(os.waitid, os.P_PID, engine.pid, os.WSTOPPED | os.WNOWAIT)
    assert await engine.wait() == -signal.SIGKILL


async def test_crash_is_reported(random_engine: StartEngine) -> None:
    """Whoever keeps a rig running waits for this."""
    async with random_engine() as engine:
        os.kill(engine.pid, signal.SIGKILL)
        assert await engine.wait() == -signal.SIGKILL


async def test_ctrl_c_is_left_to_the_parent(random_engine: StartEngine) -> None:
    """The terminal sends SIGINT to the whole group; requests in flight must still end well."""
    async with (
        random_engine() as engine,
        httpx2.AsyncClient(base_url=engine.url, timeout=None) as client,
    ):
        os.kill(engine.pid, signal.SIGINT)
        assert (await client.get("/health")).status_code == 200


@pytest.fixture
def corrupt_model(random_model: Path, tmp_path: Path) -> Path:
    """A download that stopped half way."""
    path = tmp_path / "corrupt.gguf"
    path.write_bytes(random_model.read_bytes()[:100_000])
    return path


async def test_corrupt_model_is_refused_with_the_reason(
    corrupt_model: Path, log_path: Path
) -> None:
    """llama.cpp's own words are in the log's last lines, and so in the error."""
    spec = EngineSpec(model_path=corrupt_model, alias="tiny", slots=1, context_length=256)
    with pytest.raises(EngineStartError, match="exit code 1") as caught:
        async with start_engine(spec, log_path=log_path):
            pass
    assert "failed to load model" in caught.value.message
    assert "corrupt.gguf" in caught.value.message
    assert caught.value.code == "engine_unavailable"


async def test_context_beyond_the_model_is_refused(random_engine: StartEngine) -> None:
    """llama.cpp would cap it in silence, and the rig would promise what it doesn't have."""
    with pytest.raises(EngineStartError, match="4096 tokens, less than --context 8192"):
        async with random_engine(context_length=8192):
            pass


async def test_slow_start_is_given_up(random_model: Path, log_path: Path) -> None:
    """The half-started child is ended as well."""
    spec = EngineSpec(model_path=random_model, alias="tiny", slots=1, context_length=256)
    before = psutil.Process().children()  # other tests' processes may run
    with pytest.raises(EngineStartError, match="did not listen within 0 seconds"):
        async with start_engine(spec, log_path=log_path, patience=Patience(start=0)):
            pass
    assert psutil.Process().children() == before


def test_engine_dies_with_a_killed_parent(random_model: Path, log_path: Path) -> None:
    """kill -9 leaves the parent no time to clean up; the kernel closes the pipe for it."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", PARENT_SCRIPT, str(random_model), str(log_path)],
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        engine = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    _, alive = psutil.wait_procs([engine], timeout=10)
    assert alive == []
