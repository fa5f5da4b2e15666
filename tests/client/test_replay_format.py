"""The format is exact: what a browser writes must be read here, and nothing else is."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.client.history.replay import (
    SUMMARY_END,
    Piece,
    Summary,
    decode_replay,
    decode_summary,
    encode_replay,
    is_replay_id,
    make_replay_id,
)
from luckrig.protocol.errors import PeerError
from tests.client.replays import BROKEN, changed, make_replay

REPLAY = make_replay()
PLAIN: dict[str, Any] = json.loads(encode_replay(REPLAY))


def test_what_is_written_is_read_again() -> None:
    assert decode_replay(encode_replay(REPLAY)) == REPLAY
    assert PLAIN["events"][1] == [200.0, "text", "The sky "]
    assert PLAIN["request"]["messages"][1]["role"] == "user"


def test_the_summary_is_the_start_of_the_file() -> None:
    written = encode_replay(REPLAY)
    summary = decode_summary(written[:4096])
    assert summary is not None
    for name in Summary.__struct_fields__:
        assert getattr(summary, name) == getattr(REPLAY, name)
    assert decode_summary(written[: written.index(SUMMARY_END)]) is None


def test_no_title_can_fake_the_end_of_the_summary() -> None:
    title = '","request":{},"x":"\\",\\"request\\":'
    replay = msgspec.structs.replace(REPLAY, title=title)
    summary = decode_summary(encode_replay(replay))
    assert summary is not None
    assert summary.title == title


@pytest.mark.parametrize("body", BROKEN)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(PeerError) as refusal:
        decode_replay(body)
    assert refusal.value.message.isprintable()


def test_a_newer_version_is_named_as_the_reason() -> None:
    with pytest.raises(PeerError, match="isn't a replay of version 1"):
        decode_replay(changed(schema_version=2))


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_to_be_refused(body: bytes) -> None:
    with pytest.raises(PeerError):
        decode_replay(body)


def test_ids_sort_by_time() -> None:
    times = [0.0, 1.0, 1.5, 1_790_000_000.0, 1_790_000_000.9994, 1_790_000_001.0]
    ids = [make_replay_id(at, "zzzzzz") for at in times]
    assert ids == sorted(ids)
    assert all(map(is_replay_id, ids))
    assert ids[4] == "20260921-141320-999-zzzzzz"


@pytest.mark.parametrize(
    "text",
    ["", "A", "a.b", "a/b", "..", "a\0", "a\n", "con", "nul", "com1", "lpt9", "aux", "é", "a" * 65],
)
def test_no_other_text_is_an_id(text: str) -> None:
    assert not is_replay_id(text)


def test_texts_of_a_kind_are_put_together() -> None:
    assert REPLAY.text("text") == "The sky scatters blue light.\n"
    assert REPLAY.text("reasoning") == "Rayleigh."
    assert Piece(1, "tool", "x").kind == "tool"
