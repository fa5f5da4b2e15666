"""The last step: ask the engine, and pass on what it says as it says it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.engines.base import Call, Decoder, Dialect
from luckrig.nodeproxy.exchange import EVENT_STREAM, Exchange
from luckrig.nodeproxy.receipts import ReceiptBook, Served
from luckrig.nodeproxy.replies import StreamedReply, WholeReply
from luckrig.nodeproxy.timing import Meter
from luckrig.nodeproxy.upstream import Upstream, UpstreamResponse
from luckrig.protocol.errors import UpstreamError
from luckrig.protocol.openai.requests import ChatRequest

MAX_FAULT_BYTES: Final = 65_536
MAX_WHOLE_REPLY_BYTES: Final = 16 << 20
"""A reply that isn't streamed is kept in memory until it is complete."""


@dataclass(frozen=True)
class Generate:
    """Answers the exchange.

    quantization_of: the model's, as the engine says, or None. on_fault: called when the engine
    doesn't answer as it should.

    The engine always streams: llama-server goes on generating a reply that isn't streamed after
    its client has gone, so that reply is put together here.

    Raises UpstreamError or PeerError while nothing was sent yet; after that the same errors end
    the stream with an error event.
    """

    upstream: Upstream
    dialect: Dialect
    quantization_of: Callable[[str], str | None]
    on_fault: Callable[[], None]
    receipts: ReceiptBook
    monotonic: Callable[[], float]

    async def __call__(self, exchange: Exchange) -> None:
        """Generate and answer."""
        try:
            await self._generate(exchange)
        except UpstreamError:
            self.on_fault()
            raise

    async def _generate(self, exchange: Exchange) -> None:
        assert exchange.call is not None, "reading comes first"  # noqa: S101 -- narrows the type
        call = self._engine_call(exchange)
        meter = Meter(queue_seconds=exchange.queue_seconds, monotonic=self.monotonic)
        response = await self.upstream.request("POST", call.path, call.body)
        exchange.on_close(response.close)
        if response.status != 200:
            raise self.dialect.fault(response.status, await _read_fault(response))
        served = Served(self.receipts, exchange, meter, streamed=bool(exchange.call.stream))
        exchange.on_close(served.close)
        if exchange.call.stream:
            await self._stream(exchange, response, call.decoder, meter, served)
        else:
            await self._answer_whole(exchange, response, call.decoder, meter, served)

    def _engine_call(self, exchange: Exchange) -> Call:
        assert exchange.call is not None, "reading comes first"  # noqa: S101
        assert exchange.claims is not None, "authenticate comes first"  # noqa: S101
        allowed = exchange.claims.lim.output_tokens
        if isinstance(exchange.call, ChatRequest):
            return self.dialect.chat(exchange.call, max_output_tokens=allowed)
        return self.dialect.completion(exchange.call, max_output_tokens=allowed)

    async def _stream(
        self,
        exchange: Exchange,
        response: UpstreamResponse,
        decoder: Decoder,
        meter: Meter,
        served: Served,
    ) -> None:
        assert exchange.call is not None, "reading comes first"  # noqa: S101
        options = exchange.call.stream_options
        wants_usage = options is not None and bool(options.include_usage)
        reply = StreamedReply(include_usage=wants_usage)
        connection = exchange.connection

        def send(events: bytes) -> None:
            if not exchange.started:  # what goes wrong before it still has a status
                exchange.start(EVENT_STREAM, headers=self._headers(exchange))
            connection.write(events, more=True)

        def pass_on(data: bytes) -> bool:
            tokens, length = decoder.plain(data)
            if length:
                meter.count(tokens)
                send(data[:length])
            if length < len(data):
                chunks = decoder.feed(data[length:])
                meter.see(chunks)
                if events := reply.pass_on(chunks):
                    send(events)
            return not connection.is_congested

        while not await response.pump(pass_on):
            await connection.drain()
        decoder.end()
        ending = reply.ending(*served.complete())
        if not exchange.started:
            exchange.start(EVENT_STREAM, headers=self._headers(exchange))
        connection.write(ending, more=False)

    async def _answer_whole(
        self,
        exchange: Exchange,
        response: UpstreamResponse,
        decoder: Decoder,
        meter: Meter,
        served: Served,
    ) -> None:
        reply = WholeReply(chat=exchange.endpoint == "chat")
        size = 0

        def take(data: bytes) -> bool:
            nonlocal size
            size += len(data)
            if size > MAX_WHOLE_REPLY_BYTES:
                raise UpstreamError("engine_error", "The reply is too long; ask for a stream.")
            chunks = decoder.feed(data)
            meter.see(chunks)
            reply.add(chunks)
            return True

        await response.pump(take)
        decoder.end()
        body = reply.document(meter.usage, *served.complete())
        exchange.send_json(body, headers=self._headers(exchange))

    def _headers(self, exchange: Exchange) -> bytes:
        assert exchange.call is not None, "reading comes first"  # noqa: S101
        quantization = self.quantization_of(exchange.call.model) or "unknown"
        return b"luckrig-quant: %b\r\nluckrig-queue-ms: %.0f\r\n" % (
            quantization.encode("ascii", "replace"),
            exchange.queue_seconds * 1000,
        )


async def _read_fault(response: UpstreamResponse) -> bytes:
    body = bytearray()
    while data := await response.read():
        body += data
        if len(body) > MAX_FAULT_BYTES:
            break
    return bytes(body)
