"""The last step: ask the engine, and pass on what it says as it says it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.engines.base import Call, Dialect
from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.moderation.output import Chunks, OutputGuard
from luckrig.nodeproxy.receipts import ReceiptBook, Served
from luckrig.nodeproxy.replies import StreamedReply, WholeReply
from luckrig.nodeproxy.steps.relay import (
    EngineChunks,
    Outlet,
    relay_bytes,
    relay_chunks,
)
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
    doesn't answer as it should. output: who looks at replies, if anybody does.

    The engine always streams: llama-server goes on generating a reply that isn't streamed after
    its client has gone, so that reply is put together here.

    Raises LuckrigError while nothing was sent yet; after that the same errors end the stream with
    an error event.
    """

    upstream: Upstream
    dialect: Dialect
    quantization_of: Callable[[str], str | None]
    on_fault: Callable[[], None]
    receipts: ReceiptBook
    monotonic: Callable[[], float]
    output: OutputGuard | None = None

    async def __call__(self, exchange: Exchange) -> None:
        """Generate and answer."""
        try:
            await self._generate(exchange)
        except UpstreamError:
            self.on_fault()
            raise

    async def _generate(self, exchange: Exchange) -> None:
        assert exchange.call is not None, "reading comes first"
        call = self._engine_call(exchange)
        meter = Meter(queue_seconds=exchange.queue_seconds, monotonic=self.monotonic)
        response = await self.upstream.request("POST", call.path, call.body)
        exchange.on_close(response.close)
        if response.status != 200:
            raise self.dialect.fault(response.status, await _read_fault(response))
        served = Served(self.receipts, exchange, meter, streamed=bool(exchange.call.stream))
        exchange.on_close(served.close)
        if exchange.call.stream:
            await self._stream(exchange, response, call, meter, served)
        else:
            chunks = self._chunks(exchange, response, call, meter)
            await self._answer_whole(exchange, chunks, meter, served)

    def _engine_call(self, exchange: Exchange) -> Call:
        assert exchange.call is not None, "reading comes first"
        assert exchange.claims is not None, "authenticate comes first"
        allowed = exchange.claims.lim.output_tokens
        if isinstance(exchange.call, ChatRequest):
            return self.dialect.chat(exchange.call, max_output_tokens=allowed)
        return self.dialect.completion(exchange.call, max_output_tokens=allowed)

    def _chunks(
        self, exchange: Exchange, response: UpstreamResponse, call: Call, meter: Meter
    ) -> Chunks:
        chunks: Chunks = EngineChunks(response, call.decoder, meter)
        if self.output is None:
            return chunks
        return self.output.guard(chunks, exchange, meter, response.close)

    async def _stream(
        self,
        exchange: Exchange,
        response: UpstreamResponse,
        call: Call,
        meter: Meter,
        served: Served,
    ) -> None:
        reply = _streamed_reply(exchange)
        outlet = Outlet(exchange, lambda: self._headers(exchange))
        if self.output is None:
            await relay_bytes(exchange, response, call.decoder, meter, reply, outlet)
        else:
            chunks = self._chunks(exchange, response, call, meter)
            await relay_chunks(exchange, chunks, reply, outlet)
        outlet.send(reply.ending(*served.complete()), more=False)

    async def _answer_whole(
        self, exchange: Exchange, chunks: Chunks, meter: Meter, served: Served
    ) -> None:
        reply = WholeReply(chat=exchange.endpoint == "chat")
        size = 0
        while arrived := await chunks.arrive():
            size += sum(len(chunk.raw) for chunk in arrived)
            if size > MAX_WHOLE_REPLY_BYTES:
                raise UpstreamError("engine_error", "The reply is too long; ask for a stream.")
            reply.add(arrived)
        body = reply.document(meter.usage, *served.complete())
        exchange.send_json(body, headers=self._headers(exchange))

    def _headers(self, exchange: Exchange) -> bytes:
        assert exchange.call is not None, "reading comes first"
        quantization = self.quantization_of(exchange.call.model) or "unknown"
        return b"luckrig-quant: %b\r\nluckrig-queue-ms: %.0f\r\n" % (
            quantization.encode("ascii", "replace"),
            exchange.queue_seconds * 1000,
        )


def _streamed_reply(exchange: Exchange) -> StreamedReply:
    assert exchange.call is not None, "reading comes first"
    options = exchange.call.stream_options
    return StreamedReply(include_usage=options is not None and bool(options.include_usage))


async def _read_fault(response: UpstreamResponse) -> bytes:
    body = bytearray()
    while data := await response.read():
        body += data
        if len(body) > MAX_FAULT_BYTES:
            break
    return bytes(body)
