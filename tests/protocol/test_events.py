"""Splitters give the same events for any split of the bytes, and hold a bounded part of them."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luckrig.protocol.errors import UpstreamError
from luckrig.protocol.events import NdjsonSplitter, SseEvent, SseSplitter


def sse(*reads: bytes) -> list[tuple[bytes, str]]:
    splitter = SseSplitter()
    return [(event.data, event.event) for read in reads for event in splitter.feed(read)]


def sse_reference(stream: bytes) -> list[tuple[bytes, str]]:
    """The standard's rules, over the whole stream."""
    events: list[tuple[bytes, str]] = []
    data: list[bytes] = []
    name = ""
    for line in re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))[:-1]:
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if not line:
            if data:
                events.append((b"\n".join(data), name))
            data, name = [], ""
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode(errors="replace")
    return events


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(at % (len(stream) + 1) for at in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"data: a\n\n", [(b"a", "")]),
        (b"data: a\n\ndata: b\n\n", [(b"a", ""), (b"b", "")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\r", [(b"a", ""), (b"b", ""), (b"c", "")]),
        (b"data: a\ndata: b\n\n", [(b"a\nb", "")]),
        (b"data:a\n\ndata:  b\n\n", [(b"a", ""), (b" b", "")]),
        (b"data\n\n", [(b"", "")]),
        (b"data:\ndata:\n\n", [(b"\n", "")]),
        (b": queue position=3 eta=12\n\ndata: a\n\n", [(b"a", "")]),
        (b"data: a\n: between\nid: 7\nretry: 10\nother: x\n\n", [(b"a", "")]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [(b"a", "error"), (b"b", "")]),
        (b"event: lost\n\ndata: b\n\n", [(b"b", "")]),
        (b"data: a\nevent: \xff\n\n", [(b"a", "\ufffd")]),
        (b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", [(b"a", "")]),
        (b"data: a\n\ndata: incomplete\n", [(b"a", "")]),
        (b"data: a\n\n\n\n\ndata: b\n\n", [(b"a", ""), (b"b", "")]),
        (b"data: a\x0b\x0c\xc2\x85\n\n", [(b"a\x0b\x0c\xc2\x85", "")]),
        (b"Data: a\n\n data: b\n\n", []),
    ],
)
def test_a_stream_is_split_by_the_standard(stream: bytes, events: list[tuple[bytes, str]]) -> None:
    assert sse(stream) == sse_reference(stream) == events
    assert sse(*(stream[at : at + 1] for at in range(len(stream)))) == events


LINES = [b"data: {}", b"data:", b"data", b"data: a:b", b"event: e", b": c", b"id: 1", b"x"]
ENDS = [b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r"]
streams = st.lists(
    st.sampled_from([*LINES, *ENDS, b"data: x\n\n", b"\xef\xbb\xbf", b"\xff", b" "]), max_size=16
).map(b"".join)
cuts = st.lists(st.integers(0, 200), max_size=6)


@settings(max_examples=200)
@given(streams, cuts)
def test_any_split_of_the_bytes_gives_the_same_sse_events(stream: bytes, cuts: list[int]) -> None:
    assert sse(*cut(stream, cuts)) == sse_reference(stream)


@settings(max_examples=200)
@given(streams, cuts, cuts)
def test_any_split_of_the_bytes_is_too_long_alike(
    stream: bytes, cuts: list[int], other_cuts: list[int]
) -> None:
    def too_long(reads: list[bytes]) -> bool:
        splitter = SseSplitter(max_bytes=12)
        try:
            for read in reads:
                splitter.feed(read)
        except UpstreamError:
            return True
        return False

    assert too_long(cut(stream, cuts)) == too_long(cut(stream, other_cuts))


def test_whole_events_in_one_read_are_told_from_lookalikes() -> None:
    """The fast path counts line ends; these streams have its first and last bytes only."""
    for stream in (
        b"data: a\ndata: b\n\n",
        b"data: a\n\n: c\n\ndata: b\n\n",
        b"data: a\n\nevent: e\ndata: b\n\n",
        b"data: a\r\rdata: b\n\n",
        b"data: a\n\n\ndata: b\n\n",
        b"data: a\n\ndata: \n\n",
    ):
        assert sse(stream) == sse_reference(stream)


@pytest.mark.parametrize(
    "reads",
    [
        [b"event: e\n", b"data: a\n\n"],
        [b"data: a\n", b"data: b\n\n"],
        [b"x", b"data: b\n\n"],
        [b"data: a\r", b"\ndata: b\n\n"],
        [b"data: a\r", b"", b"\ndata: b\n\n"],
        [b"data: a\r\r", b"data: b\n\n"],
        [b"x\rdata: a", b"\n\n"],
        [b"data: a\n\n", b"\xef\xbb\xbfdata: b\n\n"],
        [b"\xef\xbb", b"\xbfdata: b\n\n"],
    ],
)
def test_a_read_continues_what_the_one_before_left_open(reads: list[bytes]) -> None:
    """Above all when it looks like a read of whole events."""
    assert sse(*reads) == sse_reference(b"".join(reads))


def test_closing_tells_whether_an_event_was_cut_off() -> None:
    for stream, broken in ((b"data: a\n\n", False), (b"data: a", True), (b"data: a\n", True)):
        splitter = SseSplitter()
        splitter.feed(stream)
        assert splitter.close() is broken


@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"a" * 100 + b"\n\n",
        b"data: " + b"a" * 100,
        b": " + b"a" * 100 + b"\n",
        b"data: a\n" * 60 + b"\n",
        b"data:\n" * 101,
        b"data: " + b"a" * 80 + b"\nevent: " + b"e" * 80 + b"\n\n",
    ],
)
def test_an_event_over_the_limit_is_refused(stream: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        SseSplitter(max_bytes=100).feed(stream)
    assert (caught.value.code, caught.value.status) == ("engine_error", 502)


def test_the_limit_is_for_one_event_not_for_a_read() -> None:
    event = b"data: " + b"a" * 80 + b"\n\n"
    splitter = SseSplitter(max_bytes=100)
    assert len(splitter.feed(event * 9 + b"data: " + b"a" * 80)) == 9
    assert splitter.feed(b"\n\ndata: " + b"b" * 90) == [SseEvent(b"a" * 80)]


@pytest.mark.parametrize("start", [b"data: " + b"a" * 1_000_000, b"data:\n" * 200_000 + b":"])
def test_a_huge_event_that_grows_byte_by_byte_takes_linear_time(start: bytes) -> None:
    """The time limit of the test is the assertion: copying the event each time takes minutes."""
    splitter = SseSplitter(max_bytes=2_000_000)
    assert splitter.feed(start) == []
    assert [event for _ in range(100_000) for event in splitter.feed(b"a")] == []
    (event,) = splitter.feed(b"\n\n")
    assert event.data == sse_reference(start + b"a" * 100_000 + b"\n\n")[0][0]


# NDJSON


@pytest.mark.parametrize(
    ("stream", "lines", "rest"),
    [
        (b"", [], b""),
        (b"{}\n", [b"{}"], b""),
        (b"1\n\n2\r\n3", [b"1", b"2"], b"3"),
        (b"\n\r\n4\r", [], b"4"),
        (b'{"a":"\r"}\n', [b'{"a":"\r"}'], b""),
    ],
)
def test_lines_are_split_at_newlines(stream: bytes, lines: list[bytes], rest: bytes) -> None:
    splitter = NdjsonSplitter()
    assert splitter.feed(stream) == lines
    assert splitter.close() == rest
    assert splitter.close() == b""


@given(st.text("a{}\r\n", max_size=40).map(str.encode), cuts)
def test_any_split_of_the_bytes_gives_the_same_lines(stream: bytes, cuts: list[int]) -> None:
    *complete, rest = [line.removesuffix(b"\r") for line in stream.split(b"\n")]
    splitter = NdjsonSplitter()
    lines = [line for read in cut(stream, cuts) for line in splitter.feed(read)]
    assert (lines, splitter.close()) == ([line for line in complete if line], rest)


def test_a_line_over_the_limit_is_refused() -> None:
    for stream in (b"a" * 11, b"a" * 11 + b"\n", b"b\n" + b"a" * 11 + b"\nb"):
        with pytest.raises(UpstreamError):
            NdjsonSplitter(max_bytes=10).feed(stream)
    assert NdjsonSplitter(max_bytes=10).feed(b"aaaaaaaa\n" * 9) == [b"aaaaaaaa"] * 9


def test_a_huge_line_that_grows_byte_by_byte_takes_linear_time() -> None:
    """The time limit of the test is the assertion: copying the line each time takes minutes."""
    splitter = NdjsonSplitter(max_bytes=2_000_000)
    assert splitter.feed(b"a" * 1_000_000) == []
    assert [line for _ in range(100_000) for line in splitter.feed(b"a")] == []
    assert splitter.feed(b"\n") == [b"a" * 1_100_000]
