"""What stands before a body: the checks of a request's head, the bytes of an answer's."""

import time
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from luckrig.protocol.errors import PeerError

Headers = Iterable[tuple[bytes, bytes]]

_REPEATABLE: Final = frozenset({b"accept", b"accept-encoding", b"accept-language", b"cookie"})
"""Every other header may come once: two Authorization headers are two opinions."""

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii")
    for status in HTTPStatus
}


def single_headers(headers: Headers, hosts: frozenset[str]) -> Mapping[bytes, bytes]:
    """Lower-case header names to values.

    Raises PeerError on one that came twice, a foreign Host, and a coding of the body other than
    chunked: parsers are known to differ about each of them.
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in found and name not in _REPEATABLE:
            raise PeerError("invalid_request", "A header that may come once came twice.")
        found[name] = value
    if found.get(b"host", b"").decode("latin-1").lower() not in hosts:
        raise PeerError("invalid_request", "Send exactly one Host header: this rig's.")
    if found.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        raise PeerError("invalid_request", "The only Transfer-Encoding here is chunked.")
    return found


def header_block(headers: Headers) -> bytes:
    """`name: value` lines, as they go out."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def status_line(status: int) -> bytes:
    """With its line end. Raises KeyError for a status that HTTP doesn't have."""
    return _STATUS_LINES[status]


class DateHeader:
    """The Date header (RFC 9110 §6.6.1), made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        """`date: …`, with its line end."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._line = f"date: {formatdate(now, usegmt=True)}\r\n".encode("ascii")
        return self._line
