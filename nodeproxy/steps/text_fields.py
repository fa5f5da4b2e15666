"""The texts of a request that rules and moderation look at, and the field that stands for them."""

from typing import Final

from luckrig.nodeproxy.exchange import Exchange
from luckrig.protocol.openai.embeddings import EmbeddingsRequest, embeddings_texts
from luckrig.protocol.openai.texts import texts

_FIELDS: Final = {
    "chat": "messages",
    "completion": "prompt",
    "embeddings": "input",
    "responses": "input",
}


def texts_of(exchange: Exchange) -> list[str]:
    """Every text that the engine would read."""
    call = exchange.known_call
    return list(embeddings_texts(call) if isinstance(call, EmbeddingsRequest) else texts(call))


def field_of(exchange: Exchange) -> str:
    """The field to blame for its texts."""
    return _FIELDS[exchange.endpoint]
