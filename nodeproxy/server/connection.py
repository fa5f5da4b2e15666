"""One client's socket: requests in, answers out, one at a time, each within its deadlines.

What the parser (llhttp, strict) lets through and parsers differ about is refused here or in
head.py. Bytes that come after a whole request, before it is answered, are never read as a second
one: the connection ends with the answer. Clients that pipeline must be ready for that (RFC 9112
§9.3.2), and a smuggled request is answered by nobody.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httptools
import msgspec

from luckrig.nodeproxy.deadline import Deadline
from luckrig.nodeproxy.server.body import RequestBody
from luckrig.nodeproxy.server.counts import ConnectionCounts
from luckrig.nodeproxy.server.head import DateHeader, header_block, status_line
from luckrig.nodeproxy.server.limits import ServerLimits
from luckrig.protocol.errors import PeerError, error_body

WRITE_BUFFER_BYTES: Final = 64 * 1024
"""Unsent bytes at which a client counts as slow."""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_VERSIONS: Final = ("1.1", "1.0")


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What a client wants. path: as sent, without the query. headers: lower-case names, in order.

    None of it was checked beyond HTTP's grammar.
    """

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]


class Keeper(Protocol):
    """What a connection asks of its server."""

    limits: ServerLimits
    counts: ConnectionCounts
    date: DateHeader
    is_stopping: bool

    def adopt(self, connection: "ClientConnection", address: str) -> bool:
        """Take note of a new connection; False when there are too many."""
        ...

    def forget(self, connection: "ClientConnection", address: str) -> None:
        """Its socket is gone."""

    def answer(self, connection: "ClientConnection", head: RequestHead) -> "asyncio.Task[None]":
        """Start answering. When the task ends, the answer is over or will never be."""
        ...


class ClientConnection(asyncio.Protocol):
    """Implements exchange.Connection for one request after the other."""

    # A rig has thousands of idle ones; a dictionary for each would take 1 KB more.
    __slots__ = (
        "_address",
        "_body",
        "_deadline",
        "_drained",
        "_early",
        "_expects",
        "_framing_bytes",
        "_has_body",
        "_has_extra",
        "_has_head",
        "_head_out",
        "_headers",
        "_is_answered",
        "_is_chunked",
        "_is_closing",
        "_is_congested",
        "_is_reading",
        "_keeper",
        "_keeps_alive",
        "_limits",
        "_loop",
        "_parser",
        "_task",
        "_transport",
        "_url",
        "_version",
        "_wants_more",
    )

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._limits = keeper.limits
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._on_deadline)
        self._parser = httptools.HttpRequestParser(self)
        self._transport: Any = None  # uvloop's isn't an asyncio.Transport
        self._address = ""
        self._task: asyncio.Task[None] | None = None
        self._is_congested = self._is_closing = False
        self._drained: asyncio.Future[None] | None = None
        self._reset()

    def _reset(self) -> None:
        """Ready for the next request."""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._framing_bytes = 0
        self._body = RequestBody(self._limits.body_bytes)
        self._is_reading = self._has_head = self._has_extra = False
        self._early = b""
        self._head_out: bytes | None = None
        self._has_body = True
        self._wants_more = False
        self._version = ""
        self._expects = False
        self._is_chunked = self._is_answered = self._keeps_alive = False

    # For the answer (exchange.Connection)

    @property
    def address(self) -> str:
        """See exchange.Connection."""
        return self._address

    async def read_body(self) -> bytes:
        """See exchange.Connection."""
        if self._expects and self._body.is_coming:
            self._transport.write(_CONTINUE)
        return await self._body.read()

    def start(self, status: int, headers: bytes, *, length: int | None) -> None:
        """See exchange.Connection."""
        self._is_chunked = length is None and self._version != "1.0"
        self._keeps_alive = (
            self._wants_more
            and self._body.is_whole
            and not self._has_extra
            and not self._keeper.is_stopping
            and (length is not None or self._is_chunked)
        )
        framing = b"" if length is None else b"content-length: %d\r\n" % length
        if self._is_chunked:
            framing = b"transfer-encoding: chunked\r\n"
        kept = b"" if self._keeps_alive else b"connection: close\r\n"
        line, date = status_line(status), self._keeper.date.line()
        self._head_out = b"".join((line, headers, date, framing, kept, b"\r\n"))

    def write(self, data: bytes, *, more: bool) -> None:
        """See exchange.Connection."""
        if not self._has_body:
            data = b""
        elif self._is_chunked:
            end = b"\r\n" if more else b"\r\n0\r\n\r\n"
            data = b"%x\r\n%b%b" % (len(data), data, end) if data else end[2:]
        if self._head_out is not None:
            data, self._head_out = self._head_out + data, None
        self._is_answered = not more
        self._transport.write(data)

    @property
    def is_congested(self) -> bool:
        """See exchange.Connection."""
        return self._is_congested

    async def drain(self) -> None:
        """See exchange.Connection."""
        if self._is_congested:
            self._drained = self._loop.create_future()
            await self._drained

    def abort(self) -> None:
        """See exchange.Connection."""
        self._transport.abort()

    # For the server

    def stop(self) -> None:
        """Close it, if nothing is being answered on it."""
        if self._task is None:
            self._transport.close()

    # From the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = transport
        self._address = str(transport.get_extra_info("peername")[0])
        if not self._keeper.adopt(self, self._address):
            self._is_closing = True
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._deadline.set(self._limits.idle_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left, or was made to."""
        self._deadline.close()
        self._keeper.forget(self, self._address)
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or bytes that nobody wants."""
        if self._is_closing:
            return
        if self._body.is_whole:
            if self._is_answered and self._keeps_alive:
                self._early += data  # the client is quicker than our task's last steps
            else:
                self._has_extra = True
            return
        if not self._is_reading:
            self._is_reading = True
            self._deadline.set(self._limits.head_seconds)
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._has_extra:
                self._refuse(_malformed("The request isn't proper HTTP/1.1."))
        else:
            if self._framing_bytes > self._limits.head_bytes:
                self._refuse(_malformed("The request's head is too large."))

    def pause_writing(self) -> None:
        """The client reads slower than it is answered."""
        self._is_congested = True
        self._deadline.set(self._limits.write_seconds)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_congested = False
        if self._task is None and not self._is_closing:
            self._deadline.set(self._limits.idle_seconds)
        else:
            self._deadline.clear()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # From the parser

    def on_message_begin(self) -> None:
        """A request begins; a second one, before the first is answered, is extra."""
        self._has_extra = self._has_head

    def on_url(self, url: bytes) -> None:
        """Some of the request target."""
        if not self._has_extra:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header. Trailers are dropped: nothing here reads them."""
        if not self._has_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is here: the answer can begin."""
        if self._has_extra:
            return
        self._has_head = True
        # Asked now: the parser forgets both at the end of the message.
        self._version = self._parser.get_http_version()
        self._wants_more = self._parser.should_keep_alive()
        if self._version not in _VERSIONS:
            self._refuse(_malformed("This rig speaks HTTP/1.1."))
        elif len(self._headers) > self._limits.headers:
            self._refuse(_malformed(f"A request has at most {self._limits.headers} headers here."))
        else:
            self._framing_bytes = 0
            self._deadline.set(self._limits.body_seconds)
            path, _, _ = self._url.partition(b"?")
            method = self._parser.get_method().decode("ascii")
            self._has_body = method != "HEAD"
            head = RequestHead(method, path.decode("latin-1"), self._headers)
            self._expects = any(name == b"expect" for name, _ in self._headers)
            self._headers = []  # the head has them; an idle stream is a lot of memory already
            self._task = self._keeper.answer(self, head)
            self._task.add_done_callback(self._on_answered)

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        if self._has_extra or self._body.has_failed:
            return
        self._framing_bytes = 0
        self._body.add(body)

    def on_message_complete(self) -> None:
        """The body is whole."""
        if self._has_extra or self._is_closing:
            return
        self._framing_bytes = 0
        self._deadline.clear()
        self._body.end()

    # Inside

    def _refuse(self, fault: PeerError) -> None:
        """What has come can't be answered by the application, or can no longer."""
        if self._task is not None:
            self._body.fail(fault)
        elif not self._is_closing:
            self._keeper.counts.malformed += 1
            self._has_head = True
            body = msgspec.json.encode(error_body(fault))
            self.start(fault.status, _JSON_HEADERS, length=len(body))
            self.write(body, more=False)
            self._linger()

    def _on_answered(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if not self._is_answered:
            self._transport.abort()
        elif self._keeps_alive and self._body.is_whole and not self._has_extra:
            early = self._early
            self._reset()
            if self._keeper.is_stopping:
                self._transport.close()
                return
            if not self._is_congested:
                self._deadline.set(self._limits.idle_seconds)
            if early:
                self.data_received(early)
        else:
            self._linger()

    def _linger(self) -> None:
        """Close after the client had time to read the answer.

        Closing with bytes unread makes the kernel send a reset, which may overtake the answer.
        """
        self._is_closing = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._deadline.set(self._limits.linger_seconds)

    def _on_deadline(self) -> None:
        if self._is_closing or self._is_congested:
            self._transport.abort()
        elif self._task is not None:
            self._body.fail_late()
        elif self._is_reading:
            self._refuse(_malformed("The request didn't arrive in time."))
        else:
            self._transport.close()


def _malformed(why: str) -> PeerError:
    return PeerError("invalid_request", why)


_JSON_HEADERS: Final = header_block([(b"content-type", b"application/json")])
