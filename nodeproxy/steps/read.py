"""What is asked: strict JSON of known fields, for a model that this rig offers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.exchange import JSON, Exchange
from luckrig.nodeproxy.sealing.unsealer import Unsealer
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
from luckrig.protocol.subtext.carrier import MODEL
from luckrig.protocol.subtext.request import CARRIER_PATH

_Asked = ChatRequest | CompletionRequest | EmbeddingsRequest | ResponsesRequest
_PARSERS: Final[dict[str, Callable[[bytes], _Asked]]] = {
    "chat": parse_chat,
    "completion": parse_completion,
    "embeddings": parse_embeddings,
    "responses": parse_responses,
}
SEALED_ENDPOINTS: Final = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completion",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
}
"""What may be inside a sealed request: path to endpoint, as nodeproxy/pipeline.py names it."""


@dataclass(frozen=True)
class ReadRequest:
    """Fills in the call; of a sealed request, the one inside, by the same parsers.

    is_offered: whether a model is. Raises PeerError proof_invalid, unsupported_media_type,
    body_too_large, invalid_json, invalid_request, unsupported_parameter or model_not_found, and
    what Unsealer raises.
    """

    is_offered: Callable[[str], bool]
    unsealer: Unsealer

    async def __call__(self, exchange: Exchange) -> None:
        """Read and parse the body; nothing of the original bytes goes any further."""
        media_type = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type != JSON or b"content-encoding" in exchange.headers:
            raise PeerError("unsupported_media_type", "Send uncompressed application/json.")
        body = await exchange.connection.read_body()
        if exchange.proof is not None:
            exchange.proof.check_body(body)
        asked = _PARSERS[exchange.endpoint](body)
        if asked.model == MODEL:
            asked = self._read_sealed(exchange, asked)
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

    def _read_sealed(self, exchange: Exchange, carrier: _Asked) -> _Asked:
        """What is asked inside. What is wrong with it is answered sealed."""
        if not isinstance(carrier, ChatRequest):
            raise _not_sealed_so(f"Requests for {MODEL} go to POST {CARRIER_PATH}.")
        inner = self.unsealer.open(exchange, carrier)
        endpoint = SEALED_ENDPOINTS.get(inner.path)
        if endpoint is None:
            raise _not_sealed_so(f"Only POST {', '.join(SEALED_ENDPOINTS)} can be sealed.")
        exchange.endpoint = endpoint
        asked = _PARSERS[endpoint](inner.body)
        if asked.model == MODEL:
            raise _not_sealed_so("A sealed request holds a plain one.")
        if _is_streamed(asked) != bool(carrier.stream):
            raise _not_sealed_so("`stream` must be the same outside as inside.")
        return asked


def _is_streamed(asked: _Asked) -> bool:
    return not isinstance(asked, EmbeddingsRequest) and bool(asked.stream)


def _not_sealed_so(why: str) -> PeerError:
    return PeerError("sealed_invalid", why)
