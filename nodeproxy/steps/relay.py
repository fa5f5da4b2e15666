"""From the engine's bytes to the client's: streamed as they come, or through somebody's hands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from luckrig.nodeproxy.engines.base import Decoder
from luckrig.nodeproxy.engines.chunks import Chunk
from luckrig.nodeproxy.exchange import EVENT_STREAM, Exchange
from luckrig.nodeproxy.moderation.output import Chunks
from luckrig.nodeproxy.timing import Meter, Timing
from luckrig.nodeproxy.upstream import UpstreamResponse


class EventStream(Protocol):
    """How a reply is written as events. takes_plain: plain text chunks may go out as they are."""

    takes_plain: bool

    def pass_on(self, chunks: list[Chunk]) -> bytes:
        """The events to send now; empty when there are none."""
        ...

    def ending(self, timing: Timing, receipt: str) -> bytes:
        """The last events."""
        ...


class Outlet:
    """A stream to the client. headers: lines for its head, which goes before the first event.

    What goes wrong before that still has a status.
    """

    def __init__(self, exchange: Exchange, headers: Callable[[], bytes]) -> None:
        self._exchange = exchange
        self._headers = headers

    def send(self, events: bytes, *, more: bool = True) -> None:
        """Send some events."""
        if not self._exchange.started:
            self._exchange.start(EVENT_STREAM, headers=self._headers())
        self._exchange.connection.write(events, more=more)


@dataclass(frozen=True, slots=True)
class EngineReply:
    """A reply that has begun. Implements Chunks: batch by batch, as the engine's bytes arrive."""

    response: UpstreamResponse
    decoder: Decoder
    meter: Meter

    async def arrive(self) -> list[Chunk]:
        """The next chunks; none when the reply is complete. Raises UpstreamError if it breaks."""
        while data := await self.response.read():
            if chunks := self.decoder.feed(data):
                self.meter.see(chunks)
                return chunks
        self.decoder.end()
        return []


async def relay_bytes(
    exchange: Exchange,
    reply: EngineReply,
    stream: EventStream,
    outlet: Outlet,
    finish: Callable[[], None],
) -> None:
    """The bytes go on in the loop's callback: no task wakes for a chunk. finish: sends the ending,
    in the same callback, so that it leaves together with the last chunks."""
    decoder, meter = reply.decoder, reply.meter
    connection = exchange.connection

    def pass_on(data: bytes) -> bool:
        if not data:
            decoder.end()
            finish()
            return True
        tokens, length = decoder.plain(data) if stream.takes_plain else (0, 0)
        if length:
            meter.count(tokens)
            outlet.send(data[:length])
        if length < len(data):
            chunks = decoder.feed(data[length:])
            meter.see(chunks)
            if events := stream.pass_on(chunks):
                outlet.send(events)
        return not connection.is_congested

    while not await reply.response.pump(pass_on):
        await connection.drain()


async def relay_chunks(
    exchange: Exchange, chunks: Chunks, stream: EventStream, outlet: Outlet
) -> None:
    """All but the ending, chunk by chunk, for whoever has to look at them first."""
    while arrived := await chunks.arrive():
        if events := stream.pass_on(arrived):
            outlet.send(events)
        await exchange.connection.drain()
