"""The contract of `luckrig demo --json`, and the stock client against the real engine."""

import asyncio
import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import psutil
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.e2e.conftest import Demo, running_demo

PROMISED = {"tracker", "map", "node_id", "base_url", "token", "model"}


def get_json(url: str) -> Any:
    """GET a JSON document."""
    with urllib.request.urlopen(url) as response:  # noqa: S310 -- loopback
        return json.load(response)


@pytest.fixture
def client(demo: Demo) -> Iterator[openai.OpenAI]:
    """The stock client, closed after the test: a socket left open is a warning somewhere else."""
    with client_of(demo) as opened:
        yield opened


def client_of(demo: Demo) -> openai.OpenAI:
    """What the README shows."""
    return openai.OpenAI(base_url=demo.announced["base_url"], api_key=demo.announced["token"])


def test_demo_announces_what_scripts_need(demo: Demo) -> None:
    assert set(demo.announced) == PROMISED
    assert demo.announced["base_url"].endswith("/v1")
    page = get_json(demo.announced["tracker"] + "/api/v1/nodes")
    (node,) = page["nodes"]
    assert node["id"] == demo.announced["node_id"]
    assert node["status"] == "available"
    assert node["last_seen_at"] is not None
    assert node["offers"][0]["model"] == demo.announced["model"]
    assert node["offers"][0]["quantization"]
    assert node["offers"][0]["context_length"] > 0
    with urllib.request.urlopen(demo.announced["map"]) as response:  # noqa: S310 -- loopback
        assert demo.announced["node_id"] in response.read().decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_ends_cleanly_and_leaves_nothing(number: int, tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        children = psutil.Process(demo.process.pid).children(recursive=True)
        assert children
        code, out, _ = demo.stop(number)
    assert code == 0
    assert out == ""
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert [path.name for path in tmp_path.iterdir()] == ["luckrig"]


def test_engine_dies_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        children = psutil.Process(demo.process.pid).children(recursive=True)
        demo.process.kill()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert not alive


def test_demo_starts_again_on_the_same_home(tmp_path: Path) -> None:
    ids = set[str]()
    for _ in range(2):
        with running_demo(tmp_path) as demo:
            ids.add(demo.announced["node_id"])
            assert get_json(demo.announced["tracker"] + "/api/v1/nodes")["total"] == 1
            demo.stop()
    assert len(ids) == 1


def test_port_that_is_taken_is_a_clear_error(demo: Demo, tmp_path: Path) -> None:
    port = demo.announced["tracker"].rpartition(":")[2]
    with running_demo(tmp_path, "--port", port) as other:
        assert "Can't listen" in other.announced["error"]["message"]
        assert other.process.wait(timeout=10) == 1


def test_models_are_listed_with_what_the_engine_says(demo: Demo, client: openai.OpenAI) -> None:
    (model,) = client.models.list()
    assert model.id == demo.announced["model"]
    assert model.model_extra is not None
    assert model.model_extra["luckrig"]["context_length"] > 0


def test_stream_and_whole_reply_agree_on_usage(demo: Demo, client: openai.OpenAI) -> None:
    model: str = demo.announced["model"]
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello!"}]
    whole = client.chat.completions.create(model=model, messages=messages, temperature=0)
    stream = client.chat.completions.create(
        model=model,
        messages=messages,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    text, usage, finish = "", None, None
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
        usage = chunk.usage or usage
    assert text == whole.choices[0].message.content
    assert finish == whole.choices[0].finish_reason == "stop"
    assert usage is not None
    assert whole.usage is not None
    assert usage.completion_tokens == whole.usage.completion_tokens > 0
    assert usage.prompt_tokens == whole.usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert whole.model_extra is not None
    assert whole.model_extra["luckrig"]["timing"]["tokens_per_second"] > 0


def test_reply_is_readable_and_says_what_it_is(demo: Demo, client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model=demo.announced["model"],
        messages=[{"role": "user", "content": "Who are you?"}],
        temperature=0,
    )
    assert "tiny" in (reply.choices[0].message.content or "")


def test_completions_stream_with_usage(demo: Demo, client: openai.OpenAI) -> None:
    stream = client.completions.create(
        model=demo.announced["model"],
        prompt="The",
        max_tokens=12,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert chunks[-1].usage is not None
    assert 0 < chunks[-1].usage.completion_tokens <= 12
    whole = client.completions.create(model=demo.announced["model"], prompt="The", max_tokens=12)
    assert whole.usage is not None
    assert 0 < whole.usage.completion_tokens <= 12


async def test_stopping_in_the_middle_frees_the_engines_slot(demo: Demo) -> None:
    """Read from the engine itself, within a second."""
    async with (
        openai.AsyncOpenAI(
            base_url=demo.announced["base_url"], api_key=demo.announced["token"], max_retries=0
        ) as client,
        httpx2.AsyncClient(base_url=demo.engine_url, timeout=None) as engine,
    ):
        stream = await client.chat.completions.create(
            model=demo.announced["model"],
            messages=[{"role": "user", "content": "Tell me a long story."}],
            stream=True,
            max_tokens=1000,
            extra_body={"logit_bias": {"2": -100}},  # never the end of the text
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        assert await _busy_slots(engine) == 1
        await stream.close()
        deadline = time.monotonic() + 1
        while await _busy_slots(engine) and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
        assert await _busy_slots(engine) == 0


def test_prompt_beyond_the_context_is_a_clear_400(demo: Demo, client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="context") as refused:
        client.chat.completions.create(
            model=demo.announced["model"],
            messages=[{"role": "user", "content": "word " * 5000}],
        )
    assert refused.value.code == "context_length_exceeded"


def test_map_shows_a_rig_whose_engine_died(tmp_path: Path) -> None:
    """503 with Retry-After for the client, `unavailable` on the map."""
    with running_demo(tmp_path) as demo:
        (engine,) = psutil.Process(demo.process.pid).children()
        engine.kill()
        with client_of(demo) as client, pytest.raises(openai.InternalServerError) as refused:
            client.with_options(max_retries=0).chat.completions.create(
                model=demo.announced["model"], messages=[{"role": "user", "content": "Hello"}]
            )
        assert refused.value.status_code == 503
        assert int(refused.value.response.headers["retry-after"]) > 0
        node_url = f"{demo.announced['tracker']}/api/v1/nodes/{demo.announced['node_id']}"
        while get_json(node_url)["node"]["status"] != "unavailable":
            pass  # the tracker looks every two seconds; the test's timeout bounds this


def test_token_of_one_rig_is_nothing_at_another(demo: Demo, tmp_path: Path) -> None:
    with running_demo(tmp_path) as other:
        with (
            openai.OpenAI(
                base_url=other.announced["base_url"], api_key=demo.announced["token"]
            ) as stranger,
            pytest.raises(openai.AuthenticationError),
        ):
            stranger.models.list()


async def _busy_slots(engine: httpx2.AsyncClient) -> int:
    slots = (await engine.get("/slots")).json()
    return sum(slot["is_processing"] for slot in slots)
