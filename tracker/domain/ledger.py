"""The contribution ledger: what people did, in the order it became known, and nothing else.

The ledger only grows. Each entry's hash covers the one before it, so whoever holds one hash can
check everything up to there, and anybody can compute every score from an export (score.py).

What is chained (protocol/ledger_chain.py) is an entry in canonical JSON, which is what `canonical`
writes: fields in the order below, no spaces, `kind` first. An entry holds integers and ids, no
floats and no text that anybody typed, so it has one spelling.
Prompts and replies have no place here, and neither have user ids: accounts stand in it under names
of their own (accounts.py), receipts and deeds with their day and no finer time.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import msgspec

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId, UserId
from luckrig.protocol.ledger_chain import GENESIS, next_hash

SECONDS_PER_DAY: Final = 86_400
MAX_LINE_BYTES: Final = 1024
"""A receipt with the longest names is under 600 bytes."""
MAX_EXPORT_BYTES: Final = 256 * 1024 * 1024
"""About a million entries; a longer ledger is read in parts."""

_Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Day = Annotated[int, msgspec.Meta(ge=0, le=2**53 // SECONDS_PER_DAY)]
_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
_Opaque = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]


class _Entry(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """What all entries share: strict, unchangeable, told apart by `kind`."""


class Anchored(_Entry, frozen=True, tag="anchored"):
    """The operator says, in public, that an account is a person they know; or takes it back.

    Every voice that counts goes back to one of these. docs/CONTRIBUTION.md says why.
    """

    user_id: UserId
    trusted: bool
    at: _Seconds


class NodeListed(_Entry, frozen=True, tag="node_listed"):
    """A rig came onto the map. The first owner named for a rig is its owner."""

    node_id: NodeId
    owner_id: UserId
    at: _Seconds


class Uptime(_Entry, frozen=True, tag="uptime"):
    """One rig's day, as the tracker's own looks showed it.

    day: days since 1970-01-01, UTC. scarcity_milli: thousandths, averaged over the live hours.
    """

    node_id: NodeId
    owner_id: UserId
    day: _Day
    live_hours: Annotated[int, msgspec.Meta(ge=0, le=24)]
    scarcity_milli: Annotated[int, msgspec.Meta(ge=0, le=1000)]


class Receipt(_Entry, frozen=True, tag="receipt"):
    """A reply was served. two_sided: rig and user signed the same numbers.

    A request has one receipt: a second one with its id, from the same rig, counts nothing.
    gpu_key, model_key: as protocol/names.py spells them. tokens: generated, by the receipt.
    """

    request_id: _Opaque
    node_id: NodeId
    owner_id: UserId
    user_id: UserId
    gpu_key: _Key
    model_key: _Key
    tokens: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
    two_sided: bool
    at: _Seconds


class NoteSelected(_Entry, frozen=True, tag="note_selected"):
    """Somebody read a note about a rig, picked the rig from there, and really used it."""

    node_id: NodeId
    author_id: UserId
    by_user_id: UserId
    at: _Seconds


class Reproduced(_Entry, frozen=True, tag="reproduced"):
    """Somebody did what a note about a rig says and got what it says."""

    node_id: NodeId
    author_id: UserId
    by_user_id: UserId
    at: _Seconds


class TimingShared(_Entry, frozen=True, tag="timing_shared"):
    """A user gave away the timing of a stream that they really received."""

    user_id: UserId
    node_id: NodeId
    at: _Seconds


Entry = Anchored | NodeListed | Uptime | Receipt | NoteSelected | Reproduced | TimingShared

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[Entry]] = msgspec.json.Decoder(Entry)


def canonical(entry: Entry) -> bytes:
    """The one spelling of an entry: compact JSON, UTF-8, no newline."""
    return _ENCODER.encode(entry)


def day_of(entry: Entry) -> int:
    """The day that an entry tells about, in days since 1970-01-01, UTC."""
    return entry.day if isinstance(entry, Uptime) else entry.at // SECONDS_PER_DAY


def entry_hash(previous: bytes, entry: Entry) -> bytes:
    """The 32-byte hash of an entry that follows the one with hash `previous`, or GENESIS."""
    return next_hash(previous, canonical(entry))


def chain(entries: Iterable[Entry], *, previous: bytes = GENESIS) -> list[bytes]:
    """The hash of each entry, in order."""
    hashes: list[bytes] = []
    for entry in entries:
        previous = entry_hash(previous, entry)
        hashes.append(previous)
    return hashes


def verify_chain(entries: Sequence[Entry], hashes: Sequence[bytes]) -> int | None:
    """The index of the first entry that its hash doesn't cover, or None when all fit.

    An entry without a hash, or a hash without an entry, is the first bad index too.
    """
    previous = GENESIS
    for index, (entry, claimed) in enumerate(zip(entries, hashes, strict=False)):
        previous = entry_hash(previous, entry)
        if previous != claimed:
            return index
    same_length = len(entries) == len(hashes)
    return None if same_length else min(len(entries), len(hashes))


def to_jsonl(entries: Iterable[Entry]) -> bytes:
    """One canonical entry a line, each line ended by a newline."""
    return b"".join(canonical(entry) + b"\n" for entry in entries)


def from_jsonl(text: bytes) -> list[Entry]:
    """Read an export; `to_jsonl` of the result is `text` again, byte for byte.

    text: at most MAX_EXPORT_BYTES. Raises PeerError invalid_request, naming the line, on anything
    but canonical entries: an unknown field, other spacing or order, a missing last newline.
    """
    if len(text) > MAX_EXPORT_BYTES:
        raise PeerError("body_too_large", f"Import at most {MAX_EXPORT_BYTES} bytes at once.")
    if not text:
        return []
    lines = text.split(b"\n")
    if lines.pop():
        raise _bad_line(len(lines) + 1)
    return [_read_line(line, number) for number, line in enumerate(lines, start=1)]


def decode_entry(line: bytes) -> Entry:
    """An entry that `canonical` wrote. Raises ValueError on anything else."""
    entry = _DECODER.decode(line)
    if canonical(entry) != line:
        raise ValueError("not a canonical ledger entry")
    return entry


def _read_line(line: bytes, number: int) -> Entry:
    if len(line) > MAX_LINE_BYTES:
        raise _bad_line(number)
    try:
        return decode_entry(line)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        raise _bad_line(number) from None


def _bad_line(number: int) -> PeerError:
    return PeerError(
        "invalid_request",
        f"Line {number} isn't a ledger entry as a tracker exports it. Export the ledger again.",
    )
