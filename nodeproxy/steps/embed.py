"""The last step of a request for embeddings: ask the engine, check what it says, answer."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from luckrig.nodeproxy.engines.base import Embedded
from luckrig.nodeproxy.engines.chunks import Usage
from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.steps.engine import Engine
from luckrig.protocol.errors import UpstreamError
from luckrig.protocol.openai.embeddings import (
    Embedding,
    Embeddings,
    EmbeddingsRequest,
    EmbeddingsUsage,
)

MAX_REPLY_BYTES: Final = 32 << 20
"""256 vectors of 4,096 numbers, written out, are 22 MB."""
INLINE_BYTES: Final = 262_144
"""Checking 5 MB of numbers takes 45 ms: then a thread does it, between other people's streams."""


@dataclass(frozen=True)
class Embed:
    """Answers the exchange; its errors are Generate's.

    A receipt counts the tokens of the inputs; nothing is generated.
    """

    engine: Engine

    async def __call__(self, exchange: Exchange) -> None:
        """Embed and answer."""
        try:
            await self._embed(exchange)
        except UpstreamError as error:
            self.engine.note(error)
            raise

    async def _embed(self, exchange: Exchange) -> None:
        request = exchange.call
        assert isinstance(request, EmbeddingsRequest), "reading comes first"  # noqa: S101
        call = self.engine.dialect.embeddings(request)
        response, meter = await self.engine.ask(exchange, call.path, call.body, call.fault)
        body = await response.read_up_to(MAX_REPLY_BYTES)
        if len(body) > MAX_REPLY_BYTES:
            raise UpstreamError("engine_error", "The reply is too long; send fewer inputs.")
        if len(body) <= INLINE_BYTES:
            embedded = call.read(body)
        else:
            embedded = await asyncio.to_thread(call.read, body)
        meter.usage = Usage(prompt_tokens=embedded.prompt_tokens)
        timing, receipt = self.engine.served(exchange, meter).complete()
        own: dict[str, Any] = {"timing": timing, "receipt": receipt}
        document = _document(request.model, embedded, own)
        headers = self.engine.reply_headers(exchange)
        exchange.send_json(msgspec.json.encode(document), headers=headers)


def _document(model: str, embedded: Embedded, own: dict[str, Any]) -> Embeddings:
    return Embeddings(
        model=model,
        data=[
            Embedding(index=index, embedding=vector)
            for index, vector in enumerate(embedded.vectors)
        ],
        usage=EmbeddingsUsage(embedded.prompt_tokens, embedded.prompt_tokens),
        luckrig=own,
    )
