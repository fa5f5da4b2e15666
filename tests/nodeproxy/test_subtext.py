"""Sealed requests at a rig, over real sockets: whatever works in plain works sealed."""

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from luckrig.nodeproxy.sealing.connection import INLINE_BYTES, VISIBLE
from luckrig.nodeproxy.settings import SubtextPace
from luckrig.protocol.receipts import verify_receipt
from luckrig.protocol.subtext.carrier import MODEL as SUBTEXT
from luckrig.protocol.subtext.cover import SENTENCES, word
from luckrig.protocol.subtext.hpke import Kem
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.moderation import FakeModeration
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.conditions import until
from tests.nodeproxy.moderated_rigs import flags_in, moderated_rig
from tests.nodeproxy.rigs import Rig, make_token, running_rig
from tests.nodeproxy.sealed import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    RESPONSES,
    ask,
    asking,
    carried,
    chat,
    opened,
    seal,
    sealing_key,
)

MARKER = "xyzzy-sentinel-4711"
FORMS = [
    (CHAT, False), (CHAT, True), (COMPLETIONS, False), (COMPLETIONS, True),
    (RESPONSES, False), (RESPONSES, True), (EMBEDDINGS, False),
]  # fmt: skip
"""Path, streamed."""
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture
def rig_settings() -> dict[str, Any]:
    """Who waits hears of it at once, and a flush comes soon."""
    return {"max_active": 1, "tell_seconds": 0.01, "subtext": SubtextPace(tick_seconds=0.01)}


def without_own(body: str) -> str:
    """A body without what is unlike in each reply: ids, timing, receipt."""
    body = re.sub(r'"luckrig":\{.*\}\}', '"luckrig":{}}', body)
    return re.sub(r"(resp|msg|rs|fc)_[0-9a-f]{16}", r"\1_x", body)


def bodies(rig: Rig) -> dict[str, dict[str, Any]]:
    model = rig.models[0]
    return {
        CHAT: chat(rig, "Hello", temperature=0.5),
        COMPLETIONS: {"model": model, "prompt": "Once"},
        RESPONSES: {"model": model, "instructions": "Be brief.", "input": "Hello"},
        EMBEDDINGS: {"model": model, "input": ["one", "two"]},
    }


# What works


@pytest.mark.parametrize("kem", ["x25519", "mlkem768-x25519"])
@pytest.mark.parametrize(("path", "stream"), FORMS)
async def test_sealed_answer_is_the_plain_one(
    path: str, stream: bool, kem: Kem, rig: Rig, engine: FakeOpenAi
) -> None:
    body = bodies(rig)[path] | ({"stream": True} if stream else {})
    plain = await rig.post(path, body)
    answer = await ask(rig, path, body, kem=kem)
    assert plain.status_code == answer.head.status == 200
    assert answer.head.content_type == plain.headers["content-type"]
    assert without_own(answer.body.decode()) == without_own(plain.text)
    first, second = engine.requests
    assert (first.path, first.body) == (second.path, second.body)


async def test_headers_that_hint_at_the_request_are_sealed(rig: Rig) -> None:
    plain = await rig.chat()
    answer = await ask(rig, CHAT, chat(rig))
    assert set(answer.head.headers) == {"luckrig-quant", "luckrig-queue-ms"}
    assert answer.head.headers["luckrig-quant"] == plain.headers["luckrig-quant"]
    shown = answer.response.headers
    framing = {"date", "content-length", "content-type"}
    for_pages = {"vary", "access-control-allow-origin", "access-control-expose-headers"}
    assert set(shown) == (VISIBLE - for_pages) | framing
    for name in ("luckrig-node", "luckrig-gpu", "luckrig-engine", "cache-control"):
        assert shown[name] == plain.headers[name]


async def test_receipt_of_a_sealed_request_is_like_any(rig: Rig) -> None:
    answer = await ask(rig, CHAT, chat(rig))
    receipt = verify_receipt(answer.json["luckrig"]["receipt"], now=time.time())
    assert receipt.req == answer.response.headers["luckrig-request"]
    assert (receipt.model, receipt.completion_tokens) == (rig.models[0], 10)


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_are_called_sealed(stream: bool, rig: Rig, engine: FakeOpenAi) -> None:
    engine.calls_tools = True
    answer = await ask(rig, CHAT, chat(rig, tools=[TOOL], stream=stream))
    assert '"name":"look"' in answer.body.decode()
    assert b"look" not in answer.visible
    assert "tools" in engine.asked


async def test_what_is_seen_of_a_stream_is_words_and_selectors(rig: Rig) -> None:
    answer = await ask(rig, CHAT, chat(rig, stream=True))
    lines = [line for line in answer.visible.decode().split("\n") if line]
    documents = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert {each["model"] for each in documents} == {SUBTEXT}
    contents = [each["choices"][0]["delta"].get("content", "") for each in documents]
    seen = [re.sub("[\ufe00-\ufe0f\U000e0100-\U000e01ef]", "", each) for each in contents]
    assert seen == [word(number) for number in range(len(seen) - 1)] + [""]
    assert documents[-1]["choices"][0]["finish_reason"] == "stop"


async def test_stock_client_reads_a_chat(rig: Rig) -> None:
    """To whatever stands in between it is one."""
    sealed = seal(CHAT, chat(rig, stream=True), key=await sealing_key(rig), token=rig.token)
    content = json.loads(carried(sealed, stream=True))["messages"][0]["content"]
    assert content.startswith(SENTENCES)
    stream = await rig.openai().chat.completions.create(
        model=SUBTEXT, messages=[{"role": "user", "content": content}], stream=True
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.choices[0].delta.content for chunk in chunks[:-1])


async def test_selectors_escaped_in_json_are_read(rig: Rig) -> None:
    """Python's json.dumps writes them as halves of UTF-16."""
    sealed = seal(CHAT, chat(rig), key=await sealing_key(rig), token=rig.token)
    escaped = json.dumps(json.loads(carried(sealed, stream=False)))
    assert "\\udb40\\udd" in escaped
    answer = opened(await rig.post(CHAT, escaped.encode()), sealed)
    assert answer.head.status == 200


async def test_long_replies_in_one_piece_come_whole(rig: Rig, engine: FakeOpenAi) -> None:
    """More than one write, and more than an item may hold."""
    engine.reply = ["x" * 200_000] * 6
    answer = await ask(rig, CHAT, chat(rig))
    assert answer.json["choices"][0]["message"]["content"] == "x" * 1_200_000
    assert len(answer.body) > 1 << 20 > INLINE_BYTES
    assert "content-length" not in answer.response.headers


async def test_long_events_come_whole(rig: Rig, engine: FakeOpenAi) -> None:
    """The last event of a response holds the whole of it."""
    engine.reply = ["x" * 200_000] * 6
    body = bodies(rig)[RESPONSES] | {"stream": True}
    answer = await ask(rig, RESPONSES, body)
    text = answer.documents[-1]["response"]["output"][0]["content"][0]["text"]
    assert text == "x" * 1_200_000


# What goes wrong inside


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model": "other"}, (404, "model_not_found")),
        ({"no_such_field": 1}, (400, "invalid_request")),
        ({"n": 2}, (400, "invalid_request")),
        ({"messages": [{"role": "user", "content": "nude 12 year old"}]}, (400, "content_filter")),
    ],
)
async def test_errors_come_back_sealed(
    change: dict[str, Any], expected: tuple[int, str], stream: bool, rig: Rig, engine: FakeOpenAi
) -> None:
    answer = await ask(rig, CHAT, chat(rig, stream=stream) | change)
    assert answer.error == expected
    assert answer.response.status_code == 200
    assert expected[1].encode() not in answer.visible
    assert engine.requests == []
    if expected[1] == "content_filter":
        assert answer.head.headers["x-should-retry"] == "false"
        assert "x-should-retry" not in answer.response.headers


async def test_retry_after_is_sealed(rig: Rig, engine: FakeOpenAi) -> None:
    engine.fault = "busy"
    answer = await ask(rig, CHAT, chat(rig))
    assert answer.error == (503, "engine_unavailable")
    assert int(answer.head.headers["retry-after"]) > 0
    assert "retry-after" not in answer.response.headers


@pytest.mark.parametrize("path", ["/v1/models", "/health", "/metrics", "/api/tags", "", "v1"])
async def test_only_requests_for_text_and_vectors_can_be_sealed(
    path: str, rig: Rig, engine: FakeOpenAi
) -> None:
    answer = await ask(rig, path, chat(rig))
    assert answer.error == (400, "sealed_invalid")
    assert engine.requests == []


async def test_no_subtext_in_subtext(rig: Rig, engine: FakeOpenAi) -> None:
    inner = seal(CHAT, chat(rig), key=await sealing_key(rig), token=rig.token)
    nested = carried(inner, stream=False)
    assert (await ask(rig, CHAT, nested)).error == (400, "sealed_invalid")
    content = json.loads(nested)["messages"][0]["content"]
    assert (await ask(rig, CHAT, chat(rig, content))).error == (400, "sealed_invalid")
    assert engine.requests == []


@pytest.mark.parametrize(("path", "stream"), FORMS)
async def test_stream_is_the_same_outside_as_inside(path: str, stream: bool, rig: Rig) -> None:
    body = bodies(rig)[path] | ({"stream": True} if stream else {})
    answer = await ask(rig, path, body, stream=not stream)
    assert answer.error == (400, "sealed_invalid")
    assert "stream" in answer.json["error"]["message"]


async def test_stream_that_breaks_ends_with_a_sealed_error(rig: Rig, engine: FakeOpenAi) -> None:
    engine.fault = "reset"
    answer = await ask(rig, CHAT, chat(rig, stream=True))
    assert answer.head.status == 200
    assert answer.documents[-1]["error"]["code"] == "engine_error"


# Waiting, leaving, bans


async def test_queue_comments_come_sealed_and_the_reply_after_them(
    rig: Rig, engine: FakeOpenAi
) -> None:
    engine.pace = pace = OnDemand()
    running = asyncio.create_task(rig.chat())
    await until(lambda: len(engine.requests) == 1)
    async with asking(rig, CHAT, chat(rig, stream=True)) as live:
        await live.until(b": queue position=1")
        assert b"queue" not in live.opening.visible
        pace.allow(1000)
        body = await live.rest()
    live.opening.opener.close()
    assert body.endswith(b"data: [DONE]\n\n")
    assert b'"content":"Hello"' in body
    await running


async def test_client_that_leaves_frees_the_slot(rig: Rig, engine: FakeOpenAi) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(2)
    async with asking(rig, CHAT, chat(rig, stream=True)) as live:
        await live.until(b'"!"')
    await engine.left.acquire()
    await until(lambda: rig.node.queue.active == 0 and not rig.node.bans.running)


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
async def test_ban_cuts_a_sealed_stream_with_a_sealed_error(
    path: str, rig: Rig, engine: FakeOpenAi
) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(2)
    body = bodies(rig)[path] | {"stream": True}
    async with asking(rig, path, body) as live:
        await live.until(b'"!"')
        rig.tracker.banned = {"pseudonym-of-a-user"}
        await rig.node.revocations.refresh()
        await engine.left.acquire()
        text = await live.rest()
    live.opening.opener.close()
    assert b'"code":"banned"' in text
    assert b"banned" not in live.opening.visible
    assert rig.node.queue.active == 0


async def test_ban_of_a_request_that_waits_comes_back_sealed(rig: Rig, engine: FakeOpenAi) -> None:
    engine.pace = OnDemand()
    running = asyncio.create_task(rig.chat(token=make_token(sub="another-user-here")))
    await until(lambda: len(engine.requests) == 1)
    waiting = asyncio.create_task(ask(rig, CHAT, chat(rig)))
    await until(lambda: rig.node.queue.waiting == 1)
    rig.tracker.banned = {"pseudonym-of-a-user"}
    await rig.node.revocations.refresh()
    assert (await waiting).error == (403, "banned")
    running.cancel()


async def test_limits_of_the_token_hold_inside(rig: Rig, engine: FakeOpenAi) -> None:
    token = make_token(requests=1, output_tokens=3)
    answer = await ask(rig, CHAT, chat(rig), token=token)
    assert answer.json["choices"][0]["finish_reason"] == "length"
    assert (await ask(rig, CHAT, chat(rig), token=token)).error == (429, "rate_limited")


# Moderation


@pytest.fixture(params=["record", "block"])
async def moderated(
    request: pytest.FixtureRequest, engine: FakeOpenAi, service: FakeModeration, tmp_path: Path
) -> AsyncIterator[Rig]:
    """A rig that checks replies, before or after."""
    async with moderated_rig(engine.url, service, tmp_path, output=request.param) as running:
        yield running


@pytest.mark.parametrize("path", [CHAT, EMBEDDINGS])
async def test_moderation_sees_what_is_inside_and_nobody_sees_its_verdict(
    path: str, moderated: Rig, engine: FakeOpenAi, service: FakeModeration, tmp_path: Path
) -> None:
    engine.requests.clear()
    embeds = {"model": moderated.models[0], "input": "awful"}
    body = chat(moderated, "awful") if path == CHAT else embeds
    answer = await ask(moderated, path, body)
    assert answer.error == (400, "content_filter")
    assert answer.json["error"]["param"] == ("messages" if path == CHAT else "input")
    assert b"content_filter" not in answer.visible
    assert service.inputs[-1] == "awful"
    assert engine.requests == []
    assert flags_in(tmp_path)[-1]["direction"] == "input"


@pytest.mark.parametrize("stream", [False, True])
async def test_moderation_of_replies_is_sealed_too(
    stream: bool, moderated: Rig, engine: FakeOpenAi, tmp_path: Path
) -> None:
    engine.reply = ["so ", "aw", "ful"]
    answer = await ask(moderated, CHAT, chat(moderated, stream=stream))
    await until(lambda: flags_in(tmp_path))
    assert b"content_filter" not in answer.visible
    blocks = moderated.node.moderation is not None and moderated.node.moderation.recorder is None
    assert ("content_filter" in answer.body.decode()) == blocks


# What is told


async def test_neither_prompt_nor_reply_is_seen_anywhere(
    rig: Rig, engine: FakeOpenAi, caplog: pytest.LogCaptureFixture
) -> None:
    """In no log, on no socket, in no metric; the engine alone gets the prompt."""
    caplog.set_level(logging.DEBUG)
    engine.reply = [f"{MARKER} "] * 12
    seen = b""
    for path, stream in FORMS:
        body = bodies(rig)[path] | ({"stream": True} if stream else {})
        marked = re.sub("Hello|Once|one", MARKER, json.dumps(body))
        answer = await ask(rig, path, json.loads(marked))
        seen += answer.visible + repr(answer.response.headers).encode()
        assert path == EMBEDDINGS or MARKER in answer.body.decode()
    wrong = await ask(rig, CHAT, chat(rig, MARKER) | {MARKER: MARKER})
    seen += wrong.visible + (await rig.http.get("/metrics")).content
    engine.fault = "reset"
    seen += (await ask(rig, CHAT, chat(rig, MARKER, stream=True))).visible
    assert MARKER.encode() not in seen
    assert MARKER[:8].encode() not in seen
    assert MARKER not in caplog.text
    assert any(MARKER.encode() in request.body for request in engine.requests)


async def test_metrics_count_the_endpoint_inside(rig: Rig) -> None:
    await ask(rig, EMBEDDINGS, bodies(rig)[EMBEDDINGS])
    await until(lambda: rig.node.instruments.counters.requests.get(("embeddings", "ok")))


async def test_rig_with_a_slow_pace_gathers_events(engine: FakeOpenAi) -> None:
    """10 words, 8 events a flush: two or three frames, whatever the engine's writes were."""
    async with running_rig(engine.url, subtext=SubtextPace(tick_seconds=1.0)) as rig:
        async with asking(rig, CHAT, chat(rig, stream=True)) as live:
            await live.rest()
    assert live.opening.frames <= 6
