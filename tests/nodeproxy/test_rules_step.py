"""What the step looks at: every field of a request, as one text."""

from typing import Any

import msgspec
import pytest

from luckrig.nodeproxy.filters.pack import shipped_packs
from luckrig.nodeproxy.filters.rules import RuleSet
from luckrig.nodeproxy.filters.views import SEAM
from luckrig.protocol.openai.requests import parse_chat, parse_completion
from luckrig.protocol.openai.texts import texts

SHIPPED = RuleSet(shipped_packs())
BAD = "a nude 12 year old"
HELLO = {"role": "user", "content": "hello"}


def is_refused(text: str) -> bool:
    return SHIPPED.first_hit([text]) is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "system", "content": BAD}, HELLO]},
        {"messages": [{"role": "developer", "content": BAD}, HELLO]},
        {"messages": [HELLO | {"name": BAD}]},
        {"messages": [HELLO, {"role": "assistant", "content": BAD}]},
        {"messages": [HELLO, {"role": "assistant", "content": "", "reasoning_content": BAD}]},
        {"messages": [HELLO, {"role": "tool", "tool_call_id": "x", "content": BAD}]},
        {"messages": [HELLO | {"content": [{"type": "text", "text": BAD}]}]},
        {"stop": ["x", BAD]},
        {"tools": [{"type": "function", "function": {"name": "f", "description": BAD}}]},
        {
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"title": [BAD]}}}
            ]
        },
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "s", "schema": {BAD: {"type": "string"}}},
            }
        },
        {
            "messages": [
                {"role": "user", "content": part} for part in ("a nu", "de 12 ye", "ar old")
            ]
        },
        {"messages": [{"role": "user", "content": part} for part in ("a naked", "child")]},
    ],
)
def test_no_field_of_a_chat_and_no_split_hides_a_text(fields: dict[str, Any]) -> None:
    body = msgspec.json.encode({"model": "m", "messages": [HELLO]} | fields)
    assert is_refused(SEAM.join(texts(parse_chat(body))))


@pytest.mark.parametrize("field", ["prompt", "suffix", "stop"])
def test_no_field_of_a_completion_hides_a_text(field: str) -> None:
    body = msgspec.json.encode({"model": "m", "prompt": "hello"} | {field: BAD})
    assert is_refused(SEAM.join(texts(parse_completion(body))))
