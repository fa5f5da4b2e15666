"""What a client saw of a reply, on every route, however the bytes were cut."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.client.calling.witness import Witness

TIMING = {"queue_ms": 500.0, "ttft_ms": 12.5, "completion_tokens": 5, "streamed": True}
OWN = {"luckrig": {"timing": TIMING, "receipt": "a.b.c"}}


class Time:
    """Goes on by a second with each look."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def watch(*pieces: bytes, is_stream: bool) -> Witness:
    witness = Witness(is_stream=is_stream, monotonic=Time(), sent_at=0.0)
    for piece in pieces:
        witness.feed(piece)
    witness.end()
    return witness


def events(*documents: Any, done: bool = True) -> bytes:
    lines = [b"data: " + msgspec.json.encode(each) + b"\n\n" for each in documents]
    return b"".join(lines) + b"data: [DONE]\n\n" * done


def delta(**fields: Any) -> Any:
    return {"choices": [{"index": 0, "delta": fields}]}


STREAMS = {
    "chat": events(
        delta(role="assistant", content=None),
        delta(reasoning_content="Hm"),
        delta(content="dör"),
        delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "{}"}}]),
        {"choices": [], **OWN},
    ),
    "completions": events({"choices": [{"text": "Hmdör"}]}, {"choices": [{"text": "f{}"}], **OWN}),
    "responses": events(
        {"type": "response.created", "response": {"output": []}},
        {"type": "response.reasoning_text.delta", "delta": "Hm"},
        {"type": "response.output_text.delta", "delta": "dörf{}"},
        {"type": "response.output_text.done", "text": "dörf{}"},
        {"type": "response.completed", "response": {"output": [{"type": "message"}], **OWN}},
        done=False,
    ),
}
WHOLE = {
    "chat": {
        "choices": [
            {
                "message": {
                    "content": "dör",
                    "reasoning": "Hm",
                    "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
                }
            }
        ],
        **OWN,
    },
    "completions": {"choices": [{"text": "Hmdörf{}"}], **OWN},
    "responses": {
        "error": None,
        "output": [
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "dör"}]},
            {"type": "function_call", "name": "f", "arguments": "{}"},
        ],
        **OWN,
    },
    "embeddings": {"data": [{"embedding": [0.5] * 9}], **OWN},
}


@pytest.mark.parametrize("route", STREAMS)
@given(data=st.data())
def test_a_stream_is_counted_however_it_is_cut(route: str, data: st.DataObject) -> None:
    stream = STREAMS[route]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    witness = watch(*pieces, is_stream=True)
    assert (witness.output_bytes, witness.receipt) == (9, "a.b.c")
    assert (witness.is_complete, witness.failed) == (True, False)
    assert witness.timing is not None
    assert witness.timing.queue_ms == 500


@pytest.mark.parametrize("route", WHOLE)
def test_a_reply_that_is_not_streamed_is_counted(route: str) -> None:
    witness = watch(msgspec.json.encode(WHOLE[route]), is_stream=False)
    assert witness.output_bytes == (0 if route == "embeddings" else 9)
    assert (witness.is_complete, witness.receipt, witness.measured) == (True, "a.b.c", None)


def test_a_stream_is_timed_by_the_clients_own_clock() -> None:
    """Texts at 1 s, 2 s and 3 s; the rig says that half a second was its queue."""
    witness = watch(STREAMS["chat"], is_stream=True)
    assert witness.measured is not None
    assert (witness.measured.ttft_ms, witness.measured.generation_ms) == (1000, 2000)
    assert witness.measure is not None
    assert (witness.measure.first_seconds, witness.measure.tokens_per_second) == (0.5, 2.0)


@pytest.mark.parametrize(
    "stream",
    [
        events(delta(content="x"), {"error": {"code": "rig_lost"}}, done=False),
        events({"type": "response.failed", "response": {}}, done=False),
        events({"type": "error", "code": "rig_lost"}, done=False),
    ],
)
def test_a_stream_that_failed_is_told_from_a_whole_one(stream: bytes) -> None:
    witness = watch(stream, is_stream=True)
    assert (witness.is_complete, witness.failed) == (True, True)


@given(st.binary() | st.lists(st.binary()).map(lambda lines: b"data: " + b"\n\ndata: ".join(lines)))
def test_nonsense_is_nothing(data: bytes) -> None:
    for is_stream in (False, True):
        assert watch(data, b"\n\n", is_stream=is_stream).receipt is None


@pytest.mark.parametrize(
    "own", [5, [], {"timing": 5}, {"receipt": 5}, {"timing": {"ttft_ms": "x"}}]
)
def test_nonsense_of_ours_is_no_receipt(own: Any) -> None:
    witness = watch(events({"choices": [], "luckrig": own}), is_stream=True)
    assert (witness.receipt, witness.is_complete) == (None, True)
