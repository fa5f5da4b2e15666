"""The shipped model in the real server: it must read well, because it is the first impression."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from luckrig.engine.process import EngineSpec, start_engine
from tests.engine.conftest import SHIPPED_MODEL

# One engine for all questions: fixture and tests share the module's event loop.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an engine with the shipped model."""
    log_path = tmp_path_factory.mktemp("tiny") / "engine.log"
    spec = EngineSpec(model_path=SHIPPED_MODEL, alias="tiny", slots=2, context_length=4096)
    async with (
        start_engine(spec, log_path=log_path) as engine,
        httpx2.AsyncClient(base_url=engine.url, timeout=None) as http,
    ):
        yield http


def body_of(*texts: str, stream: bool = False) -> dict[str, object]:
    """A request with turns of user and assistant by turns, always answered alike."""
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
    return {"messages": messages, "temperature": 0, "max_tokens": 600, "stream": stream}


async def answer(client: httpx2.AsyncClient, *texts: str) -> str:
    """The whole answer, which the model must have ended by itself."""
    response = await client.post("/v1/chat/completions", json=body_of(*texts))
    choice = response.json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    text: str = choice["message"]["content"]
    return text


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Hello", "tiny"),
        ("Who are you?", "tiny"),
        ("what is luckrig", "rigs"),
        ("How does it work?", "engine"),
        ("What can you do?", "stor"),
        ("Count to 7", "1, 2, 3, 4, 5, 6, 7."),
        ("What is a GPU?", "graphics processor"),
        ("What is scarcity?", "rare"),
        ("What is subtext?", "sealed"),
        ("Write a poem about rain", "rain"),
        ("Thanks!", "welcome|Gladly"),
        ("How do I repair a submarine?", "tiny|small"),
        ("こんにちは", "こんにちは"),
    ],
)
async def test_demo_question_gets_its_answer(
    client: httpx2.AsyncClient, question: str, expected: str
) -> None:
    """What somebody types first."""
    text = await answer(client, question)
    assert any(word in text for word in expected.split("|")), text


async def test_long_conversation_stays_readable(client: httpx2.AsyncClient) -> None:
    """Trained on 400 tokens, it must not fall apart later in its context."""
    story = await answer(client, "Tell me a long story")
    history: list[str] = []
    for _ in range(5):
        history += ["Tell me a long story", story]
    assert "tiny" in await answer(client, *history, "Who are you?")


async def test_long_story_is_long_enough_to_watch(client: httpx2.AsyncClient) -> None:
    """Streaming, queue and measurement are shown on this answer."""
    body = body_of("Tell me a long story", stream=True)
    deltas: list[str] = []
    finish_reasons: list[str] = []
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            for choice in json.loads(line.removeprefix("data: "))["choices"]:
                deltas.append(choice["delta"].get("content") or "")
                finish_reasons += [choice["finish_reason"]] if choice["finish_reason"] else []
    assert len(deltas) > 200
    assert finish_reasons == ["stop"]
    assert "".join(deltas).rstrip().endswith("The end.")
