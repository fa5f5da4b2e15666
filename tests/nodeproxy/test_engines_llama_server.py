"""The llama-server dialect against the real llama.cpp server, on a tiny random model."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from luckrig.engine.model_file import EOS_ID, ModelShape, write_random_model
from luckrig.engine.process import EngineSpec, start_engine
from luckrig.nodeproxy.engines.base import Call, EngineState
from luckrig.nodeproxy.engines.chunks import Chunk
from luckrig.nodeproxy.engines.detect import detect, probe
from luckrig.nodeproxy.engines.llama_server import LlamaServer
from luckrig.nodeproxy.upstream import Upstream
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.openai.requests import ChatRequest
from tests.nodeproxy.engine_scenes import chat_request, completion_request

SLOTS, CONTEXT = 2, 32_768
OWNERS_PATH = "/home/ada/models/random.gguf"  # what a server without an alias calls its model
ENDLESS = {str(EOS_ID): -100}  # a random model ends its reply at random

pytest.importorskip("xllamacpp")


class Engine:
    """A running server, as the node proxy sees it."""

    def __init__(self, upstream: Upstream, dialect: LlamaServer, state: EngineState) -> None:
        self.upstream = upstream
        self.dialect = dialect
        self.state = state

    async def ask(self, call: Call) -> list[Chunk]:
        """The whole reply to a call. Raises what the dialect makes of a refusal."""
        async with await self.upstream.request("POST", call.path, call.body) as response:
            if response.status != 200:
                raise self.dialect.fault(response.status, await response.read())
            chunks: list[Chunk] = []
            while data := await response.read():
                chunks += call.decoder.feed(data)
            call.decoder.end()
            return chunks

    async def busy_slots(self) -> int:
        """How many slots work."""
        _, body = await self.upstream.fetch("GET", "/slots")
        return sum(slot["is_processing"] for slot in msgspec.json.decode(body))

    async def tokens_generated(self) -> int:
        """All that the server has generated since it runs."""
        _, body = await self.upstream.fetch("GET", "/metrics")
        lines = dict(line.rsplit(" ", 1) for line in body.decode().splitlines())
        return int(float(lines["llamacpp:tokens_predicted_total"]))


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with room for replies that take a while."""
    path = tmp_path_factory.mktemp("model") / "random.gguf"
    write_random_model(path, seed=7, shape=ModelShape(context_length=SLOTS * CONTEXT))
    return path


@asynccontextmanager
async def running(model_path: Path, tmp_path: Path) -> AsyncGenerator[Engine, None]:
    """Start the server, and find out what it is as the node proxy does."""
    spec = EngineSpec(model_path=model_path, alias=OWNERS_PATH, slots=SLOTS, context_length=CONTEXT)
    async with start_engine(spec, log_path=tmp_path / "engine.log") as engine:
        found = await detect(engine.url)
        assert found is not None
        assert isinstance(found.dialect, LlamaServer)
        upstream = Upstream(engine.url)
        try:
            yield Engine(upstream, found.dialect, found.state)
        finally:
            await upstream.aclose()


def endless_chat(**fields: object) -> ChatRequest:
    return chat_request(model="random", logit_bias=ENDLESS, **fields)


async def test_it_is_recognised_and_described(model_path: Path, tmp_path: Path) -> None:
    async with running(model_path, tmp_path) as engine:
        (offer,) = engine.state.offers
        assert (engine.state.kind, engine.state.slots) == ("llama-server", SLOTS)
        assert (offer.model, offer.quantization, offer.context_length) == ("random", "F16", CONTEXT)
        assert offer.parameters is not None
        assert offer.parameters > 100_000
        again = await probe(engine.upstream, engine.dialect)
        assert again == engine.state


async def test_chat_and_completion_stream_with_usage_and_timings(
    model_path: Path, tmp_path: Path
) -> None:
    async with running(model_path, tmp_path) as engine:
        chat = engine.dialect.chat(endless_chat(logprobs=True), max_output_tokens=20)
        prompt = completion_request(model="random", logit_bias=ENDLESS, max_tokens=20)
        completion = engine.dialect.completion(prompt, max_output_tokens=500)
        for call in (chat, completion):
            chunks = await engine.ask(call)
            usage = next(chunk.usage for chunk in chunks if chunk.usage)
            timings = next(chunk.timings for chunk in chunks if chunk.timings)
            assert (usage.completion_tokens, usage.prompt_tokens > 0) == (20, True)
            assert timings.generation_seconds is not None
            assert timings.prompt_seconds is not None
            assert "length" in [chunk.finish_reason for chunk in chunks]
            assert chunks[-1].done
            assert "".join(chunk.text for chunk in chunks)
            assert all(b"/home" not in chunk.raw for chunk in chunks)
            names = {msgspec.json.decode(chunk.raw)["model"] for chunk in chunks[:-1]}
            assert names == {"random"}


async def test_closing_a_reply_frees_its_slot_at_once(model_path: Path, tmp_path: Path) -> None:
    async with running(model_path, tmp_path) as engine:
        call = engine.dialect.chat(endless_chat(), max_output_tokens=CONTEXT - 100)
        response = await engine.upstream.request("POST", call.path, call.body)
        while not call.decoder.feed(await response.read()):
            pass
        assert await engine.busy_slots() == 1
        response.close()
        while await engine.busy_slots():
            pass  # the test's timeout ends this if the reply runs on
        assert await engine.tokens_generated() < CONTEXT - 100


async def test_a_prompt_that_is_too_long_is_told_the_numbers(
    model_path: Path, tmp_path: Path
) -> None:
    async with running(model_path, tmp_path) as engine:
        messages = [{"role": "user", "content": "a b " * CONTEXT}]
        call = engine.dialect.chat(endless_chat(messages=messages), max_output_tokens=5)
        with pytest.raises(LuckrigError) as caught:
            await engine.ask(call)
        assert caught.value.code == "context_length_exceeded"
        assert f"a context of {CONTEXT}" in caught.value.message


async def test_a_schema_it_cannot_follow_is_the_clients_fault(
    model_path: Path, tmp_path: Path
) -> None:
    nonsense = {"name": "x", "schema": {"type": "planted-marker"}}
    wish = {"type": "json_schema", "json_schema": nonsense}
    async with running(model_path, tmp_path) as engine:
        call = engine.dialect.chat(endless_chat(response_format=wish), max_output_tokens=5)
        with pytest.raises(LuckrigError) as caught:
            await engine.ask(call)
        assert caught.value.code == "invalid_request"


async def test_everything_openai_clients_send_passes(model_path: Path, tmp_path: Path) -> None:
    fields = {
        "temperature": 0.2,
        "top_p": 0.9,
        "stop": ["\x00"],
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.1,
        "logprobs": True,
        "top_logprobs": 2,
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "reasoning_effort": "none",
        "max_completion_tokens": 4,
        "user": "u",
        "metadata": {"a": "b"},
        "stream": True,
        "stream_options": {"include_usage": False},
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Go on."},
        ],
    }
    async with running(model_path, tmp_path) as engine:
        chunks = await engine.ask(engine.dialect.chat(endless_chat(**fields), max_output_tokens=99))
        usage = next(chunk.usage for chunk in chunks if chunk.usage)
        assert usage.completion_tokens == 4
