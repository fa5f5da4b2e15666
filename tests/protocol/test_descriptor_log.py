"""The descriptor log: whatever is changed in what was listed, it shows, and where."""

import base64
import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.descriptor_log import (
    EMPTY_LOG,
    GENESIS_HASH,
    LogEntry,
    LogHead,
    LogTip,
    LogVerifier,
    descriptor_hash,
    entry_hash,
    make_head,
    next_entry,
    verify_chain,
    verify_head,
)
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from tests.vectors import load_vectors

VECTOR = load_vectors("log")
SIGNING = PrivateKey(bytes.fromhex(VECTOR["signing_seed"]))
KEYS = {SIGNING.public.thumbprint: SIGNING.public}
ENTRIES = [msgspec.convert(entry, LogEntry) for entry in VECTOR["entries"]]
NOW: int = VECTOR["now"]
ISSUER: str = VECTOR["issuer"]


def make_log(count: int, *, salt: str = "") -> list[LogEntry]:
    """A log of rigs that nobody signed: only the chain matters here."""
    tip, entries = EMPTY_LOG, list[LogEntry]()
    for number in range(count):
        node_id = derive_id("n1", PrivateKey(number.to_bytes(32)).public)
        signed = f"{salt}{number}".encode()
        entries.append(next_entry(tip, node_id=node_id, seq=1, signed=signed, listed_at=NOW))
        tip = tip_of(entries)
    return entries


def tip_of(entries: list[LogEntry]) -> LogTip:
    return LogTip(entries[-1].index, entries[-1].hash) if entries else EMPTY_LOG


def head_of(entries: list[LogEntry]) -> LogHead:
    tip = tip_of(entries)
    return LogHead(iss=ISSUER, size=tip.size, hash=tip.hash, iat=NOW)


def first_bad(entries: list[LogEntry]) -> str | None:
    """`param` of the error that the chain is refused with."""
    with pytest.raises(PeerError) as caught:
        verify_chain(entries)
    assert caught.value.code == "signature_invalid"
    return caught.value.param


def test_frozen_log_is_made_and_read_byte_for_byte() -> None:
    tip = EMPTY_LOG
    for entry in ENTRIES:
        made = next_entry(
            tip,
            node_id=entry.node_id,
            seq=entry.seq,
            signed=VECTOR["signed"].encode(),
            listed_at=entry.listed_at,
        )
        assert made == entry
        tip = LogTip(made.index, made.hash)
    assert verify_chain(ENTRIES) == tip
    assert make_head(tip, issuer=ISSUER, key=SIGNING, now=NOW) == VECTOR["head"]
    assert verify_head(VECTOR["head"], keys=KEYS, issuer=ISSUER, now=NOW).tip == tip


def test_frozen_log_follows_from_the_docs_alone() -> None:
    """As docs/PROTOCOL.md says it, with nothing of ours."""
    before = VECTOR["genesis"]
    for entry in VECTOR["entries"]:
        digest = hashlib.sha256(VECTOR["signed"].encode()).digest()
        assert entry["descriptor_hash"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
        fields = [entry[name] for name in ("index", "node_id", "seq", "descriptor_hash")]
        array = ["lr-log-entry", before, *fields, entry["listed_at"]]
        digest = hashlib.sha256(json.dumps(array, separators=(",", ":")).encode()).digest()
        assert entry["hash"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
        before = entry["hash"]


def test_a_changed_byte_anywhere_is_found_at_its_entry() -> None:
    """Every byte of every value of every entry, changed to every other printable character."""
    for position, entry in enumerate(ENTRIES):
        for name, value in msgspec.to_builtins(entry).items():
            for changed in _changes(value):
                forged = msgspec.structs.replace(entry, **{name: changed})
                entries = [*ENTRIES[:position], forged, *ENTRIES[position + 1 :]]
                assert first_bad(entries) == f"entries[{position + 1}]", (name, changed)


def _changes(value: Any) -> list[Any]:
    if isinstance(value, int):
        return [value ^ (1 << bit) for bit in range(53)]
    alphabet = [chr(code) for code in range(0x20, 0x7F)] + ["\n", "é"]
    return [
        value[:at] + other + value[at + 1 :]
        for at in range(len(value))
        for other in alphabet
        if other != value[at]
    ]


@given(st.integers(0, 7), st.data())
def test_dropped_swapped_doubled_and_inserted_entries_are_found(
    position: int, data: st.DataObject
) -> None:
    entries, foreign = make_log(8), make_log(8, salt="x")
    index = f"entries[{position + 1}]"
    # Any entry may be the first of some log, so one that is put before the first shows one later.
    inserted = [*entries[:position], foreign[position], *entries[position:]]
    assert first_bad(inserted) == f"entries[{max(position + 1, 2)}]"
    assert first_bad([*entries[: position + 1], *entries[position:]]) == f"entries[{position + 2}]"
    if position < 7:
        assert first_bad(entries[:position] + entries[position + 1 :]) == index
        other = data.draw(st.integers(position + 1, 7))
        swapped = list(entries)
        swapped[position], swapped[other] = swapped[other], swapped[position]
        assert first_bad(swapped) == index


def test_an_entry_and_all_after_it_made_anew_end_with_another_hash() -> None:
    """The chain holds, so only a head that was seen before can tell."""
    rewritten = make_log(4, salt="x")
    assert verify_chain(rewritten) != verify_chain(make_log(4))


def test_a_chain_is_verified_in_pieces() -> None:
    entries = make_log(9)
    for cut in range(10):
        assert verify_chain(entries[cut:], verify_chain(entries[:cut])) == tip_of(entries)


def test_fields_cannot_flow_into_one_another() -> None:
    """A hash over joined texts would be the same for "ab" + "c" and "a" + "bc"."""

    def hash_of(**changes: Any) -> str:
        fields: dict[str, Any] = {
            "index": 1, "node_id": "a", "seq": 11, "descriptor_hash": "b", "listed_at": 1
        }  # fmt: skip
        fields.update(changes)
        return entry_hash(GENESIS_HASH, **fields)

    for changes in (
        {"index": 11, "seq": 1},
        {"node_id": 'a",1,"b', "descriptor_hash": ""},
        {"node_id": "ab", "descriptor_hash": ""},
        {"seq": 1, "listed_at": 11},
    ):
        assert hash_of(**changes) != hash_of()


def test_white_space_around_a_descriptor_is_not_part_of_it() -> None:
    assert descriptor_hash(b'\r\n {"a": 1}\t') == descriptor_hash(b'{"a": 1}')
    assert descriptor_hash(b'{"a": 1}') != descriptor_hash(b'{"a":1}')


@pytest.mark.parametrize("name", VECTOR["refused"])
def test_forged_head_is_refused(name: str) -> None:
    with pytest.raises(PeerError) as caught:
        verify_head(VECTOR["refused"][name], keys=KEYS, issuer=ISSUER, now=NOW)
    assert caught.value.code == "signature_invalid"


def test_every_changed_character_of_a_head_is_refused() -> None:
    head: str = VECTOR["head"]
    for at, character in enumerate(head):
        forged = head[:at] + ("A" if character != "A" else "B") + head[at + 1 :]
        with pytest.raises(PeerError):
            verify_head(forged, keys=KEYS, issuer=ISSUER, now=NOW)


@pytest.mark.parametrize("page_entries", [1, 3, 7, 100])
def test_a_log_is_followed_page_by_page_while_it_grows(page_entries: int) -> None:
    entries = make_log(20)
    verifier = LogVerifier(tip_of(entries[:5]))
    shown = 12
    while True:
        start = verifier.tip.size
        page = entries[start : min(start + page_entries, shown)]
        done = verifier.feed(page, head_of(entries[:shown]))
        assert done == (verifier.tip.size == shown)
        if done:
            break
        shown = min(20, shown + 1)
    assert verifier.tip == tip_of(entries[:shown])


def test_an_empty_log_is_a_log() -> None:
    assert LogVerifier().feed([], head_of([]))


def refusal(
    entries: list[LogEntry], head: LogHead, *, known: LogTip = EMPTY_LOG
) -> tuple[str, str | None]:
    """Text and `param` of the error that a page is refused with."""
    with pytest.raises(PeerError) as caught:
        LogVerifier(known).feed(entries, head)
    assert caught.value.code == "signature_invalid"
    return caught.value.message, caught.value.param


def test_a_log_that_shrank_is_refused() -> None:
    entries = make_log(5)
    text, param = refusal(entries[:3], head_of(entries[:3]), known=tip_of(entries))
    assert "ends after entry 3 and had 5" in text
    assert param == "entries[4]"
    verifier = LogVerifier()
    assert not verifier.feed(entries[:1], head_of(entries))
    with pytest.raises(PeerError, match="had 5 entries before"):
        verifier.feed(entries[1:3], head_of(entries[:3]))


@pytest.mark.parametrize("size", range(1, 6))
def test_a_log_that_was_rewritten_is_refused(size: int) -> None:
    """Consistent in itself, honestly signed, and not what was seen before."""
    known = tip_of(make_log(size))
    rewritten = make_log(8, salt="x")
    text, _ = refusal(rewritten, head_of(rewritten), known=known)
    assert f"was rewritten: its first {size} entries" in text


def test_a_head_that_is_not_the_logs_is_refused() -> None:
    entries, other = make_log(5), make_log(5, salt="x")
    assert refusal(entries, head_of(other))[1] == "entries[5]"
    assert refusal([], msgspec.structs.replace(head_of([]), hash=other[0].hash))[1] == "entries[0]"


def test_entries_beyond_the_head_and_entries_that_are_kept_back_are_refused() -> None:
    entries = make_log(5)
    assert refusal(entries, head_of(entries[:4]))[1] == "entries[5]"
    assert refusal([], head_of(entries))[1] == "entries[1]"


def test_heads_of_two_logs_are_refused_though_each_page_fits_one() -> None:
    """A tracker that answers each request from another history."""
    entries, other = make_log(6), make_log(6, salt="x")
    verifier = LogVerifier()
    assert not verifier.feed(entries[:2], head_of(other))
    with pytest.raises(PeerError, match="two different"):
        verifier.feed(entries[2:4], head_of(entries))
    verifier = LogVerifier()
    assert not verifier.feed(entries[:2], head_of(other[:5]))
    with pytest.raises(PeerError, match="breaks at entry 5"):
        verifier.feed(entries[2:6], head_of(entries))
