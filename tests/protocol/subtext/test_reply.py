"""A sealed reply: whole and in order, or refused, and never a word of a frame that is bad."""

from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext.codec import LAST_REPLY, REPLY, REQUEST, Frame
from luckrig.protocol.subtext.items import Body, ItemWriter, ReplyHead
from luckrig.protocol.subtext.reply import (
    BACKLOG_FRAMES,
    FRAME_BYTES,
    NONCE_BYTES,
    ReplyOpener,
    ReplySealer,
)

SECRET, ENCAPSULATION = b"s" * 32, b"e" * 32
STREAM = "text/event-stream"
TAG_BYTES: Final = 16
FUZZED: Final = 10_000
EVENTS: Final = tuple(b'data: {"number":%d}\n\n' % number for number in range(20))


def sealed(nonce: bytes = b"n" * 32, *, secret: bytes = SECRET) -> list[Frame]:
    """A reply of some events, a frame for each."""
    writer, sealer = ItemWriter(), ReplySealer(secret, ENCAPSULATION, nonce)
    sealer.add(writer.head(200, STREAM, {}))
    frames = [sealer.next_frame()]
    for event in EVENTS:
        sealer.add(writer.body(event))
        frames.append(sealer.next_frame())
    sealer.add(writer.body(b"data: [DONE]\n\n"))
    return [*frames, *sealer.last_frames()]


def opener() -> ReplyOpener:
    return ReplyOpener(SECRET, ENCAPSULATION)


def read(frames: list[Frame]) -> tuple[bytes, PeerError | None]:
    """What comes out of them, and what ended it."""
    each, body = opener(), b""
    try:
        for frame in frames:
            body += b"".join(item.data for item in each.feed(frame) if isinstance(item, Body))
        each.close()
    except PeerError as error:
        return body, error
    return body, None


GOOD: Final = sealed()
WHOLE: Final = b"".join(EVENTS) + b"data: [DONE]\n\n"


def test_a_reply_comes_back() -> None:
    assert read(GOOD) == (WHOLE, None)
    assert [each.kind for each in GOOD] == [REPLY] * (len(GOOD) - 1) + [LAST_REPLY]


@given(st.lists(st.tuples(st.binary(max_size=3000), st.booleans()), max_size=12), st.booleans())
def test_any_flushes_give_the_same_bytes(parts: list[tuple[bytes, bool]], streams: bool) -> None:
    kind = STREAM if streams else "application/json"
    writer, sealer = ItemWriter(), ReplySealer(SECRET, ENCAPSULATION, b"n" * 32)
    frames: list[Frame] = []
    sealer.add(writer.head(200, kind, {}))
    for part, flushes in parts:
        sealer.add(writer.body(part))
        frames += [sealer.next_frame()] if flushes else []
    sealer.add(writer.end())
    assert read([*frames, *sealer.last_frames()]) == (b"".join(part for part, _ in parts), None)
    assert sealer.waiting_bytes == 0


def test_a_reply_of_a_megabyte_comes_back() -> None:
    writer, sealer = ItemWriter(), ReplySealer(SECRET, ENCAPSULATION, b"n" * 32)
    body = bytes(range(256)) * 4096
    sealer.add(writer.head(200, "application/json", {}) + writer.body(body))
    frames = sealer.last_frames()
    assert read(frames) == (body, None)
    assert len(frames) < 75


def test_it_opens_with_that_secret_and_encapsulation_only() -> None:
    for other in (ReplyOpener(b"t" * 32, ENCAPSULATION), ReplyOpener(SECRET, b"f" * 32)):
        with pytest.raises(PeerError, match="doesn't open"):
            other.feed(GOOD[0])


def test_two_replies_to_one_request_share_no_key() -> None:
    """A request that a rig answers twice, after a restart, gets a new nonce."""
    again = sealed(b"m" * 32)
    one, two = ({each.payload[:16] for each in frames[1:]} for frames in (GOOD, again))
    assert not one & two
    with pytest.raises(ValueError, match="32 bytes"):
        ReplySealer(SECRET, ENCAPSULATION, b"short")


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_a_reply_that_is_cut_anywhere_says_so(at: int) -> None:
    body, error = read(GOOD[:at])
    assert error is not None and error.code == "sealed_invalid"
    assert WHOLE.startswith(body)


def is_refused_at(frames: list[Frame], at: int) -> bool:
    """Refused at that frame, nothing of it or of what follows came out, and nothing opens after."""
    each = opener()
    for frame in frames[:at]:
        each.feed(frame)
    for frame in frames[at:]:
        try:
            each.feed(frame)
        except PeerError as error:
            assert error.code == "sealed_invalid"
        else:
            return False
    with pytest.raises(PeerError, match="cut off"):
        each.close()
    return True


@pytest.mark.parametrize("at", range(len(GOOD) - 1))
def test_frames_out_of_order_missing_or_twice_are_refused(at: int) -> None:
    assert is_refused_at([*GOOD[:at], *GOOD[at + 1 :]], at)
    assert is_refused_at([*GOOD[:at], GOOD[at + 1], GOOD[at], *GOOD[at + 2 :]], at)
    assert is_refused_at([*GOOD[: at + 1], *GOOD[at:]], at + 1)


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_frames_of_another_reply_are_refused(at: int) -> None:
    """Even of another reply to the same request."""
    for other in (sealed(b"m" * 32), sealed(secret=b"t" * 32)):
        if at or other[0].payload[:NONCE_BYTES] == GOOD[0].payload[:NONCE_BYTES]:
            assert is_refused_at([*GOOD[:at], other[at], *GOOD[at:]], at)


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_a_flipped_flag_of_the_last_is_refused(at: int) -> None:
    each = GOOD[at]
    flipped = Frame(REPLY if each.kind == LAST_REPLY else LAST_REPLY, each.payload)
    assert is_refused_at([*GOOD[:at], flipped, *GOOD[at + 1 :]], at)
    assert is_refused_at([*GOOD[:at], Frame(REQUEST, each.payload), *GOOD[at + 1 :]], at)


def test_nothing_comes_after_the_last() -> None:
    each = opener()
    for frame in GOOD:
        each.feed(frame)
    assert each.is_complete
    for frame in (GOOD[0], GOOD[-1], Frame(REPLY, b"")):
        with pytest.raises(PeerError, match="doesn't open"):
            each.feed(frame)
    each.close()


def test_every_flipped_bit_of_a_frame_is_refused() -> None:
    payload = GOOD[1].payload
    for at in range(len(payload)):
        changed = payload[:at] + bytes((payload[at] ^ 1 << at % 8,)) + payload[at + 1 :]
        assert is_refused_at([GOOD[0], Frame(REPLY, changed)], 1)
    first = GOOD[0].payload
    for at in range(len(first)):
        changed = first[:at] + bytes((first[at] ^ 1 << at % 8,)) + first[at + 1 :]
        assert is_refused_at([Frame(REPLY, changed)], 0)


def test_ten_thousand_frames_are_refused_and_nothing_else() -> None:
    random = Random(1)  # noqa: S311 -- the same each time
    sizes = [size + TAG_BYTES for size in FRAME_BYTES[:3]]
    for number in range(FUZZED):
        each, count = opener(), random.randrange(3)
        for frame in GOOD[:count]:
            each.feed(frame)
        length = random.choice(sizes) if number % 2 else random.randrange(300)
        fuzzed = random.randbytes(length + (NONCE_BYTES if not count and number % 2 else 0))
        with pytest.raises(PeerError) as caught:
            each.feed(Frame(random.choice((REPLY, LAST_REPLY)), fuzzed))
        assert caught.value.code == "sealed_invalid"


def test_every_frame_has_one_of_the_sizes() -> None:
    writer, sealer = ItemWriter(), ReplySealer(SECRET, ENCAPSULATION, b"n" * 32)
    sealer.add(writer.head(200, STREAM, {}))
    frames = [sealer.next_frame()]
    for length in (0, 10, 600, 10, 3000, 10, 70_000, *[10] * 30):
        sealer.add(writer.body(b"x" * length + b"\n\n"))
        frames.append(sealer.next_frame())
    frames += sealer.last_frames()
    assert len(frames[0].payload) == NONCE_BYTES + 1024 + TAG_BYTES
    assert {len(each.payload) - TAG_BYTES for each in frames[1:]} <= set(FRAME_BYTES)


def test_a_size_that_was_needed_stays_and_a_burst_passes() -> None:
    sealer = ReplySealer(SECRET, ENCAPSULATION, b"n" * 32)

    def size_with(waiting: int) -> int:
        sealer.add(bytes(max(0, waiting - sealer.waiting_bytes)))
        return len(sealer.next_frame().payload) - TAG_BYTES

    assert size_with(0) - NONCE_BYTES == 1024
    assert [size_with(0), size_with(BACKLOG_FRAMES * 126)] == [128, 128]
    assert size_with(BACKLOG_FRAMES * 126 + 1) == 256
    assert [size_with(0), size_with(BACKLOG_FRAMES * 254)] == [256, 256]
    assert size_with(BACKLOG_FRAMES * 1022 + 1) == 16_384
    assert size_with(BACKLOG_FRAMES * 510 + 1) == 1024
    assert size_with(BACKLOG_FRAMES * 510) == 512
    while sealer.waiting_bytes:
        assert size_with(0) == 512
    assert [len(each.payload) for each in sealer.last_frames()] == [1024 + TAG_BYTES] * 2


def test_the_end_of_a_reply_says_its_length_in_steps_only() -> None:
    counts: list[list[int]] = []
    for length in range(0, 5000, 100):
        sealer = ReplySealer(SECRET, ENCAPSULATION, b"n" * 32)
        sealer.add(bytes(length))
        counts.append([len(each.payload) - TAG_BYTES for each in sealer.last_frames()][1:])
    assert {tuple(each) for each in counts} == {(1024,), (1024,) * 3, (1024, 1024)}


def test_a_head_alone_is_a_reply_and_nothing_is_none() -> None:
    sealer = ReplySealer(SECRET, ENCAPSULATION, b"n" * 32)
    sealer.add(ItemWriter().head(204, "application/json", {}))
    each = opener()
    items = [item for frame in sealer.last_frames() for item in each.feed(frame)]
    assert items == [ReplyHead(status=204, content_type="application/json")]
    each.close()
    nothing = ReplySealer(SECRET, ENCAPSULATION, b"n" * 32).last_frames()
    assert is_refused_at(nothing, len(nothing) - 1)
