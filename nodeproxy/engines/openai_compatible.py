"""Engines that speak OpenAI's API and tell nothing else: llama-cpp-python, SGLang, and many more.

llama-server, LM Studio and vLLM speak it as well and are known better: their dialects build on this
one. Quirks that are known and handled here:

* The context is called `max_model_len`, `context_length` or `n_ctx`, if it is told at all.
* Some leave the usage out of a stream, llama-cpp-python for one. Nothing is made up for it: the
  reply has no usage then, and the receipt counts the pieces of text that came.
* Many chat templates know no `developer` role: it goes out as `system`.
* `max_completion_tokens` is unknown to many, `max_tokens` to none.
"""

from functools import partial
from operator import attrgetter
from typing import Any, ClassVar, Final

import msgspec

from luckrig.nodeproxy.engines.base import Call, EmbeddingsCall, EngineState, Question, Survey
from luckrig.nodeproxy.engines.chunks import SseDecoder
from luckrig.nodeproxy.engines.embeddings import explain_fault, read_openai
from luckrig.nodeproxy.engines.faults import explain
from luckrig.nodeproxy.engines.models import (
    KnownModel,
    ModelBook,
    bounded_context,
    public_name,
    read_answer,
    status_of,
    unsupported,
)
from luckrig.protocol.descriptor import EngineKind, Offer
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.openai.embeddings import EmbeddingsRequest
from luckrig.protocol.openai.requests import (
    AnyMessage,
    AssistantMessage,
    ChatRequest,
    ChosenTool,
    CompletionRequest,
    DeveloperMessage,
    SystemMessage,
    Tool,
)

_SAMPLING: Final = (
    "temperature",
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
)
CHAT_FIELDS: Final = (
    *_SAMPLING,
    "logprobs",
    "top_logprobs",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
)
"""Passed on as they are. A test compares: every other field is written here, or not forwarded."""

COMPLETION_FIELDS: Final = (*_SAMPLING, "suffix", "logprobs")

_WITH_USAGE: Final = {"include_usage": True}

_chat_values: Final = attrgetter(*CHAT_FIELDS)
_completion_values: Final = attrgetter(*COMPLETION_FIELDS)


class _Card(msgspec.Struct):
    id: str
    max_model_len: int | None = None
    context_length: int | None = None
    n_ctx: int | None = None


class _Cards(msgspec.Struct):
    data: list[_Card]


class OpenAiCompatible:
    """The dialect of /v1/models, /v1/chat/completions, /v1/completions and /v1/embeddings."""

    kind: ClassVar[EngineKind] = "openai-compatible"
    embeddings_remedy: ClassVar[str] = "Its owner would have to serve a model for them."

    def __init__(self) -> None:
        self._models = ModelBook()

    def survey(self) -> Survey:
        """See base.Dialect."""
        answer = yield Question("/v1/models")
        cards = read_answer(answer, _Cards)
        if cards is None:
            return EngineState(kind=self.kind, status=status_of(answer))
        offers = self._models.learn(_known(card) for card in cards.data)
        return EngineState(kind=self.kind, status="ready", offers=offers)

    def chat(self, request: ChatRequest, *, max_output_tokens: int) -> Call:
        """See base.Dialect."""
        model = self._models.find_writer(request.model)
        body = _given(CHAT_FIELDS, _chat_values(request))
        body["messages"] = [_plain(message) for message in request.messages]
        self.adapt_chat(request, model, body)
        return _call("/v1/chat/completions", request, model, body, max_output_tokens)

    def completion(self, request: CompletionRequest, *, max_output_tokens: int) -> Call:
        """See base.Dialect."""
        model = self._models.find_writer(request.model)
        body = _given(COMPLETION_FIELDS, _completion_values(request))
        body["prompt"] = request.prompt_text
        self.adapt_completion(request, body)
        return _call("/v1/completions", request, model, body, max_output_tokens)

    def embeddings(self, request: EmbeddingsRequest) -> EmbeddingsCall:
        """See base.Dialect. Not every engine knows base64, so plain numbers are the default."""
        model = self._models.find(request.model)
        body: dict[str, Any] = {"model": model.engine_name, "input": request.inputs}
        self.adapt_embeddings(request, body)
        return EmbeddingsCall(
            "/v1/embeddings",
            msgspec.json.encode(body),
            partial(read_openai, request=request, remedy=self.embeddings_remedy),
            partial(explain_fault, remedy=self.embeddings_remedy),
        )

    def fault(self, status: int, body: bytes) -> LuckrigError:
        """See base.Dialect."""
        return explain(status, body)

    # For engines of which more is known

    def adapt_chat(self, request: ChatRequest, model: KnownModel, body: dict[str, Any]) -> None:
        """Refuse what this engine would ignore; say in its words what it says differently."""

    def adapt_completion(self, request: CompletionRequest, body: dict[str, Any]) -> None:
        """The same for completions."""

    def adapt_embeddings(self, request: EmbeddingsRequest, body: dict[str, Any]) -> None:
        """The same for embeddings. Whether dimensions were honoured shows in the answer."""
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions


def output_limit(request: ChatRequest | CompletionRequest, allowed: int) -> int:
    """How many tokens the reply may have: what the client wants, at most what is allowed."""
    wanted = request.max_tokens
    if isinstance(request, ChatRequest) and request.max_completion_tokens is not None:
        wanted = request.max_completion_tokens
    return allowed if wanted is None else min(wanted, allowed)


def require_chosen_tool(request: ChatRequest, body: dict[str, Any]) -> None:
    """Where an engine knows no `tool_choice` that names a function: with that one tool on offer,
    "required" can mean no other. Raises PeerError invalid_request for a name not in `tools`."""
    if isinstance(request.tool_choice, ChosenTool):
        body["tools"] = [_chosen(request, request.tool_choice)]
        body["tool_choice"] = "required"


def refuse_suffix(request: CompletionRequest) -> None:
    """Where an engine's /v1/completions would ignore it. Raises PeerError unsupported_parameter."""
    if request.suffix is not None:
        raise unsupported("suffix", "This rig's engine can't fill in text before a suffix.")


def _chosen(request: ChatRequest, choice: ChosenTool) -> Tool:
    for tool in request.tools or ():
        if tool.function.name == choice.function.name:
            return tool
    raise PeerError(
        "invalid_request",
        "`tool_choice` names a function that isn't in `tools`.",
        param="tool_choice",
    )


def _known(card: _Card) -> KnownModel:
    context = card.max_model_len or card.context_length or card.n_ctx
    offer = Offer(
        model=public_name(card.id),
        context_length=bounded_context(context),
        capabilities=["chat", "completion"],
    )
    return KnownModel(offer=offer, engine_name=card.id)


def _given(names: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _plain(message: AnyMessage) -> AnyMessage:
    """A message without what only OpenAI's own models know."""
    if isinstance(message, DeveloperMessage):
        return SystemMessage(name=message.name, content=message.content)
    if isinstance(message, AssistantMessage) and message.annotations is not None:
        return msgspec.structs.replace(message, annotations=None)
    return message


def _call(
    path: str,
    request: ChatRequest | CompletionRequest,
    model: KnownModel,
    body: dict[str, Any],
    max_output_tokens: int,
) -> Call:
    """Always streamed: llama-server runs a reply that isn't streamed to its end, client or not."""
    body["model"] = model.engine_name
    body["max_tokens"] = output_limit(request, max_output_tokens)
    body["stream"] = True
    body["stream_options"] = _WITH_USAGE
    return Call(path, msgspec.json.encode(body), SseDecoder(model=request.model))
