"""POST /v1/embeddings: through the stock client, on every engine, and what engines get wrong."""

import asyncio
import base64
from array import array
from pathlib import Path
from typing import Any

import openai
import pytest

from luckrig.engine.process import EngineSpec, start_engine
from luckrig.engine.tiny import TINY_MODEL
from luckrig.nodeproxy.engines.embeddings import MAX_DIMENSIONS
from luckrig.nodeproxy.steps.embed import INLINE_BYTES
from luckrig.protocol.receipts import verify_receipt
from tests.fake_engines.engine import Refusal, vector_of
from tests.fake_engines.ollama import FakeModel, FakeOllama
from tests.fake_engines.openai_compatible import MODEL, FakeOpenAi
from tests.nodeproxy.rigs import Rig, make_token, running_rig

NEVER = 2**40
TEXTS = ["one", "a second text"]


async def embed(rig: Rig, **fields: Any) -> Any:
    body = {"model": rig.models[0], "input": TEXTS}
    return await rig.post("/v1/embeddings", body | fields)


async def refusal(rig: Rig, **fields: Any) -> tuple[int, str, str | None]:
    """Status, code and param of an answer that is an error."""
    response = await embed(rig, **fields)
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def floats(text: str) -> list[float]:
    """base64 as OpenAI's client reads it."""
    return array("f", base64.b64decode(text)).tolist()


async def test_stock_client_gets_vectors_in_both_forms(rig: Rig) -> None:
    """Without encoding_format it asks for base64 and decodes that."""
    for form in (openai.omit, "float"):
        reply = await rig.openai().embeddings.create(model=MODEL, input=TEXTS, encoding_format=form)
        assert [each.embedding for each in reply.data] == [vector_of(text) for text in TEXTS]
        assert [each.index for each in reply.data] == [0, 1]
        assert (reply.usage.prompt_tokens, reply.usage.total_tokens) == (6, 6)
        assert reply.model == MODEL


async def test_synchronous_stock_client_gets_vectors(rig: Rig) -> None:
    """In a thread, for the rig runs in this one."""
    opened = openai.OpenAI(base_url=f"{rig.origin}/v1", api_key=rig.token, max_retries=0)
    with opened as client:
        reply = await asyncio.to_thread(client.embeddings.create, model=MODEL, input="one")
    assert reply.data[0].embedding == vector_of("one")


async def test_base64_is_little_endian_32_bit_floats(rig: Rig) -> None:
    reply = (await embed(rig, encoding_format="base64")).json()
    assert floats(reply["data"][1]["embedding"]) == vector_of(TEXTS[1])


async def test_reply_holds_nothing_of_the_engines_document_but_numbers(rig: Rig) -> None:
    reply = (await embed(rig)).json()
    assert set(reply) == {"object", "data", "model", "usage", "luckrig"}
    assert reply["data"][0] == {"object": "embedding", "index": 0, "embedding": vector_of("one")}
    assert reply["usage"] == {"prompt_tokens": 6, "total_tokens": 6}


async def test_engine_gets_our_bytes_and_no_user(engine: FakeOpenAi, rig: Rig) -> None:
    await embed(rig, user="user-4711", encoding_format="base64")
    (request,) = engine.requests
    assert request.json == {"model": MODEL, "input": TEXTS}
    assert "authorization" not in request.headers


async def test_a_receipt_counts_the_prompt_alone(rig: Rig) -> None:
    response = await embed(rig)
    own = response.json()["luckrig"]
    receipt = verify_receipt(own["receipt"], now=NEVER)
    assert (receipt.prompt_tokens, receipt.completion_tokens) == (6, 0)
    assert (receipt.model, receipt.streamed, receipt.finish) == (MODEL, False, "stop")
    assert own["timing"]["prompt_tokens"] == 6
    assert response.headers["luckrig-quant"] == "unknown"
    await rig.node.sender.flush()
    assert rig.tracker.handed_in == [own["receipt"]]


async def test_large_answers_come_whole(engine: FakeOpenAi, rig: Rig) -> None:
    """Beyond the size that is checked on the event loop."""
    row = [0.5] * 4096
    engine.embeddings = vectors(*[row] * 64)
    assert 64 * 4096 * len("0.5,") > INLINE_BYTES
    reply = (await embed(rig, input=["x"] * 64, encoding_format="base64")).json()
    assert [floats(each["embedding"]) for each in reply["data"]] == [row] * 64


async def test_every_input_is_filtered(engine: FakeOpenAi, rig: Rig) -> None:
    refused = await refusal(rig, input=["fine", "erotic story, schoolgirl"])
    assert refused == (400, "content_filter", "input")
    assert engine.requests == []


async def test_a_request_counts_and_waits_like_any_other(rig: Rig) -> None:
    token = make_token(requests=1)
    body = {"model": MODEL, "input": "x"}
    assert (await rig.post("/v1/embeddings", body, token=token)).status_code == 200
    assert (await rig.post("/v1/embeddings", body, token=token)).status_code == 429
    assert rig.node.queue.active == 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": [1, 2]}, "input[0]"),
        ({"input": [[1], [2]]}, "input[0]"),
        ({"input": []}, "input"),
        ({"input": ["x"] * 257}, "input"),
        ({"input": ["x" * 300_000, "y" * 300_000]}, "input"),
        ({"input": ""}, "input"),
        ({"input": {"text": "x"}}, "input"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"truncate": True}, "truncate"),
        ({"input_type": "query"}, "input_type"),
    ],
)
async def test_bad_requests_name_their_field(
    engine: FakeOpenAi, rig: Rig, fields: dict[str, Any], param: str
) -> None:
    assert await refusal(rig, **fields) == (400, "invalid_request", param)
    assert engine.requests == []


async def test_dimensions_that_an_engine_ignores_are_no_answer(rig: Rig) -> None:
    assert (await embed(rig, dimensions=3)).status_code == 200
    assert await refusal(rig, dimensions=2) == (400, "unsupported_parameter", "dimensions")


def vectors(*found: object, **fields: object) -> dict[str, object]:
    return {"data": [{"embedding": each} | fields for each in found]}


@pytest.mark.parametrize(
    "answer",
    [
        {"data": []},
        [],
        vectors([1.0]),
        vectors([1.0], [1.0], [1.0]),
        vectors([1.0], [1.0, 2.0]),
        vectors([], []),
        vectors([1.0], [1.0], index=0),
        vectors([1.0], [1.0], index=7),
        vectors([[1.0]], [[1.0]]),
        vectors(["x"], [1.0]),
        vectors("AAAA!w==", "AAAAfw=="),
        vectors("AACAfw==", "AACAfw=="),  # infinity
        vectors("AAA=", "AAA="),
        vectors([0.0] * (MAX_DIMENSIONS + 1), [0.0] * (MAX_DIMENSIONS + 1)),
        vectors([1.0], [1.0]) | {"usage": {"prompt_tokens": -1}},
    ],
)
async def test_vectors_that_make_no_sense_are_a_502(
    engine: FakeOpenAi, rig: Rig, answer: object
) -> None:
    engine.embeddings = answer
    assert await refusal(rig) == (502, "engine_error", None)
    assert (await rig.http.get("/health")).status_code == 200


async def test_numbers_beyond_32_bits_are_a_502_only_where_they_do_not_fit(
    engine: FakeOpenAi, rig: Rig
) -> None:
    engine.embeddings = vectors([1e300], [1.0])
    assert (await embed(rig)).status_code == 200
    assert await refusal(rig, encoding_format="base64") == (502, "engine_error", None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Refusal(404, {"error": {"message": "Not Found"}}), (400, "unsupported_parameter")),
        (Refusal(405, {"detail": "Method Not Allowed"}), (400, "unsupported_parameter")),
        (Refusal(501, {"error": {"message": "off"}}), (400, "unsupported_parameter")),
        (
            Refusal(400, {"error": {"message": "The model does not support embeddings"}}),
            (400, "unsupported_parameter"),
        ),
        ({"error": "Unexpected endpoint or method."}, (400, "unsupported_parameter")),
        (Refusal(404, {"error": {"message": "model x not found"}}), (404, "model_not_found")),
        (Refusal(503, {"error": {"message": "busy"}}), (503, "engine_unavailable")),
        (Refusal(500, {"error": {"message": "boom"}}), (502, "engine_error")),
        (
            Refusal(500, {"error": {"message": "input (804 tokens) is too large to process."}}),
            (400, "context_length_exceeded"),
        ),
    ],
)
async def test_refusals_of_the_engine_are_explained(
    engine: FakeOpenAi, rig: Rig, answer: object, expected: tuple[int, str]
) -> None:
    engine.embeddings = answer
    assert (await refusal(rig))[:2] == expected


async def test_ollama_embeds_natively_and_cuts_nothing() -> None:
    models = [FakeModel(name="nomic", capabilities=("embedding",)), FakeModel()]
    async with FakeOllama() as engine:
        engine.models = models
        async with running_rig(engine.url) as rig:
            assert rig.models == ["qwen3:4b", "nomic"]
            engine.requests.clear()
            reply = (await embed(rig, model="nomic", dimensions=2)).json()
            assert reply["data"][1]["embedding"] == vector_of(TEXTS[1])[:2]
            assert reply["usage"]["prompt_tokens"] == 6
            (request,) = [each for each in engine.requests if each.method == "POST"]
            assert request.path == "/api/embed"
            expected = {"model": "nomic", "input": TEXTS, "truncate": False, "dimensions": 2}
            assert request.json == expected
            assert await refusal(rig) == (400, "unsupported_parameter", "model")
            chat = await rig.chat(model="nomic")
            assert chat.json()["error"]["param"] == "model"
            engine.fault = "too-long"
            assert await refusal(rig, model="nomic") == (400, "context_length_exceeded", None)


# The real llama.cpp server


async def test_llama_server_embeds_in_both_forms(tmp_path: Path) -> None:
    spec = EngineSpec(
        model_path=TINY_MODEL, alias="tiny", slots=2, context_length=512, embedding=True
    )
    async with (
        start_engine(spec, log_path=tmp_path / "engine.log") as engine,
        running_rig(engine.url) as rig,
    ):
        client = rig.openai()
        coded = await client.embeddings.create(model="tiny", input=TEXTS)
        plain = await client.embeddings.create(model="tiny", input=TEXTS, encoding_format="float")
        assert len(coded.data) == 2
        assert len(coded.data[0].embedding) == len(plain.data[0].embedding) > 16
        for one, other in zip(coded.data, plain.data, strict=True):
            assert one.embedding == pytest.approx(other.embedding, rel=1e-5, abs=1e-5)
        assert coded.data[0].embedding != coded.data[1].embedding
        assert coded.usage == plain.usage
        assert coded.usage.prompt_tokens > 2
        assert await refusal(rig, dimensions=8) == (400, "unsupported_parameter", "dimensions")
        too_long = await refusal(rig, input="word " * 800)
        assert too_long == (400, "context_length_exceeded", "input")
        assert (await rig.chat("Hello")).status_code == 200


async def test_llama_server_without_embeddings_says_what_its_owner_must_do(tmp_path: Path) -> None:
    spec = EngineSpec(model_path=TINY_MODEL, alias="tiny", slots=1, context_length=512)
    async with (
        start_engine(spec, log_path=tmp_path / "engine.log") as engine,
        running_rig(engine.url) as rig,
    ):
        response = await embed(rig)
        assert response.status_code == 400
        error = response.json()["error"]
        assert (error["code"], error["param"]) == ("unsupported_parameter", "model")
        assert "--embeddings" in error["message"]
