"""What goes through the sidecar, in both directions, and what ends with it: on real sockets."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest

from luckrig.client.history.store import History
from luckrig.client.sidecar.asgi import HELPS
from luckrig.client.sidecar.finished import MAX_WAITING, Finished, Keeper
from luckrig.client.sidecar.reading import Defaults
from luckrig.client.wanted import Wanted
from luckrig.protocol.errors import CODES, LuckrigError
from tests.client.fake_tracker import make_rig
from tests.client.sidecar.twin import (
    KEY,
    MODEL,
    STREAM,
    TRACKER,
    WHOLE,
    Running,
    TwinCaller,
    chunk,
    running_sidecar,
)

PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings")


@pytest.fixture
async def sidecar() -> AsyncIterator[Running]:
    async with running_sidecar() as running:
        yield running


def client(sidecar: Running, *, max_retries: int = 0) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{sidecar.port}/v1", api_key=KEY, max_retries=max_retries,
        http_client=sidecar.http,
    )  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
async def test_a_reply_comes_back_as_the_rig_sent_it(sidecar: Running, path: str) -> None:
    answer = await sidecar.post(sidecar.chat(), path)
    assert (answer.status_code, answer.content) == (200, WHOLE)
    assert answer.headers["content-length"] == str(len(WHOLE))
    (ask,) = sidecar.caller.asked
    assert (ask.path, ask.body) == (path, sidecar.chat())
    await sidecar.caller.closed.acquire()


async def test_a_stream_comes_back_byte_for_byte_comments_included(sidecar: Running) -> None:
    answer = await sidecar.post(sidecar.chat(stream=True))
    assert answer.content == b"".join(STREAM)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    await sidecar.caller.closed.acquire()


async def test_pieces_arrive_while_the_rig_is_still_at_it(sidecar: Running) -> None:
    sidecar.caller.go_on.clear()
    async with sidecar.http.stream(
        "POST", "/v1/chat/completions", headers=sidecar.headers,
        content=msgspec.json.encode(sidecar.chat(stream=True)),
    ) as answer:  # fmt: skip
        pieces = answer.aiter_raw()
        assert await anext(pieces) == STREAM[0]
        sidecar.caller.go_on.set()
        assert b"".join([piece async for piece in pieces]) == b"".join(STREAM[1:])


@pytest.mark.parametrize("seen_first_piece", [True, False], ids=["streaming", "waiting"])
async def test_a_client_that_leaves_ends_the_rigs_work(seen_first_piece: bool) -> None:
    caller = TwinCaller()
    caller.go_on.clear()
    if not seen_first_piece:
        caller.answers.clear()
    async with running_sidecar(caller) as sidecar:
        body = msgspec.json.encode(sidecar.chat(stream=True))
        head = "".join(f"{name}: {value}\r\n" for name, value in sidecar.headers.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", sidecar.port)
        writer.write(
            f"POST {PATHS[0]} HTTP/1.1\r\nhost: localhost:{sidecar.port}\r\n{head}"
            f"content-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await caller.is_called.wait()
        if seen_first_piece:
            await reader.readuntil(STREAM[0])
        writer.close()
        (finished,) = await sidecar.end_of()
        assert finished.outcome == "cut"
        assert finished.status == (200 if seen_first_piece else 0)
        if seen_first_piece:
            await caller.closed.acquire()


async def test_headers_say_which_rig_answered() -> None:
    rig = make_rig(3, name="dáchboden 屋根", gpu="NVIDIA GeForce RTX 5090").view
    own = {
        "content-type": "text/html", "luckrig-node": "n1someoneelse", "luckrig-gpu": "B200",
        "luckrig-request": "abc", "luckrig-bad": "a\x01b", "luckrig-wide": "é", "set-cookie": "a=b",
        "location": "http://evil.example", "access-control-allow-origin": "*", "server": "x",
        "retry-after": "3", "luckrig-long": "x" * 2000,
    }  # fmt: skip
    async with running_sidecar(TwinCaller(rig=rig, headers=own)) as sidecar:
        headers = (await sidecar.post(sidecar.chat())).headers
    assert headers["luckrig-node"] == rig.id
    assert headers["luckrig-name"] == "d%C3%A1chboden %E5%B1%8B%E6%A0%B9"
    assert headers["luckrig-gpu"] == "NVIDIA GeForce RTX 5090"
    assert headers["luckrig-quant"] == "Q4_K_M"
    assert headers["luckrig-model"] == MODEL
    assert (headers["luckrig-mode"], headers["luckrig-tries"]) == ("plain", "1")
    assert (headers["luckrig-request"], headers["retry-after"]) == ("abc", "3")
    assert headers["content-type"] == "application/json"
    for name in ("luckrig-bad", "luckrig-wide", "luckrig-long", "set-cookie", "location", "server"):
        assert name not in headers
    assert not [name for name in headers if name.startswith("access-control-")]


async def test_what_is_wanted_is_read_and_not_sent_on(sidecar: Running) -> None:
    extra = {"gpu": "RTX 5090", "quant": ">=Q5", "ctx": 32768, "min_tps": 40, "subtext": True}
    await sidecar.post(sidecar.chat(luckrig=extra, tools=[], seed=1))
    (ask,) = sidecar.caller.asked
    assert ask.body == sidecar.chat(tools=[], seed=1)
    assert ask.wanted == Wanted(
        model=MODEL, gpu="RTX 5090", quant=">=Q5", ctx=32768, min_tps=40, subtext=True
    )


@pytest.mark.parametrize(
    ("default", "extra", "header", "sealed"),
    [
        (False, None, None, False), (True, None, None, True),
        (True, {"subtext": False}, None, False),
        (True, None, "false", False), (False, None, "true", True), (False, {}, "1", True),
        (True, {"gpu": "x"}, None, True), (True, {"subtext": None}, None, True),
        (False, {"subtext": True}, "false", True),
    ],
)  # fmt: skip
async def test_how_it_travels_is_the_requests_choice_then_the_command_lines(
    default: bool, extra: dict[str, Any] | None, header: str | None, sealed: bool
) -> None:
    async with running_sidecar(defaults=Defaults(subtext=default)) as sidecar:
        headers = {} if header is None else {"luckrig_subtext": header}
        fields: dict[str, Any] = {} if extra is None else {"luckrig": extra}
        answer = await sidecar.post(sidecar.chat(**fields), **headers)
        assert sidecar.caller.asked[0].wanted.subtext is sealed
        assert answer.headers["luckrig-mode"] == ("subtext" if sealed else "plain")


async def test_a_default_model_stands_for_whatever_is_named() -> None:
    async with running_sidecar(defaults=Defaults(model="qwen3:8b@attic")) as sidecar:
        await sidecar.post(sidecar.chat(model="gpt-4o"))
        await sidecar.post(b'{"messages":[]}')
        for ask in sidecar.caller.asked:
            assert (ask.wanted.model, ask.wanted.node) == ("qwen3:8b", "attic")


async def test_models_are_what_rigs_offer_now() -> None:
    rigs = [
        make_rig(1, models=["b", "a"]).view,
        make_rig(2, models=["a"], status="busy", gpu=None).view,
        make_rig(3, models=["gone"], status="unavailable").view,
        make_rig(4, models=["luckrig/auto"]).view,
    ]
    async with running_sidecar(TwinCaller(listed=rigs)) as sidecar:
        listed = (await sidecar.get("/v1/models")).json()["data"]
        assert [each["id"] for each in listed] == ["luckrig/auto", "a", "b"]
        about = listed[1]["luckrig"]
        assert (about["rigs"], about["available"]) == (2, 1)
        assert (about["quantizations"], about["context_length"]) == (["Q4_K_M"], 131_072)
        single = (await sidecar.get("/v1/models?rigs=1")).json()["data"][3:]
        assert [each["id"] for each in single] == [
            f"a@{rigs[0].id}", f"a@{rigs[1].id}", f"b@{rigs[0].id}"
        ]  # fmt: skip
        assert single[1]["luckrig"]["status"] == "busy"
        openai_client = client(sidecar)
        for name in ("a", "luckrig/auto", f"b@{rigs[0].id}"):
            assert (await openai_client.models.retrieve(name)).id == name
        with pytest.raises(openai.NotFoundError):
            await openai_client.models.retrieve("gone")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/", "not_found"), ("GET", "/v1", "not_found"), ("POST", "/v1/audio", "not_found"),
        ("GET", "/v1/modelsx", "not_found"), ("POST", "/v1/models", "method_not_allowed"),
        ("GET", PATHS[0], "method_not_allowed"), ("POST", "/health", "method_not_allowed"),
        ("POST", "/v1/chat/completions/", "not_found"),
        ("POST", "/V1/chat/completions", "not_found"),
    ],
)  # fmt: skip
async def test_there_is_nothing_else(sidecar: Running, method: str, path: str, code: str) -> None:
    answer = await sidecar.http.request(method, path, headers=sidecar.headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (CODES[code].status, code)
    assert sidecar.caller.asked == []


async def test_health_says_that_it_runs(sidecar: Running) -> None:
    assert (await sidecar.get("/health")).json() == {"status": "ok"}


@pytest.mark.parametrize("code", ["content_filter", "internal_error", "node_offline", "rig_lost"])
async def test_the_stock_client_retries_what_a_second_try_helps(code: str) -> None:
    """By x-should-retry, whatever the status says."""
    caller = TwinCaller(error=LuckrigError(code, "no"))
    async with running_sidecar(caller) as sidecar:
        with pytest.raises(openai.APIStatusError) as refused:
            await client(sidecar, max_retries=1).chat.completions.create(model="x", messages=[])
    assert refused.value.code == code
    assert len(caller.asked) == (2 if code in HELPS else 1)


async def test_every_error_says_whether_to_ask_again(sidecar: Running) -> None:
    for code, about in CODES.items():
        sidecar.caller.error = LuckrigError(code, "no", retry_after_seconds=7)
        answer = await sidecar.post(sidecar.chat())
        assert (answer.status_code, answer.json()["error"]["code"]) == (about.status, code)
        assert answer.headers["x-should-retry"] == ("true" if code in HELPS else "false")
        assert answer.headers["retry-after"] == "7"
    assert set(CODES) >= HELPS


async def test_a_rigs_refusal_is_passed_on_and_not_repeated() -> None:
    body = b'{"error":{"message":"n","type":"x","param":"n","code":"invalid_request"}}'
    caller = TwinCaller(status=429, whole=body)
    async with running_sidecar(caller) as sidecar:
        with pytest.raises(openai.RateLimitError) as refused:
            await client(sidecar, max_retries=3).chat.completions.create(
                model=MODEL, messages=[], stream=True
            )
        (finished,) = await sidecar.end_of()
    assert refused.value.param == "n"
    assert refused.value.response.headers["luckrig-node"] == caller.rig.id
    assert len(caller.asked) == 1
    assert (finished.outcome, finished.status, finished.error) == ("failed", 429, "invalid_request")


async def test_a_whole_reply_that_breaks_is_an_error_and_not_half_a_document() -> None:
    caller = TwinCaller(body_error=LuckrigError("rig_lost", "The rig is gone."))
    async with running_sidecar(caller) as sidecar:
        answer = await sidecar.post(sidecar.chat())
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "rig_lost")
        assert answer.headers["x-should-retry"] == "true"
        (finished,) = await sidecar.end_of()
        assert (finished.outcome, finished.error) == ("failed", "rig_lost")
        await caller.closed.acquire()


async def test_a_stream_that_breaks_raises_in_the_client() -> None:
    error = b'data: {"error":{"message":"The rig is gone.","code":"rig_lost"}}\n\n'
    async with running_sidecar(TwinCaller(stream=(chunk("a"), error))) as sidecar:
        stream = await client(sidecar).chat.completions.create(
            model=MODEL, messages=[], stream=True
        )
        with pytest.raises(openai.APIError):
            async for _ in stream:
                pass
        (finished,) = await sidecar.end_of()
    assert (finished.outcome, finished.status, finished.error) == ("failed", 200, "rig_lost")


async def test_our_own_mistake_is_an_answer_that_quotes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "luckrig")
    async with running_sidecar(TwinCaller(error=RuntimeError("the prompt"))) as sidecar:
        answer = await sidecar.post(sidecar.chat())
    assert answer.json()["error"]["code"] == "internal_error"
    assert answer.headers["x-should-retry"] == "false"
    assert "RuntimeError at" in caplog.text
    assert "the prompt" not in caplog.text


async def test_figures_and_a_replay_are_kept_of_each_reply(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    async with running_sidecar(history=history, defaults=Defaults(subtext=True)) as sidecar:
        await sidecar.post(sidecar.chat(stream=True, luckrig={"gpu": "RTX 4090"}))
        await sidecar.post(sidecar.chat())
        streamed, whole = await sidecar.end_of(2)
    assert (streamed.rig, streamed.name) == (sidecar.caller.rig.id, "attic")
    assert (streamed.model, streamed.mode, streamed.outcome) == (MODEL, "subtext", "complete")
    assert (streamed.completion_tokens, streamed.tokens_per_second) == (2, 40.5)
    assert streamed.ttft_ms is not None
    assert not whole.streamed
    assert streamed.replay is not None
    replay = history.read(streamed.replay)
    assert (replay.text("text"), replay.mode, replay.tracker) == ("Hello", "subtext", TRACKER)
    assert [look.position for look in replay.queue] == [2]
    assert msgspec.json.decode(replay.request)["luckrig"] == {"gpu": "RTX 4090"}
    assert KEY not in (tmp_path / "history" / f"{streamed.replay}.json").read_text()
    assert len(history.ids()) == 2


async def test_a_disk_that_takes_no_replay_costs_one_warning_and_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "history").write_text("a file")
    async with running_sidecar(history=History(tmp_path / "history")) as sidecar:
        for _ in range(3):
            assert (await sidecar.post(sidecar.chat())).status_code == 200
        assert [each.replay for each in await sidecar.end_of(3)] == [None] * 3
    assert caplog.text.count("replays aren't being kept") == 1


async def test_nothing_is_kept_without_a_history(sidecar: Running) -> None:
    await sidecar.post(sidecar.chat())
    (finished,) = await sidecar.end_of()
    assert (finished.replay, finished.completion_tokens) == (None, 2)


async def test_an_event_without_end_reaches_the_client_all_the_same() -> None:
    endless = tuple(b"data: " + b"x" * 2**19 for _ in range(4))
    async with running_sidecar(TwinCaller(stream=endless)) as sidecar:
        answer = await sidecar.post(sidecar.chat(stream=True))
        assert answer.content == b"".join(endless)
        (finished,) = await sidecar.end_of()
        assert finished.outcome == "complete"


async def test_a_terminal_that_has_gone_ends_no_request() -> None:
    """`luckrig connect | head -1`"""

    def gone(finished: Finished) -> None:
        raise BrokenPipeError

    keeper = Keeper(None, clock=lambda: 1.0, on_finished=gone)
    async with keeper.running():
        for _ in range(3):
            keeper.tell(Finished(path="/v1/chat/completions", status=404))


async def test_an_end_that_cant_be_told_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Finished] = []

    def broken() -> tuple[Finished, None]:
        raise RuntimeError("the prompt")

    keeper = Keeper(None, clock=lambda: 1.0, on_finished=told.append)
    async with keeper.running():
        keeper.keep(broken)
        keeper.tell(Finished(path="/v1/chat/completions", status=404))
    assert len(told) == 1
    assert "RuntimeError" in caplog.text
    assert "the prompt" not in caplog.text


async def test_what_waits_for_a_slow_terminal_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    go_on = threading.Event()
    told: list[Finished] = []

    def slow(finished: Finished) -> None:
        go_on.wait()
        told.append(finished)

    keeper = Keeper(None, clock=lambda: 1.0, on_finished=slow)
    async with keeper.running():
        for _ in range(3 * MAX_WAITING):
            keeper.tell(Finished(path="/v1/chat/completions", status=404))
        go_on.set()
    assert len(told) <= MAX_WAITING + 1
    assert caplog.text.count("too slow") == 1
