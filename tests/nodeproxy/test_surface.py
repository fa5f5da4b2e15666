"""Whatever OpenAI's own client can send either works or gets a 400 that names the field.

The lists of fields are the client's own, so that one added there tomorrow is tried tomorrow.
"""

from typing import Any, Final, get_type_hints

import msgspec
import pytest
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params

from luckrig.nodeproxy.engines.llama_server import LlamaServer
from luckrig.protocol.errors import PeerError
from tests.fake_engines.ollama import FakeOllama
from tests.fake_engines.openai_compatible import MODEL
from tests.nodeproxy.engine_scenes import chat_request, json_answer, run_survey
from tests.nodeproxy.rigs import Rig, running_rig

SCHEMA: Final[dict[str, Any]] = {"type": "object", "properties": {}}
TOOL: Final[dict[str, Any]] = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
FLAT_TOOL: Final[dict[str, Any]] = {
    "type": "function",
    "name": "f",
    "parameters": SCHEMA,
    "strict": None,
}
USER: Final = {"role": "user", "content": "Hello"}
JSON_SCHEMA: Final[dict[str, Any]] = {"name": "n", "schema": SCHEMA, "strict": True}

SHARED: Final[dict[str, Any]] = {
    "model": MODEL, "stream": True, "temperature": 1, "top_p": 0.5, "metadata": {"a": "b"},
    "user": "u", "safety_identifier": "s", "prompt_cache_key": "k", "store": False,
    "service_tier": "auto", "parallel_tool_calls": True,
}  # fmt: skip
WORKS: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": SHARED | {
        "messages": [USER], "frequency_penalty": 0.1, "presence_penalty": 0.1, "max_tokens": 3,
        "max_completion_tokens": 3, "logit_bias": {"1": -1}, "logprobs": True, "n": 1, "seed": 1,
        "stop": ["a"], "tools": [TOOL], "tool_choice": "auto", "modalities": ["text"],
        "reasoning_effort": "low", "verbosity": "medium",
        "response_format": {"type": "json_schema", "json_schema": JSON_SCHEMA},
        "stream_options": {"include_usage": True},
    },
    "/v1/completions": {
        "model": MODEL, "prompt": "Once", "best_of": 1, "echo": False, "frequency_penalty": 1,
        "logit_bias": {"1": 1}, "logprobs": 1, "max_tokens": 3, "n": 1, "presence_penalty": 1,
        "seed": 1, "stop": "x", "stream": True, "stream_options": {"include_usage": False},
        "suffix": "s", "temperature": 0, "top_p": 1, "user": "u",
    },
    "/v1/responses": SHARED | {
        "input": "Hello", "instructions": "Be brief.", "max_output_tokens": 3, "tools": [FLAT_TOOL],
        "tool_choice": "auto", "text": {"format": {"type": "json_schema", **JSON_SCHEMA}},
        "reasoning": {"effort": "low"}, "truncation": "disabled", "background": False,
        "include": ["reasoning.encrypted_content"], "max_tool_calls": 1,
        "stream_options": {"include_obfuscation": False},
    },
    "/v1/embeddings": {
        "model": MODEL, "input": "Hello", "encoding_format": "base64", "user": "u", "dimensions": 3,
    },
}  # fmt: skip
NEEDED: Final = {
    "/v1/chat/completions": ("model", "messages"),
    "/v1/completions": ("model", "prompt"),
    "/v1/responses": ("model", "input"),
    "/v1/embeddings": ("model", "input"),
}
OF_THE_CLIENT: Final = {
    "/v1/chat/completions": chat_create_params.CompletionCreateParamsStreaming,
    "/v1/completions": completion_create_params.CompletionCreateParamsStreaming,
    "/v1/responses": response_create_params.ResponseCreateParamsStreaming,
    "/v1/embeddings": embedding_create_params.EmbeddingCreateParams,
}


def smallest(path: str) -> dict[str, Any]:
    return {name: WORKS[path][name] for name in NEEDED[path]}


@pytest.mark.parametrize("path", WORKS)
async def test_every_field_of_the_stock_client_works_or_is_named(path: str, rig: Rig) -> None:
    fields = sorted(get_type_hints(OF_THE_CLIENT[path]))
    assert len(fields) >= 5
    for name in fields:
        value = WORKS[path].get(name, {"planted": True})
        response = await rig.post(path, smallest(path) | {name: value})
        if name in WORKS[path]:
            assert response.status_code == 200, (name, response.text)
        else:
            error = response.json()["error"]
            assert (response.status_code, error["param"]) == (400, name), (name, error)


@pytest.mark.parametrize("path", WORKS)
async def test_null_is_as_good_as_nothing(path: str, rig: Rig) -> None:
    """Clients that serialise every field of a model send nulls."""
    body = smallest(path) | {name: None for name in WORKS[path] if name not in NEEDED[path]}
    assert (await rig.post(path, body)).status_code == 200


@pytest.mark.parametrize("path", WORKS)
async def test_all_fields_at_once(path: str, rig: Rig) -> None:
    response = await rig.post(path, WORKS[path])
    assert response.status_code == 200, response.text


CHATS: Final[list[tuple[dict[str, Any], str]]] = [
    ({"n": 2}, "n"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    ({"store": True}, "store"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"verbosity": "high"}, "verbosity"),
    ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
    ({"audio": {"voice": "x", "format": "wav"}}, "audio"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"functions": []}, "functions"),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
    ({"response_format": {"type": "grammar"}}, "response_format.type"),
    (
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
        "messages[0].content[0].type",
    ),
    (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}],
                }
            ]
        },
        "messages[0].content[0].image_url.url",
    ),
]


@pytest.mark.parametrize(("fields", "param"), CHATS, ids=[param for _, param in CHATS])
async def test_chats_that_a_rig_cannot_have_are_named(
    fields: dict[str, Any], param: str, rig: Rig
) -> None:
    response = await rig.chat(**fields)
    found = response.json()["error"]["param"]
    assert (response.status_code, found.partition("[")[0]) == (400, param.partition("[")[0])


OLLAMA: Final[list[tuple[dict[str, Any], str]]] = [
    ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        "tool_choice",
    ),
    ({"tools": [TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
    ({"logit_bias": {"1": 1}}, "logit_bias"),
    ({"top_logprobs": 2}, "top_logprobs"),
    (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
                    ],
                }
            ]
        },
        "messages",
    ),
]


@pytest.mark.parametrize(("fields", "param"), OLLAMA)
async def test_what_ollama_would_ignore_is_named(fields: dict[str, Any], param: str) -> None:
    async with FakeOllama() as engine, running_rig(engine.url) as rig:
        error = (await rig.chat(**fields)).json()["error"]
        assert (error["code"], error["param"]) == ("unsupported_parameter", param)


def llama_server() -> LlamaServer:
    engine = LlamaServer()
    run_survey(engine, {"/v1/models": json_answer({"data": [{"id": "m"}]})})
    return engine


def test_llama_server_is_made_to_call_the_chosen_function() -> None:
    """It reads an object as "auto"; with one tool on offer "required" can mean no other."""
    other = {"type": "function", "function": {"name": "g"}}
    choice = {"type": "function", "function": {"name": "f"}}
    request = chat_request(tools=[other, TOOL], tool_choice=choice)
    call = llama_server().chat(request, max_output_tokens=5)
    body = msgspec.json.decode(call.body, type=dict[str, Any])
    assert (body["tools"], body["tool_choice"]) == ([TOOL], "required")
    unknown = chat_request(tools=[other], tool_choice=choice)
    with pytest.raises(PeerError) as caught:
        llama_server().chat(unknown, max_output_tokens=5)
    assert caught.value.param == "tool_choice"
