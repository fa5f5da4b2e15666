"""Sealed requests that are refused: replayed, meant for others, changed, or where none belong."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from luckrig.nodeproxy.pipeline import Pipeline
from luckrig.nodeproxy.steps.read import ReadRequest
from luckrig.protocol.errors import PeerError
from luckrig.protocol.replays import ReplayCache
from luckrig.protocol.subtext.carrier import MODEL, request_body
from luckrig.protocol.subtext.codec import REQUEST, frame, to_selectors
from luckrig.protocol.subtext.hpke import KEY_ID_BYTES, SealingPrivateKey
from luckrig.protocol.subtext.request import Sealed
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import Rig, make_token, running_rig
from tests.nodeproxy.sealed import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    RESPONSES,
    ask,
    carried,
    chat,
    opened,
    seal,
    sealing_key,
)

MARKER = "xyzzy-sentinel-4711"
MUTATED = 2400


def error_of(response: httpx2.Response) -> tuple[int, str]:
    """Status and code of a refusal that anybody can read."""
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    return response.status_code, error["code"]


INVALID = (400, "sealed_invalid")


async def sealed_chat(rig: Rig, **changes: Any) -> Sealed:
    """A chat, sealed as it should be. changes: arguments of seal()."""
    arguments: dict[str, Any] = {"token": rig.token, **changes}
    if "key" not in changes:
        arguments["key"] = await sealing_key(rig)
    return seal(CHAT, chat(rig, MARKER), **arguments)


def posts(engine: FakeOpenAi) -> int:
    """How many requests reached the engine; a rig's own looks at it aside."""
    return sum(request.method == "POST" for request in engine.requests)


# Once, here, now, with this token


async def test_replayed_request_is_refused(rig: Rig, engine: FakeOpenAi) -> None:
    sealed = await sealed_chat(rig)
    body = carried(sealed, stream=False)
    opened(await rig.post(CHAT, body), sealed)
    assert error_of(await rig.post(CHAT, body)) == (400, "sealed_stale")
    again = carried(sealed, stream=False)  # another sentence around the same
    assert error_of(await rig.post(CHAT, again)) == (400, "sealed_stale")
    assert posts(engine) == 1


async def test_of_many_copies_at_once_one_is_answered(rig: Rig, engine: FakeOpenAi) -> None:
    body = carried(await sealed_chat(rig), stream=False)
    responses = await asyncio.gather(*(rig.post(CHAT, body) for _ in range(10)))
    assert sorted(each.status_code for each in responses) == [200] + [400] * 9
    assert posts(engine) == 1


async def test_request_for_another_token_is_refused(rig: Rig, engine: FakeOpenAi) -> None:
    body = carried(await sealed_chat(rig), stream=False)
    assert error_of(await rig.post(CHAT, body, token=make_token())) == INVALID
    assert posts(engine) == 0


async def test_request_for_another_rig_is_refused(rig: Rig, engine: FakeOpenAi) -> None:
    sealed = await sealed_chat(rig, node_id="n1" + "a" * 32)
    assert error_of(await rig.post(CHAT, carried(sealed, stream=False))) == INVALID
    assert posts(engine) == 0


async def test_unknown_key_says_where_to_ask(rig: Rig) -> None:
    key = SealingPrivateKey("x25519", b"k" * 32).public
    response = await rig.post(CHAT, carried(await sealed_chat(rig, key=key), stream=False))
    assert error_of(response) == (400, "sealing_key_unknown")
    assert "GET /luckrig/sealing" in response.json()["error"]["message"]


@pytest.mark.parametrize("seconds", [-121, 121, -1e6])
async def test_old_and_future_requests_are_refused(seconds: float, rig: Rig) -> None:
    sealed = await sealed_chat(rig, now=time.time() + seconds)
    response = await rig.post(CHAT, carried(sealed, stream=False))
    assert error_of(response) == (400, "sealed_stale")


async def test_key_that_is_two_days_old_opens_nothing(rig: Rig, engine: FakeOpenAi) -> None:
    key = await sealing_key(rig)
    for hours, expected in ((25, 200), (47, 200), (48, 400), (1000, 400)):
        rig.node.sealing._clock = lambda: time.time() + hours * 3600  # noqa: B023 # pyright: ignore[reportPrivateUsage]
        response = await rig.post(CHAT, carried(await sealed_chat(rig, key=key), stream=False))
        assert response.status_code == expected
    assert error_of(response) == (400, "sealing_key_unknown")
    assert posts(engine) == 2


def test_cache_that_is_full_refuses_newcomers() -> None:
    cache = ReplayCache(window_seconds=120, max_names=2)
    assert cache.use(b"a", now=0.0)
    assert cache.use(b"b", now=0.0)
    assert not cache.use(b"a", now=240.0)
    with pytest.raises(PeerError) as caught:
        cache.use(b"c", now=240.0)
    assert caught.value.code == "rate_limited"
    assert cache.use(b"c", now=240.1)


async def test_full_cache_refuses_in_plain(rig: Rig, engine: FakeOpenAi) -> None:
    pipeline: Pipeline = rig.node.app._pipeline  # pyright: ignore[reportPrivateUsage]
    steps = pipeline.route("POST", CHAT).steps
    read = next(step for step in steps if isinstance(step, ReadRequest))
    read.unsealer.used._max_names = 1  # pyright: ignore[reportPrivateUsage]
    assert (await ask(rig, CHAT, chat(rig))).head.status == 200
    response = await rig.post(CHAT, carried(await sealed_chat(rig), stream=False))
    assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limited")
    assert response.headers["retry-after"] == "60"
    assert posts(engine) == 1


# The form outside


EXTRA: list[dict[str, Any]] = [
    {"temperature": 1},
    {"tools": []},
    {"user": "u"},
    {"metadata": {"a": "b"}},
    {"max_tokens": 5},
    {"stream_options": {"include_usage": True}},
]


@pytest.mark.parametrize("extra", EXTRA)
async def test_fields_beside_a_sealed_request_are_refused(
    extra: dict[str, Any], rig: Rig, engine: FakeOpenAi
) -> None:
    body = json.loads(carried(await sealed_chat(rig), stream=False))
    assert error_of(await rig.post(CHAT, body | extra)) == INVALID
    assert posts(engine) == 0


async def test_other_messages_than_one_users_string_are_refused(
    rig: Rig, engine: FakeOpenAi
) -> None:
    body = json.loads(carried(await sealed_chat(rig), stream=False))
    (message,) = body["messages"]
    text = message["content"]
    others: list[list[Any]] = [
        [message, message],
        [{"role": "system", "content": "x"}, message],
        [message, {"role": "assistant", "content": "x"}],
        [{"role": "system", "content": text}],
        [{"role": "assistant", "content": text}],
        [message | {"name": "n"}],
        [{"role": "user", "content": [{"type": "text", "text": text}]}],
        [{"role": "user", "content": "Thanks."}],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": text + "!" + text}],
    ]
    for messages in others:
        response = await rig.post(CHAT, body | {"messages": messages})
        assert error_of(response) == INVALID, messages
    assert posts(engine) == 0


@pytest.mark.parametrize(
    ("path", "field"), [(COMPLETIONS, "prompt"), (RESPONSES, "input"), (EMBEDDINGS, "input")]
)
async def test_sealed_requests_go_to_chats_alone(path: str, field: str, rig: Rig) -> None:
    content = json.loads(carried(await sealed_chat(rig), stream=False))["messages"][0]["content"]
    response = await rig.post(path, {"model": MODEL, field: content})
    assert error_of(response) == INVALID
    assert CHAT in response.json()["error"]["message"]


async def test_text_whose_selectors_were_stripped_says_so(rig: Rig) -> None:
    body = json.loads(carried(await sealed_chat(rig), stream=False))
    (message,) = body["messages"]
    message["content"] = message["content"].encode("ascii", "ignore").decode()
    response = await rig.post(CHAT, body)
    assert error_of(response) == INVALID
    assert "removes variation selectors" in response.json()["error"]["message"]


async def test_every_truncation_is_refused(rig: Rig, engine: FakeOpenAi) -> None:
    body = json.loads(carried(await sealed_chat(rig), stream=False))
    (message,) = body["messages"]
    text = message["content"]
    for keep in [*range(0, len(text), 37), len(text) - 1]:
        message["content"] = text[:keep]
        assert error_of(await rig.post(CHAT, body)) == INVALID
    assert posts(engine) == 0


# Where no sealed text belongs


def plain_bodies(rig: Rig, text: str) -> list[tuple[str, dict[str, Any]]]:
    model = rig.models[0]
    tool = {"type": "function", "function": {"name": "f", "description": text}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": text}}
    before: list[dict[str, Any]] = [
        {"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]},
    ]  # fmt: skip
    return [
        (CHAT, chat(rig, text)),
        (CHAT, chat(rig, "x", tools=[tool])),
        (CHAT, chat(rig, "x", stop=[text])),
        (CHAT, chat(rig, messages=before)),
        (COMPLETIONS, {"model": model, "prompt": text}),
        (COMPLETIONS, {"model": model, "prompt": "x", "suffix": text}),
        (RESPONSES, {"model": model, "input": "x", "instructions": text}),
        (EMBEDDINGS, {"model": model, "input": ["x", text]}),
    ]


async def test_sealed_text_in_a_plain_request_names_the_model(rig: Rig, engine: FakeOpenAi) -> None:
    sealed = await sealed_chat(rig)
    whole = "Hello" + frame(REQUEST, sealed.payload)
    for text in (whole, whole[:200], "Hello" + frame(REQUEST, b"")):
        for path, body in plain_bodies(rig, text):
            response = await rig.post(path, body)
            assert error_of(response) == INVALID
            assert response.json()["error"]["param"] == "model"
            assert MODEL in response.json()["error"]["message"]
    assert posts(engine) == 0


async def test_other_hidden_runs_stay_with_the_rules(rig: Rig, engine: FakeOpenAi) -> None:
    for hidden in (b"something else", b"lr", b"xLR\x01\x01"):
        text = "Hello" + to_selectors(hidden.ljust(40))
        response = await rig.post(CHAT, chat(rig, text))
        assert error_of(response) == (400, "content_filter")
    assert posts(engine) == 0


async def test_emoji_and_rare_letters_stay_as_they_are(rig: Rig, engine: FakeOpenAi) -> None:
    text = "❤️ ☺️☀️⭐️ 葛\U000e0100飾区 辻\U000e0101 👨‍👩‍👧 \U000e013c\U000e0142"
    assert (await rig.post(CHAT, chat(rig, text))).status_code == 200
    assert engine.asked["messages"][0]["content"] == text
    assert (await ask(rig, CHAT, chat(rig, text))).head.status == 200
    assert engine.asked["messages"][0]["content"] == text


# Changed on the way


@pytest.fixture
async def wide_rig(engine: FakeOpenAi) -> AsyncIterator[Rig]:
    """A rig with a token that allows as many requests as there are mutations."""
    async with running_rig(engine.url) as running:
        engine.requests.clear()
        running.token = make_token(requests=10 * MUTATED)
        yield running


Change = Callable[[bytes, random.Random], bytes]


def flip(payload: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(payload))
    return payload[:at] + bytes((payload[at] ^ 1 << rng.randrange(8),)) + payload[at + 1 :]


def cut(payload: bytes, rng: random.Random) -> bytes:
    return payload[: rng.randrange(len(payload))]


def grow(payload: bytes, rng: random.Random) -> bytes:
    return payload + rng.randbytes(rng.randrange(1, 2000))


def swap(payload: bytes, rng: random.Random) -> bytes:
    one, other = sorted((rng.randrange(len(payload)), rng.randrange(len(payload))))
    return payload[:one] + payload[other:] + payload[one:other] + b"\0"


def replace_end(payload: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(KEY_ID_BYTES, len(payload))
    return payload[:at] + rng.randbytes(len(payload) - at)


def top_bit(payload: bytes, rng: random.Random) -> bytes:
    """X25519 ignores it; what is sealed is bound to every bit."""
    at = KEY_ID_BYTES + 31
    return payload[:at] + bytes((payload[at] ^ 0x80,)) + payload[at + 1 :]


def special_point(payload: bytes, rng: random.Random) -> bytes:
    """X25519 takes points of small order and refuses what comes of them."""
    points = (bytes(32), b"\x01" + bytes(31), b"\xff" * 32, b"\xec" + b"\xff" * 30 + b"\x7f")
    rest = payload[KEY_ID_BYTES + 32 :]
    return payload[:KEY_ID_BYTES] + rng.choice(points) + rest


PAYLOAD_CHANGES: list[Change] = [flip, cut, grow, swap, replace_end, special_point, top_bit]


def mutated(good: Sealed, rng: random.Random, number: int, *, stream: bool) -> bytes:
    """Another body than the good one, whose sealed part says the same nowhere."""
    if number % 3:
        payload = PAYLOAD_CHANGES[number % len(PAYLOAD_CHANGES)](good.payload, rng)
        assert payload != good.payload
        return request_body(payload, stream=stream, choice=number)
    document = json.loads(carried(good, stream=stream))
    text: str = document["messages"][0]["content"]
    changed = text
    while changed == text:
        changed = mutated_text(text, rng)
    document["messages"][0]["content"] = changed
    return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode()


def mutated_text(text: str, rng: random.Random) -> str:
    """Characters of the run dropped, doubled, replaced, or the run put in again."""
    begin = text.index(to_selectors(b"L"))
    at = rng.randrange(begin, len(text))
    odd = rng.choice(["", "x", "\ufe0f", "\U000e0100", "\u200d", "\0", text[at] * 2, text[begin:]])
    return text[:at] + odd + text[at + 1 :]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kem", ["x25519", "mlkem768-x25519"])
async def test_changed_sealed_requests_never_open(
    kem: Any, wide_rig: Rig, engine: FakeOpenAi
) -> None:
    """Whatever is changed is a plain 400, from which nobody learns anything; the engine sleeps."""
    rng = random.Random(4711)  # noqa: S311 -- the same each time
    key = await sealing_key(wide_rig, kem)
    good = await sealed_chat(wide_rig, key=key)
    for number in range(MUTATED // 2):
        stream = number % 2 == 0
        body = mutated(good, rng, number, stream=stream)
        response = await wide_rig.post(CHAT, body)
        status, code = error_of(response)
        assert status == 400
        assert code in ("sealed_invalid", "sealing_key_unknown"), (number, code)
        assert MARKER not in response.text
    assert posts(engine) == 0
    opened(await wide_rig.post(CHAT, carried(good, stream=False)), good)


@pytest.mark.timeout(120)
async def test_changed_inner_bodies_are_refused_sealed(wide_rig: Rig, engine: FakeOpenAi) -> None:
    """Well sealed nonsense: never a fault of the rig's, never at the engine."""
    rng = random.Random(815)  # noqa: S311 -- the same each time
    key = await sealing_key(wide_rig)
    good = json.dumps(chat(wide_rig, MARKER)).encode()
    paths = [CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, "/v1/models", "//", "\x00"]
    for number in range(300):
        body = PAYLOAD_CHANGES[number % 5](good, rng) if number % 10 else rng.randbytes(50)
        path = paths[number % len(paths)]
        sealed = seal(path, body, key=key, token=wide_rig.token)
        answer = opened(await wide_rig.post(CHAT, carried(sealed, stream=bool(number % 2))), sealed)
        if answer.head.status == 200:  # a changed letter of the prompt, or of the model's options
            assert path == CHAT
            continue
        assert 400 <= answer.head.status < 500, (path, body)
    assert {request.path for request in engine.requests} <= {CHAT, "/v1/models"}
