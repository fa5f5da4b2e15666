"""The ledger: its chain finds every change, its export is the same bytes both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ledger_chain import GENESIS
from luckrig.tracker.domain import ledger as ledger_module
from luckrig.tracker.domain.ledger import (
    Entry,
    chain,
    entry_hash,
    from_jsonl,
    to_jsonl,
    verify_chain,
)
from tests.tracker.population import anchored, listed, reproduced, selected, timing, up, used

LEDGER: list[Entry] = [
    anchored("ada"),
    listed("olga"),
    up("olga"),
    used("ada", "olga", 1),
    selected("ada", "olga", 2),
    reproduced("ada", "olga", 3),
    timing("ada", "olga", 3),
]


def test_an_export_reads_back_and_writes_the_same_bytes() -> None:
    text = to_jsonl(LEDGER)
    assert from_jsonl(text) == LEDGER
    assert to_jsonl(from_jsonl(text)) == text
    assert from_jsonl(b"") == []


def test_the_hash_of_an_entry_never_changes() -> None:
    """Frozen: another value here means that every ledger's chain breaks."""
    head = "d561ae08e83f7eb4bcb154a1e35afa88bb66a8f86bc6414374d512b8e6012964"
    assert chain(LEDGER)[-1].hex() == head


def test_an_honest_chain_has_no_bad_index() -> None:
    assert verify_chain(LEDGER, chain(LEDGER)) is None
    assert verify_chain([], []) is None


def test_a_chain_goes_on_where_another_ended() -> None:
    hashes = chain(LEDGER)
    assert chain(LEDGER[3:], previous=hashes[2]) == hashes[3:]


@pytest.mark.parametrize("short", ["entries", "hashes"])
def test_a_cut_ledger_is_bad_where_it_was_cut(short: str) -> None:
    entries = LEDGER[:-2] if short == "entries" else LEDGER
    hashes = chain(LEDGER)[:-2] if short == "hashes" else chain(LEDGER)
    assert verify_chain(entries, hashes) == len(LEDGER) - 2


@given(st.data())
def test_one_changed_byte_is_refused_or_found_at_its_line(data: st.DataObject) -> None:
    text = bytearray(to_jsonl(LEDGER))
    place = data.draw(st.integers(0, len(text) - 1))
    index = bytes(text[:place]).count(b"\n")
    text[place] ^= data.draw(st.integers(1, 255))
    try:
        entries = from_jsonl(bytes(text))
    except PeerError as error:
        assert error.code == "invalid_request"
        assert f"Line {index + 1} " in error.message
    else:
        assert verify_chain(entries, chain(LEDGER)) == index


@given(st.integers(0, len(LEDGER) - 1), st.integers(0, 31), st.integers(1, 255))
def test_one_changed_byte_of_a_hash_is_found(index: int, place: int, flip: int) -> None:
    hashes = chain(LEDGER)
    hashes[index] = bytes(
        byte ^ flip if here == place else byte for here, byte in enumerate(hashes[index])
    )
    assert verify_chain(LEDGER, hashes) == index


@pytest.mark.parametrize(
    "change",
    [
        (b'"day":', b'"day": '),
        (b'"live_hours":24', b'"live_hours":25'),
        (b'"live_hours":24', b'"live_hours":24.0'),
        (b'"scarcity_milli":500', b'"scarcity_milli":500,"more":1'),
        (b'"scarcity_milli":500', b'"scarcity_milli":500,"scarcity_milli":500'),
        (b'"kind":"uptime"', b'"kind":"downtime"'),
        (b'"p40"', b'"' + b"p" * 121 + b'"'),
        (b'"p40"', b'"p\\u00340"'),
        (b"}\n", b"}\n\n"),
        (b"}\n", b"}\r\n"),
        (b"}\n", b"}" + b" " * 1024 + b"\n"),
    ],
    ids=[
        "space",
        "too many hours",
        "float",
        "unknown field",
        "field twice",
        "unknown kind",
        "long name",
        "escaped letter",
        "empty line",
        "carriage return",
        "long line",
    ],
)
def test_anything_but_an_export_is_refused(change: tuple[bytes, bytes]) -> None:
    with pytest.raises(PeerError) as caught:
        from_jsonl(to_jsonl(LEDGER).replace(*change, 1))
    assert caught.value.code == "invalid_request"


def test_an_export_without_its_last_newline_is_refused() -> None:
    with pytest.raises(PeerError, match=f"Line {len(LEDGER)} "):
        from_jsonl(to_jsonl(LEDGER)[:-1])


def test_an_export_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MAX_EXPORT_BYTES", 10)
    with pytest.raises(PeerError) as caught:
        from_jsonl(to_jsonl(LEDGER))
    assert caught.value.code == "body_too_large"


def test_a_hash_follows_32_bytes() -> None:
    with pytest.raises(ValueError, match="32"):
        entry_hash(GENESIS[:-1], LEDGER[0])
