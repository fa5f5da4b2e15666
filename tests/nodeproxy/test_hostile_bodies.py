"""Mutated bodies on every route that takes one: an answer or a 4xx, never a fault of ours."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.fake_engines.openai_compatible import MODEL, FakeOpenAi
from tests.nodeproxy.rigs import make_token, running_rig

BODIES: Final = 200
PNG: Final = "data:image/png;base64,iVBORw0KGgo="
SCHEMA: Final = {"type": "object", "properties": {"place": {"type": "string"}}}

GOOD: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c", "content": "Rain"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
        },
        "logit_bias": {"1": -1},
        "logprobs": True,
        "top_logprobs": 2,
        "stop": ["a", "b"],
        "n": 1,
        "seed": 7,
        "temperature": 0.5,
        "metadata": {"a": "b"},
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    "/v1/completions": {
        "model": MODEL,
        "prompt": "Once",
        "suffix": "end",
        "max_tokens": 5,
        "logprobs": 2,
        "echo": False,
        "best_of": 1,
        "stop": "x",
        "stream": True,
    },
    "/v1/embeddings": {
        "model": MODEL,
        "input": ["one", "two"],
        "encoding_format": "base64",
        "dimensions": 3,
        "user": "u",
    },
    "/v1/responses": {
        "model": MODEL,
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look"},
                    {"type": "input_image", "image_url": PNG, "detail": "low"},
                ],
            },
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm"}]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "x", "annotations": []}],
            },
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "Rain"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
        "store": False,
        "stream": True,
        "max_output_tokens": 4,
    },
}  # fmt: skip

ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1.5, 2**53, -(2**63), 2**64 - 1, 1e308, "", "x", "\0", "\ud83d",
    "\N{ZERO WIDTH SPACE}", "data:image/png;base64,", "http://169.254.169.254/", "x" * 3000, [],
    [[]], [None], [""], {}, {"": ""}, {"type": "message"}, {"type": []}, {"role": "user"},
    {"type": "text", "text": "x"}, [{"type": "function"}], [1, 2, 3],
)  # fmt: skip


def is_object(value: object) -> bool:
    return isinstance(value, dict)


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a document."""
    found: list[tuple[Any, Any]] = []
    keys: list[Any] = list(document) if is_object(document) else list(range(len(document)))
    for key in keys:
        found.append((document, key))
        if is_object(document[key]) or isinstance(document[key], list):
            found += places(document[key])
    return found


def replaced(rng: random.Random, document: Any) -> bytes:
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(places(document) or [(document, "x")])
        container[key] = copy.deepcopy(rng.choice(ODD))
    return encode(document)


def removed(rng: random.Random, document: Any) -> bytes:
    container, key = rng.choice(places(document))
    del container[key]
    return encode(document)


def moved(rng: random.Random, document: Any) -> bytes:
    """A good value in a wrong place."""
    (container, key), (source, name) = rng.sample(places(document), 2)
    container[key] = json.loads(json.dumps(source[name]))
    return encode(document)


def added(rng: random.Random, document: Any) -> bytes:
    container, _ = rng.choice([place for place in places(document) if is_object(place[0])])
    container[rng.choice(("x", "", "type", "role", "n", "model\0", "error"))] = copy.deepcopy(
        rng.choice(ODD)
    )
    return encode(document)


def garbled(rng: random.Random, document: Any) -> bytes:
    body = bytearray(encode(document))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(body))
        match rng.randint(0, 2):
            case 0:
                body[at] = rng.randrange(256)
            case 1:
                del body[at : at + rng.randint(1, 20)]
            case _:
                body[at:at] = rng.choice((b'"', b"{", b"]", b"\\u0000", b"\xff", b"1e999", b"\\"))
    return bytes(body)


def encode(document: Any) -> bytes:
    return json.dumps(document).encode()


MUTATIONS: Final[tuple[Callable[[random.Random, Any], bytes], ...]] = (
    replaced, replaced, removed, moved, added, garbled
)  # fmt: skip


@pytest.mark.parametrize("path", GOOD)
async def test_mutated_bodies_are_answered_or_refused(path: str) -> None:
    rng = random.Random(path)  # noqa: S311
    statuses: list[int] = []
    async with FakeOpenAi(reply=["Hi"]) as engine, running_rig(engine.url) as rig:
        token = make_token(requests=2 * BODIES)
        good = await rig.post(path, GOOD[path], token=token)
        assert good.status_code == 200, good.text
        for _ in range(BODIES):
            body = rng.choice(MUTATIONS)(rng, json.loads(json.dumps(GOOD[path])))
            response = await rig.post(path, body, token=token)
            assert response.status_code < 500, body
            assert "internal_error" not in response.text, body
            assert "engine_error" not in response.text, body
            statuses.append(response.status_code)
        assert rig.node.queue.active == 0
    assert statuses.count(400) > BODIES / 3
    assert 200 in statuses
