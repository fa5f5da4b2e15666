"""The last step: ask the engine, and pass on what it says as it says it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.counters import Counters
from luckrig.nodeproxy.engines.base import Call, Decoder, Dialect
from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.moderation.output import Chunks, OutputGuard
from luckrig.nodeproxy.receipts import ReceiptBook, Served
from luckrig.nodeproxy.replies import StreamedReply, WholeReply
from luckrig.nodeproxy.responses_reply import StreamedResponse, WholeResponse
from luckrig.nodeproxy.steps.relay import (
    EngineChunks,
    EventStream,
    Outlet,
    relay_bytes,
    relay_chunks,
)
from luckrig.nodeproxy.timing import Meter
from luckrig.nodeproxy.upstream import Upstream, UpstreamResponse
from luckrig.protocol.errors import LuckrigError, UpstreamError
from luckrig.protocol.openai.requests import ChatRequest, CompletionRequest
from luckrig.protocol.openai.responses_chat import name_as_asked

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
    counters: Counters
    monotonic: Callable[[], float]
    output: OutputGuard | None = None

    async def __call__(self, exchange: Exchange) -> None:
        """Generate and answer."""
        try:
            await self._generate(exchange)
        except UpstreamError:
            self.on_fault()
            raise
        except LuckrigError as error:
            if exchange.asked is not None:
                name_as_asked(error)
            raise

    async def _generate(self, exchange: Exchange) -> None:
        meter = Meter(queue_seconds=exchange.queue_seconds, monotonic=self.monotonic)
        response, decoder = await self._ask(exchange, meter)
        served = Served(self.receipts, exchange, meter, streamed=exchange.is_streamed)
        exchange.on_close(served.close)
        if exchange.is_streamed:
            await self._stream(exchange, response, decoder, meter, served)
        else:
            chunks = self._chunks(exchange, response, decoder, meter)
            await self._answer_whole(exchange, chunks, meter, served)

    async def _ask(self, exchange: Exchange, meter: Meter) -> tuple[UpstreamResponse, Decoder]:
        """The engine's answer, and who reads it. The request itself isn't kept while it streams."""
        call = self._engine_call(exchange)
        self.counters.reach_engine(exchange, meter)
        response = await self.upstream.request("POST", call.path, call.body)
        exchange.on_close(response.close)
        if response.status != 200:
            raise self.dialect.fault(response.status, await _read_fault(response))
        return response, call.decoder

    def _engine_call(self, exchange: Exchange) -> Call:
        assert exchange.claims is not None, "authenticate comes first"  # noqa: S101
        request, allowed = _request(exchange), exchange.claims.lim.output_tokens
        if isinstance(request, ChatRequest):
            return self.dialect.chat(request, max_output_tokens=allowed)
        return self.dialect.completion(request, max_output_tokens=allowed)

    def _chunks(
        self, exchange: Exchange, response: UpstreamResponse, decoder: Decoder, meter: Meter
    ) -> Chunks:
        chunks: Chunks = EngineChunks(response, decoder, meter)
        if self.output is None:
            return chunks
        return self.output.guard(chunks, exchange, meter, response.close)

    async def _stream(
        self,
        exchange: Exchange,
        response: UpstreamResponse,
        decoder: Decoder,
        meter: Meter,
        served: Served,
    ) -> None:
        reply = _streamed_reply(exchange)
        outlet = Outlet(exchange, lambda: reply_headers(exchange, self.quantization_of))
        if self.output is None:
            await relay_bytes(exchange, response, decoder, meter, reply, outlet)
        else:
            chunks = self._chunks(exchange, response, decoder, meter)
            await relay_chunks(exchange, chunks, reply, outlet)
        outlet.send(reply.ending(*served.complete()), more=False)

    async def _answer_whole(
        self, exchange: Exchange, chunks: Chunks, meter: Meter, served: Served
    ) -> None:
        reply = _whole_reply(exchange)
        size = 0
        while arrived := await chunks.arrive():
            size += sum(len(chunk.raw) for chunk in arrived)
            if size > MAX_WHOLE_REPLY_BYTES:
                raise UpstreamError("engine_error", "The reply is too long; ask for a stream.")
            reply.add(arrived)
        body = reply.document(meter.usage, *served.complete())
        exchange.send_json(body, headers=reply_headers(exchange, self.quantization_of))


def reply_headers(exchange: Exchange, quantization_of: Callable[[str], str | None]) -> bytes:
    """What the head of every reply says of the model and the wait."""
    assert exchange.call is not None, "reading comes first"  # noqa: S101 -- narrows the type
    quantization = quantization_of(exchange.call.model) or "unknown"
    return b"luckrig-quant: %b\r\nluckrig-queue-ms: %.0f\r\n" % (
        quantization.encode("ascii", "replace"),
        exchange.queue_seconds * 1000,
    )


def _request(exchange: Exchange) -> ChatRequest | CompletionRequest:
    call = exchange.call
    assert isinstance(call, ChatRequest | CompletionRequest), "reading comes first"  # noqa: S101
    return call


def _streamed_reply(exchange: Exchange) -> EventStream:
    if exchange.asked is not None:
        response = StreamedResponse(exchange.asked, exchange.request_id)
        exchange.error_events = response.error_events
        return response
    options = _request(exchange).stream_options
    return StreamedReply(include_usage=options is not None and bool(options.include_usage))


def _whole_reply(exchange: Exchange) -> WholeReply | WholeResponse:
    if exchange.asked is not None:
        return WholeResponse(exchange.asked, exchange.request_id)
    return WholeReply(chat=exchange.endpoint == "chat")


async def _read_fault(response: UpstreamResponse) -> bytes:
    body = bytearray()
    while data := await response.read():
        body += data
        if len(body) > MAX_FAULT_BYTES:
            break
    return bytes(body)
