"""What stands in frames: any cut gives the same items, and hostile ones are refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext.items import (
    MAX_EVENT_BYTES,
    MAX_ITEM_BYTES,
    Body,
    Item,
    ItemReader,
    ItemWriter,
    ReplyHead,
)
from luckrig.protocol.subtext.reply import FRAME_BYTES

STREAM = "text/event-stream; charset=utf-8"
HEAD = ReplyHead(status=200, content_type=STREAM, headers={"luckrig-quant": "Q4_K_M"})
COMMENT = b": queue position=3 eta=12 ticket=kD1oVn0eSh2uJvX0gq3mBw\n\n"
TOKENS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
EVENTS = st.lists(
    st.one_of(
        TOKENS.map(lambda token: chunk(token)),
        st.just(COMMENT),
        st.just(b"data: [DONE]\n\n"),
        st.just(b"\n\n"),
        st.integers(0, 3 * MAX_EVENT_BYTES).map(lambda length: b"data: " + b"x" * length + b"\n\n"),
    ),
    max_size=12,
)
CUTS = st.lists(st.integers(0, 2000), max_size=40)


def chunk(token: str) -> bytes:
    choice = {"finish_reason": None, "index": 0, "delta": {"content": token}}
    document = {"choices": [choice], "created": 1_790_000_000, "id": "chatcmpl-1"}
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


def begun() -> tuple[ItemReader, ItemWriter]:
    """A reader that has read a stream's head, and who wrote it."""
    reader, writer = ItemReader(), ItemWriter()
    head = writer.head(HEAD.status, HEAD.content_type, HEAD.headers)
    assert reader.feed(head) == [HEAD]
    return reader, writer


def pieces(data: bytes, lengths: list[int]) -> list[bytes]:
    """The data, cut into pieces of these lengths and a rest."""
    cut: list[bytes] = []
    at = 0
    for length in lengths:
        cut.append(data[at : at + length])
        at += length
    return [*cut, data[at:]]


def body_of(items: list[Item]) -> bytes:
    return b"".join(each.data for each in items if isinstance(each, Body))


@given(EVENTS, st.binary(max_size=20), CUTS, CUTS)
def test_any_cut_gives_the_same_items(
    events: list[bytes], rest: bytes, written: list[int], read: list[int]
) -> None:
    """Of the body on its way in, and of the items on theirs to the reader."""
    body = b"".join(events) + rest
    whole, cut = ItemWriter(), ItemWriter()
    items = whole.head(200, STREAM, {}) + whole.body(body) + whole.end()
    same = cut.head(200, STREAM, {})
    same += b"".join(cut.body(piece) for piece in pieces(body, written)) + cut.end()
    assert items == same
    reader, at_once = ItemReader(), ItemReader()
    found = [item for piece in pieces(items, read) for item in reader.feed(piece)]
    assert found == at_once.feed(items)
    assert body_of(found) == body
    assert reader.is_whole


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_a_document_comes_back(parts: list[bytes]) -> None:
    writer, reader = ItemWriter(), ItemReader()
    items = writer.head(429, "application/json", {"retry-after": "5"})
    items += b"".join(map(writer.body, parts)) + writer.end()
    head, *body = reader.feed(items)
    assert head == ReplyHead(
        status=429, content_type="application/json", headers={"retry-after": "5"}
    )
    assert body_of(body) == b"".join(parts)
    assert reader.is_whole


def test_events_are_whole_and_nearly_alike_ones_are_short() -> None:
    reader, writer = begun()
    assert reader.feed(writer.body(chunk("The"))) == [Body(chunk("The"))]
    second = writer.body(chunk(" tide"))
    assert len(second) == 1 + 1 + 1 + 1 + len(" tid")  # both end with an e
    assert reader.feed(second) == [Body(chunk(" tide"))]
    assert len(writer.body(chunk(" tide"))) == 4  # the same again
    assert reader.feed(writer.body(COMMENT)) == [Body(COMMENT)]


def test_an_event_that_never_ended_comes_as_it_is() -> None:
    reader, writer = begun()
    assert writer.body(b"data: {") == b""
    assert reader.feed(writer.end()) == [Body(b"data: {")]
    assert writer.end() == b""


def test_bodies_of_many_megabytes_are_many_items() -> None:
    """Embeddings of 256 texts have some."""
    writer, reader = ItemWriter(), ItemReader()
    body = bytes(range(256)) * (3 * MAX_ITEM_BYTES // 256) + b"x"
    items = writer.head(200, "application/json", {}) + writer.body(body)
    _, *found = reader.feed(items)
    assert [len(each.data) for each in found if isinstance(each, Body)] == [MAX_ITEM_BYTES] * 3 + [
        1
    ]
    assert body_of(found) == body


def test_a_frame_cannot_stand_for_more_than_sixty_megabytes() -> None:
    """The most that one frame can make of an event before it."""
    reader, writer = begun()
    reader.feed(writer.body(b"x" * (MAX_EVENT_BYTES - 2) + b"\n\n"))
    again = b"\2\xff\x7f\1\0"  # all but its last byte, and that
    count = FRAME_BYTES[-1] // len(again)
    items = reader.feed(again * count)
    assert len(body_of(items)) == count * MAX_EVENT_BYTES < 60_000_000


def test_a_long_event_is_written_as_bytes() -> None:
    reader, writer = begun()
    longest = b"x" * (MAX_EVENT_BYTES - 2) + b"\n\n"
    assert writer.body(longest)[0] == 2
    long = writer.body(b"x" + longest)
    assert long[0] == 3
    assert len(writer.body(longest)) == 6  # the difference is from the last one written as such
    assert body_of(reader.feed(long)) == b"x" + longest


@given(st.binary(max_size=60))
def test_whatever_follows_a_head_is_read_or_refused(data: bytes) -> None:
    reader, _ = begun()
    try:
        items = reader.feed(data)
    except PeerError as error:
        assert error.code == "sealed_invalid"
    else:
        assert all(isinstance(each, Body) for each in items)


@given(st.binary(max_size=60))
def test_no_item_comes_before_a_head(data: bytes) -> None:
    reader = ItemReader()
    try:
        items = reader.feed(data)
    except PeerError as error:
        assert error.code == "sealed_invalid"
    else:
        assert items == [] and not reader.is_whole


@pytest.mark.parametrize("number", [b"\x80" * 4, b"\xff" * 5, b"\xff" * 100, b"\x80\x80\x80\x80\0"])
@pytest.mark.parametrize("before", [b"\3", b"\2", b"\2\0", b"\2\0\0"])
def test_numbers_without_end_are_refused_at_once(before: bytes, number: bytes) -> None:
    reader, _ = begun()
    with pytest.raises(PeerError, match="makes no sense"):
        reader.feed(before + number)


def test_a_length_that_is_too_long_is_refused_before_its_bytes_come() -> None:
    reader, _ = begun()
    with pytest.raises(PeerError, match="makes no sense"):
        reader.feed(b"\3\x81\x80\x40")
    reader, _ = begun()
    assert reader.feed(b"\3\x80\x80\x40") == []
    assert not reader.is_whole


@pytest.mark.parametrize(
    "data", [b"\2\1\0\1x", b"\2\0\1\1x", b"\2\xff\xff\xff\x7f\0\0", b"\2\0\xff\xff\xff\x7f\0"]
)
def test_an_event_shares_only_what_there_is(data: bytes) -> None:
    reader, _ = begun()
    with pytest.raises(PeerError, match="makes no sense"):
        reader.feed(data)


def test_prefix_and_suffix_never_overlap() -> None:
    reader, _ = begun()
    reader.feed(b"\2\0\0\2ab")
    assert reader.feed(b"\2\1\1\1x") == [Body(b"axb")]
    assert reader.feed(b"\2\3\0\0") == [Body(b"axb")]
    with pytest.raises(PeerError, match="makes no sense"):
        reader.feed(b"\2\2\2\0")


def test_there_is_one_head_and_it_is_first() -> None:
    reader, _ = begun()
    with pytest.raises(PeerError, match="makes no sense"):
        reader.feed(ItemWriter().head(200, STREAM, {}))
    for item in (b"\2\0\0\0", b"\3\0"):
        with pytest.raises(PeerError, match="makes no sense"):
            ItemReader().feed(item)
    assert not ItemReader().is_whole


def test_no_repr_shows_a_body() -> None:
    assert "secret" not in repr(Body(b"secret"))
