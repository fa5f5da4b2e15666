"""What engines say of their models, brought into one form."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from luckrig.nodeproxy.engines.base import EngineOffer, EngineStatus
from luckrig.nodeproxy.upstream import Answer
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.openai.requests import ChatRequest, ImagePart, UserMessage
from luckrig.protocol.text import check_label

T = TypeVar("T")

MAX_MODELS: Final = 64
"""A descriptor holds no more offers."""

_MAX_CONTEXT: Final = 10**9
_MAX_PARAMETERS: Final = 10**14

_QUANTIZED: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:AWQ|GPTQ(?:-Int[2-8])?|(?:NV|MX)?FP[48]|BF16|FP16|INT[48]|W\dA\d{1,2}|BNB-4bit"
    r"|I?Q\d_[A-Z0-9_]{1,8})(?![A-Za-z0-9])",
    re.IGNORECASE,
)

_SCALES: Final = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_SIZES: Final = {"Small": "S", "Medium": "M", "Large": "L"}


@dataclass(frozen=True, kw_only=True)
class KnownModel:
    """An offer, and what the engine itself calls the model.

    text, tools, vision, effort, logprobs: whether it can write at all, use tools, read images,
    follow a reasoning effort, give logprobs. None where the engine doesn't say; then the engine
    decides.
    """

    offer: EngineOffer
    engine_name: str
    text: bool | None = None
    tools: bool | None = None
    vision: bool | None = None
    effort: bool | None = None
    logprobs: bool | None = None


class ModelBook:
    """The models of the last survey, by the name that clients use."""

    def __init__(self) -> None:
        self._models: dict[str, KnownModel] = {}

    def learn(self, models: Iterable[KnownModel]) -> tuple[EngineOffer, ...]:
        """Replace what was known; returns what can be offered.

        Left out: a second model of the same name, and names that no map would show.
        """
        self._models = {}
        for model in models:
            if len(self._models) < MAX_MODELS and _is_label(model.offer.model):
                self._models.setdefault(model.offer.model, model)
        return tuple(model.offer for model in self._models.values())

    def find_writer(self, name: str) -> KnownModel:
        """A model that writes text. Raises PeerError model_not_found or unsupported_parameter."""
        model = self.find(name)
        if model.text is False:
            raise unsupported("model", "This model only makes embeddings: use /v1/embeddings.")
        return model

    def find(self, name: str) -> KnownModel:
        """The model of that name. Raises PeerError model_not_found."""
        try:
            return self._models[name]
        except KeyError:
            raise PeerError(
                "model_not_found",
                "This rig doesn't offer that model; see /v1/models.",
                param="model",
            ) from None


def read_answer(answer: Answer | None, type: type[T]) -> T | None:
    """A survey's answer as `type`; None unless it came, with status 200, and fits."""
    if answer is None or answer.status != 200:
        return None
    try:
        return msgspec.json.decode(answer.body, type=type)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def status_of(answer: Answer | None) -> EngineStatus:
    """What it means that the question every engine of this kind answers has no good answer."""
    if answer is None:
        return "down"
    if answer.status == 401:
        return "locked"
    return "loading" if answer.status == 503 and b"oading" in answer.body else "down"


def refuse_unknown_skills(request: ChatRequest, model: KnownModel) -> None:
    """Raise unsupported_parameter for tools or images that the model is known not to take, and
    for top_logprobs that an engine would ignore."""
    if request.top_logprobs and not request.logprobs:
        raise unsupported("top_logprobs", "It needs `logprobs`: true.")
    if request.tools and model.tools is False:
        raise unsupported("tools", "This model can't use tools.")
    if model.vision is False and _has_images(request):
        raise unsupported("messages", "This model can't read images.")


def unsupported(param: str, message: str) -> PeerError:
    """A field that the engine would ignore. Silence would be a wrong answer."""
    return PeerError("unsupported_parameter", message, param=param)


def label_or_none(text: str | None) -> str | None:
    """A text that the map would show, or None: an engine's odd name must not stop a node."""
    try:
        check_label(text or "", field="engine")
    except LuckrigError:
        return None
    return text


def bounded_context(tokens: int | None) -> int | None:
    """A context length that a descriptor takes, or None."""
    return tokens if tokens is not None and 0 < tokens <= _MAX_CONTEXT else None


def bounded_parameters(count: int | None) -> int | None:
    """A number of weights that a descriptor takes, or None."""
    return count if count is not None and 0 < count <= _MAX_PARAMETERS else None


def public_name(engine_name: str) -> str:
    """A model's name for clients: of a file path only the file's own name, so that nobody learns
    the owner's folders. `org/model` and `model:tag` are names and stay."""
    looks_like_path = re.match(r"[/\\~.]|[A-Za-z]:[/\\]", engine_name) or engine_name.endswith(
        ".gguf"
    )
    if not looks_like_path:
        return engine_name
    return re.split(r"[/\\]", engine_name.rstrip("/\\"))[-1].removesuffix(".gguf")


def count_parameters(text: str) -> int | None:
    """ "7.6B" is 7_600_000_000. None for what isn't a count."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*([KMBT]?)", text.strip(), re.IGNORECASE)
    if match is None:
        return None
    return bounded_parameters(round(float(match[1]) * _SCALES[match[2].upper()]))


def clean_quantization(text: str | None) -> str | None:
    """llama.cpp's long names ("Q4_K - Medium", "all F32", "IQ4_XS - 4.25 bpw") made short."""
    if not text:
        return None
    name, _, detail = text.removeprefix("(guessed) ").removeprefix("all ").partition(" - ")
    size = _SIZES.get(detail.split(" ")[0])
    name = f"{name.split(' ')[0]}_{size}" if size else name.split(" ")[0]
    return name if re.fullmatch(r"[\w.+-]{1,32}", name) and name.lower() != "unknown" else None


def named_quantization(model: str) -> str | None:
    """The quantisation that a repository's or folder's name tells: `AWQ` of `org/Qwen3-8B-AWQ`.

    None where the name tells none: what isn't said isn't guessed.
    """
    match = _QUANTIZED.search(re.split(r"[/\\]", model.rstrip("/\\"))[-1])
    return match[0].upper() if match else None


def _has_images(request: ChatRequest) -> bool:
    return any(
        isinstance(part, ImagePart)
        for message in request.messages
        if isinstance(message, UserMessage)
        for part in message.content
    )


def _is_label(name: str) -> bool:
    return label_or_none(name) is not None
