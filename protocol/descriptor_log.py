"""The descriptor log: which descriptors a tracker accepted, in order, each hash over all before it.

A tracker that changes, drops or reorders what it listed gets another hash at its end, and it signed
the one it had. It can still show two people two logs; they notice when they compare heads.

| entry           | meaning                                                                  |
|-----------------|--------------------------------------------------------------------------|
| index           | 1, 2, 3, …                                                               |
| node_id, seq    | the descriptor's                                                         |
| descriptor_hash | b64url(SHA-256(signed JSON as published, no white space around it))       |
| listed_at       | when the tracker accepted it, Unix seconds                               |
| hash            | b64url(SHA-256(JSON array below)), without spaces, in UTF-8              |

    ["lr-log-entry", hash before, index, node_id, seq, descriptor_hash, listed_at]

The hash before the first entry is GENESIS_HASH. Strings are ASCII and integers at most 2**53, so
every JSON writer makes the same bytes of it.

The head is a compact JWS by a key of the tracker's keyset, header exactly {alg, kid, typ:
"lr-log+jwt"}, payload {iss: root id, size: how many entries, hash: the last one's, iat}.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, NamedTuple

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NODE_ID_PATTERN, RootId, is_node_id
from luckrig.protocol.keys import PrivateKey, PublicKey

HEAD_TYPE: Final = "lr-log+jwt"
LEDGER_HEAD_TYPE: Final = "lr-ledger+jwt"
AUDIT_HEAD_TYPE: Final = "lr-audit+jwt"
"""The contribution ledger's head and the audit log's: the same claims over other chains."""
MAX_HEAD_CHARS: Final = 1024
MAX_HEAD_AGE_SECONDS: Final = 86_400
"""An older head may hide what was listed since; trackers sign one anew each hour."""
CLOCK_SKEW_SECONDS: Final = 30

GENESIS_HASH: Final = b64url_encode(bytes(32))

_ENTRY_DOMAIN: Final = "lr-log-entry"
_HASH_PATTERN: Final = "^[A-Za-z0-9_-]{43}$"
_HASH_SHAPE: Final = re.compile(_HASH_PATTERN)
_JSON_WHITESPACE: Final = b" \t\r\n"

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Hash = Annotated[str, msgspec.Meta(pattern=_HASH_PATTERN, max_length=43)]
# An entry's texts are only bounded when it is read. What they must be, verify_chain says: it knows
# which entry is wrong, and a decoder would only say that the page is.
_ShownHash = Annotated[
    str, msgspec.Meta(max_length=64, extra_json_schema={"pattern": _HASH_PATTERN})
]
_ShownNodeId = Annotated[
    str, msgspec.Meta(max_length=64, extra_json_schema={"pattern": NODE_ID_PATTERN})
]


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted descriptor; the table is in the module's docstring."""

    index: _Count
    node_id: _ShownNodeId
    seq: _Count
    descriptor_hash: _ShownHash
    listed_at: _Count
    hash: _ShownHash


class LogTip(NamedTuple):
    """How many entries a log has, and the last one's hash."""

    size: int
    hash: str


EMPTY_LOG: Final = LogTip(0, GENESIS_HASH)


class LogHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tracker signs: its log has `size` entries and ends with `hash`."""

    iss: RootId
    size: _Count
    hash: _Hash
    iat: _Count

    @property
    def tip(self) -> LogTip:
        """The end of the log that was signed."""
        return LogTip(self.size, self.hash)


def descriptor_hash(signed: bytes) -> str:
    """The hash that stands in the log. signed: a descriptor as sign_descriptor makes it.

    White space around it doesn't count: it is lost when the descriptor is shown inside other JSON.
    """
    return b64url_encode(hashlib.sha256(signed.strip(_JSON_WHITESPACE)).digest())


def entry_hash(
    previous_hash: str, *, index: int, node_id: str, seq: int, descriptor_hash: str, listed_at: int
) -> str:
    """The hash of an entry, over the entry and the hash before it."""
    fields = [_ENTRY_DOMAIN, previous_hash, index, node_id, seq, descriptor_hash, listed_at]
    return b64url_encode(hashlib.sha256(msgspec.json.encode(fields)).digest())


def next_entry(tip: LogTip, *, node_id: str, seq: int, signed: bytes, listed_at: int) -> LogEntry:
    """The entry that a newly accepted descriptor gets."""
    index, digest = tip.size + 1, descriptor_hash(signed)
    return LogEntry(
        index=index,
        node_id=node_id,
        seq=seq,
        descriptor_hash=digest,
        listed_at=listed_at,
        hash=entry_hash(
            tip.hash,
            index=index,
            node_id=node_id,
            seq=seq,
            descriptor_hash=digest,
            listed_at=listed_at,
        ),
    )


def verify_chain(entries: Iterable[LogEntry], start: LogTip = EMPTY_LOG) -> LogTip:
    """Where the log ends after these entries. start: its end before them.

    Raises PeerError signature_invalid, with `param` = "entries[<index>]" of the first bad one.
    """
    tip = start
    for entry in entries:
        tip = _follow(tip, entry)
    return tip


def _follow(tip: LogTip, entry: LogEntry) -> LogTip:
    index = tip.size + 1
    if entry.index != index:
        raise _broken(index, "another one stands in its place")
    if not is_node_id(entry.node_id) or _HASH_SHAPE.fullmatch(entry.descriptor_hash) is None:
        raise _broken(index, "it holds an id or a hash that is none")
    expected = entry_hash(
        tip.hash,
        index=entry.index,
        node_id=entry.node_id,
        seq=entry.seq,
        descriptor_hash=entry.descriptor_hash,
        listed_at=entry.listed_at,
    )
    if entry.hash != expected:
        raise _broken(index, "its hash doesn't follow from it and the entry before")
    return LogTip(index, entry.hash)


class LogVerifier:
    """Checks a log page by page, from its first entry, and that every head it meets lies on it.

    known: where the log ended when somebody looked last. `tip`: as far as it was checked.
    """

    def __init__(self, known: LogTip = EMPTY_LOG) -> None:
        self.tip = EMPTY_LOG
        self._known = known
        self._largest_size = known.size
        self._promised: dict[int, str] = {}

    def feed(self, entries: Iterable[LogEntry], head: LogHead) -> bool:
        """Check the next page; return whether the log is complete. head: a verified one.

        Raises PeerError signature_invalid; `param` is as in verify_chain where it is known.
        """
        self._largest_size = max(self._largest_size, head.size)
        start = self.tip
        self._promise(head)
        for entry in entries:
            self.tip = _follow(self.tip, entry)
            self._check_promises()
        if self.tip.size > head.size:
            raise _broken(head.size + 1, "it lies beyond the signed head")
        if self.tip.size < head.size and self.tip == start:
            raise _broken(self.tip.size + 1, "the tracker doesn't show it")
        complete = self.tip.size == head.size
        if complete and head.size < self._largest_size:  # said last: what is left has no gap
            raise _refused(
                f"ends after entry {head.size} and had {self._largest_size} entries before",
                index=head.size + 1,
            )
        return complete

    def _promise(self, head: LogHead) -> None:
        if self._promised.setdefault(head.size, head.hash) != head.hash:
            raise _broken(head.size, "the tracker signed two different ones")
        self._check_promises()

    def _check_promises(self) -> None:
        size, found = self.tip
        if size == self._known.size and found != self._known.hash:
            raise _refused(
                f"was rewritten: its first {size} entries aren't those that were there before"
            )
        if self._promised.get(size, found) != found:
            raise _broken(size, "the head that the tracker signed has another hash")


def make_head(tip: LogTip, *, issuer: str, key: PrivateKey, now: int, typ: str = HEAD_TYPE) -> str:
    """Sign where a log ends. issuer: the tracker's root id. key: one of its keyset.

    typ: which log it is, so that a head of one is nothing to another.
    """
    head = LogHead(iss=issuer, size=tip.size, hash=tip.hash, iat=now)
    return jws.sign_with_kid(msgspec.json.encode(head), typ=typ, key=key)


def verify_head(
    text: str,
    *,
    keys: Mapping[str, PublicKey],
    issuer: str,
    now: float,
    typ: str = HEAD_TYPE,
) -> LogHead:
    """The head, if this tracker signed it within the last day.

    keys: kid → key of the tracker's keyset. issuer: the root id that is pinned. Raises PeerError
    signature_invalid. Vectors: tests/vectors/log.json.
    """
    try:
        head = jws.open_with_kid(text, LogHead, typ=typ, max_chars=MAX_HEAD_CHARS, keys=keys)
    except jws.NotSigned as error:
        raise _refused("has a head that isn't signed by the tracker's keys") from error
    except ValueError as error:
        raise _refused("has a malformed head") from error
    if head.iss != issuer:
        raise _refused("has a head that belongs to another tracker")
    if not now - MAX_HEAD_AGE_SECONDS <= head.iat <= now + CLOCK_SKEW_SECONDS:
        raise _refused("has a head that isn't of today; check this machine's clock")
    return head


def _broken(index: int, why: str) -> PeerError:
    return _refused(f"breaks at entry {index}: {why}", index=index)


def _refused(why: str, *, index: int | None = None) -> PeerError:
    param = None if index is None else f"entries[{index}]"
    return PeerError("signature_invalid", f"The tracker's log {why}.", param=param)
