"""llama.cpp's own server. What it says beyond OpenAI's API: slots, context for each, timings.

Facts were checked against a running one (build 11549). The context of a request is the slot's,
the whole divided by the number of slots. Without an alias a model's id is its file path, in the
list and in every chunk. Its reply to an unsupported field is silence, so the refusals are here.
"""

from typing import Any, ClassVar

import msgspec

from luckrig.nodeproxy.engines.base import EngineState, Question, Survey
from luckrig.nodeproxy.engines.models import (
    KnownModel,
    bounded_context,
    bounded_parameters,
    clean_quantization,
    label_or_none,
    public_name,
    read_answer,
    refuse_unknown_skills,
    status_of,
    unsupported,
)
from luckrig.nodeproxy.engines.openai_compatible import (
    OpenAiCompatible,
    refuse_suffix,
    require_chosen_tool,
)
from luckrig.protocol.descriptor import Capability, EngineKind, Offer
from luckrig.protocol.openai.embeddings import EmbeddingsRequest
from luckrig.protocol.openai.requests import ChatRequest, CompletionRequest


class _Settings(msgspec.Struct):
    n_ctx: int | None = None


class _Modalities(msgspec.Struct):
    vision: bool = False


class _TemplateCaps(msgspec.Struct):
    supports_tools: bool | None = None
    supports_reasoning_effort: bool | None = None


class Props(msgspec.Struct):
    """GET /props. It also holds the prompt template and the model's path: they stay here."""

    default_generation_settings: _Settings
    total_slots: int | None = None
    model_ftype: str | None = None
    modalities: _Modalities | None = None
    chat_template_caps: _TemplateCaps | None = None
    build_info: str | None = None


class _Meta(msgspec.Struct):
    n_ctx: int | None = None
    n_params: int | None = None
    ftype: str | None = None


class _Status(msgspec.Struct):
    failed: bool = False


class _Card(msgspec.Struct):
    """meta: None in older builds. status: of a router, which loads models on demand."""

    id: str
    meta: _Meta | None = None
    status: _Status | None = None


class _Cards(msgspec.Struct):
    data: list[_Card]


class LlamaServer(OpenAiCompatible):
    """The dialect of llama-server."""

    kind: ClassVar[EngineKind] = "llama-server"
    embeddings_remedy: ClassVar[str] = (
        "Its owner would have to start llama-server with --embeddings --pooling mean."
    )

    def survey(self) -> Survey:
        """See base.Dialect."""
        answer = yield Question("/v1/models")
        cards = read_answer(answer, _Cards)
        if cards is None:
            return EngineState(kind=self.kind, status=status_of(answer))
        props = read_answer((yield Question("/props")), Props)
        is_router = any(card.status is not None for card in cards.data)
        own_props = None if is_router else props  # a router's are not those of its models
        usable = [card for card in cards.data if card.status is None or not card.status.failed]
        return EngineState(
            kind=self.kind,
            status="ready",
            version=_version(props),
            slots=own_props.total_slots if own_props is not None else None,
            offers=self._models.learn(_known(card, own_props) for card in usable),
        )

    def adapt_chat(self, request: ChatRequest, model: KnownModel, body: dict[str, Any]) -> None:
        """Without template support it drops tools and effort silently, and fails on images."""
        refuse_unknown_skills(request, model)
        require_chosen_tool(request, body)  # it takes a function's name for "auto" without a word
        if request.reasoning_effort == "none":
            # Its switch for every template that thinks; of no effect on the others.
            del body["reasoning_effort"]
            body["chat_template_kwargs"] = {"enable_thinking": False}
        elif request.reasoning_effort is not None and model.effort is False:
            raise unsupported("reasoning_effort", "This model has no levels of reasoning effort.")

    def adapt_completion(self, request: CompletionRequest, body: dict[str, Any]) -> None:
        """Its /v1/completions knows no suffix."""
        refuse_suffix(request)

    def adapt_embeddings(self, request: EmbeddingsRequest, body: dict[str, Any]) -> None:
        """It knows no dimensions. Its base64 is a quarter of the bytes of its numbers."""
        if request.dimensions is not None:
            raise unsupported("dimensions", "This rig's engine can't shorten vectors.")
        if request.encoding_format == "base64":
            body["encoding_format"] = "base64"


def _version(props: Props | None) -> str | None:
    """ "b4567-abcdef". A build from a source archive calls itself b0-unknown."""
    info = label_or_none(props.build_info) if props is not None else None
    return None if info == "b0-unknown" else info


def _known(card: _Card, props: Props | None) -> KnownModel:
    meta = card.meta or _Meta()
    caps = (props.chat_template_caps if props is not None else None) or _TemplateCaps()
    vision = props.modalities.vision if props is not None and props.modalities else None
    slot_context = props.default_generation_settings.n_ctx if props is not None else None
    ftype = meta.ftype or (props.model_ftype if props is not None else None)
    capabilities: list[Capability] = ["chat", "completion"]
    if caps.supports_tools:
        capabilities.append("tools")
    if vision:
        capabilities.append("vision")
    offer = Offer(
        model=public_name(card.id),
        parameters=bounded_parameters(meta.n_params),
        quantization=clean_quantization(ftype),
        context_length=bounded_context(slot_context or meta.n_ctx),
        capabilities=capabilities,
    )
    return KnownModel(
        offer=offer,
        engine_name=card.id,
        tools=caps.supports_tools,
        vision=vision,
        effort=caps.supports_reasoning_effort,
    )
