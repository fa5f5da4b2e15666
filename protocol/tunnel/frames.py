"""The tunnel's frames as bytes.

One frame is one binary WebSocket message: type (1 byte), stream (4 bytes, big endian), payload (at
most 65,536 bytes). Stream 0 is the tunnel itself. T is the tracker, N the node.

| type | name      | from | stream | payload                                                   |
|------|-----------|------|--------|-----------------------------------------------------------|
| 0x01 | HELLO     | T    | 0      | JSON: version, root_id, nonce, max_streams, ping_seconds   |
| 0x02 | PROOF     | N    | 0      | compact JWS, proof.py                                      |
| 0x03 | READY     | T    | 0      | empty                                                      |
| 0x04 | GOAWAY    | both | 0      | JSON: reason, message, retry_seconds                       |
| 0x05 | OPEN      | T    | > 0    | JSON: method, path, headers                                |
| 0x06 | HEAD      | N    | > 0    | JSON: status, headers, length                              |
| 0x07 | DATA      | both | > 0    | 1 to 65,536 bytes of a body                                |
| 0x08 | END       | both | > 0    | empty: the body is whole                                   |
| 0x09 | RESET     | both | > 0    | 1 byte: why                                                |
| 0x0a | CREDIT    | both | > 0    | 4 bytes: how many more bytes of DATA the other may send    |
| 0x0b | PING      | T    | 0      | 8 bytes                                                    |
| 0x0c | PONG      | N    | 0      | the same 8 bytes                                           |
| 0x0d | HEARTBEAT | N    | 0      | JSON: protocol.telemetry.Telemetry                         |
| 0x0e | REVOKED   | T    | 0      | empty: the list of banned users changed, ask for it        |
"""

from enum import IntEnum
from typing import Annotated, Final, TypeVar

import msgspec

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import RootId
from luckrig.protocol.strictjson import decode

VERSION: Final = 1
HEADER_BYTES: Final = 5
MAX_PAYLOAD_BYTES: Final = 65_536
MAX_FRAME_BYTES: Final = HEADER_BYTES + MAX_PAYLOAD_BYTES
MAX_STREAM_ID: Final = 2**32 - 1
MAX_STREAMS: Final = 64
WINDOW_BYTES: Final = 262_144
"""How much of one body may be under way in one direction; CREDIT refills it, never beyond that."""
PING_SECONDS: Final = 20
SILENT_SECONDS: Final = 45
"""Without any frame for that long, the other end is gone: two pings and some slack."""
MAX_HEADERS: Final = 64
MAX_JSON_BYTES: Final = 32_768
PING_BYTES: Final = 8


class Kind(IntEnum):
    """The table in this module's docstring."""

    HELLO = 0x01
    PROOF = 0x02
    READY = 0x03
    GOAWAY = 0x04
    OPEN = 0x05
    HEAD = 0x06
    DATA = 0x07
    END = 0x08
    RESET = 0x09
    CREDIT = 0x0A
    PING = 0x0B
    PONG = 0x0C
    HEARTBEAT = 0x0D
    REVOKED = 0x0E


class ResetCode(IntEnum):
    """Why a stream ends early."""

    CANCELLED = 1
    """Nobody wants it any more: the client has left, or the answer was complete without it."""
    REFUSED = 2
    """It was never begun: trying again, later or elsewhere, does no harm."""
    FAILED = 3
    """What was begun can't be finished."""
    SLOW = 4
    """The client left what was sent to it unread for too long."""


class Violation(Exception):
    """The other end broke the tunnel's rules; the tunnel closes. The text is for its owner."""


# A header's name is a token (RFC 9110 §5.6.2) in lower case; its value has no control characters,
# so that nothing of it can become a second header on its way into HTTP.
_Name = Annotated[str, msgspec.Meta(pattern=r"\A[!#$%&'*+.^_`|~0-9a-z-]{1,64}\Z")]
_Value = Annotated[str, msgspec.Meta(pattern=r"\A[\t\x20-\x7e\x80-\xff]*\Z", max_length=8192)]
_Headers = Annotated[list[tuple[_Name, _Value]], msgspec.Meta(max_length=MAX_HEADERS)]


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The tracker's first word. Unknown fields are skipped: a newer tracker may say more."""

    version: int
    root_id: RootId
    nonce: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{22,64}\Z")]
    max_streams: Annotated[int, msgspec.Meta(ge=1, le=MAX_STREAMS)] = MAX_STREAMS
    ping_seconds: Annotated[int, msgspec.Meta(ge=1, le=PING_SECONDS)] = PING_SECONDS


class GoAway(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an end leaves. message: for a person. retry_seconds: when to come again."""

    reason: Annotated[str, msgspec.Meta(pattern=r"\A[a-z_]{1,32}\Z")]
    message: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    retry_seconds: Annotated[int, msgspec.Meta(ge=0, le=86_400)] | None = None


class OpenHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request's head. headers: lower-case names, latin-1 values, in order."""

    method: Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{1,16}\Z")]
    path: Annotated[str, msgspec.Meta(pattern=r"\A/[\x21-\x7e]{0,255}\Z")]
    headers: _Headers


class ReplyHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer's head. length: of its body in bytes, where it is known beforehand."""

    status: Annotated[int, msgspec.Meta(ge=200, le=599)]
    headers: _Headers
    length: Annotated[int, msgspec.Meta(ge=0, le=2**40)] | None = None


Document = TypeVar("Document", Hello, GoAway, OpenHead, ReplyHead)


def frame(kind: Kind, stream: int, payload: bytes = b"") -> bytes:
    """The bytes of one frame."""
    return b"%c%b%b" % (kind, stream.to_bytes(4), payload)


def json_frame(kind: Kind, stream: int, document: msgspec.Struct) -> bytes:
    """A frame that carries a JSON document. Raises ValueError when it is too long to be sent."""
    payload = msgspec.json.encode(document)
    if len(payload) > MAX_JSON_BYTES:
        raise ValueError("too long for a frame")
    return frame(kind, stream, payload)


def read_json(payload: bytes, document: type[Document]) -> Document:
    """The document of a frame's payload. Raises Violation on anything else."""
    if len(payload) > MAX_JSON_BYTES:
        raise Violation("a document is too long")
    try:
        return decode(payload, document)
    except PeerError as error:
        raise Violation(f"a {document.__name__} isn't one") from error
