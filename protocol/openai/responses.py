"""What clients get in one piece: OpenAI's shape, plus one object of our own, `luckrig`.

Streamed replies are the engine's own documents; nodeproxy/engines/chunks.py reads them.
"""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from luckrig.protocol.openai.requests import ToolCall


class PromptTokensDetails(Struct, frozen=True):
    """cached_tokens: those of the prompt that the engine needn't read again."""

    cached_tokens: int | None = None


class Usage(Struct, frozen=True):
    """Token counts of one request."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: PromptTokensDetails | None = None


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
