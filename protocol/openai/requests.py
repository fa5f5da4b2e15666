"""What clients send: POST /v1/chat/completions and /v1/completions.

Exactly these fields, exactly these spellings: the bytes an engine gets are written anew from these
types, so nothing that isn't named here reaches it. Where OpenAI's API takes null, so do we: null
and absent mean the same, and neither is written.

Accepted and not forwarded, because they don't change the answer:

| field                               | what it asks for                        |
|-------------------------------------|-----------------------------------------|
| user, safety_identifier             | OpenAI's abuse checks, by person        |
| prompt_cache_key                    | one of OpenAI's caches                  |
| metadata, store (false only)        | labels and storage; a rig keeps nothing |
| service_tier ("auto" or "default")  | a price class                           |
| modalities, verbosity               | what every model here gives: text, at   |
|                                     | its own length ("medium")               |
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from luckrig.protocol import strictjson

NOT_FORWARDED: Final = frozenset(
    {
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "metadata",
        "store",
        "service_tier",
        "modalities",
        "verbosity",
    }
)

Identifier = Annotated[str, Meta(min_length=1, max_length=256)]
FunctionName = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}\Z")]
# Pixels only: SVG is a document, and one that may name further files to fetch.
ImageData = Annotated[
    str,
    Meta(pattern=r"^data:image/(?:png|jpe?g|webp|gif|bmp);base64,[A-Za-z0-9+/]++={0,2}+\Z"),
]
JsonObject = dict[str, Any]

# Engines keep token counts in 32 bits, and some read a negative one as "no limit".
TokenCount = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Stop = str | Annotated[list[str], Meta(max_length=4)]
LogitBias = Annotated[
    dict[str, Annotated[float, Meta(ge=-100, le=100)]],
    Meta(max_length=300),
]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]],
    Meta(max_length=16),
]


class Wire(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A JSON object of a request: no unknown fields in, no defaults out.

    The two switches are inherited; frozen and kw_only aren't, for a type checker, and so repeated.
    """


# Messages


class TextPart(Wire, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """Text of a message."""

    text: str


class ImageUrl(Wire, frozen=True, kw_only=True):
    """An image, written out in its URL. detail: for engines that scale images."""

    url: ImageData
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Wire, frozen=True, kw_only=True, tag_field="type", tag="image_url"):
    """An image in a user's message, for models that see."""

    image_url: ImageUrl


Text = str | Annotated[list[TextPart], Meta(min_length=1)]
TextAndImages = str | Annotated[list[TextPart | ImagePart], Meta(min_length=1)]


class FunctionCall(Wire, frozen=True, kw_only=True):
    """A call the model made earlier. arguments: JSON as the model wrote it, valid or not."""

    name: Identifier
    arguments: str


class ToolCall(Wire, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """One call of an earlier answer. id: what the tool's message refers to."""

    id: Identifier
    function: FunctionCall


class Message(Wire, frozen=True, kw_only=True, tag_field="role"):
    """What all roles share."""

    name: Identifier | None = None


class SystemMessage(Message, frozen=True, kw_only=True, tag="system"):
    """Instructions of whoever runs the conversation."""

    content: Text


class DeveloperMessage(Message, frozen=True, kw_only=True, tag="developer"):
    """OpenAI's newer name for a system message."""

    content: Text


class UserMessage(Message, frozen=True, kw_only=True, tag="user"):
    """What the user says or shows."""

    content: TextAndImages


class AssistantMessage(Message, frozen=True, kw_only=True, tag="assistant"):
    """An earlier answer. Clients return it as they got it, with fields that only answers have."""

    content: Text | None = None
    tool_calls: Annotated[list[ToolCall], Meta(max_length=128)] | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    annotations: Annotated[list[Any], Meta(max_length=0)] | None = None
    audio: None = None
    function_call: None = None


class ToolMessage(Message, frozen=True, kw_only=True, tag="tool"):
    """What a tool returned."""

    content: Text
    tool_call_id: Identifier


AnyMessage = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


# Tools and formats


class Function(Wire, frozen=True, kw_only=True):
    """What the model may call. parameters: a JSON Schema."""

    name: FunctionName
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None


class Tool(Wire, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """The only kind of tool that engines know: a function."""

    function: Function


class ChosenFunction(Wire, frozen=True, kw_only=True):
    """The name of the function to call."""

    name: FunctionName


class ChosenTool(Wire, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """The function that the model has to call."""

    function: ChosenFunction


class TextFormat(Wire, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """Plain text, the default."""


class JsonFormat(Wire, frozen=True, kw_only=True, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JsonSchema(Wire, frozen=True, kw_only=True):
    """A schema that the answer has to follow. strict: exactly."""

    name: FunctionName
    description: str | None = None
    schema: JsonObject | None = None
    strict: bool | None = None


class JsonSchemaFormat(Wire, frozen=True, kw_only=True, tag_field="type", tag="json_schema"):
    """JSON that follows a schema."""

    json_schema: JsonSchema


class StreamOptions(Wire, frozen=True, kw_only=True):
    """include_usage: end the stream with token counts. include_obfuscation: pad the events."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


# Requests


class Request(Wire, frozen=True, kw_only=True):
    """What both routes share."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: TokenCount | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    stop: Stop | None = None
    seed: Seed | None = None
    n: Literal[1] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: LogitBias | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None


class ChatRequest(Request, frozen=True, kw_only=True):
    """The body of POST /v1/chat/completions."""

    messages: Annotated[list[AnyMessage], Meta(min_length=1, max_length=2000)]
    max_completion_tokens: TokenCount | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: TextFormat | JsonFormat | JsonSchemaFormat | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        None
    )
    safety_identifier: Annotated[str, Meta(max_length=512)] | None = None
    prompt_cache_key: Annotated[str, Meta(max_length=512)] | None = None
    metadata: Metadata | None = None
    store: Literal[False] | None = None
    service_tier: Literal["auto", "default"] | None = None
    modalities: Annotated[list[Literal["text"]], Meta(min_length=1, max_length=1)] | None = None
    verbosity: Literal["medium"] | None = None


class CompletionRequest(Request, frozen=True, kw_only=True):
    """The body of POST /v1/completions. prompt: langchain sends its one text in a list."""

    prompt: str | Annotated[list[str], Meta(min_length=1, max_length=1)]
    suffix: str | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None

    @property
    def prompt_text(self) -> str:
        """The prompt, however it was sent."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]


_ONE_ANSWER: Final = "A rig gives one answer for each request: leave it out or send 1."
_ONE_TEXT: Final = "Send one string: token ids are refused, for no filter could read them."
_NAME: Final = "A name is 1 to 64 letters, digits, underscores and hyphens."

_HINTS: Final[Mapping[str, str]] = {
    "messages[].role": "Roles are system, developer, user, assistant and tool.",
    "messages[].content[].type": "Parts are text and, from the user, image_url.",
    "messages[].content[].image_url.url": (
        "Send the image itself as data:image/png;base64,... (or jpeg, webp, gif, bmp). "
        "A rig never fetches a remote URL or a file."
    ),
    "prompt": _ONE_TEXT,
    "prompt[]": _ONE_TEXT,
    "n": _ONE_ANSWER,
    "best_of": _ONE_ANSWER,
    "echo": "A rig doesn't repeat the prompt: leave it out or send false.",
    "store": "A rig stores nothing: leave it out or send false.",
    "service_tier": 'A rig has no price classes: leave it out or send "auto".',
    "tools[].type": "Tools are functions.",
    "tools[].function.name": _NAME,
    "tool_choice": "It is none, auto, required, or names one function.",
    "tool_choice.function.name": _NAME,
    "response_format.type": "Formats are text, json_object and json_schema.",
    "response_format.json_schema.name": _NAME,
    "reasoning_effort": "Efforts are none, minimal, low, medium, high, xhigh and max.",
    "modalities[]": "Rigs answer in text.",
    "verbosity": 'Models here have no levels of verbosity: leave it out or send "medium".',
}


def parse_chat(body: bytes) -> ChatRequest:
    """Read a chat request. Raises PeerError "invalid_json" or "invalid_request"."""
    return strictjson.decode(body, ChatRequest, hints=_HINTS)


def parse_completion(body: bytes) -> CompletionRequest:
    """Read a completion request. Raises PeerError "invalid_json" or "invalid_request"."""
    return strictjson.decode(body, CompletionRequest, hints=_HINTS)
