"""vLLM. Its list of models tells the context of a request, and where a model came from.

* No quantisation is told: it is taken from the name of the model's repository or folder (`root`),
  where that names one, and left out otherwise. `root` itself stays here.
* Cards with a `parent` are LoRA adapters. They are offered, as what the owner serves, with
  the base model as their family, and with its quantisation and context.
* It batches as many requests as its memory takes and doesn't say how many: the owner says, with
  --max-active. Its /metrics are some hundred kilobytes for two numbers, so they aren't read.
* A model that only embeds is not told from one that writes; the first request tells.
"""

from typing import Any, ClassVar, Final

import msgspec

from luckrig.nodeproxy.engines.base import EngineState, Question, Survey
from luckrig.nodeproxy.engines.models import (
    KnownModel,
    bounded_context,
    label_or_none,
    named_quantization,
    public_name,
    read_answer,
    refuse_unknown_skills,
    status_of,
    unsupported,
)
from luckrig.nodeproxy.engines.openai_compatible import OpenAiCompatible, refuse_suffix
from luckrig.protocol.descriptor import EngineKind, Offer
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.openai.requests import ChatRequest, CompletionRequest

OWNER: Final = "vllm"
"""`owned_by` of each card: how vLLM is told from others."""

_UNABLE: Final = (
    (
        b"--enable-auto-tool-choice",
        "tools",
        "This rig's vLLM was started without tools. Its owner would have to add "
        "--enable-auto-tool-choice and --tool-call-parser.",
    ),
    (b"not a multimodal model", "messages", "This model can't read images."),
    (b"support Chat Completions API", "model", "This model doesn't chat."),
    (b"support Completions API", "model", "This model doesn't write text."),
)
"""What it says of requests that its model can't have: words of it, field, our words."""


class _Card(msgspec.Struct):
    id: str
    owned_by: str = ""
    root: str | None = None
    parent: str | None = None
    max_model_len: int | None = None


class Cards(msgspec.Struct):
    """GET /v1/models."""

    data: list[_Card]


BATCH: Final = 8
"""Requests at once, unless the owner says otherwise. vLLM doesn't tell how many it takes (256 by
its own default); up to about here each stream stays nearly as fast as one alone."""


class _Version(msgspec.Struct):
    """GET /version."""

    version: str


class Vllm(OpenAiCompatible):
    """The dialect of vLLM."""

    kind: ClassVar[EngineKind] = "vllm"
    embeddings_remedy: ClassVar[str] = (
        "Its owner would have to serve one that does: vLLM runs one model, for one of the two."
    )

    def survey(self) -> Survey:
        """See base.Dialect."""
        answer = yield Question("/v1/models")
        cards = read_answer(answer, Cards)
        if cards is None:
            return EngineState(kind=self.kind, status=status_of(answer))
        version = read_answer((yield Question("/version")), _Version)
        by_id = {card.id: card for card in cards.data}
        return EngineState(
            kind=self.kind,
            status="ready",
            version=label_or_none(version.version) if version is not None else None,
            slots=BATCH,
            offers=self._models.learn(_known(card, by_id) for card in cards.data),
        )

    def adapt_chat(self, request: ChatRequest, model: KnownModel, body: dict[str, Any]) -> None:
        """Older versions refuse a tool_choice without tools, even "none"."""
        refuse_unknown_skills(request, model)
        if not request.tools:
            body.pop("tool_choice", None)
            body.pop("parallel_tool_calls", None)

    def adapt_completion(self, request: CompletionRequest, body: dict[str, Any]) -> None:
        """It knows no suffix."""
        refuse_suffix(request)

    def fault(self, status: int, body: bytes) -> LuckrigError:
        """See base.Dialect."""
        if 400 <= status < 500:
            for words, param, message in _UNABLE:
                if words in body:
                    return unsupported(param, message)
        return super().fault(status, body)


def is_vllm(cards: Cards) -> bool:
    """Whether a list of models is vLLM's."""
    return any(card.owned_by == OWNER for card in cards.data)


def _known(card: _Card, by_id: dict[str, _Card]) -> KnownModel:
    base = by_id.get(card.parent or "", card)  # the base of an adapter, or the model itself
    offer = Offer(
        model=public_name(card.id),
        family=label_or_none(public_name(card.parent)) if card.parent else None,
        quantization=named_quantization(base.root or base.id),
        context_length=bounded_context(card.max_model_len or base.max_model_len),
        capabilities=["chat", "completion"],
    )
    return KnownModel(offer=offer, engine_name=card.id)
