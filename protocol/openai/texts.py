"""Every text of a request, for the filters.

The walk goes over whatever the request holds and knows only two exceptions, so that a field added
to requests.py tomorrow is filtered tomorrow.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final, cast

from msgspec import Struct
from msgspec.structs import astuple

from luckrig.protocol.openai.requests import (
    ChatRequest,
    CompletionRequest,
    FunctionCall,
    ImageUrl,
)

_TEXTLESS: Final = frozenset({bool, int, float})

# An escape alone, or escapes of UTF-16 halves in a row: two of them may be one character.
_ESCAPES: Final = re.compile(r'(?:\\u[0-9a-fA-F]{4})++|\\["\\/bfnrt]')


def texts(request: ChatRequest | CompletionRequest) -> Iterator[str]:
    """Give each text of the request, keys and values of free JSON included, in their order.

    Left out: the pixels of an image (requests.py lets nothing but base64 into its URL). Given
    twice: the arguments of a tool call, as written and with JSON's escapes resolved. Engines decode
    them before the model reads them, so a filter that saw only `\\u0062omb` would miss the word.
    """
    found: list[str] = []
    _collect_all((request,), found)
    return iter(found)


def _collect(value: object, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, list):
        _collect_all(cast("list[object]", value), found)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            _collect_all((key, item), found)
    elif isinstance(value, Struct) and not isinstance(value, ImageUrl):
        _collect_all(astuple(value), found)
        if isinstance(value, FunctionCall) and "\\" in value.arguments:
            found.append(resolve_escapes(value.arguments))


def _collect_all(values: Iterable[object], found: list[str]) -> None:
    for value in values:
        if value is None:  # nearly all fields of nearly all requests
            continue
        if isinstance(value, str):
            found.append(value)
        elif type(value) not in _TEXTLESS:
            _collect(value, found)


def resolve_escapes(arguments: str) -> str:
    """The arguments of a tool call with JSON's escapes resolved, as an engine reads them."""
    return _ESCAPES.sub(_resolve, arguments)


def _resolve(escapes: re.Match[str]) -> str:
    text: str = json.loads(f'"{escapes[0]}"')  # not msgspec: the model may have cut a pair in half
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
