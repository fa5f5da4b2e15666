"""The ollama dialect: requests in its words, its lines as OpenAI's chunks, what it offers."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.nodeproxy.engines.base import Call
from luckrig.nodeproxy.engines.chunks import Usage
from luckrig.nodeproxy.engines.ollama import Ollama
from luckrig.nodeproxy.engines.ollama_request import OPTIONS
from luckrig.nodeproxy.engines.ollama_stream import OllamaDecoder
from luckrig.protocol.errors import PeerError, UpstreamError
from luckrig.protocol.openai.requests import NOT_FORWARDED, ChatRequest, CompletionRequest
from tests.nodeproxy.engine_scenes import (
    as_facts,
    chat_request,
    completion_request,
    decode_all,
    json_answer,
    run_survey,
)

PIXEL = "iVBORw0KGgo="
FUNCTION: dict[str, object] = {"name": "weather", "parameters": {"type": "object"}}
TOOLS = [{"type": "function", "function": {**FUNCTION, "strict": True}}]
ALL_SKILLS = ("completion", "tools", "vision", "thinking")

LINES = (
    b'{"model":"m","created_at":"2026-08-21T10:00:00.123456789Z","message":{"role":"assistant",'
    b'"content":"","thinking":"Hm"},"done":false}\n'
    b'{"model":"m","message":{"role":"assistant","content":"Gr\xc3\xbc\xc3\x9f \\"Gott\\""},'
    b'"done":false,"logprobs":[{"token":"G","logprob":-0.5}]}\n'
    b'{"model":"m","message":{"content":"","tool_calls":[{"function":{"name":"weather",'
    b'"arguments":{"city":"Wien","days":[1,2]}}},{"id":"own","function":{"name":"now"}}]}}\n'
    b'{"model":"m","message":{"content":""},"done":true,"done_reason":"stop",'
    b'"total_duration":9,"prompt_eval_duration":500000000,"eval_count":5,"eval_duration":2000000000}\n'
)


def dialect(*skills: str, version: str = "0.40.2", num_ctx: int | None = None) -> Ollama:
    """The dialect of an ollama that serves one model, m."""
    engine = Ollama(num_ctx=num_ctx, new_id=lambda: "abc")
    run_survey(
        engine,
        {
            "/api/version": json_answer({"version": version}),
            "/api/tags": json_answer({"models": [{"model": "m", "digest": "d"}]}),
            "/api/show": json_answer({"capabilities": skills or ALL_SKILLS}),
        },
    )
    return engine


def chat(engine: Ollama | None = None, **fields: Any) -> dict[str, Any]:
    """The body that a chat becomes."""
    call = (engine or dialect()).chat(chat_request(**fields), max_output_tokens=100)
    assert call.path == "/api/chat"
    return msgspec.json.decode(call.body, type=dict[str, Any])


def refused(engine: Ollama | None = None, **fields: Any) -> str | None:
    """The parameter that a chat is refused for."""
    with pytest.raises(PeerError) as caught:
        chat(engine, **fields)
    assert caught.value.code == "unsupported_parameter"
    return caught.value.param


def test_every_field_of_a_request_has_a_place() -> None:
    translated = {
        "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
        "n", "stop", "tools", "tool_choice", "response_format", "reasoning_effort", "logprobs",
        "top_logprobs", "prompt", "suffix", "echo", "best_of",
    }  # fmt: skip
    refused_if_set = {"logit_bias", "parallel_tool_calls"}
    known = translated | refused_if_set | set(OPTIONS) | NOT_FORWARDED
    fields = set(ChatRequest.__struct_fields__) | set(CompletionRequest.__struct_fields__)
    assert fields == known


def test_a_plain_chat_is_streamed_and_never_cut_silently() -> None:
    assert chat(temperature=0, seed=3, stop="x", user="planted-marker", max_tokens=7) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "truncate": False,
        "shift": False,
        "options": {"temperature": 0, "seed": 3, "stop": ["x"], "num_predict": 7},
    }


def test_the_owners_context_length_goes_with_each_request() -> None:
    engine = dialect(num_ctx=16384)
    assert chat(engine)["options"]["num_ctx"] == 16384
    call = engine.completion(completion_request(), max_output_tokens=5)
    assert msgspec.json.decode(call.body)["options"] == {"num_predict": 5, "num_ctx": 16384}


def test_messages_are_translated() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    texts = [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief"}]
    messages = [
        {"role": "developer", "content": texts},
        {"role": "user", "content": [{"type": "text", "text": "Look"}, image]},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "Hm"},
        {"role": "tool", "tool_call_id": "c1", "content": "7"},
        {"role": "tool", "tool_call_id": "unknown", "content": "8", "name": "g"},
    ]
    assert chat(messages=messages)["messages"] == [
        {"role": "system", "content": "Be\nbrief"},
        {"role": "user", "content": "Look", "images": [PIXEL]},
        {
            "role": "assistant",
            "content": "",
            "thinking": "Hm",
            "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}}],
        },
        {"role": "tool", "content": "7", "tool_call_id": "c1", "tool_name": "f"},
        {"role": "tool", "content": "8", "tool_call_id": "unknown", "tool_name": "g"},
    ]


@pytest.mark.parametrize("arguments", ["{", "[1]", "7"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    with pytest.raises(PeerError) as caught:
        chat(messages=[{"role": "assistant", "tool_calls": [call]}])
    assert (caught.value.code, caught.value.param) == ("invalid_request", "messages")
    assert arguments not in caught.value.message or len(arguments) == 1


def test_tools_formats_and_effort_are_translated() -> None:
    schema = {"type": "object"}
    named = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert chat(tools=TOOLS)["tools"] == [{"type": "function", "function": FUNCTION}]
    assert "tools" not in chat(tools=TOOLS, tool_choice="none")
    assert chat(response_format={"type": "json_object"})["format"] == "json"
    assert chat(response_format=named)["format"] == schema
    assert "format" not in chat(response_format={"type": "text"})
    assert chat(reasoning_effort="none")["think"] is False
    assert chat(reasoning_effort="xhigh")["think"] == "high"
    with_logprobs = chat(logprobs=True, top_logprobs=3)
    assert (with_logprobs["logprobs"], with_logprobs["top_logprobs"]) == (True, 3)


def test_what_it_would_ignore_is_refused() -> None:
    chosen = {"type": "function", "function": {"name": "weather"}}
    assert refused(tools=TOOLS, tool_choice="required") == "tool_choice"
    assert refused(tools=TOOLS, tool_choice=chosen) == "tool_choice"
    assert refused(tools=TOOLS, parallel_tool_calls=False) == "parallel_tool_calls"
    assert refused(logit_bias={"5": 1}) == "logit_bias"
    assert refused(dialect(version="0.12.10"), logprobs=True) == "logprobs"
    plain = dialect("completion")
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    assert refused(plain, tools=TOOLS) == "tools"
    assert refused(plain, reasoning_effort="low") == "reasoning_effort"
    assert refused(plain, messages=[{"role": "user", "content": [image]}]) == "messages"
    assert "think" in chat(plain, reasoning_effort="none")


def test_a_completion_goes_to_the_model_as_it_is() -> None:
    engine = dialect()
    call = engine.completion(completion_request(temperature=1), max_output_tokens=5)
    assert (call.path, msgspec.json.decode(call.body)) == (
        "/api/generate",
        {
            "model": "m",
            "prompt": "Once",
            "raw": True,
            "stream": True,
            "truncate": False,
            "shift": False,
            "options": {"temperature": 1, "num_predict": 5},
        },
    )
    infill = engine.completion(completion_request(suffix="end"), max_output_tokens=5)
    body = msgspec.json.decode(infill.body, type=dict[str, Any])
    assert (body["suffix"], "raw" in body) == ("end", False)
    for fields in ({"logprobs": 1}, {"logit_bias": {"1": 1}}):
        with pytest.raises(PeerError, match="engine"):
            engine.completion(completion_request(**fields), max_output_tokens=5)


# The stream


def new_decoder() -> OllamaDecoder:
    return OllamaDecoder(model="m", reply_id="chatcmpl-abc", form="chat")


@given(st.integers(0, 2**32))
def test_any_split_of_a_stream_gives_the_same_chunks(seed: int) -> None:
    whole = decode_all(new_decoder(), LINES)
    assert as_facts(decode_all(new_decoder(), LINES, seed=seed)) == as_facts(whole)


def test_lines_become_openai_chunks() -> None:
    chunks = decode_all(new_decoder(), LINES)
    documents = [msgspec.json.decode(chunk.raw) for chunk in chunks[:-1]]
    assert {(d["id"], d["object"], d["model"]) for d in documents} == {
        ("chatcmpl-abc", "chat.completion.chunk", "m")
    }
    assert {document["created"] for document in documents} == {1787306400}
    deltas = [d["choices"][0]["delta"] for d in documents if d["choices"]]
    assert deltas == [
        {"role": "assistant", "content": "", "reasoning_content": "Hm"},
        {"content": 'Grüß "Gott"'},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_abc_0",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city":"Wien","days":[1,2]}'},
                },
                {
                    "index": 1,
                    "id": "own",
                    "type": "function",
                    "function": {"name": "now", "arguments": "{}"},
                },
            ]
        },
        {},
    ]
    assert documents[1]["choices"][0]["logprobs"]["content"] == [{"token": "G", "logprob": -0.5}]
    assert chunks[-1].done


def test_the_last_line_tells_why_and_how_long() -> None:
    *_, finish, usage, done = decode_all(new_decoder(), LINES)
    assert finish.finish_reason == "tool_calls"
    assert usage.usage == Usage(0, 5, 0)  # prompt_eval_count was zero, so it wasn't there
    assert usage.timings is not None
    assert (usage.timings.prompt_seconds, usage.timings.generation_seconds) == (0.5, 2.0)
    assert msgspec.json.decode(usage.raw)["usage"]["total_tokens"] == 5
    assert (done.raw, usage.choices) == (b"[DONE]", [])


def test_a_completion_becomes_text_completion_chunks() -> None:
    decoder = OllamaDecoder(model="m", reply_id="cmpl-1", form="completion")
    wire = (
        b'{"response":" upon","done":false}\n{"response":"","done":true,"done_reason":"length"}\n'
    )
    first, finish, _, _ = decode_all(decoder, wire)
    assert msgspec.json.decode(first.raw) == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "text": " upon", "logprobs": None, "finish_reason": None}],
    }
    assert (first.text, finish.finish_reason) == (" upon", "length")


@pytest.mark.parametrize(
    "bad", [b'{"error":"CUDA error: /home/o/x"}\n', b"<html>\n", b"[]\n", b'{"eval_count":-1}\n']
)
def test_good_chunks_come_before_the_fault(bad: bytes) -> None:
    decoder = new_decoder()
    assert [c.text for c in decoder.feed(b'{"message":{"content":"a"}}\n' + bad)] == ["a"]
    for ask in (lambda: decoder.feed(b"\n"), decoder.end):
        with pytest.raises(UpstreamError) as caught:
            ask()
        assert (caught.value.code, "/home" in caught.value.message) == ("engine_error", False)


def test_a_stream_that_stops_in_the_middle_is_no_reply() -> None:
    decoder = new_decoder()
    decoder.feed(LINES[:-40])
    with pytest.raises(UpstreamError, match="broke off"):
        decoder.end()


def test_a_reply_from_somebodys_cloud_is_no_reply() -> None:
    """A local model can give way to one of the same name between two looks."""
    decoder = OllamaDecoder(model="m", reply_id="x", form="chat")
    for field in ("remote_host", "remote_model"):
        line = {"model": "m", field: "x", "message": {"content": "Hi"}, "done": False}
        with pytest.raises(UpstreamError, match="cloud"):
            decoder.feed(msgspec.json.encode(line) + b"\n")


def test_calls_do_not_share_a_decoder() -> None:
    engine = dialect()
    calls: list[Call] = [engine.chat(chat_request(), max_output_tokens=5) for _ in range(2)]
    assert calls[0].decoder is not calls[1].decoder
