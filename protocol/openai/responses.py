"""What engines stream, and what clients get in one piece.

Decoding is lenient, for engines differ: fields we don't use are ignored, any field may be missing,
and null is read wherever an engine was seen to send it. Encoding follows OpenAI's shape, plus one
object of our own, `luckrig`.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from luckrig.protocol.errors import UpstreamError
from luckrig.protocol.openai.requests import ToolCall

# Decoded: one streamed chunk of any engine


class FunctionDelta(Struct, frozen=True):
    """A piece of a called function's name or arguments."""

    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(Struct, frozen=True):
    """A piece of a tool call; pieces of one call share the index."""

    index: int = 0
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(Struct, frozen=True):
    """What a chat chunk adds. Thoughts come as reasoning_content, or reasoning (Ollama)."""

    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class Choice(Struct, frozen=True):
    """delta: of /v1/chat/completions. text: of /v1/completions."""

    index: int = 0
    delta: Delta | None = None
    text: str | None = None
    logprobs: dict[str, Any] | None = None
    finish_reason: str | None = None


class PromptTokensDetails(Struct, frozen=True):
    """cached_tokens: those of the prompt that the engine needn't read again."""

    cached_tokens: int | None = None


class Usage(Struct, frozen=True):
    """Token counts, as the engine reports them and as the client gets them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: PromptTokensDetails | None = None


class Timings(Struct, frozen=True):
    """llama-server's own figures: _n tokens, _ms milliseconds. The prompt is cache_n + prompt_n."""

    cache_n: int = 0
    prompt_n: int = 0
    prompt_ms: float = 0
    prompt_per_second: float | None = None
    predicted_n: int = 0
    predicted_ms: float = 0
    predicted_per_second: float | None = None


class ChatChunk(Struct, frozen=True):
    """One event of an engine's stream, of either route. error: it broke off after the start."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    error: Any = None


def parse_chunk(data: bytes) -> ChatChunk:
    """Read one event's data, which is not `[DONE]`. Raises UpstreamError "engine_error"."""
    try:
        return msgspec.json.decode(data, type=ChatChunk)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamError("engine_error", "The engine sent a chunk of no known shape.") from error


# Encoded: whole answers


class AnswerMessage(Struct, frozen=True, kw_only=True, tag_field="role", tag="assistant"):
    """The whole answer of a chat."""

    content: str | None
    refusal: str | None = None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET


class ChatChoice(Struct, frozen=True, kw_only=True):
    """The one answer, and why it ended."""

    index: int = 0
    message: AnswerMessage
    logprobs: dict[str, Any] | None = None
    finish_reason: str


class ChatCompletion(Struct, frozen=True, kw_only=True, tag_field="object", tag="chat.completion"):
    """A chat's answer in one piece. created: Unix seconds."""

    id: str
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage | None = None
    luckrig: dict[str, Any] | UnsetType = UNSET


class TextChoice(Struct, frozen=True, kw_only=True):
    """The one continuation, and why it ended."""

    index: int = 0
    text: str
    logprobs: dict[str, Any] | None = None
    finish_reason: str


class Completion(Struct, frozen=True, kw_only=True, tag_field="object", tag="text_completion"):
    """A text's continuation in one piece. created: Unix seconds."""

    id: str
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage | None = None
    luckrig: dict[str, Any] | UnsetType = UNSET


class Model(Struct, frozen=True, kw_only=True, tag_field="object", tag="model"):
    """A model that this rig offers. created: Unix seconds."""

    id: str
    created: int
    owned_by: str
    luckrig: dict[str, Any] | UnsetType = UNSET


class ModelList(Struct, frozen=True, kw_only=True, tag_field="object", tag="list"):
    """The answer to GET /v1/models."""

    data: list[Model]
