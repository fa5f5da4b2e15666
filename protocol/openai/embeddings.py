"""POST /v1/embeddings: what clients send, and what they get.

A vector goes out in one of two forms: a list of numbers, or base64 of little-endian 32-bit floats,
which OpenAI's own client asks for unless it is told otherwise.
"""

import base64
import sys
from array import array
from collections.abc import Iterator
from math import isfinite
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, UnsetType

from luckrig.protocol import strictjson
from luckrig.protocol.errors import PeerError
from luckrig.protocol.openai.requests import Wire

MAX_INPUTS: Final = 256
MAX_INPUT_CHARS: Final = 500_000
"""All inputs together. OpenAI takes 300,000 tokens; a rig has one engine for everybody."""

InputText = Annotated[str, Meta(min_length=1)]


class EmbeddingsRequest(Wire, frozen=True, kw_only=True):
    """The body of POST /v1/embeddings. user: accepted and not forwarded."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    input: InputText | Annotated[list[InputText], Meta(min_length=1, max_length=MAX_INPUTS)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None

    @property
    def inputs(self) -> list[str]:
        """One text for each vector of the answer, in its order."""
        return [self.input] if isinstance(self.input, str) else self.input


class Embedding(Struct, frozen=True, kw_only=True, tag_field="object", tag="embedding"):
    """One vector. index: which input it is of."""

    index: int
    embedding: list[float] | str


class EmbeddingsUsage(Struct, frozen=True):
    """Token counts of one request; nothing is generated."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(Struct, frozen=True, kw_only=True, tag_field="object", tag="list"):
    """The answer."""

    model: str
    data: list[Embedding]
    usage: EmbeddingsUsage
    luckrig: dict[str, Any] | UnsetType


_TEXT_ONLY: Final = (
    f"Send a string, or a list of 1 to {MAX_INPUTS} strings, none of them empty: "
    "token ids are refused, for no filter could read them."
)
_HINTS: Final = {"input": _TEXT_ONLY, "input[]": _TEXT_ONLY}


def parse_embeddings(body: bytes) -> EmbeddingsRequest:
    """Read a request for embeddings. Raises PeerError "invalid_json" or "invalid_request"."""
    request = strictjson.decode(body, EmbeddingsRequest, hints=_HINTS)
    if sum(map(len, request.inputs)) > MAX_INPUT_CHARS:
        raise PeerError(
            "invalid_request",
            f"`input`: all texts together have more than {MAX_INPUT_CHARS} characters.",
            param="input",
        )
    return request


def embeddings_texts(request: EmbeddingsRequest) -> Iterator[str]:
    """Each text of the request, for the filters."""
    yield request.model
    yield from request.inputs


def to_base64(vector: list[float]) -> str:
    """Little-endian 32-bit floats. Raises ValueError for a number beyond their range."""
    floats = array("f", vector)
    if not all(map(isfinite, floats)):
        raise ValueError("a number needs more than 32 bits")
    if sys.byteorder == "big":
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode("ascii")


def from_base64(text: str) -> list[float]:
    """The same backwards. Raises ValueError when it isn't such a vector."""
    floats = array("f")
    floats.frombytes(base64.b64decode(text, validate=True))
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tolist()
