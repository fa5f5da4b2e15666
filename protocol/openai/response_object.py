"""What POST /v1/responses answers: the Response object and the items of its output.

Every field that OpenAI's own client demands is there, with the value that is true of a rig: nothing
stored, nothing in the background, nothing cut silently.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from luckrig.protocol.openai.requests import TextFormat
from luckrig.protocol.openai.responses_api import (
    ChosenFunctionTool,
    FunctionTool,
    ResponsesRequest,
    TextConfig,
)

ItemStatus = Literal["in_progress", "completed", "incomplete"]
ResponseStatus = Literal["in_progress", "completed", "incomplete", "failed"]


class OutputText(Struct, frozen=True, kw_only=True, tag_field="type", tag="output_text"):
    """Text of the answer."""

    text: str
    annotations: tuple[()] = ()
    logprobs: tuple[()] = ()


class Refusal(Struct, frozen=True, kw_only=True, tag_field="type", tag="refusal"):
    """The model refuses, and says so."""

    refusal: str


class ReasoningText(Struct, frozen=True, kw_only=True, tag_field="type", tag="reasoning_text"):
    """What the model thought, in clear."""

    text: str


class MessageItem(Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """The visible answer."""

    id: str
    status: ItemStatus
    content: Sequence[OutputText | Refusal]
    role: Literal["assistant"] = "assistant"


class ReasoningItem(Struct, frozen=True, kw_only=True, tag_field="type", tag="reasoning"):
    """The reasoning before it. There is no summary: it is all here."""

    id: str
    status: ItemStatus
    content: Sequence[ReasoningText]
    summary: tuple[()] = ()


class FunctionCallItem(Struct, frozen=True, kw_only=True, tag_field="type", tag="function_call"):
    """A function that the client should call. call_id: what its output has to name."""

    id: str
    call_id: str
    status: ItemStatus
    name: str
    arguments: str


OutputItem = MessageItem | ReasoningItem | FunctionCallItem


class InputTokensDetails(Struct, frozen=True):
    """cached_tokens: those of the prompt that the engine needn't read again."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(Struct, frozen=True):
    """Engines don't count reasoning apart: it is among the output tokens."""

    reasoning_tokens: int = 0


class ResponseUsage(Struct, frozen=True, kw_only=True):
    """Token counts of one request."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails = OutputTokensDetails()
    total_tokens: int


class IncompleteDetails(Struct, frozen=True):
    """Why the answer ends early."""

    reason: Literal["max_output_tokens", "content_filter"]


class ResponseError(Struct, frozen=True):
    """Why there is no whole answer."""

    code: str
    message: str


class ReasoningConfig(Struct, frozen=True):
    """How much was to be thought."""

    effort: str | None = None
    summary: None = None


class Response(Struct, frozen=True, kw_only=True, tag_field="object", tag="response"):
    """The answer. created_at: Unix seconds. What the request set comes back."""

    id: str
    created_at: int
    status: ResponseStatus
    model: str
    background: bool = False
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    metadata: dict[str, str]
    output: Sequence[OutputItem] = ()
    parallel_tool_calls: bool = True
    previous_response_id: None = None
    reasoning: ReasoningConfig
    store: bool = False
    temperature: float | None = None
    text: TextConfig
    tool_choice: str | ChosenFunctionTool = "auto"
    tools: Sequence[dict[str, Any]] = ()
    top_p: float | None = None
    truncation: Literal["disabled"] = "disabled"
    usage: ResponseUsage | None = None
    luckrig: dict[str, Any] | UnsetType = UNSET


def begin_response(asked: ResponsesRequest, *, response_id: str, created_at: int) -> Response:
    """The answer to a request before there is any of it."""
    wanted = asked.text.format if asked.text else None
    return Response(
        id=response_id,
        created_at=created_at,
        status="in_progress",
        model=asked.model,
        instructions=asked.instructions,
        max_output_tokens=asked.max_output_tokens,
        metadata=asked.metadata or {},
        parallel_tool_calls=asked.parallel_tool_calls is not False,
        reasoning=ReasoningConfig(effort=asked.reasoning.effort if asked.reasoning else None),
        temperature=asked.temperature,
        text=TextConfig(format=wanted or TextFormat()),
        tool_choice=asked.tool_choice or "auto",
        tools=[_shown(tool) for tool in asked.tools or ()],
        top_p=asked.top_p,
    )


def _shown(tool: FunctionTool) -> dict[str, Any]:
    """With its nulls, which OpenAI's client wants to see."""
    return {"type": "function", **msgspec.structs.asdict(tool)}
