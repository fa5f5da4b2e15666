"""The node proxy on a real socket: what passes, what is refused, what the engine gets to see."""

import asyncio
import json
from itertools import product
from typing import Any

import httpx2
import openai
import pytest

from luckrig.protocol.errors import CODES
from tests.fake_engines.engine import Fault, OnDemand
from tests.fake_engines.ollama import FakeOllama
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.conditions import until
from tests.nodeproxy.rigs import NODE_ID, Rig, make_token, running_rig
from tests.vectors import load_vectors

FORGERIES: dict[str, str] = load_vectors("tokens")["refused"]
REPLY = "Hello! I only stand in for an engine."


@pytest.fixture
def rig_settings() -> dict[str, Any]:
    """Room for two requests."""
    return {"max_active": 2}


def asked(engine: FakeOpenAi | FakeOllama) -> list[str]:
    """What reached the engine, surveys aside."""
    return [request.path for request in engine.requests if request.method == "POST"]


def error_of(response: httpx2.Response) -> tuple[int, str]:
    """Status and code of an error in OpenAI's shape."""
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert CODES[error["code"]].status == response.status_code
    return response.status_code, error["code"]


def events(body: str) -> list[Any]:
    """The JSON documents of an event stream; [DONE] as a string."""
    data = [line.removeprefix("data: ") for line in body.split("\n\n") if line]
    return [text if text == "[DONE]" else json.loads(text) for text in data]


# What passes


async def test_stream_ends_with_finish_timing_and_done(rig: Rig) -> None:
    response = await rig.chat(stream=True)
    *chunks, done = events(response.text)
    assert done == "[DONE]"
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == REPLY
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert all("usage" not in chunk for chunk in chunks)
    timing = chunks[-1]["luckrig"]["timing"]
    assert timing["streamed"] is True
    assert timing["completion_tokens"] == 10
    assert timing["queue_ms"] >= 0


async def test_usage_comes_in_a_chunk_of_its_own_when_asked_for(rig: Rig) -> None:
    response = await rig.chat(stream=True, stream_options={"include_usage": True})
    *_, finish, usage, done = events(response.text)
    assert done == "[DONE]"
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 7, "completion_tokens": 10, "total_tokens": 17}
    assert "timing" in usage["luckrig"]


async def test_reply_in_one_piece_has_usage_and_timing(rig: Rig) -> None:
    reply = (await rig.chat()).json()
    assert reply["object"] == "chat.completion"
    (choice,) = reply["choices"]
    assert choice["message"]["content"] == REPLY
    assert choice["finish_reason"] == "stop"
    assert reply["usage"]["total_tokens"] == 17
    assert reply["luckrig"]["timing"]["streamed"] is False


async def test_completions_work_both_ways(rig: Rig) -> None:
    body: dict[str, Any] = {"model": rig.models[0], "prompt": "Say"}
    whole = (await rig.post("/v1/completions", body)).json()
    assert whole["object"] == "text_completion"
    assert whole["choices"][0]["text"] == REPLY
    streamed = await rig.post("/v1/completions", body | {"stream": True})
    chunks = events(streamed.text)[:-1]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == REPLY


async def test_answers_name_the_rig(rig: Rig) -> None:
    headers = (await rig.chat()).headers
    assert headers["luckrig-node"] == NODE_ID
    assert headers["luckrig-gpu"] == "NVIDIA GeForce RTX 3090"
    assert headers["luckrig-engine"] == "openai-compatible"
    assert {"luckrig-quant", "luckrig-queue-ms", "luckrig-request"} <= set(headers)


async def test_chunks_pass_while_the_engine_still_speaks(engine: FakeOpenAi, rig: Rig) -> None:
    """The third token isn't there yet when the client already has the second."""
    engine.pace = pace = OnDemand()
    pace.allow(2)
    client = rig.openai()
    stream = await client.chat.completions.create(
        model=rig.models[0], messages=[{"role": "user", "content": "x"}], stream=True
    )
    seen = ""
    async for chunk in stream:
        seen += chunk.choices[0].delta.content or ""
        if seen == "Hello!":
            break
    assert seen == "Hello!"
    await stream.close()


async def test_token_caps_what_the_engine_generates(engine: FakeOpenAi, rig: Rig) -> None:
    token = make_token(output_tokens=3)
    asks: list[dict[str, Any]] = [{}, {"max_tokens": 900}, {"max_completion_tokens": 900}]
    for fields in asks:
        reply = (await rig.chat(token=token, **fields)).json()
        assert reply["choices"][0]["finish_reason"] == "length"
        assert reply["usage"]["completion_tokens"] == 3
    smaller = (await rig.chat(token=token, max_tokens=2)).json()
    assert smaller["usage"]["completion_tokens"] == 2


async def test_engine_gets_our_bytes_and_nothing_that_identifies_the_user(
    engine: FakeOpenAi, rig: Rig
) -> None:
    await rig.chat(user="user-4711", metadata={"a": "b"}, temperature=0.5)
    (request,) = [request for request in engine.requests if request.method == "POST"]
    assert b"4711" not in request.body
    assert request.json["temperature"] == 0.5
    assert request.json["stream"] is True
    assert "authorization" not in request.headers


async def test_ollama_answers_through_the_same_door() -> None:
    async with FakeOllama() as engine, running_rig(engine.url) as rig:
        reply = (await rig.chat()).json()
        assert reply["choices"][0]["message"]["content"] == REPLY
        assert reply["usage"]["completion_tokens"] == 10
        chunks = events((await rig.chat(stream=True)).text)
        assert chunks[-1] == "[DONE]"
        assert chunks[-2]["luckrig"]["timing"]["completion_tokens"] == 10


# Who is refused


async def test_forged_tokens_get_401(rig: Rig, engine: FakeOpenAi) -> None:
    """All that can stand in an HTTP header; the rest is tested without HTTP."""
    sent = 0
    for name, token in FORGERIES.items():
        if token.isascii() and token.isprintable() and token.strip():
            assert error_of(await rig.chat(token=token)) == (401, "token_invalid"), name
            sent += 1
    assert sent >= 40
    assert asked(engine) == []


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, "token_missing"),
        ({"authorization": ""}, "token_missing"),
        ({"authorization": "Basic eA=="}, "token_missing"),
        ({"authorization": "Bearer"}, "token_missing"),
        ({"authorization": "Bearer x"}, "token_invalid"),
    ],
)
async def test_requests_without_a_token_get_401(
    header: dict[str, str], code: str, rig: Rig
) -> None:
    for path in ("/v1/models", "/v1/chat/completions"):
        method = "GET" if path == "/v1/models" else "POST"
        response = await rig.http.request(method, path, headers=header)
        assert error_of(response) == (401, code)


async def test_token_for_another_rig_and_old_token_get_401(rig: Rig) -> None:
    assert error_of(await rig.chat(token=make_token(aud="n1" + "a" * 32)))[1] == "token_invalid"
    old = make_token(iat=1_700_000_000, exp=1_700_000_300)
    assert error_of(await rig.chat(token=old)) == (401, "token_expired")


async def test_token_is_spent_after_its_requests(rig: Rig) -> None:
    token = make_token(requests=1)
    assert (await rig.chat(token=token)).status_code == 200
    refused = await rig.chat(token=token)
    assert error_of(refused) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0


# What is refused


def chat_body(**fields: Any) -> bytes:
    """A chat request that is fine but for the fields."""
    good = {"model": "stand-in", "messages": [{"role": "user", "content": "x"}]}
    return json.dumps(good | fields).encode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "invalid_json")),
        (b"{", (400, "invalid_json")),
        (b"[" * 100_000, (400, "invalid_json")),
        (b'{"model":"stand-in","model":"stand-in"}', (400, "invalid_json")),
        (chat_body()[:-1] + b',"messages":[]}', (400, "invalid_json")),
        (chat_body()[:-1] + b',"Messages":[]}', (400, "invalid_request")),
        (chat_body()[:-1] + b',"temperature":NaN}', (400, "invalid_json")),
        (b"\xff\xfe", (400, "invalid_json")),
        (chat_body(messages="x"), (400, "invalid_request")),
        (chat_body(messages=[]), (400, "invalid_request")),
        (chat_body(temperature="hot"), (400, "invalid_request")),
        (chat_body(n_predict=9999), (400, "invalid_request")),
        (chat_body(n=2), (400, "invalid_request")),
        (chat_body(options={"num_ctx": 1}), (400, "invalid_request")),
        (chat_body(keep_alive=-1), (400, "invalid_request")),
        (chat_body(max_tokens=0), (400, "invalid_request")),
        (chat_body(model="other"), (404, "model_not_found")),
        (chat_body(model="../../etc/passwd"), (404, "model_not_found")),
        (
            chat_body(
                messages=[
                    {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": "http://10.0.0.1/x.png"}}
                        ],
                    }
                ]
            ),
            (400, "invalid_request"),
        ),
        (b'{"pad":"' + b"x" * (1 << 20) + b'"}', (413, "body_too_large")),
        (
            chat_body(messages=[{"role": "user", "content": "erotic story, schoolgirl"}]),
            (400, "content_filter"),
        ),
    ],
)
async def test_bad_bodies_never_reach_the_engine(
    body: bytes, expected: tuple[int, str], rig: Rig, engine: FakeOpenAi
) -> None:
    assert error_of(await rig.post("/v1/chat/completions", body)) == expected
    assert asked(engine) == []


@pytest.mark.parametrize(
    "headers",
    [{"content_type": "text/plain"}, {"content_encoding": "gzip"}, {"content_type": ""}],
)
async def test_other_media_types_are_refused(headers: dict[str, str], rig: Rig) -> None:
    response = await rig.post("/v1/chat/completions", chat_body(), **headers)
    assert error_of(response) == (415, "unsupported_media_type")


ENGINE_ROUTES = """/ /api/chat /api/generate /api/tags /api/pull /api/push /api/create /api/delete
/api/show /api/ps /api/version /api/blobs/sha256:0 /api/me /api/signout /props /slots /metrics
/completion /tokenize /detokenize /apply-template /lora-adapters /models/load /infill /rerank
/v1/rerank /v1/messages /v1/audio/speech /v1/files /v1/models/x /v1/responses/resp_1 /embeddings
/embedding /api/embed /api/embeddings /v1/responses/resp_1/cancel /v1/embeddings/ /docs""".split()
TRICKS = """//v1/models /v1//models /v1/models/ /V1/models /v1/./models /v1/x/../models /v1/models;x
/%761/models /v1%2fmodels /v1/models%00 /v1/models/../../slots /v1/chat/completions/
/health/../slots /./slots""".split()


OURS = {
    "/v1/chat/completions": "POST",
    "/v1/completions": "POST",
    "/v1/responses": "POST",
    "/v1/embeddings": "POST",
    "/v1/models": "GET",
    "/health": "GET",
}
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")


async def test_no_other_route_reaches_the_engine(rig: Rig, engine: FakeOpenAi) -> None:
    """Raw sockets: clients would tidy the paths up."""
    host = rig.origin.removeprefix("http://")
    for method, path in product(METHODS, [*ENGINE_ROUTES, *TRICKS]):
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            "Via: 1.1 a-proxy\r\n"  # for strangers, /metrics is the engine's too
            f"Authorization: Bearer {rig.token}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        status = (await reader.read()).split(b" ", 2)[1]
        writer.close()
        assert status in (b"404", b"405"), (method, path)
    assert engine.requests == []


async def test_each_route_takes_one_method(rig: Rig, engine: FakeOpenAi) -> None:
    for path, method in product(OURS, METHODS):
        response = await rig.http.request(method, path)
        allowed = method == OURS[path]
        assert (response.status_code == 405) != allowed, (method, path)
        if allowed and path != "/health":
            assert error_of(response) == (401, "token_missing")
    assert engine.requests == []


async def test_foreign_or_repeated_headers_are_refused(rig: Rig) -> None:
    other = await rig.http.get("/health", headers={"host": "evil.example"})
    assert error_of(other) == (400, "invalid_request")
    two = [("authorization", "Bearer a"), ("authorization", "Bearer b")]
    assert error_of(await rig.http.get("/v1/models", headers=two)) == (400, "invalid_request")


# The queue, and clients that leave


async def test_requests_beyond_the_engine_wait_and_beyond_the_queue_are_refused(
    engine: FakeOpenAi,
) -> None:
    engine.pace = pace = OnDemand()
    async with running_rig(engine.url, max_active=1, max_queue=1) as rig:
        first = asyncio.create_task(rig.chat())
        await until(lambda: len(asked(engine)) == 1)
        second = asyncio.create_task(rig.chat())
        await until(lambda: rig.node.queue.waiting == 1)
        assert error_of(await rig.chat()) == (429, "queue_full")
        assert len(asked(engine)) == 1
        health = (await rig.http.get("/health")).json()
        assert health["status"] == "busy"
        assert health["queue"] == {"active": 1, "waiting": 1, "max_active": 1}
        pace.allow(100)
        assert (await first).status_code == (await second).status_code == 200
        assert rig.node.queue.active == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_client_that_leaves_frees_the_engine(
    engine: FakeOpenAi, rig: Rig, stream: bool
) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(2)
    request = asyncio.create_task(rig.chat(stream=stream))
    await until(lambda: len(asked(engine)) == 1)
    request.cancel()
    await engine.left.acquire()
    await until(lambda: rig.node.queue.active == 0)


async def test_client_that_leaves_the_queue_never_reaches_the_engine(engine: FakeOpenAi) -> None:
    engine.pace = OnDemand()
    async with running_rig(engine.url, max_active=1) as rig:
        first = asyncio.create_task(rig.chat())
        await until(lambda: len(asked(engine)) == 1)
        second = asyncio.create_task(rig.chat())
        await until(lambda: rig.node.queue.waiting == 1)
        second.cancel()
        await until(lambda: rig.node.queue.waiting == 0)
        first.cancel()
        await engine.left.acquire()
        assert len(asked(engine)) == 1


# Engines that fail


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("busy", (503, "engine_unavailable")),
        ("loading", (503, "engine_loading")),
        ("locked", (503, "engine_unavailable")),
        ("too-long", (400, "context_length_exceeded")),
    ],
)
async def test_refusals_of_the_engine_are_explained(
    fault: Any, expected: tuple[int, str], engine: FakeOpenAi, rig: Rig
) -> None:
    engine.fault = fault
    for stream in (True, False):
        response = await rig.chat(stream=stream)
        assert error_of(response) == expected
        assert ("retry-after" in response.headers) == (response.status_code == 503)
    assert rig.node.queue.active == 0


async def test_engine_that_is_down_gives_503_with_retry_after(engine: FakeOpenAi, rig: Rig) -> None:
    await engine.stop()
    response = await rig.chat(stream=True)
    assert error_of(response) == (503, "engine_unavailable")
    assert int(response.headers["retry-after"]) > 0
    await until(lambda: rig.node.watch.state.status == "down")  # no need to wait for the next look
    assert (await rig.http.get("/health")).json()["status"] == "unavailable"


@pytest.mark.parametrize("fault", ["reset", "garbage", "half", "error"])
async def test_engine_that_dies_in_the_middle_ends_the_stream_with_an_error(
    fault: Any, engine: FakeOpenAi, rig: Rig
) -> None:
    engine.fault = fault
    *chunks, error = events((await rig.chat(stream=True)).text)
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == "Hello!"
    assert error["error"]["code"] == "engine_error"
    assert "CUDA" not in json.dumps(error)
    whole = await rig.chat(stream=False)
    assert error_of(whole) == (502, "engine_error")
    engine.fault = None
    assert (await rig.chat()).status_code == 200


async def test_stock_client_raises_on_an_error_event(engine: FakeOpenAi, rig: Rig) -> None:
    engine.fault = "reset"
    stream = await rig.openai().chat.completions.create(
        model=rig.models[0], messages=[{"role": "user", "content": "x"}], stream=True
    )
    with pytest.raises(openai.APIError, match="engine"):
        async for _ in stream:
            pass


async def test_stock_client_never_retries_a_refused_prompt(engine: FakeOpenAi, rig: Rig) -> None:
    requests: list[httpx2.Request] = []

    async def count(request: httpx2.Request) -> None:
        requests.append(request)

    rig.http.event_hooks = {"request": [count]}
    with pytest.raises(openai.BadRequestError, match="rule") as refused:
        await rig.openai(max_retries=2).chat.completions.create(
            model=rig.models[0], messages=[{"role": "user", "content": "nude 12 year old"}]
        )
    assert refused.value.code == "content_filter"
    assert len(requests) == 1
    assert asked(engine) == []


# Nothing is told


MARKER = "xyzzy-secret-marker"


async def test_nothing_secret_is_ever_logged(
    engine: FakeOpenAi, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """A marker in prompt, reply, token, header and error appears in no log at any level."""
    caplog.set_level(0)
    engine.reply = [MARKER]
    await rig.chat(MARKER)
    await rig.chat(MARKER, stream=True)
    await rig.chat(token=MARKER)
    await rig.chat(MARKER + " nude 12 year old")
    await rig.post("/v1/chat/completions", MARKER.encode())
    await rig.http.get(f"/{MARKER}", headers={"x-marker": MARKER})
    faults: tuple[Fault, ...] = ("reset", "garbage", "error")
    for fault in faults:
        engine.fault = fault
        await rig.chat(MARKER, stream=True)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("luckrig")]
    assert ours
    assert MARKER not in "\n".join(ours)
    assert rig.token not in "\n".join(ours)


async def test_a_bug_becomes_500_without_a_trace_of_the_prompt(
    engine: FakeOpenAi, rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[str]:
        raise RuntimeError(MARKER)

    monkeypatch.setattr("luckrig.nodeproxy.steps.obey_rules.texts_of", broken)
    response = await rig.chat(MARKER)
    assert error_of(response) == (500, "internal_error")
    assert response.headers["luckrig-request"] in response.json()["error"]["message"]
    assert MARKER not in response.text + caplog.text
    assert "RuntimeError at" in caplog.text
