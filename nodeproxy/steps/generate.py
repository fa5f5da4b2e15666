"""The last step: ask the engine, and pass on what it says as it says it."""

from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.engines.base import Call
from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.moderation.output import Chunks, OutputGuard
from luckrig.nodeproxy.receipts import Served
from luckrig.nodeproxy.replies import StreamedReply, WholeReply
from luckrig.nodeproxy.responses_reply import StreamedResponse, WholeResponse
from luckrig.nodeproxy.steps.engine import Engine
from luckrig.nodeproxy.steps.relay import (
    EngineReply,
    EventStream,
    Outlet,
    relay_bytes,
    relay_chunks,
)
from luckrig.protocol.errors import LuckrigError, UpstreamError
from luckrig.protocol.openai.requests import ChatRequest, CompletionRequest
from luckrig.protocol.openai.responses_chat import name_as_asked

MAX_WHOLE_REPLY_BYTES: Final = 16 << 20
"""A reply that isn't streamed is kept in memory until it is complete."""


@dataclass(frozen=True)
class Generate:
    """Answers the exchange. output: who looks at replies, if anybody does.

    The engine always streams: llama-server goes on generating a reply that isn't streamed after
    its client has gone, so that reply is put together here.

    Raises LuckrigError while nothing was sent yet; after that the same errors end the stream with
    an error event.
    """

    engine: Engine
    output: OutputGuard | None = None

    async def __call__(self, exchange: Exchange) -> None:
        """Generate and answer."""
        try:
            await self._generate(exchange)
        except LuckrigError as error:
            self.engine.note(error)
            if exchange.asked is not None:
                name_as_asked(error)
            raise

    async def _generate(self, exchange: Exchange) -> None:
        reply = await self._ask(exchange)
        served = self.engine.served(exchange, reply.meter)
        exchange.on_close(served.close)
        if exchange.is_streamed:
            await self._stream(exchange, reply, served)
        else:
            await self._answer_whole(exchange, reply, served)

    async def _ask(self, exchange: Exchange) -> EngineReply:
        """The engine's answer, and who reads it. The request itself isn't kept while it streams."""
        call = self._engine_call(exchange)
        fault = self.engine.dialect.fault
        response, meter = await self.engine.ask(exchange, call.path, call.body, fault)
        exchange.forget_texts()
        return EngineReply(response, call.decoder, meter)

    def _engine_call(self, exchange: Exchange) -> Call:
        request, allowed = _request(exchange), exchange.known_claims.lim.output_tokens
        if isinstance(request, ChatRequest):
            return self.engine.dialect.chat(request, max_output_tokens=allowed)
        return self.engine.dialect.completion(request, max_output_tokens=allowed)

    def _chunks(self, exchange: Exchange, reply: EngineReply) -> Chunks:
        if self.output is None:
            return reply
        return self.output.guard(reply, exchange, reply.meter, reply.response.close)

    async def _stream(self, exchange: Exchange, reply: EngineReply, served: Served) -> None:
        events = _streamed_reply(exchange)
        outlet = Outlet(exchange, lambda: self.engine.reply_headers(exchange))

        def finish() -> None:
            outlet.send(events.ending(*served.complete()), more=False)
            exchange.is_answered = True

        if self.output is None:
            await relay_bytes(exchange, reply, events, outlet, finish)
        else:
            await relay_chunks(exchange, self._chunks(exchange, reply), events, outlet)
            finish()

    async def _answer_whole(self, exchange: Exchange, reply: EngineReply, served: Served) -> None:
        chunks, document = self._chunks(exchange, reply), _whole_reply(exchange)
        size = 0
        while arrived := await chunks.arrive():
            size += sum(len(chunk.raw) for chunk in arrived)
            if size > MAX_WHOLE_REPLY_BYTES:
                raise UpstreamError("engine_error", "The reply is too long; ask for a stream.")
            document.add(arrived)
        body = document.document(reply.meter.usage, *served.complete())
        exchange.send_json(body, headers=self.engine.reply_headers(exchange))


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
