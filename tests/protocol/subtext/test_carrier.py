"""The messages that carry frames: ordinary chat messages, and nothing of them is believed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.errors import PeerError
from luckrig.protocol.openai.requests import parse_chat
from luckrig.protocol.subtext.carrier import (
    MODEL,
    CarrierWriter,
    reply_frames,
    request_body,
    request_payload,
)
from luckrig.protocol.subtext.codec import LAST_REPLY, REPLY, REQUEST, Frame, frame
from luckrig.protocol.subtext.cover import SENTENCES

FRAMES = st.lists(
    st.builds(Frame, st.sampled_from([REPLY, LAST_REPLY]), st.binary(max_size=200)), min_size=1
)


@given(st.binary(max_size=3000), st.booleans(), st.integers(0, 2**32))
def test_a_request_is_an_ordinary_chat(payload: bytes, stream: bool, choice: int) -> None:
    body = request_body(payload, stream=stream, choice=choice)
    chat = parse_chat(body)
    assert chat.model == MODEL
    assert chat.stream is stream
    content = msgspec.json.decode(body)["messages"][0]["content"]
    assert content.startswith(SENTENCES)
    assert request_payload(content) == payload


def test_selectors_arent_escaped() -> None:
    """Escaped they would take twelve bytes each."""
    body = request_body(bytes(1000), stream=True, choice=0)
    assert b"\\u" not in body
    assert len(body) < 3 * 1100 + 100


@pytest.mark.parametrize(
    "content",
    [
        "",
        "Thanks, that worked well for me.",
        frame(REPLY, b"x"),
        frame(LAST_REPLY, b"x"),
        frame(REQUEST, b"x") * 2,
        frame(REQUEST, b"x") + frame(REPLY, b"x"),
        frame(REQUEST, b"x") + " " + frame(REQUEST, b"x"),
        frame(REQUEST, b"x")[:-1],
    ],
)
def test_a_message_that_is_no_request_is_refused(content: str) -> None:
    with pytest.raises(PeerError) as caught:
        request_payload(content)
    assert caught.value.code == "sealed_invalid"


@given(FRAMES)
def test_a_stream_and_a_document_carry_frames(frames: list[Frame]) -> None:
    writer = CarrierWriter("id", 1_800_000_000)
    stream = b"".join(map(writer.event, frames)) + writer.ending()
    *events, done, nothing = stream.split(b"\n\n")
    assert (done, nothing) == (b"data: [DONE]", b"")
    read = [each for event in events for each in reply_frames(event.removeprefix(b"data: "))]
    assert read == frames
    assert reply_frames(CarrierWriter("id", 1_800_000_000).document(frames)) == frames


def test_what_a_stream_shows_depends_on_its_length_alone() -> None:
    def shown(payload: bytes) -> list[str]:
        writer = CarrierWriter("id", 1_800_000_000)
        events = [writer.event(Frame(REPLY, payload)) for _ in range(60)]
        contents = [
            msgspec.json.decode(event[6:])["choices"][0]["delta"]["content"] for event in events
        ]
        return ["".join(each for each in content if each.isascii()) for content in contents]

    assert shown(b"one") == shown(b"another, much longer")


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{"delta":{}}]}',
        b'{"choices":[{"delta":{"content":null}}]}',
        b'{"choices":[{"delta":{"content":"Hello"}}]}',
        b'{"error":{"code":"rig_lost"}}',
    ],
)
def test_a_document_without_frames_has_none(document: bytes) -> None:
    assert reply_frames(document) == []


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"choices":1}',
        b'{"choices":[1]}',
        b'{"choices":[{"delta":{"content":1}}]}',
        b'{"choices":[{"delta":{"content":"\xff"}}]}',
        b'{"choices":[{"delta":{"content":"\\udb40"}}]}',
        b'{"x":' + b"[" * 100_000,
        b"[" * 100_000,
    ],
)
def test_a_document_that_is_no_chats_is_refused(document: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        reply_frames(document)
    assert caught.value.code == "sealed_invalid"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert isinstance(reply_frames(data), list)
    except PeerError as error:
        assert error.code == "sealed_invalid"
