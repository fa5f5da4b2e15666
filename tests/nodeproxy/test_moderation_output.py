"""Replies at a rig with a moderation service: checked afterwards, or before they go out."""

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest

from luckrig.nodeproxy.engines.chunks import Chunk, SseDecoder
from luckrig.nodeproxy.moderation.flags import FlagLog, Subject
from luckrig.nodeproxy.moderation.holdback import CONTEXT_CHUNKS, MAX_HELD, WINDOW_CHUNKS, HoldBack
from luckrig.nodeproxy.moderation.hook import Verdict
from luckrig.nodeproxy.moderation.output import CheckedWindows, OutputRecorder
from luckrig.nodeproxy.moderation.pieces import Rewriter
from luckrig.nodeproxy.replies import WholeReply
from luckrig.nodeproxy.timing import Meter
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.receipts import Receipt
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.moderation import FakeModeration
from tests.fake_engines.ollama import FakeOllama
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.conditions import until
from tests.nodeproxy.moderated_rigs import flags_in, moderated_rig
from tests.nodeproxy.rigs import Rig
from tests.nodeproxy.test_proxy import REPLY, error_of, events


@pytest.fixture
async def recording(
    engine: FakeOpenAi, service: FakeModeration, tmp_path: Path
) -> AsyncIterator[Rig]:
    """A rig that checks replies afterwards."""
    async with moderated_rig(engine.url, service, tmp_path) as running:
        yield running


@pytest.fixture
async def blocking(
    engine: FakeOpenAi, service: FakeModeration, tmp_path: Path
) -> AsyncIterator[Rig]:
    """A rig that checks replies before they go out."""
    async with moderated_rig(engine.url, service, tmp_path, output="block") as running:
        yield running


def shown(documents: Sequence[Any]) -> str:
    """The content of a stream's chunks."""
    choices = [choice for document in documents for choice in document["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


# Record


@pytest.mark.parametrize("stream", [True, False])
async def test_recorded_reply_is_flagged_in_one_line_without_text(
    stream: bool, recording: Rig, engine: FakeOpenAi, service: FakeModeration, tmp_path: Path
) -> None:
    engine.reply = ["so ", "aw", "ful"]
    response = await recording.chat("Hello", stream=stream)
    assert response.status_code == 200
    assert "content_filter" not in response.text
    await until(lambda: flags_in(tmp_path))
    (flag,) = flags_in(tmp_path)
    assert (flag["categories"], flag["direction"]) == (["hate"], "output")
    assert flag["request"] == response.headers["luckrig-request"]
    assert "awful" not in (tmp_path / "flags.jsonl").read_text()
    assert service.inputs[-1] == "so awful"


async def test_recorded_stream_goes_out_before_any_check(
    recording: Rig, service: FakeModeration
) -> None:
    service.hold()
    service.allow()  # the request's
    *chunks, done = events((await recording.chat("Hello", stream=True)).text)
    assert (shown(chunks), done) == (REPLY, "[DONE]")
    assert REPLY not in service.inputs
    service.allow()
    await until(lambda: REPLY in service.inputs)


async def test_what_a_client_read_before_it_left_is_checked(
    recording: Rig, engine: FakeOpenAi, tmp_path: Path
) -> None:
    engine.reply = ["awful", " and", " more"]
    engine.pace = pace = OnDemand()
    pace.allow(2)
    stream = await recording.openai().chat.completions.create(
        model=recording.models[0], messages=[{"role": "user", "content": "x"}], stream=True
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    await until(lambda: flags_in(tmp_path))


async def test_when_too_many_wait_the_oldest_is_dropped_and_counted(tmp_path: Path) -> None:
    checked: list[str] = []

    class Slow:
        async def check(self, texts: Sequence[str]) -> Verdict:
            checked.extend(texts)
            if texts == ["fails"]:
                raise LuckrigError("moderation_unavailable", "x")
            return Verdict(("hate",) if "awful" in texts else ())

    recorder = OutputRecorder(Slow(), FlagLog(tmp_path, lambda: 0.0), max_pending=3)
    for text in ("1", "2", "fails", "3", "awful"):
        recorder.submit(Subject("jti", text), [text])
    assert recorder.dropped == 2
    task = asyncio.create_task(recorder.run())
    await until(lambda: flags_in(tmp_path))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert sorted(checked) == ["3", "awful", "fails"]
    assert recorder.failed == 1
    assert [flag["request"] for flag in flags_in(tmp_path)] == ["awful"]


async def test_a_service_that_fails_harms_no_recorded_reply(
    recording: Rig, service: FakeModeration, tmp_path: Path
) -> None:
    service.fault, service.fault_after = "status 500", 1
    assert (await recording.chat("Hello")).status_code == 200
    assert recording.node.moderation is not None
    recorder = recording.node.moderation.recorder
    assert recorder is not None
    await until(lambda: recorder.failed)
    assert flags_in(tmp_path) == []


# Block


async def test_blocked_mode_passes_what_was_approved(
    blocking: Rig, service: FakeModeration
) -> None:
    response = await blocking.chat("Hello", stream=True, stream_options={"include_usage": True})
    *chunks, usage, done = events(response.text)
    assert (shown(chunks), done) == (REPLY, "[DONE]")
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"]["total_tokens"] == 17
    assert usage["luckrig"]["timing"]["completion_tokens"] == 10
    assert REPLY in service.approved
    whole = (await blocking.chat("Hello")).json()
    assert whole["choices"][0]["message"]["content"] == REPLY
    assert whole["usage"]["total_tokens"] == 17


async def test_blocked_mode_works_for_completions_and_ollama(
    blocking: Rig, service: FakeModeration, tmp_path: Path
) -> None:
    body = {"model": blocking.models[0], "prompt": "Say", "stream": True}
    chunks = events((await blocking.post("/v1/completions", body)).text)[:-1]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == REPLY
    async with (
        FakeOllama() as ollama,
        moderated_rig(ollama.url, service, tmp_path, output="block") as rig,
    ):
        *chunks, done = events((await rig.chat("Hello", stream=True)).text)
        assert (shown(chunks), done) == (REPLY, "[DONE]")


async def test_flagged_stream_ends_with_content_filter_and_stops_the_engine(
    blocking: Rig, engine: FakeOpenAi, service: FakeModeration, tmp_path: Path
) -> None:
    engine.reply = ["good "] * WINDOW_CHUNKS + ["awful "] * WINDOW_CHUNKS + ["more "] * 400
    engine.pace = pace = OnDemand()
    pace.allow(2 * WINDOW_CHUNKS + 1)
    token_count = 2 * WINDOW_CHUNKS + 1
    *chunks, last, done = events((await blocking.chat("Hello", stream=True)).text)
    assert done == "[DONE]"
    assert last["choices"][0]["finish_reason"] == "content_filter"
    assert last["choices"][0]["delta"].get("content") is None
    assert "receipt" in last["luckrig"]
    assert "awful" not in shown([*chunks, last])
    assert set(shown(chunks).split()) == {"good"}
    await engine.left.acquire()  # it could have gone on
    assert token_count < len(engine.reply)
    (flag,) = flags_in(tmp_path)
    assert (flag["categories"], flag["direction"]) == (["hate"], "output")
    await until(lambda: blocking.node.queue.active == 0)


async def test_receipt_of_a_flagged_reply_says_so(blocking: Rig, engine: FakeOpenAi) -> None:
    engine.reply = ["awful"]
    *_, last, _ = events((await blocking.chat("Hello", stream=True)).text)
    claims = last["luckrig"]["receipt"].split(".")[1]
    receipt = msgspec.json.decode(_unpadded(claims), type=Receipt)
    assert receipt.finish == "content_filter"


async def test_flagged_reply_in_one_piece_is_empty(
    blocking: Rig, engine: FakeOpenAi, tmp_path: Path
) -> None:
    engine.reply = ["good "] * 300 + ["aw", "ful"]
    for path, body in (
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}]}),
        ("/v1/completions", {"prompt": "Hello"}),
    ):
        response = await blocking.post(path, {"model": blocking.models[0], **body})
        (choice,) = response.json()["choices"]
        assert choice["finish_reason"] == "content_filter"
        assert not (choice["message"]["content"] if "message" in choice else choice["text"])
        assert "good" not in response.text
    assert len(flags_in(tmp_path)) == 2


async def test_text_goes_out_after_a_while_though_the_window_is_not_full(
    blocking: Rig, engine: FakeOpenAi, service: FakeModeration
) -> None:
    """The engine pauses after two tokens: the client gets them all the same."""
    engine.pace = pace = OnDemand()
    pace.allow(2)
    stream = await blocking.openai().chat.completions.create(
        model=blocking.models[0], messages=[{"role": "user", "content": "x"}], stream=True
    )
    seen = ""
    async for chunk in stream:
        seen += chunk.choices[0].delta.content or ""
        if seen == "Hello!":
            assert "Hello!" in service.approved
            pace.allow(100)
    assert seen == REPLY
    assert service.approved[-1] == REPLY  # the rest came with what stood before it


async def test_service_that_fails_at_first_gives_503(
    blocking: Rig, engine: FakeOpenAi, service: FakeModeration
) -> None:
    for stream in (True, False):
        service.fault, service.fault_after = "status 500", len(service.heads) + 1
        response = await blocking.chat("Hello", stream=stream)
        assert error_of(response) == (503, "moderation_unavailable")
        assert response.headers["retry-after"] == "5"
        service.fault = None
    assert blocking.node.queue.active == 0
    assert blocking.node.watch.state.status == "ready"


async def test_service_that_fails_in_the_middle_ends_the_stream_with_an_error(
    blocking: Rig, engine: FakeOpenAi, service: FakeModeration
) -> None:
    engine.reply = ["good "] * WINDOW_CHUNKS + ["unseen "] * 1000
    service.fault, service.fault_after = "closed", 2
    *chunks, error = events((await blocking.chat("Hello", stream=True)).text)
    assert error["error"]["code"] == "moderation_unavailable"
    assert shown(chunks)
    assert set(shown(chunks).split()) <= set(" ".join(service.approved).split())
    service.fault_after = len(service.heads) + 2
    stream = await blocking.openai().chat.completions.create(
        model=blocking.models[0], messages=[{"role": "user", "content": "x"}], stream=True
    )
    with pytest.raises(openai.APIError, match="moderation"):
        async for _ in stream:
            pass


async def test_engine_that_fails_is_still_the_engines_fault(
    blocking: Rig, engine: FakeOpenAi
) -> None:
    engine.fault = "reset"
    assert error_of(await blocking.chat("Hello")) == (502, "engine_error")


# What goes out is written anew

RICH: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "/models/secret-path.gguf",
    "system_fingerprint": "leak-1",
    "x_debug": "leak-2",
    "choices": [
        {
            "index": 0,
            "delta": {
                "role": "assistant leak-3",
                "content": "A",
                "reasoning_content": "B",
                "reasoning": "C",
                "refusal": "D",
                "audio": {"transcript": "leak-4"},
                "function_call": {"name": "leak-5", "arguments": "leak-6"},
                "tool_calls": [
                    {
                        "index": 3,
                        "id": "E",
                        "type": "function",
                        "function": {"name": "F", "arguments": "G", "x": "leak-7"},
                        "x": "leak-8",
                    }
                ],
            },
            "message": {"content": "leak-9"},
            "text": "H",
            "logprobs": {"content": [{"token": "leak-a", "logprob": -1, "top_logprobs": []}]},
            "finish_reason": "leak-b",
        }
    ],
    "timings": {"prompt_ms": 1.5, "x": "leak-c"},
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "x": "leak-d"},
}


def decoded(*documents: dict[str, Any]) -> list[Chunk]:
    """The chunks of a stream with these documents."""
    decoder = SseDecoder(model="m")
    return [
        chunk
        for document in documents
        for chunk in decoder.feed(b"data: " + msgspec.json.encode(document) + b"\n\n")
    ]


def test_nothing_that_was_not_checked_is_written() -> None:
    hold_back = HoldBack(Rewriter(chat=True, model="m"))
    hold_back.feed(decoded(RICH))
    assert sorted("".join(hold_back.window()).replace("\n", "")) == list("ABCDEFGH")
    (chunk,) = hold_back.release()
    assert b"leak" not in chunk.raw
    assert b"secret" not in chunk.raw
    document = json.loads(chunk.raw)
    (choice,) = document["choices"]
    assert choice["delta"] == {
        "role": "assistant",
        "content": "A",
        "reasoning_content": "B",
        "reasoning": "C",
        "refusal": "D",
        "tool_calls": [
            {
                "index": 3,
                "id": "E",
                "type": "function",
                "function": {"name": "F", "arguments": "G"},
            }
        ],
    }
    assert choice["finish_reason"] == chunk.finish_reason == "stop"
    assert (document["id"], document["model"]) == ("chatcmpl-1", "m")
    assert document["usage"]["total_tokens"] == 3
    whole = WholeReply(chat=True)
    whole.add([chunk])
    meter = Meter(queue_seconds=0, monotonic=lambda: 0.0)
    assert b"leak" not in whole.document(None, meter.timing(streamed=False), "receipt")


def test_a_name_that_could_be_a_text_is_left_out() -> None:
    hold_back = HoldBack(Rewriter(chat=True, model="m"))
    hold_back.feed(decoded(RICH | {"id": "any words at all"}))
    hold_back.window()
    (chunk,) = hold_back.release()
    assert json.loads(chunk.raw)["id"] == ""


def test_escaped_arguments_are_checked_as_tools_read_them() -> None:
    hold_back = HoldBack(Rewriter(chat=True, model="m"))
    calls = [{"index": 0, "function": {"arguments": part}} for part in ('{"a":"\\u00', '61wful"}')]
    hold_back.feed(
        decoded(*({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in calls))
    )
    assert any("awful" in text for text in hold_back.window())


def test_each_window_comes_with_the_chunks_before_it() -> None:
    hold_back = HoldBack(Rewriter(chat=True, model="m"))
    text = [f"<{number}>" for number in range(WINDOW_CHUNKS * 2)]
    chunks = decoded(*({"choices": [{"index": 0, "delta": {"content": t}}]} for t in text))
    hold_back.feed(chunks[: WINDOW_CHUNKS - 1])
    assert not hold_back.is_full
    hold_back.feed(chunks[WINDOW_CHUNKS - 1 : WINDOW_CHUNKS])
    assert hold_back.is_full
    assert hold_back.window() == ["".join(text[:WINDOW_CHUNKS])]
    hold_back.feed([*chunks[WINDOW_CHUNKS:], *decoded(RICH)])  # while the check runs
    assert len(hold_back.release()) == WINDOW_CHUNKS
    assert hold_back.is_full
    assert hold_back.window() == ["".join(text[WINDOW_CHUNKS - CONTEXT_CHUNKS :])]
    assert not hold_back.is_empty
    cut = hold_back.refuse()
    assert cut.finish_reason == "content_filter"
    assert hold_back.release() == []


def test_chunks_without_text_are_bounded_too() -> None:
    hold_back = HoldBack(Rewriter(chat=True, model="m"))
    empty = decoded({"choices": [{"index": 0, "delta": {}}]})
    for _ in range(MAX_HELD):
        assert not hold_back.is_full
        hold_back.feed(empty)
    assert hold_back.is_full
    assert hold_back.window() == []
    assert len(hold_back.release()) == MAX_HELD


# No unchecked character leaves, however a reply is cut up

SPLITS = 1000
CHANNELS = ("content", "reasoning_content", "reasoning", "refusal", "tool")


class Engine:
    """A reply in random chunks and batches, of which no character comes twice."""

    def __init__(self, rng: random.Random) -> None:
        count = rng.randint(1, 120)
        alphabet = iter(rng.sample(range(0x4E00, 0x9FFF), 4 * count))
        self.documents: list[dict[str, Any]] = []
        self.characters: set[str] = set()
        for number in range(count):
            text = "".join(chr(next(alphabet)) for _ in range(rng.randint(0, 4)))
            self.characters |= set(text)
            self.documents.append(_document(rng.choice(CHANNELS), text, rng, number))
        self.documents.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self._chunks = decoded(*self.documents)
        self._rng = rng

    async def arrive(self) -> list[Chunk]:
        """The next few; sometimes after a pause that is longer than a window waits."""
        count = self._rng.randint(1, 12)
        if self._rng.random() < 0.2:
            await asyncio.sleep(0.0)
        if self._rng.random() < 0.05:
            await asyncio.sleep(0.002)
        batch, self._chunks = self._chunks[:count], self._chunks[count:]
        return batch


def _document(channel: str, text: str, rng: random.Random, number: int) -> dict[str, Any]:
    delta: dict[str, Any]
    if channel == "tool":
        function = {"name": text} if rng.random() < 0.2 else {"arguments": text}
        delta = {"tool_calls": [{"index": number % 2, "function": function}]}
    else:
        delta = {channel: text}
    logprobs = {"content": [{"token": text, "logprob": -0.1}]}
    return {"choices": [{"index": 0, "delta": delta, "logprobs": logprobs}], "x_text": text}


class Judge:
    """Remembers what it approved. Flags, or fails, at one of its checks."""

    def __init__(self, rng: random.Random) -> None:
        self.approved: set[str] = set()
        self.ending = rng.choice(["", "", "flag", "fail"])
        self._left = rng.randint(0, 6)

    async def check(self, texts: Sequence[str]) -> Verdict:
        """An answer after the other tasks had their turn."""
        await asyncio.sleep(0)
        self._left -= 1
        if self._left < 0 and self.ending == "fail":
            raise LuckrigError("moderation_unavailable", "x")
        if self._left < 0 and self.ending == "flag":
            return Verdict(("hate",))
        self.approved.update(*texts)
        return Verdict()


async def _nothing(verdict: Verdict, last: Chunk) -> None:
    """Nobody notes it."""


@pytest.mark.timeout(120)
async def test_no_unchecked_character_leaves_over_a_thousand_splits() -> None:
    """Looked at whenever a chunk goes out, against what was approved by that moment."""
    ends = {"": 0, "flag": 0, "fail": 0}
    released = windows = 0
    for seed in range(SPLITS):
        rng = random.Random(seed)  # noqa: S311 -- chosen by the seed, no secret
        engine, judge = Engine(rng), Judge(rng)
        hold_back = HoldBack(
            Rewriter(chat=True, model="m"),
            window_chunks=rng.choice([1, 3, 20, 200]),
            context_chunks=rng.choice([1, 5, 50]),
        )
        checked = CheckedWindows(
            engine, hold_back, judge, _nothing, window_seconds=rng.choice([None, 0.001])
        )
        out: set[str] = set()
        end = ""
        try:
            while chunks := await checked.arrive():
                windows += 1
                leaving = "".join(chunk.raw.decode() + chunk.text for chunk in chunks)
                characters = {each for each in set(leaving) if each >= "\u4e00"}
                assert characters <= judge.approved, seed
                out |= characters
                if chunks[-1].finish_reason == "content_filter":
                    end = "flag"
        except LuckrigError as error:
            assert error.code == "moderation_unavailable"
            end = "fail"
        ends[end] += 1
        released += len(out)
        assert end or out == engine.characters, seed  # and nothing is lost either
        assert end == "fail" or await checked.arrive() == []
    assert all(count > 50 for count in ends.values()), ends
    assert released > 10 * SPLITS
    assert windows > 2 * SPLITS


@pytest.mark.parametrize("seed", range(20))
async def test_no_unchecked_character_reaches_a_client(
    seed: int, blocking: Rig, engine: FakeOpenAi, service: FakeModeration
) -> None:
    """The same through real sockets."""
    rng = random.Random(seed)  # noqa: S311
    alphabet = [chr(code) for code in rng.sample(range(0x4E00, 0x9FFF), 900)]
    flagged_at = rng.randint(1, 900)
    service.flagged = {alphabet[flagged_at - 1]: "hate"}
    tokens: list[str] = []
    while alphabet:
        size = rng.randint(1, 5)
        tokens.append("".join(alphabet[:size]))
        alphabet = alphabet[size:]
    engine.reply = tokens
    async with blocking.http.stream(
        "POST",
        "/v1/chat/completions",
        json={
            "model": blocking.models[0],
            "stream": True,
            "messages": [{"role": "user", "content": "Hello"}],
        },
        headers={"authorization": f"Bearer {blocking.token}"},
    ) as response:
        text = ""
        async for piece in response.aiter_text():
            text += piece
            seen = {each for each in text if each >= "\u4e00"}
            assert seen <= {each for approved in service.approved for each in approved}
    *_, last, done = events(text)
    assert done == "[DONE]"
    assert last["choices"][0]["finish_reason"] == "content_filter"


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
