"""Sealed calls: the rig's own bytes come out, and nothing goes to keys that the rig didn't sign."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from luckrig.client.calls import Ask
from luckrig.client.wanted import Wanted
from luckrig.protocol.errors import LuckrigError, error_body
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.subtext.hpke import Kem
from tests.client.stand_in_network import CHAT, WORDS, Rig, World, ask, scene, stream_of
from tests.client.wire_server import Request, Wire

SEALING = "/luckrig/sealing"
PROMPT = b"Hi"


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("seals", [("x25519",), ("x25519", "mlkem768-x25519")])
async def test_a_sealed_stream_is_the_plain_one(world: World, seals: Sequence[Kem]) -> None:
    async with scene(Rig(1, world, seals=seals), world=world) as s:
        plain, sealed = await s.text(), await s.text(subtext=True)
        start = b"".join(stream_of(WORDS)).decode()
        assert sealed.startswith(start)
        assert sealed.split("\n\n")[:5] == plain.split("\n\n")[:5]
        assert sealed.endswith("data: [DONE]\n\n")
        assert s.rigs[0].asked[0].json == s.rigs[0].asked[1].json


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/v1/responses"])
async def test_a_sealed_reply_that_is_not_streamed_is_the_plain_one(
    world: World, path: str
) -> None:
    asked = ask(stream=False, path=path, subtext=True, model="qwen3:8b")
    async with scene(Rig(1, world), world=world) as s, await s.network.call(asked) as reply:
        document = msgspec.json.decode(b"".join([piece async for piece in reply]))
        assert document["choices"][0]["message"]["content"] == "".join(WORDS)
        assert (reply.status, reply.subtext, reply.is_stream) == (200, True, False)
        assert reply.headers["luckrig-node"] == reply.rig.id
        assert s.rigs[0].asked[0].path == path
        assert s.rigs[0].paths == [SEALING, CHAT]


async def test_what_travels_shows_nothing_of_the_prompt(world: World) -> None:
    seen: list[bytes] = []

    async def look(request: Request, wire: Wire) -> None:
        seen.append(request.body)
        raise LuckrigError("queue_full", "Full.")

    async with scene(Rig(1, world, script=[look]), Rig(2, world, script=[look]), world=world) as s:
        with pytest.raises(LuckrigError):
            await s.text(subtext=True)
    for body in seen:
        document = msgspec.json.decode(body)
        assert sorted(document) == ["messages", "model", "stream"]
        assert document["model"] == "luckrig/subtext"
        assert b"qwen3" not in body
        assert b'"Hi"' not in body


async def test_keys_are_asked_for_once_and_anew_when_they_expire(world: World) -> None:
    async with scene(Rig(1, world), world=world) as s:
        await asyncio.gather(*(s.text(subtext=True) for _ in range(4)))
        assert s.rigs[0].paths.count(SEALING) == 1
        world.passed += 86_400
        await s.text(subtext=True)
        assert s.rigs[0].paths.count(SEALING) == 2


async def test_a_rig_with_new_keys_is_asked_for_them_once(world: World) -> None:
    rig = Rig(1, world)
    async with scene(rig, world=world) as s:
        await s.text(subtext=True)
        rig.new_sealing_keys()
        assert "[DONE]" in await s.text(subtext=True)
        assert (rig.codes, rig.paths.count(SEALING)) == (["sealing_key_unknown"], 2)

        async def forgetful(request: Request, wire: Wire) -> None:
            raise LuckrigError("sealing_key_unknown", "No.")

        rig.script += [forgetful, forgetful]
        with pytest.raises(LuckrigError) as raised:
            await s.text(subtext=True)
        assert raised.value.code == "sealing_key_unknown"
        assert rig.paths.count(SEALING) == 3


async def test_nothing_is_sent_to_exchanged_keys_a_hundred_times_of_a_hundred(
    world: World,
) -> None:
    """Somebody in between hands out keys of theirs, signed with keys of theirs."""
    rig = Rig(1, world)
    async with scene(rig, world=world) as s:
        for number in range(100):
            rig.swapped = PrivateKey(bytes([200, number]) * 16)
            with pytest.raises(LuckrigError) as raised:
                await s.text(subtext=True)
            assert raised.value.code == "signature_invalid"
            world.passed += 200
        assert set(rig.paths) == {SEALING}
        assert rig.asked == []
        rig.swapped = None
        assert "[DONE]" in await s.text(subtext=True)


async def test_exchanged_keys_of_one_rig_leave_the_others_usable(world: World) -> None:
    bad, good = Rig(1, world, swapped=PrivateKey(bytes([200]) * 32)), Rig(2, world)
    async with scene(bad, good, world=world) as s:
        for _ in range(10):
            assert "[DONE]" in await s.text(subtext=True)
        assert set(bad.paths) <= {SEALING}


async def test_a_rig_that_does_not_seal_gets_nothing_in_plain(world: World) -> None:
    old, new = Rig(1, world, seals=()), Rig(2, world)
    async with scene(old, new, world=world) as s:
        for _ in range(10):
            assert "[DONE]" in await s.text(subtext=True)
        assert set(old.paths) <= {SEALING}
        assert len(old.paths) <= 1
    async with scene(Rig(1, world, seals=()), world=world) as s:
        with pytest.raises(LuckrigError) as raised:
            await s.text(subtext=True)
        assert (raised.value.code, raised.value.param) == (
            "unsupported_parameter",
            "luckrig.subtext",
        )
        assert CHAT not in s.rigs[0].paths


async def test_a_rig_that_did_not_seal_is_asked_again_when_the_clock_was_set_back(
    world: World,
) -> None:
    rig = Rig(1, world, seals=())
    async with scene(rig, world=world) as s:
        for passed, asked in ((0, 1), (599, 1), (-86_400, 2), (-86_300, 2), (-85_799, 3)):
            world.passed = passed
            with pytest.raises(LuckrigError, match="luckrig is older"):
                await s.text(subtext=True)
            assert rig.paths.count(SEALING) == asked


async def test_keys_that_all_expire_at_once_are_not_used_and_not_asked_for_each_time(
    world: World,
) -> None:
    rig = Rig(1, world, keys_last=60)
    async with scene(rig, world=world) as s:
        for _ in range(3):
            with pytest.raises(LuckrigError, match="expire within 60 s") as raised:
                await s.text(subtext=True)
            assert raised.value.param == "luckrig.subtext"
        assert rig.paths == [SEALING]
        rig.keys_last = 62
        world.passed += 600
        assert "[DONE]" in await s.text(subtext=True)


async def test_among_many_that_do_not_seal_the_one_that_does_is_found(world: World) -> None:
    """And no token is asked for at the others, which go on answering in plain."""
    old = [Rig(number, world, seals=()) for number in range(2, 11)]
    async with scene(Rig(1, world), *old, world=world) as s:
        for _ in range(3):
            assert "[DONE]" in await s.text(subtext=True)
        assert s.tracker.count("/api/v1/tokens") == 1
        assert "[DONE]" in await s.text(node=old[0].node_id)
        assert world.slept == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_plain_reply_to_a_sealed_request_is_refused(world: World, stream: bool) -> None:
    """Whoever answers like that hasn't opened the request: it isn't the rig."""

    async def pretend(request: Request, wire: Wire) -> None:
        if stream:
            await wire.head(content_type="text/event-stream")
            await wire.chunk(b"".join(stream_of(["I am the rig"])) + b"data: [DONE]\n\n")
            await wire.chunk(b"")
        else:
            await wire.json({"choices": [{"message": {"content": "I am the rig"}}]})

    async with scene(Rig(1, world, script=[pretend]), world=world) as s:
        with pytest.raises(LuckrigError) as raised:
            await s.network.call(ask(stream=stream, subtext=True))
        assert raised.value.code in ("sealed_invalid", "rig_lost")


async def test_a_plain_refusal_of_a_sealed_request_is_nobodys_word(world: World) -> None:
    """A rig refuses in plain what it couldn't open; so can anybody in between, for any reason."""

    async def refuse(request: Request, wire: Wire) -> None:
        await wire.json(error_body(LuckrigError("content_filter", "You \x1b[31m!")), 400)

    bad, good = Rig(1, world, script=[refuse] * 3), Rig(2, world)
    async with scene(bad, good, world=world) as s:
        for _ in range(4):
            assert "[DONE]" in await s.text(subtext=True)
        with pytest.raises(LuckrigError) as raised:
            await s.network.call(ask(subtext=True, node=bad.node_id))
        assert (raised.value.code, raised.value.message) == ("content_filter", "You  [31m!")


@pytest.mark.parametrize("size", [1 << 20, 4 << 20])
async def test_what_is_too_long_to_be_sealed_is_refused_here(world: World, size: int) -> None:
    messages = [{"role": "user", "content": "x" * size}]
    asked = Ask(path=CHAT, body={"messages": messages}, wanted=Wanted(subtext=True))
    async with scene(Rig(1, world), Rig(2, world), world=world) as s:
        with pytest.raises(LuckrigError) as raised:
            await s.network.call(asked)
        assert raised.value.code == "body_too_large"
        assert [path for rig in s.rigs for path in rig.paths if path != SEALING] == []
        assert "[DONE]" in await s.text(subtext=True)


async def test_a_sealed_stream_that_is_cut_ends_with_an_error(world: World) -> None:
    """A clean end in plain isn't the rig's end."""
    rig = Rig(1, world)

    class Short(Wire):
        def __init__(self, wire: Wire) -> None:
            self._wire, self._left = wire, 3

        async def head(self, status: int = 200, **headers: str) -> None:
            await self._wire.head(status, **headers)

        async def chunk(self, data: bytes) -> None:
            self._left -= 1
            if self._left >= 0:
                await self._wire.chunk(data)
            elif self._left == -1:
                await self._wire.chunk(b"data: [DONE]\n\n")
                await self._wire.chunk(b"")

    async def cut(request: Request, wire: Wire) -> None:
        await rig.answer(request, Short(wire))

    rig.script = [cut]
    async with scene(rig, world=world) as s:
        text = await s.text(subtext=True)
        assert text.startswith("data: ")
        assert '"code":"sealed_invalid"' in text
        assert "[DONE]" not in text
