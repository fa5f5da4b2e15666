"""Chunks of engines are read leniently; whole answers have OpenAI's shape."""

import json

from openai.types import Completion as OpenAICompletion
from openai.types import Model as OpenAIModel
from openai.types.chat import ChatCompletion as OpenAIChatCompletion

from luckrig.protocol import strictjson
from luckrig.protocol.openai.requests import AssistantMessage, FunctionCall, ToolCall
from luckrig.protocol.openai.responses import (
    AnswerMessage,
    ChatChoice,
    ChatCompletion,
    Completion,
    Model,
    ModelList,
    TextChoice,
    Usage,
)

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
