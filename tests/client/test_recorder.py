"""The recorder keeps what passes, whichever shape it has, within its bounds, and never fails."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.client.history.recorder import Recorder
from luckrig.client.history.replay import (
    MAX_EVENTS,
    MAX_REPLAY_BYTES,
    MAX_REQUEST_BYTES,
    MAX_TEXT_BYTES,
    NO_FIGURES,
    Piece,
    Replay,
    decode_replay,
    encode_replay,
)
from tests.client.replays import REQUEST, asked, chunk, last, make_replay


def heard(*documents: Any, streamed: bool = True, **changes: Any) -> Replay:
    """A document each 100 ms."""
    recorder = Recorder(asked(streamed=streamed, **changes), sent_at=0.0)
    for number, document in enumerate(documents, 1):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        (recorder.see if streamed else recorder.whole)(body, number / 10)
    replay = recorder.end("complete", len(documents) / 10)
    assert decode_replay(encode_replay(replay)) == replay
    return replay


def pieces(replay: Replay) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in replay.events]


def test_a_streamed_chat() -> None:
    replay = make_replay()
    assert replay.events[0] == Piece(150.0, "reasoning", "Rayleigh.")
    assert pieces(replay)[1:3] == [("text", "The sky "), ("text", "scatters ")]
    figures = replay.figures
    assert (figures.ttft_ms, figures.rig_ttft_ms, figures.rig_queue_ms) == (150.0, 110.0, 2.5)
    assert (figures.completion_tokens, figures.prompt_tokens, figures.counted) == (4, 24, "engine")
    # Three tokens in the 150 ms after the first one.
    assert (figures.tokens_per_second, figures.rig_tokens_per_second) == (20.0, 43.1)
    assert figures.total_ms == 312.0
    assert json.loads(bytes(replay.usage))["total_tokens"] == 28
    assert json.loads(bytes(replay.timing))["streamed"] is True
    assert replay.queue[0].position == 1
    assert (replay.title, replay.truncated, replay.unread) == ("Why is the sky blue?", False, 0)


def test_tool_calls_begin_with_their_name() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "weather", "arguments": ""}}
    more = {"index": 0, "function": {"arguments": '{"in":'}}
    replay = heard(*({"choices": [{"delta": {"tool_calls": [each]}}]} for each in (call, more)))
    assert pieces(replay) == [("tool", "weather\n"), ("tool", '{"in":')]
    assert replay.figures.ttft_ms == 100.0


def test_a_streamed_completion() -> None:
    replay = heard(*({"choices": [{"index": 0, "text": text}]} for text in ("a", "b", "")))
    assert pieces(replay) == [("text", "a"), ("text", "b")]
    assert (replay.figures.completion_tokens, replay.figures.counted) == (2, "pieces")
    assert replay.figures.tokens_per_second == 10.0


def test_a_streamed_response() -> None:
    done = {
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}],
        "usage": {"input_tokens": 5, "output_tokens": 7},
        "luckrig": {"timing": {"ttft_ms": 9.5}, "receipt": None},
    }
    replay = heard(
        {"type": "response.created", "response": {"output": []}},
        {"type": "response.reasoning_text.delta", "delta": "hm"},
        {"type": "response.output_text.delta", "delta": "Hi", "sequence_number": 4},
        {"type": "response.output_text.done", "text": "Hi"},
        {"type": "response.refusal.delta", "delta": "no"},
        {"type": "response.output_item.added", "item": {"type": "function_call", "name": "f"}},
        {"type": "response.function_call_arguments.delta", "delta": "{}"},
        {"type": "response.completed", "response": done},
        endpoint="/v1/responses",
    )
    assert pieces(replay) == [
        ("reasoning", "hm"),
        ("text", "Hi"),
        ("other", "no"),
        ("tool", "f\n"),
        ("tool", "{}"),
    ]
    assert (replay.figures.prompt_tokens, replay.figures.completion_tokens) == (5, 7)
    assert replay.figures.rig_ttft_ms == 9.5
    assert replay.unread == 0


@pytest.mark.parametrize(
    "document",
    [
        {
            "choices": [
                {
                    "message": {
                        "content": "Hi",
                        "reasoning_content": "hm",
                        "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
                    }
                }
            ],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7},
        },
        {
            "object": "response",
            "output": [
                {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
                {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
                {"type": "function_call", "name": "f", "arguments": "{}"},
            ],
            "usage": {"input_tokens": 5, "output_tokens": 7},
            "error": None,
        },
    ],
)
def test_a_reply_in_one_piece(document: Any) -> None:
    replay = heard(document, streamed=False)
    assert [replay.text(kind) for kind in ("text", "reasoning", "tool")] == ["Hi", "hm", "f\n{}"]
    assert replay.figures.completion_tokens == 7
    assert replay.figures.tokens_per_second is None


def test_a_reply_in_one_piece_counts_no_tokens_by_itself() -> None:
    replay = heard({"choices": [{"text": "a"}]}, streamed=False)
    assert (replay.figures.completion_tokens, replay.figures.counted) == (None, None)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"error": {"code": "engine_error", "message": "m"}}, "engine_error"),
        ({"error": {"type": "server_error"}}, "server_error"),
        ({"error": {"code": 500}}, "500"),
        ({"error": "model not found"}, "error"),
        ({"type": "error", "code": "rig_lost", "message": "m"}, "rig_lost"),
        ({"type": "response.failed", "response": {"error": {"code": "banned"}}}, "banned"),
        ({"error": {"code": "x" * 1000}}, "x" * 64),
    ],
)
def test_a_failure_keeps_its_code(document: Any, code: str) -> None:
    recorder = Recorder(asked(), sent_at=0.0)
    recorder.see(json.dumps(document).encode(), 0.1)
    assert recorder.end("failed", 0.2).error_code == code
    assert recorder.end("failed", 0.2, error_code="own").error_code == "own"
    assert recorder.end("cut", 0.2).error_code is None


HOSTILE: list[Any] = [
    b"",
    b"{",
    b"null",
    b"[1]",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"choices":' * 50_000,
    {"choices": [{"delta": {"content": 5}}]},
    {"choices": "x"},
    {"usage": {"completion_tokens": "many"}},
    {"luckrig": {"timing": {"ttft_ms": []}}},
    b'{"choices":[{"delta":{"content":"\\ud800"}}]}',
]


@pytest.mark.parametrize("document", HOSTILE)
def test_what_makes_no_sense_is_counted_and_passed_over(document: Any) -> None:
    replay = heard(chunk("a"), document, chunk("b"))
    assert (replay.text("text"), replay.unread) == ("ab", 1)


@pytest.mark.parametrize("number", [-1, 2**60, 1e300])
def test_figures_that_cannot_be_are_left_out(number: float) -> None:
    tokens = int(number) if abs(number) < 2**63 else -5
    replay = heard(
        {
            "usage": {"prompt_tokens": tokens, "completion_tokens": tokens},
            "luckrig": {
                "timing": {"ttft_ms": number, "queue_ms": number, "tokens_per_second": number}
            },
        }
    )
    figures = replay.figures
    assert (figures.prompt_tokens, figures.completion_tokens) == (None, None)
    assert (figures.rig_ttft_ms, figures.rig_queue_ms, figures.rig_tokens_per_second) == (
        None,
        None,
        None,
    )


def test_large_figures_are_not_kept_as_they_came() -> None:
    replay = heard({"usage": {"completion_tokens": 3, "x": "y" * 20_000}})
    assert replay.usage == NO_FIGURES
    assert replay.figures.completion_tokens == 3


def test_figures_that_readers_read_differently_are_not_kept() -> None:
    replay = heard(b'{"usage":{"completion_tokens":3,"x":1,"x":2}}')
    assert replay.usage == NO_FIGURES


def test_time_never_goes_back() -> None:
    recorder = Recorder(asked(), sent_at=5.0)
    for at in (5.2, 5.1, 4.0, 1e15):
        recorder.see(chunk("a"), at)
    replay = recorder.end("cut", 0.0)
    assert [piece.at_ms for piece in replay.events] == [200.0, 200.0, 200.0, 1e9]
    assert decode_replay(encode_replay(replay)) == replay


@pytest.mark.parametrize("text", ["x" * 1000, "\x00" * 1000, "é漢😀" * 200])
def test_text_is_bounded_and_its_end_still_measured(text: str) -> None:
    recorder = Recorder(asked(), sent_at=0.0)
    document = chunk(text)
    for number in range(6_000):
        recorder.see(document, number / 100)
    recorder.see(last(9), 60.0)
    replay = recorder.end("complete", 61.0)
    written = encode_replay(replay)
    assert replay.truncated
    assert MAX_TEXT_BYTES - 10_000 < sum(
        len(json.dumps(p.text, ensure_ascii=False).encode()) for p in replay.events
    )
    assert len(written) <= MAX_REPLAY_BYTES
    assert decode_replay(written) == replay
    assert (replay.figures.total_ms, replay.figures.completion_tokens) == (61_000.0, 9)


def test_a_reply_in_one_piece_is_kept_as_far_as_it_fits() -> None:
    document = {"choices": [{"message": {"content": "\x00" * MAX_TEXT_BYTES}}]}
    replay = heard(document, streamed=False)
    assert replay.truncated
    assert len(replay.text("text")) == MAX_TEXT_BYTES // 6


@pytest.mark.timeout(90)  # two seconds of a processor, which a busy machine may not have soon
def test_pieces_are_bounded() -> None:
    recorder = Recorder(asked(), sent_at=0.0)
    document = b'{"choices":[{"delta":{"content":"abcdefghijklmnop"}}]}'
    for number in range(MAX_EVENTS + 5):
        recorder.see(document, 0.123456 + number / 1000)
    replay = recorder.end("complete", 1000.0)
    assert replay.truncated
    assert len(replay.events) == MAX_EVENTS
    assert len(encode_replay(replay)) <= MAX_REPLAY_BYTES - MAX_REQUEST_BYTES
    assert decode_replay(encode_replay(replay)).truncated


@pytest.mark.parametrize(
    "request_body",
    [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"a":"' + b"x" * MAX_REQUEST_BYTES + b'"}', b"\xff"],
)
def test_a_request_that_no_replay_can_hold_is_marked(request_body: bytes) -> None:
    replay = heard(chunk("a"), request=request_body)
    assert bytes(replay.request) == b"{}"
    assert replay.truncated


def test_a_request_is_kept_as_it_was_asked() -> None:
    replay = heard(chunk("a"), request=b'{\n "model" : "m",\n "x": [1,\n2]}')
    assert bytes(replay.request) == b'{"model":"m","x":[1,2]}'
    assert not replay.truncated
    assert not heard(chunk("a"), request=b"{}").truncated


@given(st.lists(st.binary(max_size=60) | st.sampled_from([REQUEST, chunk("x"), last(3)])))
def test_whatever_a_rig_sends_there_is_a_replay(documents: list[bytes]) -> None:
    heard(*documents)
