"""POST /v1/responses: what clients send becomes the chat that asks for the same, or a clear 400."""

from typing import Any

import msgspec
import pytest

from luckrig.protocol.errors import PeerError
from luckrig.protocol.openai.requests import ChatRequest
from luckrig.protocol.openai.responses_api import parse_responses
from luckrig.protocol.openai.responses_chat import to_chat
from luckrig.protocol.openai.texts import texts

PNG = "data:image/png;base64,iVBORw0KGgo="
MARKER = "s3cret-value"
SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}}
WEATHER = {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}


def chat_of(**fields: Any) -> ChatRequest:
    body = {"model": "m", "input": "Hello"} | fields
    return to_chat(parse_responses(msgspec.json.encode(body)))


def written(**fields: Any) -> dict[str, Any]:
    """The chat as JSON, without its model."""
    chat: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(chat_of(**fields)))
    del chat["model"]
    return chat


def messages(*items: object, **fields: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = written(input=list(items), **fields)["messages"]
    return found


USER = {"role": "user", "content": "Hello"}


@pytest.mark.parametrize(
    ("fields", "chat"),
    [
        ({}, {"messages": [USER]}),
        (
            {"instructions": "Be brief."},
            {"messages": [{"role": "system", "content": "Be brief."}, USER]},
        ),
        ({"instructions": None, "tools": []}, {"messages": [USER]}),
        (
            {"max_output_tokens": 5, "temperature": 0.5, "top_p": 0.9, "stream": True},
            {
                "messages": [USER],
                "max_completion_tokens": 5,
                "temperature": 0.5,
                "top_p": 0.9,
                "stream": True,
            },
        ),
        (
            {
                "tools": [WEATHER],
                "tool_choice": {"type": "function", "name": "get_weather"},
                "parallel_tool_calls": False,
            },
            {
                "messages": [USER],
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "get_weather", "parameters": SCHEMA, "strict": True},
                    }
                ],
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
                "parallel_tool_calls": False,
            },
        ),
        (
            {"tools": [WEATHER | {"description": "d"}], "tool_choice": "required"},
            {
                "messages": [USER],
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "get_weather",
                            "description": "d",
                            "parameters": SCHEMA,
                            "strict": True,
                        },
                    }
                ],
                "tool_choice": "required",
            },
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
            {
                "messages": [USER],
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": SCHEMA},
                },
            },
        ),
        (
            {"text": {"format": {"type": "json_object"}, "verbosity": "medium"}},
            {"messages": [USER], "response_format": {"type": "json_object"}},
        ),
        (
            {"reasoning": {"effort": "low", "summary": "auto"}},
            {"messages": [USER], "reasoning_effort": "low"},
        ),
        (
            {
                "store": False,
                "background": False,
                "truncation": "disabled",
                "service_tier": "auto",
                "include": ["reasoning.encrypted_content"],
                "previous_response_id": None,
                "conversation": None,
                "prompt": None,
                "max_tool_calls": 3,
                "stream_options": {"include_obfuscation": False},
            },
            {"messages": [USER]},
        ),
        (
            {"metadata": {"a": "b"}, "user": "u", "safety_identifier": "s"},
            {
                "messages": [USER],
                "metadata": {"a": "b"},
                "user": "u",
                "safety_identifier": "s",
            },
        ),
    ],
)
def test_fields_find_their_place_in_a_chat(fields: dict[str, Any], chat: dict[str, Any]) -> None:
    assert written(**fields) == chat


def test_messages_come_with_and_without_their_type() -> None:
    text = {"type": "input_text", "text": "Look"}
    image = {"type": "input_image", "image_url": PNG, "detail": "low"}
    found = messages(
        {"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"type": "message", "role": "system", "content": "Kind, too."},
        {"role": "user", "content": [text, image]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "A pixel."}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "content": "Yes."},
    )
    assert found == [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "system", "content": "Kind, too."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
            ],
        },
        {"role": "assistant", "content": "A pixel."},
        {"role": "assistant", "content": "No."},
        {"role": "assistant", "content": "Yes."},
    ]


def call_item(number: int) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": "get_weather",
        "arguments": "{}",
        "status": "completed",
    }


def test_one_turn_of_the_model_is_one_message() -> None:
    """Chat templates know no two assistant messages in a row."""
    thought = {"type": "reasoning_text", "text": "Hm"}
    reasoning: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": []}
    said: dict[str, Any] = {"type": "output_text", "text": "I'll look.", "annotations": []}
    said["logprobs"] = []
    found = messages(
        USER,
        reasoning | {"content": [thought]},
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [said],
        },
        call_item(1),
        call_item(2),
        {"type": "function_call_output", "call_id": "call_1", "output": "Rain"},
        {
            "type": "function_call_output",
            "call_id": "call_2",
            "output": [{"type": "input_text", "text": "Sun"}],
        },
        call_item(3),
        {"type": "function_call_output", "call_id": "call_3", "output": list[Any]()},
    )
    calls = [
        {
            "type": "function",
            "id": f"call_{number}",
            "function": {"name": "get_weather", "arguments": "{}"},
        }
        for number in (1, 2, 3)
    ]
    assert found == [
        USER,
        {
            "role": "assistant",
            "content": "I'll look.",
            "reasoning_content": "Hm",
            "tool_calls": calls[:2],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
        {"role": "tool", "tool_call_id": "call_2", "content": "Sun"},
        {"role": "assistant", "tool_calls": calls[2:]},
        {"role": "tool", "tool_call_id": "call_3", "content": ""},
    ]


def test_reasoning_that_nobody_here_can_use_is_left_out() -> None:
    sealed = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "s"}],
        "encrypted_content": "gAAAA",
    }
    open_end = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm"}]}
    assert messages(sealed, USER, open_end) == [USER]


def test_nothing_but_reasoning_is_no_conversation() -> None:
    with pytest.raises(PeerError) as caught:
        messages({"type": "reasoning", "summary": []})
    assert caught.value.param == "input"


def test_the_filters_see_every_text_that_the_engine_gets() -> None:
    seen = list(
        texts(
            chat_of(
                instructions="m-1",
                input=[
                    {"role": "user", "content": [{"type": "input_text", "text": "m-2"}]},
                    {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "m-3"}]},
                    {"role": "assistant", "content": "m-4"},
                    call_item(1) | {"arguments": '{"a": "m-5"}'},
                    {"type": "function_call_output", "call_id": "m-6", "output": "m-7"},
                ],
                tools=[WEATHER | {"description": "m-8", "parameters": {"m-9": ["m-10"]}}],
                text={"format": {"type": "json_schema", "name": "m-11", "schema": {"a": "m-12"}}},
                metadata={"k": "m-13"},
            )
        )
    )
    assert all(any(f"m-{number}" in text for text in seen) for number in range(1, 14))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"input": 5}, "input"),
    ({"input": []}, "input"),
    ({"input": [MARKER]}, "input[0]"),
    ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
    ({"input": [{"type": "web_search_call", "id": "x"}]}, "input[0].type"),
    ({"input": [{"content": "x"}]}, "input[0].type"),
    ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
    ({"input": [{"role": "user", "content": []}]}, "input[0].content"),
    (
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
        "input[0].content[0].type",
    ),
    (
        {"input": [{"role": "user", "content": [{"type": "output_text", "text": MARKER}]}]},
        "input[0].content[0]",
    ),
    (
        {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": PNG}]}]},
        "input[0].content[0]",
    ),
    (
        {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": MARKER}]}]},
        "input[0].content[0]",
    ),
    (
        {"input": [USER, {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
        "input[1].content[0].file_id",
    ),
    (
        {
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_image", "image_url": "http://10.0.0.1/x"}],
                }
            ]
        },
        "input[0].content[0].image_url",
    ),
    ({"input": [{"type": "function_call", "name": "f", "arguments": ""}]}, "input[0].call_id"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"type": "mcp", "server_url": "http://10.0.0.1"}]}, "tools[0].type"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].function"),
    ({"tool_choice": {"type": "web_search"}}, "tool_choice.type"),
    ({"tool_choice": {"type": "allowed_tools", "tools": []}}, "tool_choice.type"),
    ({"tool_choice": "always"}, "tool_choice"),
    ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
    ({"text": {"verbosity": "low"}}, "text.verbosity"),
    ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
    ({"reasoning": {"summary": "detailed"}}, "reasoning.summary"),
    ({"include": ["file_search_call.results"]}, "include[0]"),
    ({"include": ["message.output_text.logprobs"]}, "include[0]"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"store": True}, "store"),
    ({"background": True}, "background"),
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"conversation": {"id": "conv_1"}}, "conversation"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ({"truncation": "auto"}, "truncation"),
    ({"service_tier": "flex"}, "service_tier"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"temperature": 3}, "temperature"),
    ({"metadata": {"k": "x" * 513}}, "metadata[...]"),
    ({"moderation": {"model": "m"}}, "moderation"),
    ({"messages": [USER]}, "messages"),
    ({"max_tokens": 5}, "max_tokens"),
    ({"seed": 1}, "seed"),
    ({"stop": "x"}, "stop"),
]


@pytest.mark.parametrize(("fields", "param"), BAD, ids=[param for _, param in BAD])
def test_what_a_rig_cannot_do_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(PeerError) as caught:
        chat_of(**fields)
    assert (caught.value.code, caught.value.param) == ("invalid_request", param)
    assert param in caught.value.message
    assert MARKER not in caught.value.message


def test_statelessness_is_explained() -> None:
    asks: list[dict[str, Any]] = [
        {"previous_response_id": "resp_1"},
        {"conversation": "c"},
        {"prompt": {}},
    ]
    for fields in asks:
        with pytest.raises(PeerError, match="whole conversation"):
            chat_of(**fields)
    with pytest.raises(PeerError, match="never fetches"):
        chat_of(
            input=[
                {"role": "user", "content": [{"type": "input_image", "image_url": "https://x/y"}]}
            ]
        )
