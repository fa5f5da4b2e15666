"""langchain-openai, unmodified, against a rig with the real engine."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2
import openai
import pytest
import tiktoken
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from tests.e2e.stock_rig import MODEL, StockRig

HELLO: Final = "Hello!"


@tool
def is_raining(now: bool) -> str:
    """Whether it rains."""
    return f"It rains: {now}."


def chat_model(rig: StockRig, **fields: Any) -> Any:  # its own types are partly unknown
    return ChatOpenAI(
        model=MODEL, base_url=rig.base_url, api_key=SecretStr(rig.token()), temperature=0, **fields
    )


def test_invoke_and_stream_agree(bare_rig: StockRig) -> None:
    model = chat_model(bare_rig)
    whole = model.invoke(HELLO)
    chunks = list(model.stream([("system", "Be kind."), ("user", HELLO)]))
    assert isinstance(whole, AIMessage)
    assert whole.text
    assert "".join(chunk.text for chunk in chunks)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 0
    assert model.bind(logit_bias=None).invoke(HELLO).text == whole.text


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """Its own clients are never closed, and warn at the end."""
    async with httpx2.AsyncClient(timeout=None) as client:
        yield client


async def test_async_stream_and_batch_work(bare_rig: StockRig, http: httpx2.AsyncClient) -> None:
    model = chat_model(bare_rig, stream_usage=True, http_async_client=http)
    total: AIMessageChunk | None = None
    async for chunk in model.astream(HELLO):
        assert isinstance(chunk, AIMessageChunk)
        total = chunk if total is None else total + chunk
    assert total is not None
    assert total.usage_metadata is not None
    first, second = await model.abatch([HELLO, HELLO])
    assert first.text == second.text == total.text


def test_bound_tool_is_called_and_its_result_read(bare_rig: StockRig) -> None:
    model = chat_model(bare_rig, max_completion_tokens=200)
    called = model.bind_tools([is_raining], **bare_rig.call).invoke(HELLO)
    assert isinstance(called, AIMessage)
    (call,) = called.tool_calls
    assert call["name"] == "is_raining"
    result = is_raining.invoke(call)
    assert isinstance(result, ToolMessage)
    after = model.bind_tools([is_raining]).invoke([HumanMessage(HELLO), called, result])
    assert after.text


def test_bound_tool_can_be_streamed(bare_rig: StockRig) -> None:
    model = chat_model(bare_rig).bind_tools([is_raining], **bare_rig.call)
    total: Any = None
    for chunk in model.stream(HELLO):
        total = chunk if total is None else total + chunk
    assert [call["name"] for call in total.tool_calls] == ["is_raining"]


def test_structured_output_follows_its_schema(bare_rig: StockRig) -> None:
    schema = {
        "title": "truth",
        "description": "Whether it rains.",
        "type": "object",
        "properties": {"now": {"type": "boolean"}},
        "required": ["now"],
        "additionalProperties": False,
    }
    model = chat_model(bare_rig, logit_bias=bare_rig.call["logit_bias"])
    answer: Any = model.with_structured_output(schema, method="json_schema").invoke(HELLO)
    assert answer["now"] in (True, False)


def test_responses_api_works(bare_rig: StockRig) -> None:
    model = chat_model(bare_rig, use_responses_api=True)
    whole = model.invoke(HELLO)
    assert whole.text
    assert "".join(chunk.text for chunk in model.stream(HELLO)) == whole.text


def test_completions_work(bare_rig: StockRig) -> None:
    """Its defaults send n=1 and best_of=1."""
    model = OpenAI(
        model=MODEL, base_url=bare_rig.base_url, api_key=SecretStr(bare_rig.token()),
        temperature=0, max_tokens=12, logit_bias={"2": -100},
    )  # fmt: skip
    whole = model.invoke("Once")
    assert whole
    assert "".join(model.stream("Once")) == whole


def embedder(rig: StockRig, **fields: Any) -> OpenAIEmbeddings:
    return OpenAIEmbeddings(
        model=MODEL, base_url=rig.base_url, api_key=SecretStr(rig.token()), **fields
    )


async def test_embeddings_of_texts_work(bare_rig: StockRig, http: httpx2.AsyncClient) -> None:
    model = embedder(bare_rig, check_embedding_ctx_length=False, http_async_client=http)
    one, two = model.embed_documents(["one", "two"])
    assert len(one) == len(two) > 16
    assert await model.aembed_query("one") == pytest.approx(one, rel=1e-5, abs=1e-5)


def test_embeddings_of_token_ids_name_the_field(
    bare_rig: StockRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default it sends token ids of OpenAI's tokenizer, which mean nothing to other models.

    That tokenizer is a download; the stand-in's tokens are bytes.
    """
    letters = tiktoken.Encoding(
        "letters", pat_str=r".", mergeable_ranks={bytes([n]): n for n in range(256)},
        special_tokens={},
    )  # fmt: skip

    def found(name: str) -> tiktoken.Encoding:
        return letters

    monkeypatch.setattr(tiktoken, "encoding_for_model", found)
    monkeypatch.setattr(tiktoken, "get_encoding", found)
    with pytest.raises(openai.BadRequestError, match="token ids are refused") as refused:
        embedder(bare_rig).embed_query("one")
    assert str(refused.value.param).startswith("input")
