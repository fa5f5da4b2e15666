"""What sizes tell of a sealed stream: nothing of its tokens' lengths, where the table says so.

The figures in docs/PROTOCOL.md, Subtext, are those of these tests.
"""

from itertools import pairwise
from random import Random
from typing import Final

import pytest

from luckrig.protocol.subtext.codec import HEADER_BYTES
from luckrig.protocol.subtext.cover import word
from luckrig.protocol.subtext.items import Body
from luckrig.protocol.subtext.reply import FRAME_BYTES, ReplyOpener
from tests.protocol.subtext.shape import (
    FLUSH_EVENTS,
    KINDS,
    RATES,
    Stream,
    entropy,
    lengths,
    mutual_information,
)

RUNS: Final = 25
TOKENS: Final = 120
STEADY: Final = FRAME_BYTES[0] + 16


def drawn(kind: str, *, tokens: int = TOKENS, runs: int = RUNS) -> list[tuple[int, ...]]:
    random = Random(kind)  # noqa: S311 -- the same each time
    return [tuple(lengths(kind, tokens, random)) for _ in range(runs)]


def test_a_model_of_a_stream_is_a_stream() -> None:
    """What is measured below opens, and is what was written."""
    stream = Stream(drawn("English")[0], 100, seed=0)
    opener = ReplyOpener(stream.secret, bytes(32))
    items = [item for frame in stream.frames for item in opener.feed(frame)]
    opener.close()
    assert sum(len(each.data) for each in items if isinstance(each, Body)) == stream.plain_bytes


def test_an_events_characters_depend_on_its_number_and_frame_alone() -> None:
    stream = Stream(drawn("English")[0], 100, seed=0)
    shell = stream.sizes()[0] - len(word(0)) - HEADER_BYTES - stream.payloads()[0]
    assert stream.sizes()[:-1] == tuple(
        shell + len(word(number)) + HEADER_BYTES + payload
        for number, payload in enumerate(stream.payloads())
    )


@pytest.mark.parametrize("rate", RATES)
def test_sizes_tell_nothing_of_what_tokens_are_long(rate: int) -> None:
    """0 bits, of replies in one language and of which language it is."""
    tokens = [each for kind in KINDS for each in drawn(kind)]
    sizes = [Stream(each, rate, seed=number).sizes() for number, each in enumerate(tokens)]
    assert entropy(tokens) > 6  # there was something to tell
    assert entropy(sizes) == 0
    assert mutual_information(tokens, sizes) == 0


def test_ten_bytes_a_token_always_keep_up() -> None:
    """Whatever the tokens are: so many events never have more than a frame of the small size."""
    random = Random(1)  # noqa: S311 -- the same each time
    streams = [[10] * 600, [1] * 600, random.choices((1, 10), k=600)]
    payloads = {Stream(each, 100, seed=number).payloads() for number, each in enumerate(streams)}
    assert len(payloads) == 1
    assert set(payloads.pop()[1 : 600 // FLUSH_EVENTS]) == {STEADY}


@pytest.mark.parametrize(
    ("length", "size"), [(10, 128), (12, 256), (26, 256), (28, 512), (58, 512)]
)
def test_longer_tokens_change_the_size_and_it_stays(length: int, size: int) -> None:
    *payloads, _, _, _ = Stream([length] * 600, 100, seed=1).payloads()[1:]
    assert payloads == sorted(payloads)
    assert size in {each - 16 for each in payloads[len(payloads) // 2 :]}


def test_where_it_stops() -> None:
    """Tokens of 9 to 12 bytes, all through a reply: when the size changed is what sizes tell."""
    random = Random(1)  # noqa: S311 -- the same each time
    tokens = [random.choices(range(9, 13), (2, 1, 4, 5), k=800) for _ in range(RUNS)]
    payloads = [Stream(each, 100, seed=number).payloads() for number, each in enumerate(tokens)]
    for each in payloads:
        steady = each[1:-3]
        changes = sum(one != two for one, two in pairwise(steady))
        assert changes <= 2
    assert 0 < entropy(payloads) < 4.7
    # More than 63 bytes an event: 1024 comes and goes, and tells how many bytes there were.
    assert set(Stream([80] * 600, 100, seed=1).payloads()[20:70]) == {528, 1040}


@pytest.mark.parametrize(
    ("tokens", "rate", "times"),
    [
        (2000, 100, 0.45),
        (500, 100, 0.54),
        (100, 100, 0.98),
        (64, 100, 1.14),
        (20, 100, 2.56),
        (500, 30, 0.93),
        (500, 20, 1.21),
        (500, 5, 3.38),
    ],
)
def test_bytes_of_a_sealed_stream_against_a_plain_one(tokens: int, rate: int, times: float) -> None:
    """llama-server's chunks, head and end included. Keys are fixed, so the bytes are, too.

    At 100 tokens a second the bar is 1.3, and short replies, mostly head and end, miss it.
    """
    stream = Stream(drawn("English", tokens=tokens, runs=1)[0], rate, seed=1)
    ratio = sum(map(len, stream.written())) / stream.plain_bytes
    assert times - 0.03 < ratio <= times
    assert rate < 100 or tokens < 64 or ratio <= 1.3
