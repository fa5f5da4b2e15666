"""Requests: what real clients send is read, everything else is refused with code and field."""

import json
from typing import Any

import httpx2
import openai
import pydantic
import pytest

from luckrig.protocol import strictjson
from luckrig.protocol.errors import PeerError
from luckrig.protocol.openai import requests
from luckrig.protocol.openai.requests import (
    NOT_FORWARDED,
    ChatRequest,
    CompletionRequest,
    parse_chat,
    parse_completion,
)

MARKER = "s3cret-value"
HELLO = {"role": "user", "content": "Hello"}
PNG = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string", "minLength": 1}},
            "required": ["place"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"place": "Oslo"}'},
}
LANGCHAIN = {
    "messages": [
        {"content": "You are terse.", "role": "system"},
        {"content": "Weather in Oslo?", "role": "user", "name": "ada"},
        {"content": None, "role": "assistant", "tool_calls": [CALL]},
        {"content": "Rain", "role": "tool", "tool_call_id": "call_1", "name": "get_weather"},
    ],
    "model": "qwen3-8b",
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.7,
    "parallel_tool_calls": False,
    "tools": [WEATHER],
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
}

GOOD_CHATS: dict[str, dict[str, Any]] = {
    "smallest": {"messages": [HELLO], "model": "m"},
    "sampling": {
        "messages": [HELLO],
        "model": "m",
        "temperature": 0,
        "top_p": 1,
        "max_completion_tokens": 1,
        "max_tokens": 2**31 - 1,
        "stop": ["\n", "END"],
        "seed": -1,
        "n": 1,
        "presence_penalty": -2,
        "frequency_penalty": 2.0,
        "logprobs": True,
        "top_logprobs": 20,
        "logit_bias": {"1734": -100, "20": 0.5},
        "reasoning_effort": "minimal",
        "user": "u-1",
        "safety_identifier": "s-1",
        "prompt_cache_key": "k-1",
        "metadata": {"run": "7"},
        "store": False,
        "service_tier": "auto",
    },
    "null wherever a field may be left out": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "s", "name": None},
            {
                "role": "assistant",
                "content": "a",
                "refusal": None,
                "annotations": [],
                "audio": None,
                "function_call": None,
                "tool_calls": None,
                "reasoning_content": None,
            },
            HELLO,
        ],
        **dict.fromkeys(
            set(ChatRequest.__struct_fields__) - {"model", "messages"},
        ),
    },
    "langchain": LANGCHAIN,
    "developer and thoughts": {
        "model": "m",
        "messages": [
            {"role": "developer", "content": [{"type": "text", "text": "Be brief"}]},
            HELLO,
            {"role": "assistant", "content": "Hi", "reasoning_content": "They greet me."},
            {"role": "assistant", "content": None, "refusal": "I won't."},
            {"role": "user", "content": ""},
        ],
    },
    "vision": {
        "model": "m",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": PNG}},
                    {"image_url": {"url": PNG, "detail": "low"}, "type": "image_url"},
                ],
            }
        ],
    },
    "schema": {
        "model": "m",
        "messages": [HELLO],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "Answer", "schema": {"type": "object"}, "strict": True},
        },
    },
    "json": {"model": "m", "messages": [HELLO], "response_format": {"type": "json_object"}},
    "text": {"model": "m", "messages": [HELLO], "response_format": {"type": "text"}},
    "any tool": {"model": "m", "messages": [HELLO], "tools": [WEATHER], "tool_choice": "required"},
    "bare tool": {
        "model": "m",
        "messages": [HELLO],
        "tools": [{"type": "function", "function": {"name": "ping"}}],
        "tool_choice": "auto",
    },
    "one stop, nul and emoji": {"model": "m", "messages": [HELLO], "stop": "\0😀"},
}

GOOD_COMPLETIONS: dict[str, dict[str, Any]] = {
    "smallest": {"model": "m", "prompt": ""},
    "one text in a list, as langchain sends it": {"model": "m", "prompt": ["Once"]},
    "everything": {
        "model": "m",
        "prompt": "Once",
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
        "suffix": "end",
        "max_tokens": 16,
        "temperature": 2,
        "top_p": 0.5,
        "stop": "\n",
        "seed": 2**63 - 1,
        "n": 1,
        "best_of": 1,
        "echo": False,
        "logprobs": 5,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "logit_bias": {},
        "user": "u",
    },
    "null wherever a field may be left out": {
        "model": "m",
        "prompt": "Once",
        **dict.fromkeys(set(CompletionRequest.__struct_fields__) - {"model", "prompt"}),
    },
}


def without_nulls(sent: dict[str, Any]) -> object:
    return json.loads(
        json.dumps(sent),
        object_pairs_hook=lambda pairs: {key: value for key, value in pairs if value is not None},
    )


@pytest.mark.parametrize("name", GOOD_CHATS)
def test_good_chats_are_read_and_written_anew_without_loss(name: str) -> None:
    """Compared as JSON: nothing is added, and nothing but nulls is gone."""
    sent = GOOD_CHATS[name]
    written = strictjson.encode(parse_chat(json.dumps(sent).encode()))
    assert json.loads(written) == without_nulls(sent)


@pytest.mark.parametrize("name", GOOD_COMPLETIONS)
def test_good_completions_are_read_and_written_anew_without_loss(name: str) -> None:
    sent = GOOD_COMPLETIONS[name]
    written = strictjson.encode(parse_completion(json.dumps(sent).encode()))
    assert json.loads(written) == without_nulls(sent)


class Answer(pydantic.BaseModel):
    """An answer whose form the stock client asks for."""

    city: str
    rain: bool | None = None


def test_the_stock_client_is_understood() -> None:
    """Its answers go back in both forms that people use: the object itself, and its dump."""
    seen: list[ChatRequest] = []
    answer = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [CALL]}
    choice = {"index": 0, "message": answer, "finish_reason": "tool_calls"}
    reply = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}

    def serve(request: httpx2.Request) -> httpx2.Response:
        seen.append(parse_chat(request.content))
        return httpx2.Response(200, json=reply | {"choices": [choice]})

    transport = httpx2.MockTransport(serve)
    with (
        httpx2.Client(transport=transport) as http,
        openai.OpenAI(api_key="k", base_url="http://rig/v1", http_client=http) as client,
    ):
        create = client.chat.completions.create
        said = create(model="m", messages=[{"role": "user", "content": "Hi"}], stop=None)
        message: Any = said.choices[0].message
        result: Any = {"role": "tool", "tool_call_id": "call_1", "content": "Rain"}
        create(model="m", messages=[message, result, message.model_dump(), result])
        client.chat.completions.parse(
            model="m",
            messages=[{"role": "user", "content": "Hi"}],
            response_format=Answer,
            tools=[openai.pydantic_function_tool(Answer)],
        )
    assert [len(request.messages) for request in seen] == [1, 4, 1]
    assert seen[1].messages[0] == seen[1].messages[2]


def chat(**fields: Any) -> bytes:  # any JSON
    return json.dumps({"model": "m", "messages": [HELLO]} | fields).encode()


def message(**fields: Any) -> bytes:  # any JSON
    return chat(messages=[fields])


def part(**fields: Any) -> bytes:  # any JSON
    return message(role="user", content=[fields])


def image(url: str) -> bytes:
    return part(type="image_url", image_url={"url": url})


def tool(**fields: Any) -> bytes:  # any JSON
    return chat(tools=[{"type": "function", "function": fields}])


def raw(rest: str) -> bytes:
    return ('{"model": "m", "messages": [{"role": "user", "content": "Hello"}]' + rest).encode()


JSON, FIELD = "invalid_json", "invalid_request"
URL = "messages[0].content[0].image_url.url"

BAD_CHATS: list[tuple[bytes, str, str | None]] = [
    # Two readers, two requests
    (raw(', "messages": []}'), JSON, None),
    (raw(', "m\\u0065ssages": []}'), JSON, None),
    (raw(', "\\u006d\\u0065\\u0073\\u0073\\u0061\\u0067\\u0065\\u0073": []}'), JSON, None),
    (raw(', "Messages": []}'), FIELD, "Messages"),
    (raw(', "MESSAGES": []}'), FIELD, "MESSAGES"),
    (raw(', "message\\u017f": []}'), FIELD, "message\u017f"),
    (raw(', "messages ": []}'), FIELD, "messages "),
    (raw(', "messages\\u0000": []}'), FIELD, "messages?"),
    (raw(', "max_tokens": 5, "max_tokens": 99}'), JSON, None),
    (raw(', "metadata": {"a": "b", "\\u0061": "c"}}'), JSON, None),
    (message(role="user", content="a", Content="b"), FIELD, "messages[0].Content"),
    (b'{"model": "m", "messages": [{"role": "user", "r\\u006fle": "tool"}]}', JSON, None),
    # Not JSON, or more of it than anyone needs
    (b"", JSON, None),
    (raw(""), JSON, None),
    (raw(",}"), JSON, None),
    (raw("}{}"), JSON, None),
    (b"\xef\xbb\xbf" + raw("}"), JSON, None),
    (raw(', "temperature": NaN}'), JSON, None),
    (raw(', "temperature": -Infinity}'), JSON, None),
    (raw(', "seed": 18446744073709551616}'), JSON, None),
    (raw(f', "seed": {"1" * 5000}}}'), JSON, None),
    (raw(', "user": "\\ud800"}'), JSON, None),
    (raw(', "user": "\\udc00x"}'), JSON, None),
    (raw(', "user": "').replace(b"Hello", b"\xff") + b'"}', JSON, None),
    (raw(', "user": "a\nb"}'), JSON, None),
    (b"[" * 100_000, JSON, None),
    (raw(', "tools": ' + "[" * 40 + "]" * 40 + "}"), JSON, None),
    (tool(name="f", parameters={"enum": list(range(10_000))}), JSON, None),
    # The whole request
    (b"[]", FIELD, None),
    (b'"hello"', FIELD, None),
    (b"{}", FIELD, "model"),
    (b'{"model": "m"}', FIELD, "messages"),
    (chat(prompt="Once"), FIELD, "prompt"),
    (chat(n_predict=4), FIELD, "n_predict"),
    (chat(top_k=40), FIELD, "top_k"),
    (chat(grammar="root ::= x"), FIELD, "grammar"),
    (chat(lora=[]), FIELD, "lora"),
    (chat(id_slot=1), FIELD, "id_slot"),
    (chat(keep_alive=-1), FIELD, "keep_alive"),
    (chat(template="{{x}}"), FIELD, "template"),
    (chat(raw=True), FIELD, "raw"),
    (chat(options={"num_ctx": 1}), FIELD, "options"),
    (chat(functions=[]), FIELD, "functions"),
    (chat(model=""), FIELD, "model"),
    (chat(model="m" * 201), FIELD, "model"),
    (chat(model=None), FIELD, "model"),
    (chat(model=["m"]), FIELD, "model"),
    # Messages
    (chat(messages=[]), FIELD, "messages"),
    (chat(messages=None), FIELD, "messages"),
    (chat(messages={"0": HELLO}), FIELD, "messages"),
    (chat(messages=[HELLO] * 2001), FIELD, "messages"),
    (chat(messages=["Hello"]), FIELD, "messages[0]"),
    (chat(messages=[HELLO, {"content": "Hello"}]), FIELD, "messages[1].role"),
    (message(role="User", content="a"), FIELD, "messages[0].role"),
    (message(role="function", content="a", name="f"), FIELD, "messages[0].role"),
    (message(role=1, content="a"), FIELD, "messages[0].role"),
    (message(role="user"), FIELD, "messages[0].content"),
    (message(role="user", content=None), FIELD, "messages[0].content"),
    (message(role="user", content=[]), FIELD, "messages[0].content"),
    (message(role="user", content=[1, 2, 3]), FIELD, "messages[0].content[0]"),
    (message(role="user", content={"type": "text"}), FIELD, "messages[0].content"),
    (message(role="user", content="a", name=""), FIELD, "messages[0].name"),
    (message(role="user", content="a", tool_calls=[]), FIELD, "messages[0].tool_calls"),
    (message(role="user", **{"a - at `$.b": 1}, content="a"), FIELD, "messages[0].a - at ?$.b"),
    (message(role="user", content="a", images=["aGk="]), FIELD, "messages[0].images"),
    (message(role="tool", content="a"), FIELD, "messages[0].tool_call_id"),
    (message(role="assistant", audio={"id": "a"}), FIELD, "messages[0].audio"),
    (message(role="assistant", function_call={}), FIELD, "messages[0].function_call"),
    (message(role="assistant", annotations=[1]), FIELD, "messages[0].annotations"),
    (message(role="assistant", tool_calls=[{}]), FIELD, "messages[0].tool_calls[0].id"),
    (
        message(role="assistant", tool_calls=[CALL | {"function": {"name": "f", "arguments": {}}}]),
        FIELD,
        "messages[0].tool_calls[0].function.arguments",
    ),
    (
        message(role="assistant", tool_calls=[CALL | {"type": "custom"}]),
        FIELD,
        "messages[0].tool_calls[0].type",
    ),
    # Parts
    (part(type="text"), FIELD, "messages[0].content[0].text"),
    (part(text="a"), FIELD, "messages[0].content[0].type"),
    (part(type="input_audio", input_audio={}), FIELD, "messages[0].content[0].type"),
    (part(type="file", file={"file_id": "f"}), FIELD, "messages[0].content[0].type"),
    (part(type="text", text="a", cache_control={}), FIELD, "messages[0].content[0].cache_control"),
    (part(type="image_url", image_url=PNG), FIELD, "messages[0].content[0].image_url"),
    (
        message(role="system", content=[{"type": "image_url", "image_url": {"url": PNG}}]),
        FIELD,
        "messages[0].content[0].type",
    ),
    (image("https://example.org/cat.png"), FIELD, URL),
    (image("HTTP://169.254.169.254/latest/meta-data"), FIELD, URL),
    (image("file:///etc/passwd"), FIELD, URL),
    (image("ftp://example.org/cat.png"), FIELD, URL),
    (image("//example.org/cat.png"), FIELD, URL),
    (image(""), FIELD, URL),
    (image("data:image/svg+xml;base64,PHN2Zz4="), FIELD, URL),
    (image("data:text/html;base64,PGI+"), FIELD, URL),
    (image("data:image/png,raw"), FIELD, URL),
    (image("data:image/png;base64,"), FIELD, URL),
    (image("data:image/png;base64,not base64"), FIELD, URL),
    (image(PNG + "\n"), FIELD, URL),
    (image(" " + PNG), FIELD, URL),
    (image("https://example.org/?" + PNG), FIELD, URL),
    # Numbers and switches
    (chat(stream="true"), FIELD, "stream"),
    (chat(stream=1), FIELD, "stream"),
    (chat(stream_options={"include_usage": "yes"}), FIELD, "stream_options.include_usage"),
    (chat(stream_options={"continuous": True}), FIELD, "stream_options.continuous"),
    (chat(temperature=2.01), FIELD, "temperature"),
    (chat(temperature=-0.1), FIELD, "temperature"),
    (chat(temperature="0.7"), FIELD, "temperature"),
    (raw(', "temperature": 1e999}'), FIELD, "temperature"),
    (chat(top_p=1.1), FIELD, "top_p"),
    (chat(max_tokens=0), FIELD, "max_tokens"),
    (chat(max_tokens=-1), FIELD, "max_tokens"),
    (chat(max_tokens=2**31), FIELD, "max_tokens"),
    (chat(max_tokens=2**64 - 1), FIELD, "max_tokens"),
    (chat(max_tokens=10.0), FIELD, "max_tokens"),
    (chat(max_completion_tokens=0), FIELD, "max_completion_tokens"),
    (chat(seed=2**63), FIELD, "seed"),
    (chat(seed="1"), FIELD, "seed"),
    (chat(n=2), FIELD, "n"),
    (chat(n=0), FIELD, "n"),
    (chat(n=True), FIELD, "n"),
    (chat(presence_penalty=2.5), FIELD, "presence_penalty"),
    (chat(frequency_penalty=-3), FIELD, "frequency_penalty"),
    (chat(logprobs=1), FIELD, "logprobs"),
    (chat(top_logprobs=21), FIELD, "top_logprobs"),
    (chat(logit_bias={"1": 101}), FIELD, "logit_bias[...]"),
    (chat(logit_bias={str(number): 1 for number in range(301)}), FIELD, "logit_bias"),
    (chat(logit_bias=[[1, 2]]), FIELD, "logit_bias"),
    (chat(stop=["a"] * 5), FIELD, "stop"),
    (chat(stop=[1]), FIELD, "stop[0]"),
    (chat(reasoning_effort="extreme"), FIELD, "reasoning_effort"),
    (chat(user="u" * 513), FIELD, "user"),
    (chat(metadata={"a": 1}), FIELD, "metadata[...]"),
    (chat(metadata={"k" * 65: "v"}), FIELD, "metadata"),
    (chat(metadata={str(number): "v" for number in range(17)}), FIELD, "metadata"),
    (chat(store=True), FIELD, "store"),
    (chat(service_tier="priority"), FIELD, "service_tier"),
    # Tools and formats
    (chat(tools=[WEATHER] * 129), FIELD, "tools"),
    (chat(tools=[{"type": "web_search"}]), FIELD, "tools[0].type"),
    (chat(tools=[{"type": "function"}]), FIELD, "tools[0].function"),
    (tool(description="d"), FIELD, "tools[0].function.name"),
    (tool(name="a b"), FIELD, "tools[0].function.name"),
    (tool(name="f\n"), FIELD, "tools[0].function.name"),
    (tool(name="f" * 65), FIELD, "tools[0].function.name"),
    (tool(name="ƒ"), FIELD, "tools[0].function.name"),
    (tool(name="f", parameters=[]), FIELD, "tools[0].function.parameters"),
    (tool(name="f", parameters="{}"), FIELD, "tools[0].function.parameters"),
    (chat(tool_choice="get_weather"), FIELD, "tool_choice"),
    (chat(tool_choice={"type": "allowed_tools"}), FIELD, "tool_choice.type"),
    (
        chat(tool_choice={"type": "function", "function": {"name": "a.b"}}),
        FIELD,
        "tool_choice.function.name",
    ),
    (chat(parallel_tool_calls="no"), FIELD, "parallel_tool_calls"),
    (chat(response_format="json"), FIELD, "response_format"),
    (chat(response_format={"type": "grammar"}), FIELD, "response_format.type"),
    (chat(response_format={"type": "json_schema"}), FIELD, "response_format.json_schema"),
    (
        chat(response_format={"type": "json_object", "schema": {}}),
        FIELD,
        "response_format.schema",
    ),
    (
        chat(response_format={"type": "json_schema", "json_schema": {"name": "a b"}}),
        FIELD,
        "response_format.json_schema.name",
    ),
]


@pytest.mark.parametrize(("body", "code", "param"), BAD_CHATS)
def test_bad_chats_are_refused_with_code_and_field(
    body: bytes, code: str, param: str | None
) -> None:
    with pytest.raises(PeerError) as caught:
        parse_chat(body)
    assert (caught.value.code, caught.value.status, caught.value.param) == (code, 400, param)


def completion(**fields: Any) -> bytes:  # any JSON
    return json.dumps({"model": "m", "prompt": "Once"} | fields).encode()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model": "m"}', "prompt"),
        (completion(prompt=None), "prompt"),
        (completion(prompt=[1, 2, 3]), "prompt[0]"),
        (completion(prompt=[[1, 2], [3]]), "prompt[0]"),
        (completion(prompt=["Once", "Twice"]), "prompt"),
        (completion(prompt=["Once", 42]), "prompt[1]"),
        (completion(prompt={"prompt_string": "Once"}), "prompt"),
        (completion(messages=[HELLO]), "messages"),
        (completion(n=2), "n"),
        (completion(best_of=2), "best_of"),
        (completion(echo=True), "echo"),
        (completion(logprobs=6), "logprobs"),
        (completion(logprobs=True), "logprobs"),
        (completion(suffix=1), "suffix"),
        (completion(tools=[WEATHER]), "tools"),
    ],
)
def test_bad_completions_are_refused_with_the_field(body: bytes, param: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_completion(body)
    assert (caught.value.code, caught.value.param) == ("invalid_request", param)


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        (image("https://example.org/cat.png"), "never fetches a remote URL"),
        (message(role="bot", content="a"), "Roles are system, developer, user"),
        (chat(n=2), "leave it out or send 1"),
        (chat(store=True), "stores nothing"),
        (tool(name="a b"), "letters, digits, underscores and hyphens"),
        (chat(response_format={"type": "grammar"}), "text, json_object and json_schema"),
        (chat(Messages=[]), "names are case-sensitive"),
        (chat(temperature=3), "expected `float` <= 2.0"),
    ],
)
def test_a_refusal_says_what_to_do(body: bytes, advice: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_chat(body)
    assert advice in caught.value.message


@pytest.mark.parametrize("prompt", [[1], [1, 2, 3], [[1, 2]]])
def test_token_ids_are_refused_because_no_filter_could_read_them(prompt: object) -> None:
    with pytest.raises(PeerError, match="no filter could read them"):
        parse_completion(completion(prompt=prompt))


def test_prompt_is_one_text_however_it_was_sent() -> None:
    for prompt in ("Once", ["Once"]):
        assert parse_completion(completion(prompt=prompt)).prompt_text == "Once"


@pytest.mark.parametrize(
    "body",
    [
        message(role=MARKER, content=MARKER),
        image(f"https://example.org/{MARKER}"),
        chat(tools=MARKER),
        chat(tool_choice=MARKER),
        chat(reasoning_effort=MARKER),
        chat(stop=[MARKER] * 5),
        chat(seed=MARKER),
        chat(metadata={MARKER: 1}),
        tool(name=MARKER + " "),
        chat(user=MARKER)[:-2],
    ],
)
def test_no_refusal_quotes_a_value(body: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        parse_chat(body)
    assert MARKER not in f"{caught.value.message} {caught.value.param}"


def test_the_fields_that_are_not_forwarded_exist_and_are_documented() -> None:
    assert set(ChatRequest.__struct_fields__) >= NOT_FORWARDED
    table = [line for line in (requests.__doc__ or "").splitlines() if line.startswith("| ")]
    assert all(any(field in line for line in table) for field in NOT_FORWARDED)
