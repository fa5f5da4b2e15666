"""One answer of the engine: parser, head, body, faults and deadline.

All of it belongs to the answer and none to the connection, which may already serve the next
request while this answer's reader still has bytes to fetch. (An earlier pool kept them on the
connection and handed one request's answer to another.) The parser is new for each answer as well:
it starts clean, whatever the last answer ended with.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol, Self

import httptools

from luckrig.nodeproxy.deadline import Deadline
from luckrig.protocol.errors import UpstreamError

MAX_HEAD_BYTES = 64 * 1024
"""Bytes in a row that are no body: a head, trailers, chunk extensions. llhttp sets no bound."""

HIGH_WATER_BYTES = 64 * 1024
"""Unread body at which we stop reading the socket, so that TCP slows the engine down. With four
times as much a client that read nothing was given a megabyte of work before anybody noticed."""

RETRY_AFTER_SECONDS = 5


class Timeouts(NamedTuple):
    """How long the engine may take, in seconds."""

    connect_seconds: float
    head_seconds: float
    idle_seconds: float


class Wire(Protocol):
    """What an answer asks of the connection it arrives on."""

    def pause(self) -> None:
        """Stop reading the socket."""

    def resume(self) -> None:
        """Read the socket again."""

    def finish(self, *, reusable: bool) -> None:
        """The answer is over; an unusable connection is dropped at once."""


def unavailable(message: str) -> UpstreamError:
    """The engine can't be reached, or takes too long: worth another try in a while."""
    return UpstreamError("engine_unavailable", message, retry_after_seconds=RETRY_AFTER_SECONDS)


def broken(message: str) -> UpstreamError:
    """The engine answered, and the answer is of no use."""
    return UpstreamError("engine_error", message)


class UpstreamResponse:
    """One answer of the engine: its head, then its body as it arrives. For one reader.

    status and headers (lower-case names) are set once Upstream.request() returns. Callers use
    read(), read_up_to() or pump(), and close(), or `async with`. feed() and lost() are the
    connection's, on_*() the parser's.
    """

    __slots__ = (
        "_buffered_bytes",
        "_chunks",
        "_complete",
        "_concluded",
        "_deadline",
        "_extra",
        "_fault",
        "_framing_bytes",
        "_head_bytes",
        "_head_done",
        "_keep_alive",
        "_parser",
        "_paused",
        "_received",
        "_sink",
        "_timeouts",
        "_unanswered",
        "_waiter",
        "_whole_at",
        "_wire",
        "headers",
        "on_body",
        "status",
    )

    def __init__(self, wire: Wire, timeouts: Timeouts) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self._wire: Wire | None = wire  # None as soon as the answer is over
        self._timeouts = timeouts
        self._chunks: list[bytes] = []
        self.on_body = self._chunks.append  # no function of ours: an answer has hundreds of chunks
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._whole_at = 0
        self._buffered_bytes = self._framing_bytes = self._head_bytes = 0
        self._received = self._head_done = self._complete = self._concluded = False
        self._keep_alive = self._extra = self._paused = self._unanswered = False
        self._fault: Exception | None = None
        self._sink: Callable[[bytes], bool] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = Deadline(asyncio.get_running_loop(), self._on_deadline)

    async def read(self) -> bytes:
        """The body bytes that have arrived since the last call, b"" at the clean end.

        Raises UpstreamError when the engine breaks off or stalls, and after close().
        """
        while not self._chunks:
            if self._fault is not None:
                raise self._fault
            if self._complete:
                return b""
            await self._wait(self._timeouts.idle_seconds)
        data = self._take()
        if self._paused:
            self._resume()
        return data

    async def read_up_to(self, max_bytes: int) -> bytes:
        """The whole body, or as much of it as shows that it is longer. Raises as read() does.

        A result longer than max_bytes isn't the whole; how much longer it is says nothing.
        """
        body = bytearray()
        while len(body) <= max_bytes and (data := await self.read()):
            body += data
        return bytes(body)

    async def pump(self, sink: Callable[[bytes], bool]) -> bool:
        """Hand body bytes to the sink as they arrive, without waking the caller for each, and b""
        at the clean end.

        True: that was the end. False: the sink said False to its last bytes, and gets no more until
        the next call; what arrives meanwhile waits. Raises as read() does, and whatever the sink
        raises. A sink whose caller is being cancelled gets nothing more.
        """
        self._sink = sink
        if self._chunks:
            self._deliver()
        try:
            while self._sink is not None and self._fault is None:
                if self._complete:
                    self._conclude()
                    break
                if self._paused:
                    self._resume()
                await self._wait(self._timeouts.idle_seconds)
        finally:
            self._sink = None
        if self._fault is not None:
            raise self._fault
        return self._concluded

    def close(self) -> None:
        """Give up on the answer. What is under way at the engine ends: its connection is aborted.

        Idempotent, and without effect on an answer that has arrived whole, whose connection is
        back in the pool by then.
        """
        if self._wire is not None:
            self._chunks.clear()
            self._fail(broken("The answer was closed before its end."))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    async def arrived(self) -> bool:
        """Wait for the head. False: the connection closed before any byte of an answer."""
        try:
            while not (self._head_done or self._fault or self._unanswered):
                await self._wait(self._timeouts.head_seconds)
        except BaseException:
            self.close()
            raise
        if self._fault is not None and not self._chunks:
            raise self._fault
        return self._head_done

    # From the connection

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived for this answer."""
        if (parser := self._parser) is None:
            return
        self._received = True
        self._framing_bytes += len(data)
        before = len(self._chunks)
        garbage = False
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            garbage = True
        self._count_body(before)
        if self._framing_bytes > MAX_HEAD_BYTES or self._head_bytes > MAX_HEAD_BYTES:
            self._fail(broken("The engine's answer has an oversized head."))
        elif garbage and not self._complete:
            self._fail(broken("The engine's answer isn't proper HTTP."))
        else:
            if self._chunks and self._is_pumping:
                self._deliver()
            if self._complete:
                self._finish(reusable=self._keep_alive and not self._extra and not garbage)
                if self._is_pumping:
                    self._conclude()
            elif self._sink is not None:
                self._deadline.set(self._timeouts.idle_seconds)
                return  # nobody needs to wake up: the sink has it
            elif self._buffered_bytes > HIGH_WATER_BYTES:
                self._pause()
        self._wake()

    def lost(self, *, clean: bool) -> None:
        """The connection is gone; clean: the engine closed it in order."""
        if self._wire is None:
            return
        if self._head_done and clean and not self._is_framed():
            self._complete = True
            self._finish(reusable=False)
        elif self._head_done:
            self._fail(broken("The engine broke off its answer."))
        elif self._received:
            self._fail(unavailable("The rig's engine closed the connection before it answered."))
        else:
            self._unanswered = True
            self._finish(reusable=False)
        self._wake()

    # From the parser

    def on_message_begin(self) -> None:
        """A second message after the one we asked for is never a valid one."""
        self._extra = self._complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header. Trailers, which come after the head, are ignored."""
        if not self._head_done:
            self._head_bytes += len(name) + len(value)
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head is here, unless it is an interim one such as 100 Continue."""
        if self._parser is None or self._complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self.headers.clear()
            return
        self._head_done = True
        self._framing_bytes = 0

    def on_message_complete(self) -> None:
        """The body has ended by its own framing."""
        if self._head_done and self._parser is not None and not self._complete:
            self._complete = True
            self._whole_at = len(self._chunks)
            self._keep_alive = self._parser.should_keep_alive()

    # Inside

    def _count_body(self, before: int) -> None:
        """before: pieces of body that were here before these bytes."""
        if self._complete:
            del self._chunks[self._whole_at :]  # of a message that nobody asked for
        if added := self._chunks[before:]:
            self._framing_bytes = 0
            self._buffered_bytes += sum(map(len, added))

    def _is_framed(self) -> bool:
        """Whether the head says where the body ends; if not, the end of the connection does."""
        coding = self.headers.get(b"transfer-encoding", b"")
        return b"content-length" in self.headers or coding.lower().endswith(b"chunked")

    def _take(self) -> bytes:
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._buffered_bytes = 0
        return data

    @property
    def _is_pumping(self) -> bool:
        """Whether a sink waits; not if its caller is being cancelled."""
        return self._sink is not None and self._waiter is not None and not self._waiter.done()

    def _conclude(self) -> None:
        """Tell the sink that this was the end."""
        self._concluded = True
        self._deliver()
        self._sink = None

    def _deliver(self) -> None:
        assert self._sink is not None  # noqa: S101 -- narrows the type
        try:
            if not self._sink(self._take()):
                self._sink = None
        except Exception as fault:  # the caller's, for the caller: this is the loop's callback
            self._sink = None
            self._fail(fault)

    def _fail(self, fault: Exception) -> None:
        self._fault = fault
        self._finish(reusable=False)
        self._wake()

    def _finish(self, *, reusable: bool) -> None:
        """Let go of the connection. What has arrived can still be read."""
        wire, self._wire = self._wire, None
        self._parser = None  # it holds our methods: a cycle
        self._deadline.close()
        if wire is not None:
            if self._paused:
                wire.resume()
            wire.finish(reusable=reusable)

    def _pause(self) -> None:
        if self._wire is not None and not self._paused:
            self._paused = True
            self._wire.pause()

    def _resume(self) -> None:
        self._paused = False
        if self._wire is not None:
            self._wire.resume()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, seconds: float) -> None:
        """Sleep until something arrives, or fail after `seconds`.

        Without a wait there is no deadline: a slow reader is not the engine's fault.
        """
        self._waiter = asyncio.get_running_loop().create_future()
        self._deadline.set(seconds)
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._deadline.clear()

    def _on_deadline(self) -> None:
        self._fail(unavailable("The rig's engine takes too long to answer."))
