"""OpenAI's requests in the words of ollama's native API.

The native API, because its OpenAI layer can set no context length, cuts a prompt that is too long
without a word, and reports no timings.

| OpenAI                          | ollama                                                      |
|---------------------------------|-------------------------------------------------------------|
| developer                       | system                                                      |
| content parts                   | content (texts joined by newlines), images (base64)         |
| tool_calls[].function.arguments | an object instead of a string                               |
| tool_call_id                    | tool_call_id, and tool_name of the call                     |
| response_format                 | format: "json" or the schema                                |
| reasoning_effort                | think: false, "low", "medium", "high"                       |
| max tokens                      | options.num_predict                                         |
| tool_choice "none"              | no tools                                                    |
| tool_choice otherwise, logit_bias, parallel_tool_calls false | refused: it would ignore them  |
"""

from typing import Any, Final

import msgspec

from luckrig.nodeproxy.engines.models import KnownModel, refuse_unknown_skills, unsupported
from luckrig.nodeproxy.engines.openai_compatible import output_limit
from luckrig.protocol.errors import PeerError
from luckrig.protocol.openai.requests import (
    AnyMessage,
    AssistantMessage,
    ChatRequest,
    CompletionRequest,
    FunctionCall,
    JsonFormat,
    JsonSchemaFormat,
    Text,
    TextAndImages,
    TextPart,
    Tool,
    ToolCall,
    ToolMessage,
    UserMessage,
)

OPTIONS: Final = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")
_THINK: Final[dict[str, bool | str]] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
# Without these two, ollama drops the start of a prompt that is too long, and forgets it while it
# writes. Versions before 0.12.6 know neither.
_NO_SILENT_CUTS: Final = {"truncate": False, "shift": False}


def chat_body(
    request: ChatRequest, model: KnownModel, *, max_output_tokens: int, num_ctx: int | None
) -> dict[str, Any]:
    """The body of /api/chat. num_ctx: the context to load the model with, None for ollama's own.

    Raises PeerError for what ollama would ignore.
    """
    _refuse_ignored(request, model)
    names = _function_names(request.messages)
    body = _common(request, model, max_output_tokens, num_ctx)
    body["messages"] = [_message(message, names) for message in request.messages]
    if request.tools and request.tool_choice != "none":
        body["tools"] = [_tool(tool) for tool in request.tools]
    if isinstance(request.response_format, JsonFormat):
        body["format"] = "json"
    elif isinstance(request.response_format, JsonSchemaFormat):
        body["format"] = request.response_format.json_schema.schema or "json"
    if request.reasoning_effort is not None:
        body["think"] = _THINK[request.reasoning_effort]
    if request.logprobs:
        body["logprobs"] = True
        body["top_logprobs"] = request.top_logprobs or 0
    return body


def completion_body(
    request: CompletionRequest, model: KnownModel, *, max_output_tokens: int, num_ctx: int | None
) -> dict[str, Any]:
    """The body of /api/generate. A plain prompt goes to the model as it is, without template."""
    if request.logprobs is not None:
        raise unsupported("logprobs", "This rig's engine gives logprobs for chats only.")
    _refuse_logit_bias(request)
    body = _common(request, model, max_output_tokens, num_ctx)
    body["prompt"] = request.prompt_text
    if request.suffix is None:
        body["raw"] = True
    else:
        body["suffix"] = request.suffix
    return body


def _common(
    request: ChatRequest | CompletionRequest,
    model: KnownModel,
    max_output_tokens: int,
    num_ctx: int | None,
) -> dict[str, Any]:
    options: dict[str, Any] = {
        name: value for name in OPTIONS if (value := getattr(request, name)) is not None
    }
    if request.stop is not None:
        options["stop"] = [request.stop] if isinstance(request.stop, str) else request.stop
    options["num_predict"] = output_limit(request, max_output_tokens)
    if num_ctx is not None:
        options["num_ctx"] = num_ctx
    return {"model": model.engine_name, "stream": True, "options": options} | _NO_SILENT_CUTS


def _refuse_ignored(request: ChatRequest, model: KnownModel) -> None:
    _refuse_logit_bias(request)
    refuse_unknown_skills(request, model)
    if request.tool_choice not in (None, "auto", "none"):
        raise unsupported("tool_choice", "This rig's engine can't be made to call a tool.")
    if request.tools and request.parallel_tool_calls is False:
        raise unsupported(
            "parallel_tool_calls", "This rig's engine can't be kept from calling several tools."
        )
    if request.reasoning_effort not in (None, "none") and model.effort is False:
        raise unsupported("reasoning_effort", "This model has no levels of reasoning effort.")
    if request.logprobs and model.logprobs is False:
        raise unsupported("logprobs", "This rig's engine is too old for logprobs.")


def _refuse_logit_bias(request: ChatRequest | CompletionRequest) -> None:
    if request.logit_bias:
        raise unsupported("logit_bias", "This rig's engine knows no logit_bias.")


def _message(message: AnyMessage, names: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {"role": "system", "content": _text(message.content)}
    if isinstance(message, UserMessage):
        body["role"] = "user"
        if images := _images(message.content):
            body["images"] = images
    elif isinstance(message, AssistantMessage):
        body["role"] = "assistant"
        if message.reasoning_content:
            body["thinking"] = message.reasoning_content
        if message.tool_calls:
            body["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    elif isinstance(message, ToolMessage):
        body |= {"role": "tool", "tool_call_id": message.tool_call_id}
        body["tool_name"] = message.name or names.get(message.tool_call_id, "")
    return body  # system, and developer, which is the same


def _text(content: Text | TextAndImages | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content if isinstance(part, TextPart))


def _images(content: TextAndImages) -> list[str]:
    """Base64 without the data: prefix, which parsing has checked."""
    if isinstance(content, str):
        return []
    parts = [part for part in content if not isinstance(part, TextPart)]
    return [part.image_url.url.partition(",")[2] for part in parts]


def _tool_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.function.name, "arguments": _arguments(call.function)}
    return {"id": call.id, "function": function}


def _arguments(function: FunctionCall) -> dict[str, Any]:
    try:
        return msgspec.json.decode(function.arguments or "{}", type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise PeerError(
            "invalid_request",
            "The arguments of a tool call in messages aren't a JSON object, which this rig's "
            "engine needs.",
            param="messages",
        ) from error


def _tool(tool: Tool) -> dict[str, Any]:
    function = tool.function
    parameters = function.parameters or {"type": "object", "properties": {}}
    body: dict[str, Any] = {"name": function.name, "parameters": parameters}
    if function.description is not None:
        body["description"] = function.description
    return {"type": "function", "function": body}


def _function_names(messages: list[AnyMessage]) -> dict[str, str]:
    """Which function each call in the conversation was for; ollama's templates want the name."""
    return {
        call.id: call.function.name
        for message in messages
        if isinstance(message, AssistantMessage)
        for call in message.tool_calls or ()
    }
