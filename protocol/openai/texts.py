"""Every text of a request, for the filters.

The walk goes over whatever the request holds and knows only two exceptions, so that a field added
to requests.py tomorrow is filtered tomorrow.
"""

import json
import re
from collections.abc import Iterator
from typing import Final, cast

from msgspec import Struct
from msgspec.structs import astuple

from luckrig.protocol.openai.requests import (
    ChatRequest,
    CompletionRequest,
    FunctionCall,
    ImageUrl,
)

# An escape alone, or escapes of UTF-16 halves in a row: two of them may be one character.
_ESCAPES: Final = re.compile(r'(?:\\u[0-9a-fA-F]{4})++|\\["\\/bfnrt]')


def texts(request: ChatRequest | CompletionRequest) -> Iterator[str]:
    """Give each text of the request, keys and values of free JSON included, in their order.

    Left out: the pixels of an image (requests.py lets nothing but base64 into its URL). Given
    twice: the arguments of a tool call, as written and with JSON's escapes resolved. Engines decode
    them before the model reads them, so a filter that saw only `\\u0062omb` would miss the word.
    """
    found: list[str] = []
    _collect(request, found)
    return iter(found)


def _collect(value: object, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            _collect(item, found)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            found.append(key)
            _collect(item, found)
    elif isinstance(value, Struct) and not isinstance(value, ImageUrl):
        for field in astuple(value):
            if field is not None:
                _collect(field, found)
        if isinstance(value, FunctionCall) and "\\" in value.arguments:
            found.append(resolve_escapes(value.arguments))


def resolve_escapes(arguments: str) -> str:
    """The arguments of a tool call with JSON's escapes resolved, as an engine reads them."""
    return _ESCAPES.sub(_resolve, arguments)


def _resolve(escapes: re.Match[str]) -> str:
    text: str = json.loads(f'"{escapes[0]}"')  # not msgspec: the model may have cut a pair in half
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
