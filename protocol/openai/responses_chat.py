"""POST /v1/responses as the chat that an engine understands.

| Responses API                                    | chat                                         |
|--------------------------------------------------|----------------------------------------------|
| instructions                                     | the first message, role system               |
| input, a string                                  | a user's message                             |
| reasoning, assistant's message, function_calls   | one assistant's message, while in this order |
| reasoning.content                                | its reasoning_content                        |
| reasoning.summary, encrypted_content             | nothing: it is no text of this model         |
| function_call_output                             | a tool's message                             |
| tools[], tool_choice, text.format                | the same, one level deeper                   |
| max_output_tokens                                | max_completion_tokens                        |
| reasoning.effort                                 | reasoning_effort                             |
"""

from typing import Final, Literal

from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.openai.requests import (
    AnyMessage,
    AssistantMessage,
    ChatRequest,
    ChosenFunction,
    ChosenTool,
    DeveloperMessage,
    Function,
    FunctionCall,
    ImagePart,
    ImageUrl,
    JsonFormat,
    JsonSchema,
    JsonSchemaFormat,
    SystemMessage,
    TextFormat,
    TextPart,
    Tool,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from luckrig.protocol.openai.responses_api import (
    ChosenFunctionTool,
    FunctionCallItem,
    FunctionOutputItem,
    FunctionTool,
    InputImage,
    InputMessage,
    InputText,
    Item,
    OutputText,
    ReasoningItem,
    Refusal,
    ResponsesRequest,
    SchemaFormat,
)

_CALLED_HERE: Final = {
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
}


def to_chat(request: ResponsesRequest) -> ChatRequest:
    """The chat that asks for the same.

    Raises PeerError invalid_request for a part that doesn't belong into its message.
    """
    messages: list[AnyMessage] = []
    if request.instructions:
        messages.append(SystemMessage(content=request.instructions))
    if isinstance(request.input, str):
        messages.append(UserMessage(content=request.input))
    else:
        messages += _Conversation().translate(request.input)
    if not messages:
        raise PeerError("invalid_request", "`input`: it holds no message.", param="input")
    return ChatRequest(
        model=request.model,
        messages=messages,
        stream=request.stream,
        max_completion_tokens=request.max_output_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        tools=[_tool(tool) for tool in request.tools] if request.tools else None,
        tool_choice=_tool_choice(request),
        parallel_tool_calls=request.parallel_tool_calls if request.tools else None,
        response_format=_response_format(request),
        reasoning_effort=request.reasoning.effort if request.reasoning else None,
        metadata=request.metadata,
        user=request.user,
        safety_identifier=request.safety_identifier,
        prompt_cache_key=request.prompt_cache_key,
    )


def name_as_asked(error: LuckrigError) -> None:
    """Call the field of an error about the chat as the client knows it."""
    error.param = _CALLED_HERE.get(error.param or "", error.param)


class _Conversation:
    """Puts items together to messages: templates want one message for each turn of the model."""

    def __init__(self) -> None:
        self._messages: list[AnyMessage] = []
        self._reasoning: list[str] = []
        self._content: str | None = None
        self._calls: list[ToolCall] = []

    def translate(self, items: list[Item]) -> list[AnyMessage]:
        for index, item in enumerate(items):
            if isinstance(item, ReasoningItem):
                self._add_reasoning(item)
            elif isinstance(item, FunctionCallItem):
                function = FunctionCall(name=item.name, arguments=item.arguments)
                self._calls.append(ToolCall(id=item.call_id, function=function))
            elif isinstance(item, FunctionOutputItem):
                self._end_turn()
                self._messages.append(_tool_message(item))
            elif item.role == "assistant":
                self._add_answer(item, f"input[{index}]")
            else:
                self._end_turn()
                self._messages.append(_message(item, f"input[{index}]"))
        self._end_turn()
        return self._messages

    def _add_reasoning(self, item: ReasoningItem) -> None:
        if self._content is not None or self._calls:
            self._end_turn()
        self._reasoning += [part.text for part in item.content or ()]

    def _add_answer(self, item: InputMessage, where: str) -> None:
        if self._content is not None or self._calls:
            self._end_turn()
        self._content = _answer(item, where)

    def _end_turn(self) -> None:
        """Reasoning that led to nothing is left out."""
        if self._content is not None or self._calls:
            self._messages.append(
                AssistantMessage(
                    content=self._content,
                    tool_calls=self._calls or None,
                    reasoning_content="\n".join(self._reasoning) or None,
                )
            )
        self._reasoning, self._content, self._calls = [], None, []


def _answer(item: InputMessage, where: str) -> str:
    if isinstance(item.content, str):
        return item.content
    texts: list[str] = []
    for index, part in enumerate(item.content):
        if isinstance(part, OutputText):
            texts.append(part.text)
        elif isinstance(part, Refusal):
            texts.append(part.refusal)
        else:
            raise _misplaced(f"{where}.content[{index}]", "An assistant's parts are output_text.")
    return "".join(texts)


def _message(item: InputMessage, where: str) -> AnyMessage:
    if item.role == "user":
        return UserMessage(content=_content(item, where))
    texts = _content(item, where)
    instructions = (
        texts if isinstance(texts, str) else [part for part in texts if isinstance(part, TextPart)]
    )
    if item.role == "developer":
        return DeveloperMessage(content=instructions)
    return SystemMessage(content=instructions)


def _content(item: InputMessage, where: str) -> str | list[TextPart | ImagePart]:
    if isinstance(item.content, str):
        return item.content
    parts: list[TextPart | ImagePart] = []
    for index, part in enumerate(item.content):
        if isinstance(part, InputText):
            parts.append(TextPart(text=part.text))
        elif isinstance(part, InputImage) and item.role == "user":
            parts.append(ImagePart(image_url=ImageUrl(url=part.image_url, detail=part.detail)))
        else:
            raise _misplaced(
                f"{where}.content[{index}]",
                "A user's parts are input_text and input_image, those of instructions input_text.",
            )
    return parts


def _misplaced(where: str, hint: str) -> PeerError:
    message = f"`{where}`: this part doesn't belong into this message. {hint}"
    return PeerError("invalid_request", message, param=where)


def _tool_message(item: FunctionOutputItem) -> ToolMessage:
    output = item.output
    text = output if isinstance(output, str) else "\n".join(part.text for part in output)
    return ToolMessage(content=text, tool_call_id=item.call_id)


def _tool(tool: FunctionTool) -> Tool:
    return Tool(
        function=Function(
            name=tool.name,
            description=tool.description,
            parameters=tool.parameters,
            strict=tool.strict,
        )
    )


def _tool_choice(
    request: ResponsesRequest,
) -> Literal["none", "auto", "required"] | ChosenTool | None:
    choice = request.tool_choice
    if isinstance(choice, ChosenFunctionTool):
        return ChosenTool(function=ChosenFunction(name=choice.name))
    return choice


def _response_format(
    request: ResponsesRequest,
) -> TextFormat | JsonFormat | JsonSchemaFormat | None:
    wanted = request.text.format if request.text else None
    if isinstance(wanted, SchemaFormat):
        return JsonSchemaFormat(
            json_schema=JsonSchema(
                name=wanted.name,
                description=wanted.description,
                schema=wanted.schema,
                strict=wanted.strict,
            )
        )
    return wanted
