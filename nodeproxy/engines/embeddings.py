"""Vectors from engines: their answers read, checked and brought into the form the client asked for.

Nothing of an engine's document goes on but the numbers and the count of tokens.
"""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final, TypeVar

import msgspec

from luckrig.nodeproxy.engines.base import Embedded, Vector
from luckrig.nodeproxy.engines.chunks import Count, nonsense
from luckrig.nodeproxy.engines.faults import explain
from luckrig.nodeproxy.engines.models import unsupported
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.openai.embeddings import EmbeddingsRequest, from_base64, to_base64

T = TypeVar("T")

MAX_DIMENSIONS: Final = 65_536


class _OpenAiVector(msgspec.Struct):
    embedding: Vector
    index: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Count | None = None


class _OpenAiReply(msgspec.Struct):
    """error: LM Studio's answer to a route it doesn't know, with status 200."""

    data: list[_OpenAiVector] = []
    usage: _Usage | None = None
    error: Any = None


class _OllamaReply(msgspec.Struct):
    """prompt_eval_count is absent when it is zero."""

    embeddings: list[list[float]] = []
    prompt_eval_count: Count = 0


def read_openai(body: bytes, request: EmbeddingsRequest, *, remedy: str) -> Embedded:
    """The answer of an OpenAI-compatible /v1/embeddings. remedy: see explain_fault."""
    reply = _decode(body, _OpenAiReply)
    if reply.error is not None:
        raise _no_embeddings(remedy)
    placed = {
        position if vector.index is None else vector.index: vector.embedding
        for position, vector in enumerate(reply.data)
    }
    if len(placed) != len(reply.data) or set(placed) != set(range(len(placed))):
        raise nonsense()
    vectors = [placed[index] for index in range(len(placed))]
    tokens = reply.usage.prompt_tokens if reply.usage is not None else None
    return Embedded(_checked(vectors, request), tokens or 0)


def read_ollama(body: bytes, request: EmbeddingsRequest) -> Embedded:
    """The answer of ollama's /api/embed."""
    reply = _decode(body, _OllamaReply)
    return Embedded(_checked(reply.embeddings, request), reply.prompt_eval_count)


def explain_fault(status: int, body: bytes, *, remedy: str) -> LuckrigError:
    """What an error answer means. remedy: what the owner has to do for embeddings, a sentence."""
    says_no = b"support embeddings" in body.lower() or (status == 400 and b"ooling type" in body)
    if status == 501 or says_no:
        return _no_embeddings(remedy)
    if b"too large to process" in body:  # llama-server's 500: an input has to fit one batch
        return PeerError(
            "context_length_exceeded",
            "An input is longer than this rig's engine takes at once. Send it in pieces.",
            param="input",
        )
    if status == 400 and b"matryoshka" in body:  # vLLM
        return unsupported("dimensions", "This model's vectors can't be shortened.")
    error = explain(status, body)
    if status in (404, 405) and error.code == "engine_error":
        return _no_embeddings(remedy)
    return error


def _no_embeddings(remedy: str) -> PeerError:
    return unsupported("model", f"This rig's engine makes no embeddings of this model. {remedy}")


def _decode(body: bytes, type: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise nonsense() from error


def _checked(found: Sequence[Vector], request: EmbeddingsRequest) -> list[Vector]:
    """As asked: one vector for each input, of equal length, of finite numbers."""
    vectors = [_numbers(vector) for vector in found]
    lengths = {len(vector) for vector in vectors}
    if len(vectors) != len(request.inputs) or len(lengths) != 1 or not min(lengths):
        raise nonsense()
    if max(lengths) > MAX_DIMENSIONS or not all(all(map(isfinite, each)) for each in vectors):
        raise nonsense()
    if request.dimensions is not None and request.dimensions not in lengths:
        raise unsupported(
            "dimensions", f"This model's vectors have {max(lengths)} dimensions on this rig."
        )
    if request.encoding_format != "base64":
        return list[Vector](vectors)
    try:
        return [to_base64(vector) for vector in vectors]
    except ValueError as error:
        raise nonsense() from error


def _numbers(vector: Vector) -> list[float]:
    if not isinstance(vector, str):
        return vector
    try:
        return from_base64(vector)
    except ValueError as error:
        raise nonsense() from error
