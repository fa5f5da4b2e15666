"""A socket to the engine. It serves one answer at a time and knows nothing about any of them."""

import asyncio
from typing import Protocol, cast

from luckrig.nodeproxy.upstream.response import Timeouts, UpstreamResponse
from luckrig.nodeproxy.upstream.turns import READ_BYTES, Turns


class Keeper(Protocol):
    """What a connection asks of its pool."""

    buffer: memoryview
    """READ_BYTES of room, for all connections of one loop: what comes is copied out at once."""

    turns: Turns

    def adopt(self, connection: "Connection") -> None:
        """Take note of a new connection."""

    def release(self, connection: "Connection") -> None:
        """Take back a connection that can serve another request."""

    def forget(self, connection: "Connection") -> None:
        """Drop a connection whose socket is gone."""


class Connection(asyncio.BufferedProtocol):
    """Moves bytes between the loop and the current answer."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._answer: UpstreamResponse | None = None
        self._is_lost = self._is_paused = self._gave_way = False
        self._transport: asyncio.Transport

    def send(self, request: bytes, timeouts: Timeouts) -> UpstreamResponse:
        """Write a whole request; return its answer, of which nothing has arrived yet."""
        answer = UpstreamResponse(self, timeouts)
        if self._is_lost:
            answer.lost(clean=True)
        else:
            self._answer = answer
            self._transport.write(request)
        return answer

    def is_usable(self) -> bool:
        """False once the socket is known to be closed."""
        return not self._transport.is_closing()

    def abort(self) -> None:
        """Close the socket at once, dropping what is unsent: the engine sees FIN or RST."""
        self._transport.abort()

    # From the answer

    def pause(self) -> None:
        """Stop reading: the reader of the answer lags behind."""
        self._is_paused = True
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        self._is_paused = False
        self._go_on()

    def finish(self, *, reusable: bool) -> None:
        """The answer is over.

        An engine that answers before it has read the whole request leaves some of that request
        in our write buffer, where it would run into the next one: no reuse then.
        """
        self._answer = None
        if reusable and self.is_usable() and not self._transport.get_write_buffer_size():
            self._keeper.release(self)
        else:
            self.abort()

    # From the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._keeper.adopt(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._keeper.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come. Bytes that nobody asked for end the connection.

        Where more may be ready, the others come first.
        """
        answer = self._answer
        if answer is None:
            self.abort()
            return
        answer.feed(bytes(self._keeper.buffer[:nbytes]))
        if nbytes == READ_BYTES and self._answer is answer:  # these bytes didn't end it
            self._gave_way = True
            self._transport.pause_reading()
            self._keeper.turns.wait(self._take_turn)

    def eof_received(self) -> None:
        """The engine closed its side. close() would first wait for our unsent bytes to leave."""
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, by either side."""
        self._is_lost = True
        self._keeper.forget(self)
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.lost(clean=exc is None)

    # Inside

    def _take_turn(self) -> None:
        self._gave_way = False
        self._go_on()

    def _go_on(self) -> None:
        if not self._is_paused and not self._gave_way and self.is_usable():
            self._transport.resume_reading()
