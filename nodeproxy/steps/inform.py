"""Answers that need no engine: the models on offer, the node's health."""

from dataclasses import dataclass

import msgspec

from luckrig.nodeproxy.engine_watch import EngineWatch
from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.gate import Gate
from luckrig.nodeproxy.queue import RequestQueue
from luckrig.protocol.openai.responses import Model, ModelList


@dataclass(frozen=True)
class ListModels:
    """GET /v1/models: OpenAI's list, each model with what the rig knows of it under `luckrig`."""

    watch: EngineWatch

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange."""
        models = [
            Model(
                id=offer.model,
                created=0,  # engines don't say; OpenAI's clients want a number
                owned_by="luckrig",
                luckrig=msgspec.structs.asdict(offer),
            )
            for offer in self.watch.state.offers
        ]
        exchange.send_json(msgspec.json.encode(ModelList(data=models)))


@dataclass(frozen=True)
class AnswerHealth:
    """GET /health: for everybody, so it tells no more than the map does."""

    watch: EngineWatch
    queue: RequestQueue
    gate: Gate
    node_id: str

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange."""
        health = self.gate.health(self.watch.health(self.node_id, self.queue))
        exchange.send_json(msgspec.json.encode(health))
