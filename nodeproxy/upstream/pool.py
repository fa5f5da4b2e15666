"""The connections to one engine: requests go out, idle connections are kept for the next."""

import asyncio
import re
import ssl
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from luckrig.nodeproxy.upstream.connection import Connection
from luckrig.nodeproxy.upstream.response import Timeouts, UpstreamResponse, broken, unavailable
from luckrig.nodeproxy.upstream.turns import READ_BYTES, Turns

_METHODS: Final = frozenset({"GET", "POST"})  # a HEAD answer has no body, whatever its head says
_PATH: Final = re.compile(r"/[!-~]*")
_HEADER_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(rb"[\t -~]*")


class Answer(NamedTuple):
    """A whole small answer: status, headers (lower-case names), body."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Upstream:
    """A streaming client for one origin.

    url: http(s)://host[:port][/prefix]. api_key: sent as a bearer token. Between its bytes an
    engine may be silent for minutes (a long prompt, a model that loads, a tool call it holds
    back), so the head and idle timeouts only catch a dead one.
    """

    def __init__(
        self,
        url: str,
        *,
        max_idle: int = 32,
        connect_timeout_seconds: float = 5.0,
        head_timeout_seconds: float = 300.0,
        idle_timeout_seconds: float = 300.0,
        api_key: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        origin = _parse_origin(url)
        self.url = url
        self._host, self._port, self._prefix = origin.host, origin.port, origin.prefix
        self._ssl = (ssl_context or ssl.create_default_context()) if origin.is_https else None
        self._common = _common_headers(origin.authority, api_key)
        self._max_idle = max_idle
        self._timeouts = Timeouts(
            connect_timeout_seconds, head_timeout_seconds, idle_timeout_seconds
        )
        self.buffer = memoryview(bytearray(READ_BYTES))
        self.turns = Turns()
        self._idle: list[Connection] = []
        self._connections: set[Connection] = set()
        self._closed = False
        self._all_gone: asyncio.Future[None] | None = None

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> UpstreamResponse:
        """Send a request and return its answer as soon as the head has arrived.

        body: JSON, or nothing. Raises UpstreamError: engine_unavailable (refused, closed before
        the head, timed out) or engine_error (not HTTP). A kept connection that turns out to be
        closed, with no byte of an answer, is replaced by a fresh one, once.
        """
        message = self._encode(method, path, body, headers)
        kept = self._take_idle()
        if kept is not None:
            answer = kept.send(message, self._timeouts)
            if await answer.arrived():
                return answer
        answer = (await self._connect()).send(message, self._timeouts)
        if await answer.arrived():
            return answer
        raise unavailable("The rig's engine closed the connection before it answered.")

    async def fetch(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        max_bytes: int = 1 << 20,
        timeout_seconds: float = 3.0,
    ) -> tuple[int, bytes]:
        """Status and whole body of a small answer. Raises UpstreamError, also when too large."""
        answer = await self.fetch_answer(
            method, path, body, max_bytes=max_bytes, timeout_seconds=timeout_seconds
        )
        return answer.status, answer.body

    async def fetch_answer(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        max_bytes: int = 1 << 20,
        timeout_seconds: float = 3.0,
    ) -> Answer:
        """Like fetch(), with the headers."""
        try:
            async with asyncio.timeout(timeout_seconds):
                async with await self.request(method, path, body) as response:
                    whole = await response.read_up_to(max_bytes)
                    if len(whole) > max_bytes:
                        raise broken("The engine's answer is too large.")
                    return Answer(response.status, response.headers, whole)
        except TimeoutError as error:
            raise unavailable("The rig's engine takes too long to answer.") from error

    async def aclose(self) -> None:
        """Abort every connection and wait until the sockets are gone. Idempotent."""
        self._closed = True
        self._idle.clear()
        for connection in tuple(self._connections):
            connection.abort()
        if self._connections:
            self._all_gone = self._all_gone or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._all_gone)

    # From a connection

    def adopt(self, connection: Connection) -> None:
        """Take note of a new connection, so that aclose() finds it."""
        self._connections.add(connection)
        if self._closed:
            connection.abort()

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        if self._closed or len(self._idle) >= self._max_idle:
            connection.abort()
        else:
            self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """A connection's socket is gone."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._all_gone is not None and not self._connections and not self._all_gone.done():
            self._all_gone.set_result(None)

    # Inside

    def _take_idle(self) -> Connection | None:
        """The connection used last: it is the least likely to have been closed by the engine."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable():
                return connection
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeouts.connect_seconds):
                _, connection = await loop.create_connection(
                    lambda: Connection(self), self._host, self._port, ssl=self._ssl
                )
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            raise unavailable("The rig's engine can't be reached.") from error
        return connection

    def _encode(
        self, method: str, path: str, body: bytes, headers: Iterable[tuple[bytes, bytes]]
    ) -> bytes:
        """Head and body in one piece, for one write and one packet."""
        lines = b"".join([_header_line(name, value) for name, value in headers])
        if body or method == "POST":
            lines += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        return b"%b%b%b\r\n%b" % (
            _start_line(method, self._prefix, path),
            self._common,
            lines,
            body,
        )


class _Origin(NamedTuple):
    is_https: bool
    host: str
    port: int
    authority: str
    prefix: str


def _parse_origin(url: str) -> _Origin:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("an engine's address looks like http://127.0.0.1:8080")
    if parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", url):
        raise ValueError("an engine's address has no query, fragment, spaces or foreign letters")
    is_https = parts.scheme == "https"
    return _Origin(
        is_https=is_https,
        host=parts.hostname,
        port=parts.port or (443 if is_https else 80),
        authority=parts.netloc,
        prefix=parts.path.rstrip("/"),
    )


def _common_headers(authority: str, api_key: str | None) -> bytes:
    lines = [
        _header_line(b"Host", authority.encode("ascii")),
        _header_line(b"Accept-Encoding", b"identity"),
    ]
    if api_key is not None:
        lines.append(_header_line(b"Authorization", b"Bearer " + api_key.encode()))
    return b"".join(lines)


@lru_cache(maxsize=64)  # an engine has a dozen
def _start_line(method: str, prefix: str, path: str) -> bytes:
    if method not in _METHODS or not _PATH.fullmatch(path):
        raise ValueError("not a method or path that may be sent to an engine")
    return f"{method} {prefix}{path} HTTP/1.1\r\n".encode("ascii")


def _header_line(name: bytes, value: bytes) -> bytes:
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise ValueError("a header for the engine holds characters that a header can't")
    return b"%s: %s\r\n" % (name, value)
