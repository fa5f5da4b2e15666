"""Strict JSON, compared with the standard library over any document, damaged ones included."""

import json
import math
from typing import NamedTuple, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luckrig.protocol import strictjson
from luckrig.protocol.errors import PeerError
from luckrig.protocol.strictjson import Limits

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Draft: TypeAlias = "bool | int | float | str | list[Draft] | Pairs | None"


class Unlike(ValueError):
    """The reference refuses a document."""


class Pairs(NamedTuple):
    """An object before it is written, so that keys can repeat."""

    pairs: list[tuple[str, Draft]]


def reference(body: bytes, limits: Limits) -> Json:
    """What `decode` promises, by slow and plain means. Raises ValueError where it refuses."""

    def no_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise Unlike
        return dict(pairs)

    def no_constants(name: str) -> None:
        raise Unlike(name)

    value: Json = json.loads(
        body.decode(), object_pairs_hook=no_duplicates, parse_constant=no_constants
    )
    if measure(value, depth=0, limit=limits.depth) > limits.values:
        raise Unlike
    return value


def measure(value: Json, *, depth: int, limit: int) -> int:
    """Count values; refuse what no reader may have to read."""
    if isinstance(value, dict | list):
        if depth == limit:
            raise Unlike
        if isinstance(value, dict):
            "".join(value).encode()  # lone surrogates raise
            value = list(value.values())
        return 1 + sum(measure(item, depth=depth + 1, limit=limit) for item in value)
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, float) and not math.isfinite(value):
        raise Unlike
    elif type(value) is int and not -(2**63) <= value < 2**64:
        raise Unlike
    return 1


def agree(body: bytes) -> None:
    limits = Limits(depth=4, values=12)
    try:
        expected = reference(body, limits)
    except ValueError:
        with pytest.raises(PeerError):
            strictjson.decode(body, object, limits=limits)
    else:
        assert strictjson.decode(body, object, limits=limits) == expected


texts = st.text(st.sampled_from('ab\\"/{}[]:,ä😀\ud800\x00'), max_size=4)
scalars = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(2**65), 2**65)
    | st.sampled_from([2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1])
    | texts
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(st.tuples(texts, inner), max_size=4).map(Pairs)
    ),
    max_leaves=12,
)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """Write a document in a mixture of styles."""
    spaces = st.sampled_from(["", " ", "\n\t", "\r "])

    def string(text: str) -> str:
        style = draw(st.integers(0, 2))
        if style < 2:
            return json.dumps(text, ensure_ascii=style == 0)
        units = text.encode("utf-16-be", "surrogatepass").hex()
        return '"' + "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) + '"'

    def write(value: Draft) -> str:
        before, after = draw(spaces), draw(spaces)
        if isinstance(value, Pairs):
            inner = [f"{draw(spaces)}{string(k)}{draw(spaces)}:{write(v)}" for k, v in value.pairs]
            return f"{before}{{{','.join(inner)}{after}}}"
        if isinstance(value, list):
            return f"{before}[{','.join(map(write, value))}{after}]"
        return f"{before}{string(value) if isinstance(value, str) else json.dumps(value)}{after}"

    return write(draw(documents)).encode(errors="surrogatepass")


@given(written())
def test_any_document_is_read_as_the_standard_library_reads_it(body: bytes) -> None:
    agree(body)


@given(written(), st.data())
def test_a_damaged_document_is_judged_alike(body: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 3)))
    noise = data.draw(st.text('{}[]":,\\u0061e-. ', max_size=3)).encode()
    agree(body[:start] + noise + body[end:])


@settings(max_examples=500)
@given(st.text('{}[]":,\\u0a1-.e ', max_size=12))
def test_noise_is_judged_alike(text: str) -> None:
    agree(text.encode())
