"""No text of a request escapes the filters."""

import json
from collections.abc import Callable, Iterator
from itertools import count

import msgspec
import pytest
from msgspec import inspect

from luckrig.protocol.openai.requests import (
    ChatRequest,
    CompletionRequest,
    ImageData,
    parse_chat,
    parse_completion,
)
from luckrig.protocol.openai.texts import texts

IMAGE = "data:image/png;base64,iVBORw0KGgo="


class Examples:
    """Values of a type that together reach every alternative, with a new marker for each text."""

    def __init__(self) -> None:
        self.markers: list[str] = []
        self._numbers = count()

    def of(self, kind: inspect.Type) -> list[object]:
        match kind:
            case inspect.StrType():
                return [IMAGE if kind == inspect.type_info(ImageData) else self._marker()]
            case inspect.LiteralType():
                return list(kind.values)
            case inspect.UnionType():
                return [value for option in kind.types for value in self.of(option)]
            case inspect.ListType():
                return [[] if kind.max_length == 0 else self.of(kind.item_type)]
            case inspect.DictType():
                return [{self._marker(): value for value in self.of(kind.value_type)}]
            case inspect.StructType():
                return list(self._structs(kind))
            case inspect.AnyType():
                return [{self._marker(): [self._marker(), {self._marker(): self._marker()}]}]
            case _:
                plain: dict[type[inspect.Type], object] = {
                    inspect.NoneType: None,
                    inspect.BoolType: False,
                    inspect.IntType: 1,
                    inspect.FloatType: 1.0,
                }
                return [plain[type(kind)]]

    def _marker(self) -> str:
        self.markers.append(f"marker-{next(self._numbers)}-")
        return self.markers[-1]

    def _structs(self, kind: inspect.StructType) -> Iterator[object]:
        """As many objects as the field with the most alternatives needs."""
        values = {field.encode_name: self.of(field.type) for field in kind.fields}
        for turn in range(max(map(len, values.values()), default=1)):
            example = {name: each[turn % len(each)] for name, each in values.items()}
            yield example | ({kind.tag_field: kind.tag} if kind.tag_field else {})


@pytest.mark.parametrize(
    ("request_type", "parse"), [(ChatRequest, parse_chat), (CompletionRequest, parse_completion)]
)
def test_every_text_field_of_the_types_comes_out(
    request_type: type[ChatRequest | CompletionRequest],
    parse: Callable[[bytes], ChatRequest | CompletionRequest],
) -> None:
    examples = Examples()
    bodies = [json.dumps(value).encode() for value in examples.of(inspect.type_info(request_type))]
    found = [text for body in bodies for text in texts(parse(body))]
    assert set(examples.markers) <= set(found)
    assert IMAGE not in found


def test_the_walk_knows_a_number_of_texts() -> None:
    """Guards the test above against a walk that finds nothing to mark."""
    examples = Examples()
    examples.of(inspect.type_info(ChatRequest))
    assert len(examples.markers) > 40


def chat_with_arguments(arguments: str) -> ChatRequest:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    message = {"role": "assistant", "tool_calls": [call]}
    return parse_chat(msgspec.json.encode({"model": "m", "messages": [message]}))


@pytest.mark.parametrize(
    ("arguments", "resolved"),
    [
        (r'{"a": "\u0062omb"}', '{"a": "bomb"}'),
        (r'{"\u0062omb": 1', '{"bomb": 1'),
        (r'{"a": "b\nomb \"x\" \/ \\u0062"}', '{"a": "b\nomb "x" / \\u0062"}'),
        (r'{"a": "\ud83d\uDE00"}', '{"a": "😀"}'),
        (r'{"a": "\ud83d", "a": "\ud83d\u0062"}', '{"a": "\ufffd", "a": "\ufffdb"}'),
        (r'{"a": "\q\u12"}', r'{"a": "\q\u12"}'),
    ],
)
def test_arguments_come_also_as_the_engine_decodes_them(arguments: str, resolved: str) -> None:
    found = list(texts(chat_with_arguments(arguments)))
    assert arguments in found
    assert resolved in found


def test_arguments_without_escapes_come_once() -> None:
    assert list(texts(chat_with_arguments('{"a": "b"}'))) == ["m", "c", "f", '{"a": "b"}']


def test_texts_keep_the_order_of_the_conversation() -> None:
    messages = [{"role": "user", "content": text} for text in ("one", "two", "three")]
    request = parse_chat(msgspec.json.encode({"model": "m", "messages": messages}))
    assert list(texts(request)) == ["m", "one", "two", "three"]


def test_a_megabyte_of_escapes_takes_linear_time() -> None:
    found = list(texts(chat_with_arguments("\\u0062" * 150_000 + "\\" * 100_000)))
    assert found[-1].startswith("b" * 150_000)
