"""What is asked: strict JSON of known fields, for a model that this rig offers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.exchange import JSON, Exchange
from luckrig.protocol.errors import PeerError
from luckrig.protocol.openai.embeddings import EmbeddingsRequest, parse_embeddings
from luckrig.protocol.openai.requests import (
    ChatRequest,
    CompletionRequest,
    parse_chat,
    parse_completion,
)
from luckrig.protocol.openai.responses_api import ResponsesRequest, parse_responses
from luckrig.protocol.openai.responses_chat import to_chat

_Asked = ChatRequest | CompletionRequest | EmbeddingsRequest | ResponsesRequest
_PARSERS: Final[dict[str, Callable[[bytes], _Asked]]] = {
    "chat": parse_chat,
    "completion": parse_completion,
    "embeddings": parse_embeddings,
    "responses": parse_responses,
}


@dataclass(frozen=True)
class ReadRequest:
    """Fills in the call. models: whether a model is offered.

    Raises PeerError proof_invalid, unsupported_media_type, body_too_large, invalid_json,
    invalid_request, unsupported_parameter or model_not_found.
    """

    is_offered: Callable[[str], bool]

    async def __call__(self, exchange: Exchange) -> None:
        """Read and parse the body; nothing of the original bytes goes any further."""
        media_type = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type != JSON or b"content-encoding" in exchange.headers:
            raise PeerError("unsupported_media_type", "Send uncompressed application/json.")
        body = await exchange.connection.read_body()
        if exchange.proof is not None:
            exchange.proof.check_body(body)
        asked = _PARSERS[exchange.endpoint](body)
        if not self.is_offered(asked.model):
            raise PeerError(
                "model_not_found",
                "This rig doesn't offer that model; GET /v1/models lists what it does.",
                param="model",
            )
        if isinstance(asked, ResponsesRequest):
            exchange.asked, exchange.call = asked, to_chat(asked)
        else:
            exchange.call = asked
