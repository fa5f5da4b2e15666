"""ollama, by its native API.

Not offered: models that run in somebody's cloud, wherever ollama says so: remote_host or
remote_model in its list, in what it shows of a model, and at last in a reply, which ends then.
Models that only embed come last. How long a model stays in memory (keep_alive) is the owner's
business and never a client's: no request has that field.
"""

import re
import secrets
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, ClassVar, Final

import msgspec

from luckrig.nodeproxy.engines.base import Call, EmbeddingsCall, EngineState, Question, Survey
from luckrig.nodeproxy.engines.embeddings import explain_fault, read_ollama
from luckrig.nodeproxy.engines.faults import explain
from luckrig.nodeproxy.engines.models import (
    MAX_MODELS,
    KnownModel,
    ModelBook,
    bounded_context,
    bounded_parameters,
    clean_quantization,
    count_parameters,
    label_or_none,
    read_answer,
    status_of,
)
from luckrig.nodeproxy.engines.ollama_request import chat_body, completion_body
from luckrig.nodeproxy.engines.ollama_stream import OllamaDecoder
from luckrig.nodeproxy.upstream import Answer
from luckrig.protocol.descriptor import Capability, EngineKind, Offer
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.openai.embeddings import EmbeddingsRequest
from luckrig.protocol.openai.requests import ChatRequest, CompletionRequest

_LOGPROBS_SINCE: Final = (0, 12, 11)


class Version(msgspec.Struct):
    """GET /api/version."""

    version: str


class _Details(msgspec.Struct):
    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""


class _Tag(msgspec.Struct):
    """A model of /api/tags. remote_host or remote_model: it runs in a cloud, not here."""

    model: str
    digest: str = ""
    details: _Details = msgspec.field(default_factory=_Details)
    capabilities: list[str] | None = None
    remote_host: str | None = None
    remote_model: str | None = None


class _Tags(msgspec.Struct):
    models: list[_Tag] = []


class _Loaded(msgspec.Struct):
    model: str
    context_length: int | None = None


class _LoadedModels(msgspec.Struct):
    models: list[_Loaded] = []


class _Shown(msgspec.Struct):
    """POST /api/show. capabilities are missing before 0.6.4; the template then tells of tools."""

    parameters: str = ""
    template: str = ""
    model_info: dict[str, Any] = {}
    capabilities: list[str] | None = None
    projector_info: dict[str, Any] | None = None
    remote_host: str | None = None
    remote_model: str | None = None


class Ollama:
    """The dialect of ollama.

    num_ctx: the context length that the owner wants models loaded with; None leaves it to ollama.
    One value for all requests, for each change makes ollama load the model again.
    """

    kind: ClassVar[EngineKind] = "ollama"

    def __init__(
        self,
        *,
        num_ctx: int | None = None,
        new_id: Callable[[], str] = lambda: secrets.token_hex(12),
    ) -> None:
        self._num_ctx = num_ctx
        self._new_id = new_id
        self._models = ModelBook()
        self._shown: dict[str, _Shown] = {}  # by digest: what a model is doesn't change
        self._contexts: dict[str, int] = {}  # by digest: the last one that was really loaded

    def survey(self) -> Survey:
        """See base.Dialect."""
        answer = yield Question("/api/version")
        version = read_answer(answer, Version)
        if version is None:
            return EngineState(kind=self.kind, status=status_of(answer))
        tags = read_answer((yield Question("/api/tags")), _Tags)
        if tags is None:
            return EngineState(kind=self.kind, status="down")
        loaded = read_answer((yield Question("/api/ps")), _LoadedModels) or _LoadedModels()
        local = [tag for tag in tags.models if not (tag.remote_host or tag.remote_model)]
        local = local[:MAX_MODELS]
        yield from self._show_new(local)
        self._note_contexts(local, loaded.models)
        knows_logprobs = _version_tuple(version.version) >= _LOGPROBS_SINCE
        known = [self._known(tag, knows_logprobs=knows_logprobs) for tag in local]
        return EngineState(
            kind=self.kind,
            status="ready",
            version=label_or_none(version.version),
            offers=self._models.learn(sorted(filter(None, known), key=_only_embeds)),
        )

    def chat(self, request: ChatRequest, *, max_output_tokens: int) -> Call:
        """See base.Dialect."""
        model = self._models.find_writer(request.model)
        body = chat_body(request, model, max_output_tokens=max_output_tokens, num_ctx=self._num_ctx)
        decoder = OllamaDecoder(
            model=request.model, reply_id=f"chatcmpl-{self._new_id()}", form="chat"
        )
        return Call("/api/chat", msgspec.json.encode(body), decoder)

    def completion(self, request: CompletionRequest, *, max_output_tokens: int) -> Call:
        """See base.Dialect."""
        model = self._models.find_writer(request.model)
        body = completion_body(
            request, model, max_output_tokens=max_output_tokens, num_ctx=self._num_ctx
        )
        decoder = OllamaDecoder(
            model=request.model, reply_id=f"cmpl-{self._new_id()}", form="completion"
        )
        return Call("/api/generate", msgspec.json.encode(body), decoder)

    def embeddings(self, request: EmbeddingsRequest) -> EmbeddingsCall:
        """See base.Dialect. Natively, for its OpenAI layer cuts what is too long."""
        model = self._models.find(request.model)
        body: dict[str, Any] = {
            "model": model.engine_name,
            "input": request.inputs,
            "truncate": False,
        }
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        if self._num_ctx is not None:
            body["options"] = {"num_ctx": self._num_ctx}
        return EmbeddingsCall(
            "/api/embed",
            msgspec.json.encode(body),
            partial(read_ollama, request=request),
            partial(explain_fault, remedy="GET /v1/models tells which models do."),
        )

    def fault(self, status: int, body: bytes) -> LuckrigError:
        """See base.Dialect."""
        return explain(status, body)

    def _show_new(self, tags: list[_Tag]) -> Generator[Question, Answer | None, None]:
        """Ask once for what /api/tags doesn't tell."""
        self._shown = {key: self._shown[key] for tag in tags if (key := _key(tag)) in self._shown}
        for tag in tags:
            if _key(tag) not in self._shown:
                body = msgspec.json.encode({"model": tag.model})
                shown = read_answer((yield Question("/api/show", "POST", body)), _Shown)
                if shown is not None:
                    self._shown[_key(tag)] = shown

    def _note_contexts(self, tags: list[_Tag], loaded: list[_Loaded]) -> None:
        now = {model.model: bounded_context(model.context_length) for model in loaded}
        known = ((_key(tag), now.get(tag.model) or self._contexts.get(_key(tag))) for tag in tags)
        self._contexts = {key: context for key, context in known if context}

    def _known(self, tag: _Tag, *, knows_logprobs: bool) -> KnownModel | None:
        shown = self._shown.get(_key(tag), _Shown())
        if shown.remote_host or shown.remote_model:  # which /api/tags of some versions leaves out
            return None
        skills = _skills(tag, shown)
        capabilities: list[Capability] = []
        if "completion" in skills:
            capabilities.extend(("chat", "completion"))
        if "embedding" in skills:
            capabilities.append("embedding")
        if not capabilities:
            return None
        if "tools" in skills:
            capabilities.append("tools")
        if "vision" in skills:
            capabilities.append("vision")
        return KnownModel(
            offer=Offer(
                model=tag.model,
                family=label_or_none(tag.details.family),
                parameters=_parameters(tag, shown),
                quantization=clean_quantization(tag.details.quantization_level),
                context_length=self._context(tag, shown),
                capabilities=capabilities,
            ),
            engine_name=tag.model,
            text="completion" in skills,
            tools="tools" in skills,
            vision="vision" in skills,
            effort="thinking" in skills,
            logprobs=knows_logprobs,
        )

    def _context(self, tag: _Tag, shown: _Shown) -> int | None:
        """What a request gets: the owner's wish, or what is or was loaded, or the Modelfile's.

        None for a model not loaded yet: ollama's default depends on the VRAM that is free then.
        """
        trained = _trained_context(shown)
        chosen = self._num_ctx or self._contexts.get(_key(tag)) or _modelfile_context(shown)
        return min(chosen, trained) if chosen and trained else chosen


def _only_embeds(model: KnownModel) -> bool:
    return model.text is False


def _key(tag: _Tag) -> str:
    return tag.digest or tag.model


def _skills(tag: _Tag, shown: _Shown) -> set[str]:
    told = tag.capabilities if shown.capabilities is None else shown.capabilities
    if told is not None:
        return set(told)
    skills = {"completion"}
    if ".Tools" in shown.template:
        skills.add("tools")
    if shown.projector_info:
        skills.add("vision")
    return skills


def _parameters(tag: _Tag, shown: _Shown) -> int | None:
    exact = shown.model_info.get("general.parameter_count")
    if isinstance(exact, int):
        return bounded_parameters(exact)
    return count_parameters(tag.details.parameter_size)


def _trained_context(shown: _Shown) -> int | None:
    architecture = shown.model_info.get("general.architecture")
    context = shown.model_info.get(f"{architecture}.context_length")
    return bounded_context(context) if isinstance(context, int) else None


def _modelfile_context(shown: _Shown) -> int | None:
    match = re.search(r"^num_ctx\s+(\d{1,9})\s*$", shown.parameters, re.MULTILINE)
    return bounded_context(int(match[1])) if match else None


def _version_tuple(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d{1,6}", version)[:3])
