"""Chunks of engines are read leniently; whole answers have OpenAI's shape."""

import json

import msgspec
import pytest
from openai.types import Completion as OpenAICompletion
from openai.types import Model as OpenAIModel
from openai.types.chat import ChatCompletion as OpenAIChatCompletion

from luckrig.protocol import strictjson
from luckrig.protocol.errors import UpstreamError
from luckrig.protocol.openai.requests import AssistantMessage, FunctionCall, ToolCall
from luckrig.protocol.openai.responses import (
    AnswerMessage,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    Choice,
    Completion,
    Delta,
    FunctionDelta,
    Model,
    ModelList,
    PromptTokensDetails,
    TextChoice,
    Timings,
    ToolCallDelta,
    Usage,
    parse_chunk,
)


def choice(**fields: object) -> dict[str, object]:
    return {"choices": [fields]}


@pytest.mark.parametrize(
    ("sent", "chunk"),
    [
        ({}, ChatChunk()),
        (
            choice(index=0, delta={"role": "assistant", "content": None}, finish_reason=None),
            ChatChunk([Choice(delta=Delta("assistant"))]),
        ),
        (
            {"id": "x", "created": 1.5, "system_fingerprint": None, "error": None}
            | choice(delta={"content": "Hi", "more": [1]}, logprobs={"content": []}),
            ChatChunk([Choice(delta=Delta(content="Hi"), logprobs={"content": []})]),
        ),
        (
            choice(delta={"reasoning_content": "Hm"}),
            ChatChunk([Choice(delta=Delta(reasoning_content="Hm"))]),
        ),
        (
            choice(delta={"role": "assistant", "content": "", "reasoning": "Hm"}),
            ChatChunk([Choice(delta=Delta("assistant", "", reasoning="Hm"))]),
        ),
        (
            choice(delta={"tool_calls": [{"index": 1, "id": "c", "type": "function"}]}),
            ChatChunk([Choice(delta=Delta(tool_calls=[ToolCallDelta(1, "c")]))]),
        ),
        (
            choice(delta={"tool_calls": [{"function": {"name": None, "arguments": "{"}}]}),
            ChatChunk(
                [Choice(delta=Delta(tool_calls=[ToolCallDelta(function=FunctionDelta(None, "{"))]))]
            ),
        ),
        (
            choice(delta={}, finish_reason="stop"),
            ChatChunk([Choice(0, Delta(), None, None, "stop")]),
        ),
        (choice(text=" upon", index=0, logprobs=None), ChatChunk([Choice(text=" upon")])),
        (
            {
                "choices": [],
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 47,
                    "total_tokens": 56,
                    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
                },
                "timings": {
                    "cache_n": 4,
                    "prompt_n": 5,
                    "prompt_ms": 3.25,
                    "prompt_per_token_ms": 0.65,
                    "prompt_per_second": None,
                    "predicted_n": 47,
                    "predicted_ms": 400,
                    "predicted_per_token_ms": 8.5,
                    "predicted_per_second": 117.5,
                },
            },
            ChatChunk(
                [],
                Usage(9, 47, 56, PromptTokensDetails(4)),
                Timings(4, 5, 3.25, None, 47, 400.0, 117.5),
            ),
        ),
        ({"usage": None, "timings": None}, ChatChunk()),
        ({"error": {"code": 500, "message": "x"}}, ChatChunk(error={"code": 500, "message": "x"})),
    ],
)
def test_chunks_of_all_engines_are_read(sent: object, chunk: ChatChunk) -> None:
    assert parse_chunk(msgspec.json.encode(sent)) == chunk


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[DONE]",
        b"[]",
        b'{"choices": {}}',
        b'{"choices": [{"delta": {"content": 1}}]}',
        b'{"choices": [{"delta": {"content": "\xff"}}]}',
        b'{"more": ' + b"[" * 100_000,
    ],
)
def test_other_shapes_are_the_engines_fault(data: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_chunk(data)
    assert (caught.value.code, caught.value.status) == ("engine_error", 502)


USAGE = Usage(9, 47, 56)
CALL = ToolCall(id="call_1", function=FunctionCall(name="f", arguments="{}"))
ANSWER = AnswerMessage(content=None, reasoning_content="Hm", tool_calls=[CALL])


def test_a_whole_chat_answer_is_one_that_the_stock_client_knows() -> None:
    answer = ChatCompletion(
        id="chatcmpl-1",
        created=1_763_680_000,
        model="m",
        choices=[ChatChoice(message=ANSWER, finish_reason="tool_calls")],
        usage=USAGE,
        luckrig={"timing": {"queue_ms": 0}},
    )
    read = OpenAIChatCompletion.model_validate_json(strictjson.encode(answer), strict=True)
    assert read.object == "chat.completion"
    assert read.choices[0].message.role == "assistant"
    assert read.choices[0].message.tool_calls is not None
    assert read.choices[0].message.tool_calls[0].id == "call_1"
    assert read.usage is not None
    assert read.usage.total_tokens == 56
    assert (read.model_extra or {})["luckrig"] == {"timing": {"queue_ms": 0}}


def test_what_an_answer_lacks_is_left_out() -> None:
    plain = strictjson.encode(AnswerMessage(content="Hi"))
    assert plain == b'{"role":"assistant","content":"Hi","refusal":null}'


def test_an_answer_can_be_sent_back_as_it_came() -> None:
    message = strictjson.decode(strictjson.encode(ANSWER), AssistantMessage)
    assert message == AssistantMessage(reasoning_content="Hm", tool_calls=[CALL])


def test_a_whole_completion_is_one_that_the_stock_client_knows() -> None:
    answer = Completion(
        id="cmpl-1",
        created=1_763_680_000,
        model="m",
        choices=[TextChoice(text=" upon a time", finish_reason="stop")],
        usage=USAGE,
    )
    read = OpenAICompletion.model_validate_json(strictjson.encode(answer), strict=True)
    assert (read.object, read.choices[0].text) == ("text_completion", " upon a time")


def test_the_model_list_is_one_that_the_stock_client_knows() -> None:
    models = ModelList(data=[Model(id="m", created=0, owned_by="rig", luckrig={"quant": "Q4"})])
    written = strictjson.encode(models)
    assert written.startswith(b'{"object":"list","data":[{"object":"model","id":"m"')
    read = OpenAIModel.model_validate(json.loads(written)["data"][0], strict=True)
    assert (read.owned_by, read.model_extra) == ("rig", {"luckrig": {"quant": "Q4"}})
