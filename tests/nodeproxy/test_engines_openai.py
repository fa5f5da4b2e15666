"""The OpenAI-compatible dialect: what reaches the engine, and what becomes of its stream."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.nodeproxy.engines.chunks import SseDecoder, Usage
from luckrig.nodeproxy.engines.openai_compatible import (
    CHAT_FIELDS,
    COMPLETION_FIELDS,
    OpenAiCompatible,
)
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

WRITTEN_BY_US = {
    "model", "messages", "prompt", "stream", "stream_options", "max_tokens",
    "max_completion_tokens", "n", "echo", "best_of",
}  # fmt: skip

STREAM = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"/srv/m.gguf",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]}\n\n'
    b": a comment\n\n"
    b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"He said \\"model\\":\\"x\\""},'
    b'"logprobs":{"content":[]},"finish_reason":null}],"model": "/srv/m.gguf"}\r\n\r\n'
    b'data: {"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t",'
    b'"function":{"name":"f","arguments":"{}"}}]}}]}\n\n'
    b'data: {"id":"c1",\ndata: "choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,'
    b'"prompt_tokens_details":{"cached_tokens":2}},"timings":{"prompt_ms":20.5,"predicted_ms":30}}'
    b"\n\ndata: [DONE]\n\n"
)


def dialect(name: str = "m") -> OpenAiCompatible:
    """The dialect of an engine that serves one model."""
    engine = OpenAiCompatible()
    run_survey(engine, {"/v1/models": json_answer({"data": [{"id": name}]})})
    return engine


def sent(body: bytes) -> dict[str, Any]:
    return msgspec.json.decode(body, type=dict[str, Any])


def test_every_field_of_a_request_has_a_place() -> None:
    """A field added tomorrow must be passed on, written here, or left out on purpose."""
    known = WRITTEN_BY_US | NOT_FORWARDED
    assert set(ChatRequest.__struct_fields__) - known == set(CHAT_FIELDS)
    assert set(CompletionRequest.__struct_fields__) - known == set(COMPLETION_FIELDS)


def test_a_chat_is_written_anew_and_always_streams() -> None:
    request = chat_request(
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "Ada"},
            {"role": "assistant", "content": "Yes?", "annotations": [], "refusal": None},
        ],
        stream=False,
        temperature=0.5,
        stop=["\n"],
        user="planted-marker",
        metadata={"planted": "marker"},
        store=False,
        service_tier="auto",
    )
    call = dialect().chat(request, max_output_tokens=100)
    assert call.path == "/v1/chat/completions"
    assert sent(call.body) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "Ada"},
            {"role": "assistant", "content": "Yes?"},
        ],
        "temperature": 0.5,
        "stop": ["\n"],
        "max_tokens": 100,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, 100),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7, "max_tokens": 5}, 7),
        ({"max_completion_tokens": 5000}, 100),
    ],
)
def test_no_reply_may_be_longer_than_allowed(fields: dict[str, int], limit: int) -> None:
    call = dialect().chat(chat_request(**fields), max_output_tokens=100)
    assert sent(call.body)["max_tokens"] == limit


def test_a_completion_keeps_its_own_fields() -> None:
    request = completion_request(suffix="end", logprobs=2, echo=False, best_of=1, n=1, seed=4)
    call = dialect().completion(request, max_output_tokens=9)
    assert call.path == "/v1/completions"
    assert sent(call.body) == {
        "model": "m",
        "prompt": "Once",
        "suffix": "end",
        "logprobs": 2,
        "seed": 4,
        "max_tokens": 9,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_engine_gets_its_own_name_of_the_model_and_the_client_never_sees_it() -> None:
    engine = dialect("/srv/m.gguf")
    call = engine.chat(chat_request(), max_output_tokens=9)
    assert sent(call.body)["model"] == "/srv/m.gguf"
    chunks = decode_all(call.decoder, STREAM)
    assert all(b"/srv" not in chunk.raw for chunk in chunks)
    assert msgspec.json.decode(chunks[1].raw)["model"] == "m"


def test_a_model_that_is_not_offered_is_not_found() -> None:
    for name in ("other", "/srv/m.gguf"):
        with pytest.raises(PeerError) as caught:
            dialect("/srv/m.gguf").chat(chat_request(model=name), max_output_tokens=9)
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


@given(st.integers(0, 2**32))
def test_any_split_of_a_stream_gives_the_same_chunks(seed: int) -> None:
    whole = decode_all(SseDecoder(model="m"), STREAM)
    assert as_facts(decode_all(SseDecoder(model="m"), STREAM, seed=seed)) == as_facts(whole)


def test_chunks_carry_what_the_node_needs() -> None:
    chunks = decode_all(SseDecoder(model="m"), STREAM)
    assert [chunk.text for chunk in chunks] == ["", 'He said "model":"x"', "", "", "", ""]
    assert [chunk.finish_reason for chunk in chunks] == [None, None, None, "stop", None, None]
    calls = chunks[2].choices[0].delta
    assert calls is not None
    assert calls.tool_calls is not None
    assert calls.tool_calls[0].id == "t"
    assert bytes(chunks[1].choices[0].logprobs) == b'{"content":[]}'
    assert chunks[4].usage == Usage(7, 3, 2)
    assert chunks[4].timings is not None
    assert chunks[4].timings.prompt_seconds == pytest.approx(0.0205)
    assert chunks[4].timings.generation_seconds == pytest.approx(0.03)
    assert chunks[4].choices == []
    assert (chunks[5].done, chunks[5].raw) == (True, b"[DONE]")
    assert all(b"\n" not in chunk.raw and b"\r" not in chunk.raw for chunk in chunks)


def test_usage_may_be_null_or_missing() -> None:
    wire = (
        b'data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\n\n'
        b'data: {"choices":[{"delta":{},"finish_reason":"length"}]}\n\n'
    )
    chunks = decode_all(SseDecoder(model="m"), wire)  # nor is there a [DONE]
    assert [chunk.usage for chunk in chunks] == [None, None]


@pytest.mark.parametrize(
    "bad",
    [
        b"data: {]\n\n",
        b"data: [1]\n\n",
        b'data: {"choices":[{"delta":{"content":7}}]}\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":-1}}\n\n',
        b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
        b'data: {"error":{"message":"CUDA error at /home/o/x.cu","code":500}}\n\n',
        b'data: {"error":"boom"}\n\n',
    ],
)
def test_good_chunks_come_before_the_fault(bad: bytes) -> None:
    decoder = SseDecoder(model="m")
    good = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    assert [chunk.text for chunk in decoder.feed(good + bad + good)] == ["a"]
    for ask in (lambda: decoder.feed(good), decoder.end):
        with pytest.raises(UpstreamError) as caught:
            ask()
        assert caught.value.code == "engine_error"
        assert "/home" not in caught.value.message


def test_a_refusal_inside_a_good_answer_is_the_clients_fault() -> None:
    decoder = SseDecoder(model="m")
    with pytest.raises(PeerError) as caught:
        decoder.feed(b'data: {"error":{"message":"bad schema","type":"BadRequest","code":400}}\n\n')
    assert caught.value.code == "invalid_request"


def test_a_stream_that_stops_in_the_middle_is_no_reply() -> None:
    decoder = SseDecoder(model="m")
    decoder.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
    with pytest.raises(UpstreamError, match="broke off"):
        decoder.end()


def test_offers_take_what_the_cards_tell() -> None:
    cards = [
        {"id": "org/model", "owned_by": "vllm", "max_model_len": 32768, "root": "/models/x"},
        {"id": "C:\\Models\\phi.gguf", "n_ctx": -5},
        {"id": "../up/qwen.gguf"},
        {"id": "org/model"},
        {"id": "\u202eevil"},
        {"id": ""},
    ]
    state, _ = run_survey(OpenAiCompatible(), {"/v1/models": json_answer({"data": cards})})
    offers = [(offer.model, offer.context_length) for offer in state.offers]
    assert offers == [("org/model", 32768), ("phi", None), ("qwen", None)]
    assert (state.status, state.kind) == ("ready", "openai-compatible")
