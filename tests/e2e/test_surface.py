"""The whole of the API through the stock client, against the demo's real model."""

import json
from collections.abc import Iterator

import openai
import pytest

from tests.e2e.conftest import Demo


@pytest.fixture
def client(demo: Demo) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=demo.announced["base_url"], api_key=demo.announced["token"], max_retries=0
    ) as opened:
        yield opened


def test_responses_stream_and_whole_agree_with_chat(demo: Demo, client: openai.OpenAI) -> None:
    model: str = demo.announced["model"]
    chat = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Hello!"}], temperature=0
    )
    whole = client.responses.create(model=model, input="Hello!", temperature=0)
    with client.responses.stream(model=model, input="Hello!", temperature=0) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert whole.output_text == chat.choices[0].message.content == "".join(deltas)
    assert final.output_text == whole.output_text
    assert whole.status == final.status == "completed"
    assert whole.usage is not None
    assert chat.usage is not None
    assert whole.usage.output_tokens == chat.usage.completion_tokens
    assert final.model_extra is not None
    assert final.model_extra["luckrig"]["receipt"]


def test_structured_output_follows_its_schema(demo: Demo, client: openai.OpenAI) -> None:
    """llama.cpp turns the schema into a grammar, so that even a tiny model obeys."""
    schema: dict[str, object] = {"type": "boolean"}  # short: it runs on in the space of an object
    reply = client.responses.create(
        model=demo.announced["model"],
        input="Hello!",
        max_output_tokens=60,
        text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}},
    )
    assert json.loads(reply.output_text) in (True, False)


def test_what_the_demo_cannot_do_is_named(demo: Demo, client: openai.OpenAI) -> None:
    model: str = demo.announced["model"]
    with pytest.raises(openai.BadRequestError, match="--embeddings") as refused:
        client.embeddings.create(model=model, input="Hello")
    assert refused.value.param == "model"
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=model, input="Hello", previous_response_id="resp_1")
    assert refused.value.param == "previous_response_id"
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(
            model=model,
            input="Hello",
            tools=[{"type": "function", "name": "f", "parameters": {}, "strict": None}],
        )
    assert refused.value.param == "tools"
