"""The last step of a route whose requests may be of several kinds."""

from dataclasses import dataclass

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.steps.step import Step
from luckrig.protocol.openai.embeddings import EmbeddingsRequest


@dataclass(frozen=True)
class AnswerCall:
    """Hands on to the step that the call needs: a chat may carry any kind, sealed."""

    generate: Step
    embed: Step

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange."""
        embeds = isinstance(exchange.call, EmbeddingsRequest)
        await (self.embed if embeds else self.generate)(exchange)
