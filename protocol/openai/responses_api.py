"""What clients send to POST /v1/responses.

Strict like requests.py, whose parts are used where the two APIs agree; responses_chat.py turns it
into a chat. A rig keeps nothing, so whatever names something kept (previous_response_id,
conversation, prompt, background, an item_reference) is refused. What OpenAI's own answers hold may
come back as input, field by field.

Accepted and without effect, because the answer is the same:

| field                                    | why                                             |
|------------------------------------------|-------------------------------------------------|
| user, safety_identifier                  | OpenAI's abuse checks, by person                |
| prompt_cache_key                         | one of OpenAI's caches                          |
| store (false only), service_tier         | a rig keeps nothing and has no price classes    |
| include: reasoning.encrypted_content     | reasoning comes in clear and may be sent back   |
| reasoning.summary: "auto"                | there is the whole reasoning instead            |
| max_tool_calls                           | bounds OpenAI's own tools, which no rig has     |
| stream_options                           | pads the events                                 |
| the id, status, phase of an input item   | labels of an earlier answer                     |
"""

from typing import Annotated, Any, Final, Literal, cast

from msgspec import Meta, field

from luckrig.protocol import strictjson
from luckrig.protocol.openai.requests import (
    FunctionName,
    Identifier,
    ImageData,
    JsonFormat,
    JsonObject,
    Metadata,
    Probability,
    Temperature,
    TextFormat,
    TokenCount,
    Wire,
)

Label = Annotated[str, Meta(max_length=256)]
Nothing = Annotated[list[Any], Meta(max_length=0)]
Status = Literal["in_progress", "completed", "incomplete"]


# Parts of a message


class InputText(Wire, frozen=True, kw_only=True, tag_field="type", tag="input_text"):
    """Text from the user, or instructions."""

    text: str


class InputImage(Wire, frozen=True, kw_only=True, tag_field="type", tag="input_image"):
    """An image, written out in its URL."""

    image_url: ImageData
    detail: Literal["auto", "low", "high"] | None = None
    file_id: None = None


class OutputText(Wire, frozen=True, kw_only=True, tag_field="type", tag="output_text"):
    """Text of an earlier answer."""

    text: str
    annotations: Nothing | None = None
    logprobs: Nothing | None = None


class Refusal(Wire, frozen=True, kw_only=True, tag_field="type", tag="refusal"):
    """An earlier answer in which the model refused."""

    refusal: str


MessagePart = InputText | InputImage | OutputText | Refusal


# Items


class InputMessage(Wire, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """A message. Which parts a role may have is checked in responses_chat.py."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | Annotated[list[MessagePart], Meta(min_length=1)]
    id: Label | None = None
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class FunctionCallItem(Wire, frozen=True, kw_only=True, tag_field="type", tag="function_call"):
    """A call the model made earlier. arguments: JSON as the model wrote it."""

    call_id: Identifier
    name: Identifier
    arguments: str
    id: Label | None = None
    status: Status | None = None


class FunctionOutputItem(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="function_call_output"
):
    """What a function returned."""

    call_id: Identifier
    output: str | list[InputText]
    id: Label | None = None
    status: Status | None = None


class ReasoningText(Wire, frozen=True, kw_only=True, tag_field="type", tag="reasoning_text"):
    """What the model thought."""

    text: str


class SummaryText(Wire, frozen=True, kw_only=True, tag_field="type", tag="summary_text"):
    """What somebody's service said that the model thought."""

    text: str


class ReasoningItem(Wire, frozen=True, kw_only=True, tag_field="type", tag="reasoning"):
    """Earlier reasoning. Only `content` can be of use here: nobody on a rig could decrypt."""

    summary: list[SummaryText] = field(default_factory=list[SummaryText])
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    id: Label | None = None
    status: Status | None = None


Item = InputMessage | FunctionCallItem | FunctionOutputItem | ReasoningItem


# Tools and formats: flatter than a chat's


class FunctionTool(Wire, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """What the model may call. parameters: a JSON Schema."""

    name: FunctionName
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None


class ChosenFunctionTool(Wire, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """The function that the model has to call."""

    name: FunctionName


class SchemaFormat(Wire, frozen=True, kw_only=True, tag_field="type", tag="json_schema"):
    """JSON that follows a schema. strict: exactly."""

    name: FunctionName
    schema: JsonObject
    description: str | None = None
    strict: bool | None = None


class TextConfig(Wire, frozen=True, kw_only=True):
    """The form of the answer's text."""

    format: TextFormat | JsonFormat | SchemaFormat | None = None
    verbosity: Literal["medium"] | None = None


class Reasoning(Wire, frozen=True, kw_only=True):
    """How much to think."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto"] | None = None
    generate_summary: Literal["auto"] | None = None


class ResponseStreamOptions(Wire, frozen=True, kw_only=True):
    """include_obfuscation: pad the events."""

    include_obfuscation: bool | None = None


class ResponsesRequest(Wire, frozen=True, kw_only=True):
    """The body of POST /v1/responses."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    input: str | Annotated[list[Item], Meta(min_length=1, max_length=1900)]
    instructions: str | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    max_output_tokens: TokenCount | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    tools: Annotated[list[FunctionTool], Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenFunctionTool | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: TokenCount | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    include: Annotated[list[Literal["reasoning.encrypted_content"]], Meta(max_length=8)] | None = (
        None
    )
    metadata: Metadata | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None
    safety_identifier: Annotated[str, Meta(max_length=512)] | None = None
    prompt_cache_key: Annotated[str, Meta(max_length=512)] | None = None
    service_tier: Literal["auto", "default"] | None = None
    truncation: Literal["disabled"] | None = None
    store: Literal[False] | None = None
    background: Literal[False] | None = None
    previous_response_id: None = None
    conversation: None = None
    prompt: None = None


_STATELESS: Final = "A rig keeps nothing: send the whole conversation as `input`."
_NAME: Final = "A name is 1 to 64 letters, digits, underscores and hyphens."

_HINTS: Final = {
    "input[].type": (
        "Items are message, function_call, function_call_output and reasoning. "
        "A rig keeps nothing that an item_reference could name."
    ),
    "input[].role": "Roles are user, assistant, system and developer.",
    "input[].content[].type": "Parts are input_text, input_image, output_text and refusal.",
    "input[].content[].image_url": (
        "Send the image itself as data:image/png;base64,... (or jpeg, webp, gif, bmp). "
        "A rig never fetches a remote URL or a file."
    ),
    "input[].content[].file_id": _STATELESS,
    "input[].output[].type": "What a function returns is text: parts are input_text.",
    "tools[].type": "Tools are functions.",
    "tools[].name": _NAME,
    "tool_choice": "It is none, auto, required, or names one function.",
    "tool_choice.type": "It is none, auto, required, or names one function.",
    "tool_choice.name": _NAME,
    "text.format.type": "Formats are text, json_object and json_schema.",
    "text.format.name": _NAME,
    "text.verbosity": 'Models here have no levels of verbosity: leave it out or send "medium".',
    "reasoning.effort": "Efforts are none, minimal, low, medium, high, xhigh and max.",
    "reasoning.summary": 'Reasoning comes whole: leave it out or send "auto".',
    "reasoning.generate_summary": 'Reasoning comes whole: leave it out or send "auto".',
    "include[]": "Only reasoning.encrypted_content can be asked for.",
    "service_tier": 'A rig has no price classes: leave it out or send "auto".',
    "truncation": 'A rig never cuts a conversation silently: leave it out or send "disabled".',
    "store": "A rig stores nothing: leave it out or send false.",
    "background": "A rig answers while you wait: leave it out or send false.",
    "previous_response_id": _STATELESS,
    "conversation": _STATELESS,
    "prompt": _STATELESS,
}


def parse_responses(body: bytes) -> ResponsesRequest:
    """Read a request. Raises PeerError "invalid_json" or "invalid_request"."""
    document = strictjson.decode(body, dict[str, Any], hints=_HINTS)
    if _name_messages(document.get("input")):
        body = strictjson.encode(document)
    return strictjson.decode(body, ResponsesRequest, hints=_HINTS)


def _name_messages(items: object) -> bool:
    """Write the type of messages that come without one, as OpenAI lets them. Whether any did."""
    if not isinstance(items, list):
        return False
    found = False
    for item in cast("list[object]", items):
        if isinstance(item, dict) and "type" not in item and "role" in item:
            cast("dict[str, object]", item)["type"] = "message"
            found = True
    return found
