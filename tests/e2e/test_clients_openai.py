"""OpenAI's own Python client, unmodified, against the real engine: sync, async, every route."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import httpx2
import openai
import pytest
from openai.types import Completion
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
)
from pydantic import BaseModel

from tests.e2e.stock_rig import MODEL, StockRig

HELLO: Final[list[ChatCompletionMessageParam]] = [{"role": "user", "content": "Hello!"}]
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"now": {"type": "boolean"}},
    "required": ["now"],
    "additionalProperties": False,
}
TOOL: Final[Any] = {
    "type": "function",
    "function": {"name": "is_raining", "description": "Does it?", "parameters": SCHEMA},
}
ENDLESS: Final[dict[str, Any]] = {"logit_bias": {"2": -100}}
"""Keeps the tiny model from ending its reply."""
FLAT_TOOL: Final[Any] = {
    "type": "function",
    "name": "is_raining",
    "parameters": SCHEMA,
    "strict": True,
}


@pytest.fixture
def client(stock_rig: StockRig) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=stock_rig.base_url, api_key=stock_rig.token()) as opened:
        yield opened


@pytest.fixture
async def async_client(stock_rig: StockRig) -> AsyncIterator[openai.AsyncOpenAI]:
    opened = openai.AsyncOpenAI(base_url=stock_rig.base_url, api_key=stock_rig.token())
    async with opened as client:
        yield client


def test_models_are_listed(stock_rig: StockRig, client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == stock_rig.models


def test_chat_whole_and_streamed_agree(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0)
    with client.chat.completions.create(
        model=MODEL, messages=HELLO, temperature=0, stream=True
    ) as stream:
        texts = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    with client.chat.completions.stream(model=MODEL, messages=HELLO, temperature=0) as helper:
        final = helper.get_final_completion()
    assert whole.choices[0].message.content
    assert "".join(texts) == whole.choices[0].message.content
    assert final.choices[0].message.content == whole.choices[0].message.content
    assert whole.choices[0].finish_reason == final.choices[0].finish_reason == "stop"


async def test_async_client_does_the_same(async_client: openai.AsyncOpenAI) -> None:
    whole = await async_client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0)
    texts: list[str] = []
    usage: Any = None
    async for chunk in await async_client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    ):
        texts += [choice.delta.content or "" for choice in chunk.choices]
        usage = chunk.usage or usage
    assert "".join(texts) == whole.choices[0].message.content
    assert usage == whole.usage


def test_tool_is_called_and_its_result_read(stock_rig: StockRig, client: openai.OpenAI) -> None:
    create: Any = client.chat.completions.create
    called: ChatCompletion = create(
        model=MODEL, messages=HELLO, temperature=0, tools=[TOOL], **stock_rig.call
    )
    assert called.choices[0].finish_reason == "tool_calls"
    answer = called.choices[0].message
    assert answer.tool_calls is not None
    (call,) = answer.tool_calls
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert call.function.name == "is_raining"
    assert json.loads(call.function.arguments)["now"] in (True, False)
    said: Any = answer  # goes back as it came, as the SDK's documentation does it
    after = client.chat.completions.create(
        model=MODEL,
        messages=[
            *HELLO,
            said,
            {"role": "tool", "tool_call_id": call.id, "content": "Yes, it rains."},
        ],
        tools=[TOOL],
        temperature=0,
        max_tokens=20,
    )
    assert after.choices[0].message.content


async def test_tool_call_can_be_streamed(
    stock_rig: StockRig, async_client: openai.AsyncOpenAI
) -> None:
    strict: Any = {**TOOL, "function": {**TOOL["function"], "strict": True}}  # the helper wants it
    async with async_client.chat.completions.stream(
        model=MODEL, messages=HELLO, temperature=0, tools=[strict], **stock_rig.call
    ) as stream:
        final = await stream.get_final_completion()
    tool_calls = final.choices[0].message.tool_calls
    assert tool_calls is not None
    assert tool_calls[0].function.name == "is_raining"
    assert json.loads(tool_calls[0].function.arguments)["now"] in (True, False)


def test_named_tool_is_the_one_that_is_called(stock_rig: StockRig, client: openai.OpenAI) -> None:
    other: Any = {"type": "function", "function": {"name": "other", "parameters": SCHEMA}}
    choice: Any = {"type": "function", "function": {"name": "is_raining"}}
    create: Any = client.chat.completions.create
    called: ChatCompletion = create(
        model=MODEL,
        messages=HELLO,
        tools=[other, TOOL],
        temperature=0,
        **(stock_rig.call | {"tool_choice": choice}),
    )
    assert called.choices[0].message.tool_calls is not None
    (call,) = called.choices[0].message.tool_calls
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert call.function.name == "is_raining"


class Truth(BaseModel):
    """What is asked for."""

    now: bool


def test_parsed_replies_follow_their_class(stock_rig: StockRig, client: openai.OpenAI) -> None:
    parsed = client.chat.completions.parse(
        model=MODEL, messages=HELLO, temperature=0, max_tokens=200, response_format=Truth,
        logit_bias=stock_rig.call["logit_bias"],
    )  # fmt: skip
    assert isinstance(parsed.choices[0].message.parsed, Truth)


def test_completion_whole_and_streamed_agree(client: openai.OpenAI) -> None:
    fields: Any = {"model": MODEL, "prompt": "Once", "max_tokens": 12, "temperature": 0} | ENDLESS
    create: Any = client.completions.create
    whole: Completion = create(**fields)
    stream: openai.Stream[Completion] = create(**fields, stream=True)
    assert whole.choices[0].text
    assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices) == (
        whole.choices[0].text
    )


def test_responses_whole_and_streamed_agree(client: openai.OpenAI) -> None:
    whole = client.responses.create(model=MODEL, input="Hello!", temperature=0)
    stream = client.responses.create(model=MODEL, input="Hello!", temperature=0, stream=True)
    deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
    with client.responses.stream(model=MODEL, input="Hello!", temperature=0) as helper:
        final = helper.get_final_response()
    assert whole.output_text
    assert "".join(deltas) == final.output_text == whole.output_text


async def test_async_responses_go_on_from_their_own_output(
    async_client: openai.AsyncOpenAI,
) -> None:
    """A conversation as the SDK's documentation writes it: output items come back as input."""
    first = await async_client.responses.create(model=MODEL, input="Hello!", temperature=0)
    items: Any = [
        {"role": "user", "content": "Hello!"},
        *first.output,
        {"role": "user", "content": "And now?"},
    ]
    second = await async_client.responses.create(
        model=MODEL, input=items, instructions="Be brief.", max_output_tokens=20
    )
    assert second.output_text
    tools = await async_client.responses.create(
        model=MODEL, input="Hello!", tools=[FLAT_TOOL], max_output_tokens=20
    )
    assert tools.output


@pytest.mark.parametrize("given", ["one", ["one", "two"]], ids=["text", "texts"])
def test_embeddings_come_in_both_forms(given: str | list[str], client: openai.OpenAI) -> None:
    coded = client.embeddings.create(model=MODEL, input=given)
    plain = client.embeddings.create(model=MODEL, input=given, encoding_format="float")
    assert len(coded.data) == (1 if given == "one" else 2)
    for one, other in zip(coded.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, rel=1e-5, abs=1e-5)


async def test_async_embeddings_name_what_they_refuse(async_client: openai.AsyncOpenAI) -> None:
    vectors = await async_client.embeddings.create(model=MODEL, input=["one"])
    assert len(vectors.data[0].embedding) > 16
    token_ids: list[Any] = [[1, 2], [[1], [2]]]
    for given in token_ids:
        with pytest.raises(openai.BadRequestError) as refused:
            await async_client.embeddings.create(model=MODEL, input=given)
        assert str(refused.value.param).startswith("input")
    with pytest.raises(openai.BadRequestError) as refused:
        await async_client.embeddings.create(model=MODEL, input="one", dimensions=8)
    assert refused.value.param == "dimensions"


def test_errors_become_the_clients_own_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=HELLO, n=2)
    assert refused.value.param == "n"
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="none", messages=HELLO)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-none").models.list()
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "word " * 3000}]
        )
    assert refused.value.code == "context_length_exceeded"


def busy_slots(stock_rig: StockRig) -> int:
    """Slots that work, by llama.cpp's own word."""
    slots = httpx2.get(f"{stock_rig.engine_url}/slots").json()
    return sum(slot["is_processing"] for slot in slots)


def test_closing_a_stream_frees_the_engines_slot(
    stock_rig: StockRig, client: openai.OpenAI
) -> None:
    """Read from llama.cpp's own /slots; the test's timeout ends this if the reply runs on."""
    fields: Any = {"model": MODEL, "messages": HELLO, "max_tokens": 900} | ENDLESS
    with client.chat.completions.create(**fields, stream=True) as stream:
        assert next(stream)
        seen_busy = busy_slots(stock_rig)
    looks = 0
    while busy_slots(stock_rig):
        looks += 1
    assert seen_busy == 1
    assert looks < 1000
