"""LM Studio. Its own list of models tells quantisation, real context and skills.

Two forms of that list, both from its documentation: /api/v1/models since 0.4.0, /api/v0/models
since 0.3.6. A route that it doesn't know has status 200 and {"error": …}, so only keys count.
Models are loaded when they are asked for; the context of one that isn't loaded is not known.

Its chat API ignores some fields, and refuses some forms of others:

| field                                   | what goes out                                |
|-----------------------------------------|----------------------------------------------|
| response_format json_object             | json_schema of any object                    |
| tool_choice that names a function       | "required", with that one tool on offer      |
| logprobs, reasoning_effort, suffix, parallel_tool_calls false, dimensions | refused: ignored |
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final, Literal, NamedTuple

import msgspec

from luckrig.nodeproxy.engines.base import EmbeddingsCall, EngineState, Question, Survey
from luckrig.nodeproxy.engines.models import (
    KnownModel,
    bounded_context,
    clean_quantization,
    count_parameters,
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
from luckrig.protocol.openai.requests import ChatRequest, CompletionRequest, JsonFormat

_ANY_OBJECT: Final = {
    "type": "json_schema",
    "json_schema": {"name": "object", "schema": {"type": "object"}},
}


class _Config(msgspec.Struct):
    context_length: int | None = None


class _Instance(msgspec.Struct):
    """A model in memory. Its id is what requests call it; two of one model have two ids."""

    id: str
    config: _Config = msgspec.field(default_factory=_Config)


class _Quantization(msgspec.Struct):
    name: str | None = None


class _Skills(msgspec.Struct):
    vision: bool | None = None
    trained_for_tool_use: bool | None = None


class _Model(msgspec.Struct):
    """loaded_instances has no default: no other engine's list has it."""

    type: str
    key: str
    loaded_instances: list[_Instance]
    architecture: str | None = None
    quantization: _Quantization | None = None
    params_string: str | None = None
    capabilities: _Skills | None = None


class ModelList(msgspec.Struct):
    """GET /api/v1/models."""

    models: list[_Model]


class _Card(msgspec.Struct):
    """compatibility_type has no default, for the same reason."""

    id: str
    type: str
    compatibility_type: str
    arch: str | None = None
    quantization: str | None = None
    state: str = ""
    loaded_context_length: int | None = None


class OldModelList(msgspec.Struct):
    """GET /api/v0/models."""

    data: list[_Card]


_Kind = Literal["text", "vision", "embedding"]
_KINDS: Final[dict[str, _Kind]] = {
    "llm": "text",
    "vlm": "vision",
    "embedding": "embedding",
    "embeddings": "embedding",
}
"""Types of models; others, should there be any, are not offered."""


class LmStudio(OpenAiCompatible):
    """The dialect of LM Studio."""

    kind: ClassVar[EngineKind] = "lm-studio"
    embeddings_remedy: ClassVar[str] = "GET /v1/models tells which models do."

    def survey(self) -> Survey:
        """See base.Dialect. Loaded models come first, those that only embed last."""
        answer = yield Question("/api/v1/models")
        found = read_answer(answer, ModelList)
        if found is not None:
            return self._state(map(_from_model, found.models))
        if answer is None or answer.status != 200:
            return EngineState(kind=self.kind, status=status_of(answer))
        answer = yield Question("/api/v0/models")
        older = read_answer(answer, OldModelList)
        if older is None:
            return EngineState(kind=self.kind, status=status_of(answer))
        return self._state(map(_from_card, older.data))

    def embeddings(self, request: EmbeddingsRequest) -> EmbeddingsCall:
        """See base.Dialect. It says of each model whether it embeds."""
        if "embedding" not in self._models.find(request.model).offer.capabilities:
            raise unsupported("model", f"This model makes no embeddings. {self.embeddings_remedy}")
        return super().embeddings(request)

    def adapt_chat(self, request: ChatRequest, model: KnownModel, body: dict[str, Any]) -> None:
        """See the table above."""
        refuse_unknown_skills(request, model)
        if request.logprobs:
            raise unsupported("logprobs", "This rig's engine gives no logprobs.")
        if request.reasoning_effort is not None:
            raise unsupported("reasoning_effort", "This rig's engine has one effort for all.")
        if request.tools and request.parallel_tool_calls is False:
            raise unsupported(
                "parallel_tool_calls", "This rig's engine can't be kept from calling several tools."
            )
        for ignored in ("parallel_tool_calls", "logprobs"):
            body.pop(ignored, None)
        require_chosen_tool(request, body)
        if isinstance(request.response_format, JsonFormat):
            body["response_format"] = _ANY_OBJECT

    def adapt_completion(self, request: CompletionRequest, body: dict[str, Any]) -> None:
        """See the table above."""
        refuse_suffix(request)
        if request.logprobs is not None:
            raise unsupported("logprobs", "This rig's engine gives no logprobs.")

    def adapt_embeddings(self, request: EmbeddingsRequest, body: dict[str, Any]) -> None:
        """See the table above."""
        if request.dimensions is not None:
            raise unsupported("dimensions", "This rig's engine can't shorten vectors.")

    def _state(self, found: Iterable["_Listed | None"]) -> EngineState:
        models = sorted((model for model in found if model is not None), key=_order)
        offers = self._models.learn(model.known for model in models)
        return EngineState(kind=self.kind, status="ready", offers=offers)


class _Listed(NamedTuple):
    known: KnownModel
    is_loaded: bool


def _order(model: _Listed) -> tuple[bool, bool]:
    return model.known.text is False, not model.is_loaded


def _from_model(model: _Model) -> _Listed | None:
    """Of a model that is loaded more than once, the instance with the largest context."""
    kind = _KINDS.get(model.type)
    if kind is None:
        return None
    loaded = max(
        model.loaded_instances, key=lambda one: one.config.context_length or 0, default=None
    )
    skills = model.capabilities or _Skills()
    known = _known(
        kind,
        name=model.key,
        engine_name=model.key if loaded is None else loaded.id,
        quantization=model.quantization.name if model.quantization is not None else None,
        context_length=loaded.config.context_length if loaded is not None else None,
        family=model.architecture,
        parameters=count_parameters(model.params_string or ""),
        tools=bool(skills.trained_for_tool_use),
        vision=skills.vision,
    )
    return _Listed(known, is_loaded=loaded is not None)


def _from_card(card: _Card) -> _Listed | None:
    kind = _KINDS.get(card.type)
    if kind is None:
        return None
    is_loaded = card.state == "loaded"
    known = _known(
        kind,
        name=card.id,
        engine_name=card.id,
        quantization=card.quantization,
        context_length=card.loaded_context_length if is_loaded else None,
        family=card.arch,
        vision=kind == "vision",
    )
    return _Listed(known, is_loaded=is_loaded)


def _known(
    kind: _Kind,
    *,
    name: str,
    engine_name: str,
    quantization: str | None,
    context_length: int | None,
    family: str | None,
    parameters: int | None = None,
    tools: bool = False,
    vision: bool | None = None,
) -> KnownModel:
    """tools: whether the model was trained for them. It takes them in any case, so that the others
    are not refused."""
    writes = kind != "embedding"
    capabilities: list[Capability] = ["chat", "completion"] if writes else ["embedding"]
    if tools and writes:
        capabilities.append("tools")
    if vision and writes:
        capabilities.append("vision")
    offer = Offer(
        model=public_name(name),
        family=label_or_none(family),
        parameters=parameters,
        quantization=clean_quantization(quantization),
        context_length=bounded_context(context_length),
        capabilities=capabilities,
    )
    return KnownModel(offer=offer, engine_name=engine_name, text=writes, vision=vision)
