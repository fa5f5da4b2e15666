"""Calls to the network: real sockets, keys and proofs; rigs that fail in every way there is."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from luckrig.client.calling import connections
from luckrig.client.calling.attempt import is_readable_on_the_way
from luckrig.client.calling.body import LiveBody
from luckrig.client.calling.sending import Deadlines, Incoming
from luckrig.client.calling.witness import Witness
from luckrig.protocol.descriptor import NodeDescriptor
from luckrig.protocol.errors import LuckrigError, UpstreamError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.receipts import verify_countersignature
from luckrig.protocol.wire import NodeView
from tests.client.stand_in_network import (
    MODEL,
    ROOT_ID,
    USER,
    WORDS,
    Rig,
    World,
    ask,
    scene,
    stream_of,
)
from tests.client.wire_server import Request, Wire

SHORT = Deadlines(first_byte=2.0, whole=2.0, idle=2.0)
"""For rigs that stall. On a busy machine an honest one needs a while, too."""


@pytest.fixture
def world() -> World:
    return World()


def code_at_end(text: str) -> str:
    """Of the error event with which a stream ends."""
    last = text.rstrip("\n").rpartition("\n\n")[2]
    return str(msgspec.json.decode(last.removeprefix("data: "))["error"]["code"])


async def test_a_chat_is_the_rigs_own_stream_byte_for_byte(world: World) -> None:
    async with scene(Rig(1, world), world=world) as s, await s.network.call(ask()) as reply:
        assert (reply.status, reply.model, reply.is_stream) == (200, MODEL, True)
        assert reply.headers["luckrig-node"] == reply.rig.id == s.rigs[0].node_id
        text = b"".join([piece async for piece in reply])
        assert text.startswith(b"".join(stream_of(WORDS)))
        assert text.endswith(b"data: [DONE]\n\n")
        assert s.rigs[0].asked[0].json["model"] == MODEL


async def test_a_reply_that_is_not_streamed_is_the_rigs_own(world: World) -> None:
    async with (
        scene(Rig(1, world), world=world) as s,
        await s.network.call(ask(stream=False)) as reply,
    ):
        document = msgspec.json.decode(b"".join([piece async for piece in reply]))
        assert not reply.is_stream
        assert document["choices"][0]["message"]["content"] == "".join(WORDS)


async def test_a_token_serves_many_requests_and_is_renewed_in_time(world: World) -> None:
    async with scene(Rig(1, world), world=world) as s:
        for _ in range(3):
            await s.text()
        assert s.tracker.count("/api/v1/tokens") == 1
        world.passed += s.tracker.ttl_seconds - 30
        await s.text()
        assert s.tracker.count("/api/v1/tokens") == 2
        assert s.rigs[0].codes == []


async def test_many_requests_at_once_ask_for_one_token_and_one_map(world: World) -> None:
    async with scene(Rig(1, world), world=world) as s:
        await asyncio.gather(*(s.text() for _ in range(8)))
        assert s.tracker.count("/api/v1/tokens") == 1
        assert s.tracker.count("/api/v1/nodes") == 1


async def test_a_token_whose_requests_are_used_up_is_renewed(world: World) -> None:
    async with scene(Rig(1, world), world=world) as s:
        s.tracker.requests = 2
        for _ in range(4):
            await s.text()
        assert s.tracker.count("/api/v1/tokens") == 2


async def test_a_token_that_the_rig_refuses_is_renewed_once(world: World) -> None:
    async def forget(request: Request, wire: Wire) -> None:
        raise LuckrigError("token_expired", "Too old.")

    rig = Rig(1, world, script=[forget])
    async with scene(rig, world=world) as s:
        assert "[DONE]" in await s.text()
        assert s.tracker.count("/api/v1/tokens") == 2
        rig.script += [forget, forget]
        with pytest.raises(LuckrigError) as raised:
            await s.text()
        assert raised.value.code == "token_expired"


async def hang_up(request: Request, wire: Wire) -> None:
    """Ends the connection."""
    wire.cut()


async def reset(request: Request, wire: Wire) -> None:
    """Resets it."""
    wire.reset()


async def unavailable(request: Request, wire: Wire) -> None:
    """What a rig says whose engine is down."""
    raise UpstreamError("engine_unavailable", "The engine is down.", retry_after_seconds=5)


async def full(request: Request, wire: Wire) -> None:
    """A rig with a full queue."""
    raise LuckrigError("queue_full", "The queue is full.", retry_after_seconds=3)


async def stall(request: Request, wire: Wire) -> None:
    """Nothing at all."""
    await asyncio.Event().wait()


async def stall_after_head(request: Request, wire: Wire) -> None:
    """A head, and then nothing."""
    await wire.head(content_type="text/event-stream")
    await asyncio.Event().wait()


async def empty_stream(request: Request, wire: Wire) -> None:
    """A stream that ends before its first event."""
    await wire.head(content_type="text/event-stream")
    await wire.chunk(b"")


async def error_first(request: Request, wire: Wire) -> None:
    """A stream that says nothing but that it failed."""
    await wire.head(content_type="text/event-stream")
    await wire.chunk(
        b'data: {"error":{"message":"No","type":"","param":null,"code":"rig_lost"}}\n\n'
    )
    await wire.chunk(b"")


async def web_page(request: Request, wire: Wire) -> None:
    """What a proxy in between says."""
    await wire.json(b"<html>Bad gateway</html>", 502)


async def redirect(request: Request, wire: Wire) -> None:
    """Somewhere else."""
    await wire.json(b"", 307, location="http://127.0.0.1:1/")


async def squeezed(request: Request, wire: Wire) -> None:
    """A compressed body."""
    await wire.json(b"x", content_encoding="gzip")


async def garbage(request: Request, wire: Wire) -> None:
    """No HTTP."""
    await wire.raw(b"SSH-2.0-OpenSSH\r\n\r\n")
    wire.cut()


FAILURES = (
    hang_up, reset, unavailable, full, stall, stall_after_head, empty_stream, error_first, web_page,
    redirect, squeezed, garbage,
)  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("subtext", [False, True])
async def test_a_rig_that_fails_before_its_first_byte_is_replaced(
    world: World, failure: Any, subtext: bool
) -> None:
    """Whichever of two rigs is asked first fails; the other one answers, and nobody notices."""
    script = [failure]
    rigs = Rig(1, world, script=script), Rig(2, world)
    rigs[1].script = script  # one failure for both: whoever is asked first has it
    deadlines = SHORT if failure in (stall, stall_after_head) else None
    async with scene(*rigs, world=world, deadlines=deadlines) as s:
        assert (await s.text(subtext=subtext)).endswith("data: [DONE]\n\n")
        assert script == []
        assert len(rigs[0].asked + rigs[1].asked) == 1


async def test_a_response_that_begins_with_its_own_error_is_asked_of_another_rig(
    world: World,
) -> None:
    async def error_event(request: Request, wire: Wire) -> None:
        await wire.head(content_type="text/event-stream")
        told = b'{"type":"error","code":"engine_error","message":"No","param":null}'
        await wire.chunk(b"event: error\ndata: " + told + b"\n\n")

    rigs = [Rig(1, world, script=[error_event]), Rig(2, world, script=[error_event])]
    async with scene(*rigs, world=world) as s:
        with pytest.raises(LuckrigError) as raised:
            await s.network.call(ask(path="/v1/responses"))
    assert [rig.script for rig in rigs] == [[], []]
    assert raised.value.code == "engine_error"
    assert "rig 1: No" in raised.value.message
    assert "rig 2: No" in raised.value.message


async def test_what_rigs_said_is_told_though_the_map_is_empty_by_now(world: World) -> None:
    async def fail_and_leave(request: Request, wire: Wire) -> None:
        s.tracker.rigs.clear()
        world.passed += 3600
        await unavailable(request, wire)

    async with scene(Rig(1, world, script=[fail_and_leave]), world=world) as s:
        with pytest.raises(LuckrigError, match="The engine is down"):
            await s.text()
        with pytest.raises(LuckrigError, match="No rig is on this tracker's map now"):
            await s.text()


async def test_whoever_asks_too_much_at_once_is_told_and_no_rig_is_blamed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    async with scene(Rig(1, world), world=world, deadlines=Deadlines(connect=0.2)) as s:
        async with await s.network.call(ask()):
            with pytest.raises(LuckrigError, match="Run fewer") as raised:
                await s.text()
            assert (raised.value.code, raised.value.retry_after_seconds) == ("rate_limited", 1)
        assert "[DONE]" in await s.text()


async def test_an_event_that_drips_takes_linear_time() -> None:
    """The time limit of the test is the assertion: copying it for each byte takes minutes."""

    async def drip() -> AsyncGenerator[bytes]:
        yield b"data: " + b"x" * 900_000
        for _ in range(100_000):
            yield b"x"
        yield b"\n"
        yield b"\ndata: [DO"
        yield b"NE]\n\n"

    async def close() -> None:
        return

    incoming = Incoming(
        status=200, headers={"content-type": "text/event-stream"}, pieces=drip(), close=close
    )
    witness = Witness(is_stream=True, monotonic=float, sent_at=0.0)
    ended: list[bool] = []
    body = LiveBody(incoming, b"", witness=witness, path="/x", on_end=ended.append)
    pieces = [piece async for piece in body]
    assert pieces == [b"data: " + b"x" * 1_000_000 + b"\n\n", b"data: [DONE]\n\n"]
    assert ended == [True]


async def test_three_rigs_fail_and_the_fourth_answers(world: World) -> None:
    """The issue's five in one: refused, reset, 503, stalled; the one that is left answers."""
    rigs = [Rig(number, world, models=("m",)) for number in range(1, 5)]
    rigs[1].script, rigs[2].script, rigs[3].script = [reset], [unavailable], [stall]
    good = Rig(5, world, models=("m",), scarcity=1.0)
    async with scene(*rigs[1:], good, world=world, deadlines=SHORT) as s:
        assert (await s.text(model="m")).endswith("[DONE]\n\n")
    async with scene(rigs[0], good, world=world) as s:
        rigs[0].origin = "http://127.0.0.1:1"  # nobody listens there
        for _ in range(4):
            assert (await s.text(model="m")).endswith("[DONE]\n\n")
        assert rigs[0].asked == []


async def test_no_more_than_four_rigs_are_tried_and_the_error_names_them(world: World) -> None:
    rigs = [Rig(number, world, script=[unavailable]) for number in range(1, 7)]
    async with scene(*rigs, world=world) as s:
        with pytest.raises(LuckrigError) as raised:
            await s.text()
        assert raised.value.code == "engine_unavailable"
        assert raised.value.retry_after_seconds == 5
        assert raised.value.message.count("The engine is down.") == 4
        assert sum(not rig.script for rig in rigs) == 4


@pytest.mark.parametrize(
    ("code", "status"), [("content_filter", 400), ("banned", 403), ("context_length_exceeded", 400)]
)
async def test_what_is_about_the_request_is_not_asked_twice(
    world: World, code: str, status: int
) -> None:
    async def refuse(request: Request, wire: Wire) -> None:
        raise LuckrigError(code, "No.")

    rigs = [Rig(number, world, script=[refuse]) for number in (1, 2)]
    async with scene(*rigs, world=world) as s, await s.network.call(ask()) as reply:
        assert reply.status == status
        told = msgspec.json.decode(b"".join([piece async for piece in reply]))
        assert told["error"]["code"] == code
        assert sum(len(rig.script) for rig in rigs) == 1


@pytest.mark.parametrize("end", ["cut", "reset", "clean", "stall", "half"])
async def test_a_stream_that_breaks_ends_with_an_error_and_is_not_asked_again(
    world: World, end: str
) -> None:
    async def cut(request: Request, wire: Wire) -> None:
        await wire.head(content_type="text/event-stream")
        await wire.chunk(b"".join(stream_of(["Once", " upon"])) + b"data: {" * (end == "half"))
        if end == "stall":
            await asyncio.Event().wait()
        if end == "clean":
            await wire.chunk(b"")
        elif end == "reset":
            wire.reset()
        else:
            wire.cut()

    rigs = [Rig(number, world, script=[cut]) for number in (1, 2)]
    deadlines = SHORT if end == "stall" else None
    async with scene(*rigs, world=world, deadlines=deadlines) as s:
        text = await s.text()
        if end != "reset":  # which may overtake what was sent before it
            assert text.startswith(b"".join(stream_of(["Once", " upon"])).decode())
            assert code_at_end(text) == "rig_lost"
            assert sum(len(rig.script) for rig in rigs) == 1
        assert "data: {\n" not in text


async def test_a_reply_that_breaks_and_is_no_stream_is_an_error(world: World) -> None:
    async def cut(request: Request, wire: Wire) -> None:
        await wire.head(content_type="application/json", content_length="100")
        await wire.raw(b'{"choices"')
        wire.cut()

    async with scene(Rig(1, world, script=[cut]), world=world) as s:
        reply = await s.network.call(ask(stream=False))
        with pytest.raises(LuckrigError) as raised:
            b"".join([piece async for piece in reply])
        assert raised.value.code == "rig_lost"


async def test_a_reply_that_drips_without_end_is_lost(world: World) -> None:
    """Each piece comes soon enough, and the whole would never be there."""

    async def drip(request: Request, wire: Wire) -> None:
        await wire.head(content_type="application/json")
        while True:
            await wire.chunk(b" ")
            await asyncio.sleep(0.05)

    deadlines = Deadlines(first_byte=2.0, whole=1.0, idle=2.0)
    rig = Rig(1, world, script=[drip])
    async with scene(rig, world=world, deadlines=deadlines) as s:
        reply = await s.network.call(ask(stream=False))
        with pytest.raises(LuckrigError) as raised:
            async with asyncio.timeout(20):
                assert [piece async for piece in reply]
        assert raised.value.code == "rig_lost"


async def test_a_broken_response_ends_in_its_own_shape(world: World) -> None:
    async def cut(request: Request, wire: Wire) -> None:
        await wire.head(content_type="text/event-stream")
        await wire.chunk(b'event: response.created\ndata: {"type":"response.created"}\n\n')
        wire.cut()

    rig = Rig(1, world, script=[cut])
    async with (
        scene(rig, world=world) as s,
        await s.network.call(ask(path="/v1/responses")) as reply,
    ):
        text = b"".join([piece async for piece in reply])
        last = msgspec.json.decode(text.rpartition(b"data: ")[2])
        assert b"event: error\n" in text
        assert (last["type"], last["code"]) == ("error", "rig_lost")


async def test_a_failed_rig_rests_and_is_asked_again_later(world: World) -> None:
    rig, other = Rig(1, world, script=[unavailable]), Rig(2, world, scarcity=1.0)
    other.models = (MODEL,)
    async with scene(rig, other, world=world) as s:
        while rig.script:
            await s.text()
        before = len(rig.asked)
        for _ in range(10):
            await s.text()
        assert len(rig.asked) == before, "it asked for five seconds"
        world.passed += 6
        for _ in range(20):
            await s.text()
        assert len(rig.asked) > before


async def test_a_named_rig_is_waited_for_once(world: World) -> None:
    rig, other = Rig(1, world, script=[full]), Rig(2, world)
    async with scene(rig, other, world=world) as s:
        assert "[DONE]" in await s.text(node=rig.node_id)
        assert 3 in world.slept
        assert len(rig.asked) == 1
        rig.script += [full, full]
        with pytest.raises(LuckrigError) as raised:
            await s.text(node=rig.name)
        assert raised.value.code == "queue_full"
        assert other.asked == []


async def test_a_named_rig_that_asks_for_long_is_not_waited_for(world: World) -> None:
    async def later(request: Request, wire: Wire) -> None:
        raise LuckrigError("rig_paused", "Closed.", retry_after_seconds=60)

    async with scene(Rig(1, world, script=[later, later]), world=world) as s:
        with pytest.raises(LuckrigError) as raised:
            await s.text(node="rig 1")
        assert (raised.value.code, raised.value.retry_after_seconds) == ("rig_paused", 60)
        with pytest.raises(LuckrigError) as raised:
            await s.text(node="rig 1")
        assert raised.value.retry_after_seconds == 60
        assert len(s.rigs[0].script) == 1, "it was left in peace"


@pytest.mark.parametrize("code", ["registration_required", "key_replaced", "banned"])
async def test_the_trackers_word_on_the_user_is_told_as_it_is(world: World, code: str) -> None:
    rigs = [Rig(number, world) for number in (1, 2)]
    async with scene(*rigs, world=world) as s:
        s.tracker.refuses = LuckrigError(code, "This is why.")
        with pytest.raises(LuckrigError) as raised:
            await s.text()
        assert (raised.value.code, raised.value.message) == (code, "This is why.")
        assert s.tracker.count("/api/v1/tokens") == 1
        assert rigs[0].paths + rigs[1].paths == []


async def test_without_the_tracker_rigs_with_a_token_go_on(world: World) -> None:
    rigs = [Rig(number, world) for number in (1, 2, 3)]
    async with scene(*rigs, world=world) as s:
        await s.text(node="rig 2")
        s.tracker.away = True
        for _ in range(10):
            world.passed += 20
            assert "[DONE]" in await s.text()
        assert len(rigs[1].asked) == 11
        assert rigs[0].asked + rigs[2].asked == []


async def test_without_the_tracker_from_the_start_the_error_says_so(world: World) -> None:
    async with scene(Rig(1, world), world=world) as s:
        s.tracker.away = True
        with pytest.raises(LuckrigError) as raised:
            await s.text()
        assert raised.value.code == "tracker_unreachable"


async def test_a_rig_that_limits_whoever_used_their_token_up_is_replaced(world: World) -> None:
    """It is the rig that says so: the tracker still has tokens for others."""

    async def limit(request: Request, wire: Wire) -> None:
        raise LuckrigError("rate_limited", "Too many.", retry_after_seconds=30)

    async with scene(Rig(1, world, script=[limit] * 8), Rig(2, world), world=world) as s:
        s.tracker.requests = 1
        for _ in range(8):
            assert "[DONE]" in await s.text()
            world.passed += 300
        assert len(s.rigs[0].script) < 8


async def test_a_rig_on_no_list_answers_those_who_know_its_id(world: World) -> None:
    async with scene(Rig(1, world), world=world) as s:
        s.tracker.listed = False
        assert "[DONE]" in await s.text(node=s.rigs[0].node_id)


class Altered(Rig):
    """The same rig, but the tracker shows another address."""

    def __init__(self, rig: Rig, origin: str) -> None:
        super().__init__(rig.number, rig.world)
        self.origin, self.seq, self._shown = rig.origin, rig.seq, origin

    @property
    def view(self) -> NodeView:
        return msgspec.structs.replace(super().view, base_url=f"{self._shown}/v1")


async def test_a_rig_that_the_tracker_altered_is_never_asked(world: World) -> None:
    """Another address than the one that the rig signed."""
    rig, thief = Rig(1, world), Rig(2, world)
    async with scene(rig, thief, world=world) as s:
        s.tracker.rigs = [Altered(rig, thief.origin)]
        with pytest.raises(LuckrigError) as raised:
            await s.text()
        assert raised.value.code == "signature_invalid"
        assert rig.paths + thief.paths == []


class WithoutTls(Rig):
    """A rig on the Internet that has only http."""

    @property
    def descriptor(self) -> NodeDescriptor:
        return msgspec.structs.replace(super().descriptor, endpoints=["http://192.0.9.1:8080"])

    @property
    def view(self) -> NodeView:
        return msgspec.structs.replace(super().view, base_url="http://192.0.9.1:8080/v1")


async def test_nothing_plain_goes_to_a_rig_without_tls(world: World) -> None:
    async with scene(WithoutTls(1, world), Rig(2, world), world=world) as s:
        for _ in range(5):
            assert "[DONE]" in await s.text()
        with pytest.raises(LuckrigError) as raised:
            await s.text(node=s.rigs[0].node_id)
        assert raised.value.code == "unsupported_parameter"
        assert s.tracker.count("/api/v1/tokens") == 1


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("https://rig.example", False),
        ("http://127.0.0.1:8080", False),
        ("http://[::1]:8080", False),
        ("http://192.168.1.4:8080/n/n1abc", False),
        ("http://[fd00::1]:8080", False),
        ("http://localhost:8080", False),
        ("http://tracker:8080", False),
        ("http://desk.local:8080", False),
        ("http://rig.example:8080", True),
        ("http://8.8.8.8:8080", True),
        ("http://[2606:4700::1]:8080", True),
    ],
)
def test_http_is_for_ones_own_network(endpoint: str, expected: bool) -> None:
    assert is_readable_on_the_way(endpoint) is expected


async def test_no_cookie_is_kept(world: World) -> None:
    """A cookie would tell a rig, or a tracker that relays, which tokens are one user's."""

    async def set_one(request: Request, wire: Wire) -> None:
        await wire.json({"choices": []}, set_cookie="who=you; Max-Age=9999999", status=200)

    async def look(request: Request, wire: Wire) -> None:
        assert "cookie" not in request.headers
        await set_one(request, wire)

    async with scene(Rig(1, world, script=[set_one, look]), world=world) as s:
        for _ in range(2):
            async with await s.network.call(ask(stream=False)) as reply:
                assert "set-cookie" not in reply.headers
                assert [piece async for piece in reply]


async def test_a_pinned_trackers_keys_are_asked_for_once(world: World) -> None:
    rigs = [Rig(number, world) for number in (1, 2, 3)]
    async with scene(*rigs, world=world, pinned=ROOT_ID) as s:
        for rig in rigs:
            assert "[DONE]" in await s.text(node=rig.node_id)
        assert s.tracker.count("/api/v1/tokens") == 3
        assert s.tracker.count("/api/v1/keyset") == 1


@pytest.mark.parametrize("who", ["another root", "another key under the right root"])
@pytest.mark.parametrize("subtext", [False, True])
async def test_another_tracker_than_the_pinned_one_sends_a_prompt_nowhere(
    world: World, who: str, subtext: bool
) -> None:
    """Its rigs may be its own: they sign themselves, and the map says what it likes."""
    async with scene(Rig(1, world), world=world, pinned=ROOT_ID) as s:
        if who == "another root":
            s.tracker.root = PrivateKey(b"evil" * 8)
        else:
            s.tracker.signing = PrivateKey(b"evil" * 8)
        with pytest.raises(LuckrigError) as raised:
            await s.text(subtext=subtext)
        assert raised.value.code == "signature_invalid"
        assert set(s.rigs[0].paths) <= {"/luckrig/sealing"}


@pytest.mark.parametrize("share", [False, True])
async def test_receipts_are_countersigned_and_handed_in(world: World, share: bool) -> None:
    async with scene(Rig(1, world), world=world, share_timings=share) as s:
        await s.text()
        await asyncio.wait_for(s.tracker.came.wait(), 5)
        [signed] = s.tracker.receipts
        assert signed.countersignature is not None
        signer, opinion = verify_countersignature(
            signed.countersignature, receipt=signed.receipt, now=world.clock()
        )
        assert opinion.agrees
        assert (opinion.measured is not None) == share
        assert signer == derive_id("u1", USER.public)


async def test_a_rig_that_claims_more_than_came_is_contradicted(world: World) -> None:
    async with scene(Rig(1, world, claims_tokens=5000), world=world) as s:
        await s.text()
        await asyncio.wait_for(s.tracker.came.wait(), 5)
        [signed] = s.tracker.receipts
        word = signed.countersignature or ""
        _, opinion = verify_countersignature(word, receipt=signed.receipt, now=world.clock())
        assert not opinion.agrees


async def test_receipts_wait_for_the_tracker_and_come_in_batches(world: World) -> None:
    async with scene(Rig(1, world), world=world) as s:
        await s.text()
        await asyncio.wait_for(s.tracker.came.wait(), 5)
        s.tracker.came.clear()
        s.tracker.receipts.clear()
        await asyncio.gather(*(s.text() for _ in range(20)))
        while len(s.tracker.receipts) < 20:
            await asyncio.wait_for(s.tracker.came.wait(), 5)
            s.tracker.came.clear()
        assert s.tracker.count("/api/v1/receipts") <= 8


async def test_a_reply_that_is_left_ends_at_the_rig(world: World) -> None:
    gone = asyncio.Event()

    async def long(request: Request, wire: Wire) -> None:
        await wire.head(content_type="text/event-stream")
        try:
            while True:
                await wire.chunk(b"".join(stream_of(["again and again"] * 100)))
        except ConnectionError:
            gone.set()
            raise

    async with scene(Rig(1, world, script=[long]), world=world) as s:
        reply = await s.network.call(ask())
        async for _ in reply:
            break
        await reply.aclose()
        await reply.aclose()
        await asyncio.wait_for(gone.wait(), 5)
        assert s.tracker.receipts == []
