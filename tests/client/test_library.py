"""luckrig.client as a program uses it: AsyncClient and Client against rigs on real sockets."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from luckrig.cli.home import Home
from luckrig.client import (
    AsyncClient,
    ChatEvent,
    Client,
    Ended,
    LuckrigError,
    Started,
    Text,
    Waiting,
)
from luckrig.protocol.keys import PrivateKey
from tests.client.stand_in_network import (
    MODEL,
    USAGE,
    USER,
    Rig,
    Scene,
    World,
    ending,
    event,
    scene,
)
from tests.client.wire_server import Request, Wire


@pytest.fixture
def world() -> World:
    return World()


def client_of(s: Scene) -> AsyncClient:
    return AsyncClient(s.tracker.origin, USER, world=s.world.surroundings)


async def test_nodes_node_and_token(world: World) -> None:
    async with (
        scene(Rig(1, world, name="attic"), Rig(2, world), world=world) as s,
        client_of(s) as c,
    ):
        assert [node.name for node in await c.nodes(limit=10)] == ["attic", "rig 2"]
        found = [await c.node(name) for name in ("attic", s.rigs[0].node_id[:8])]
        assert {node.id for node in found} == {s.rigs[0].node_id}
        with pytest.raises(LuckrigError) as raised:
            await c.node("cellar")
        assert raised.value.code == "node_not_found"


@pytest.mark.parametrize("subtext", [False, True])
async def test_chat_gives_text_usage_timing_and_the_rig(world: World, subtext: bool) -> None:
    async with scene(Rig(1, world), world=world) as s, client_of(s) as c:
        reply = await c.chat(
            [{"role": "user", "content": "Hi"}], model=MODEL, subtext=subtext, temperature=0.5
        )
        assert (reply.text, reply.finish_reason) == ("Hello, world!", "stop")
        assert reply.usage is not None
        assert reply.usage.completion_tokens == 4
        assert reply.timing is not None
        assert reply.timing.ttft_ms == 12.5
        assert (reply.rig.id, reply.model, reply.subtext) == (s.rigs[0].node_id, MODEL, subtext)
        assert reply.receipt
        assert reply.document["usage"] == USAGE
        assert s.rigs[0].asked[0].json["temperature"] == 0.5


@pytest.mark.parametrize("subtext", [False, True])
async def test_a_stream_starts_once_and_ends_once(world: World, subtext: bool) -> None:
    async with scene(Rig(1, world), world=world) as s, client_of(s) as c:
        async with c.stream("Hi", subtext=subtext) as stream:
            events = [each async for each in stream]
        first, *texts, last = events
        assert isinstance(first, Started)
        assert first.rig.id == s.rigs[0].node_id
        assert [each.text for each in texts if isinstance(each, Text)] == [
            "Hello", ", ", "world", "!",
        ]  # fmt: skip
        assert isinstance(last, Ended)
        assert last.receipt
        assert last.usage is not None
        assert s.rigs[0].asked[0].json["stream_options"] == {"include_usage": True}


async def test_waiting_reasoning_and_tools_have_their_events(world: World) -> None:
    def delta(**fields: Any) -> bytes:
        return event({"choices": [{"index": 0, "delta": fields, "finish_reason": None}]})

    def call(**fields: Any) -> bytes:
        return delta(tool_calls=[{"index": 0, **fields}])

    async def answer(request: Request, wire: Wire) -> None:
        await wire.head(content_type="text/event-stream")
        await wire.chunk(b": queue position=2 eta=12 ticket=abc\n\n: hello\n\n")
        await wire.chunk(b": queue position=1 eta=unknown ticket=abc\n\n")
        await wire.chunk(delta(reasoning_content="Hm.") + delta(content=None))
        await wire.chunk(call(id="c1", function={"name": "look", "arguments": '{"at"'}))
        await wire.chunk(call(function={"arguments": ':"sky"}'}))
        await wire.chunk(b"".join(ending({})))
        await wire.chunk(b"")

    async with scene(Rig(1, world, script=[answer]), world=world) as s, client_of(s) as c:
        events: list[ChatEvent] = [each async for each in c.stream("Hi")]
    assert [type(each) for each in events] == [
        Waiting, Waiting, Started, Text, Text, Text, Ended,
    ]  # fmt: skip
    assert events[0] == Waiting(position=2, eta_seconds=12.0, ticket="abc")
    assert events[1] == Waiting(position=1, eta_seconds=None, ticket="abc")
    assert events[3] == Text("Hm.", "reasoning")
    last = events[-1]
    assert isinstance(last, Ended)
    function = {"name": "look", "arguments": '{"at":"sky"}'}
    assert last.tool_calls == [{"id": "c1", "type": "function", "function": function}]


async def test_what_a_rig_refuses_is_raised_with_its_code(world: World) -> None:
    async def refuse(request: Request, wire: Wire) -> None:
        raise LuckrigError("content_filter", "A rule refuses this.", param="messages")

    async with scene(Rig(1, world, script=[refuse, refuse]), world=world) as s, client_of(s) as c:
        with pytest.raises(LuckrigError) as raised:
            await c.chat("Hi")
        assert (raised.value.code, raised.value.param) == ("content_filter", "messages")
        with pytest.raises(LuckrigError) as raised:
            async for _ in c.stream("Hi"):
                pass
        assert raised.value.message == "A rule refuses this."


async def test_a_broken_stream_is_raised_after_what_came(world: World) -> None:
    async def cut(request: Request, wire: Wire) -> None:
        await wire.head(content_type="text/event-stream")
        await wire.chunk(event({"choices": [{"index": 0, "delta": {"content": "Once"}}]}))
        wire.cut()

    texts: list[str] = []
    async with scene(Rig(1, world, script=[cut]), world=world) as s, client_of(s) as c:
        with pytest.raises(LuckrigError) as raised:
            async for each in c.stream("Hi"):
                texts += [each.text] if isinstance(each, Text) else []
    assert (texts, raised.value.code) == (["Once"], "rig_lost")


@pytest.mark.parametrize(
    ("wishes", "code", "param"),
    [
        ({"gpu": "RTX 5090"}, "node_not_found", "luckrig.gpu"),
        ({"quant": ">=Q8"}, "node_not_found", "luckrig.quant"),
        ({"quant": ">=good"}, "invalid_request", "luckrig.quant"),
        ({"ctx": 10**6}, "node_not_found", "luckrig.ctx"),
        ({"ctx": -1}, "invalid_request", "luckrig.ctx"),
        ({"model": "llama:70b"}, "model_not_found", "model"),
        ({"model": "qwen3:8b@nowhere"}, "node_not_found", "model"),
        ({"model": ""}, "invalid_request", "model"),
    ],
)
async def test_what_nobody_has_is_refused_with_what_to_drop(
    world: World, wishes: dict[str, Any], code: str, param: str
) -> None:
    async with scene(Rig(1, world), world=world) as s, client_of(s) as c:
        with pytest.raises(LuckrigError) as raised:
            await c.chat("Hi", **wishes)
        assert (raised.value.code, raised.value.param) == (code, param)


@contextmanager
def scene_in_a_thread(*rigs: Rig) -> Generator[Scene, None, None]:
    """The stand-ins on a loop of their own: Client blocks the test's thread."""
    ready, done, made = threading.Event(), asyncio.Event(), list[Scene]()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        async with scene(*rigs, world=rigs[0].world) as s:
            made.append(s)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(15)
    try:
        yield made[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def test_the_client_without_asyncio_does_the_same(world: World) -> None:
    before = threading.active_count()
    with scene_in_a_thread(Rig(1, world, name="attic")) as s:
        client = Client(s.tracker.origin, USER, world=s.world.surroundings)
        with pytest.raises(RuntimeError):
            client.nodes()
        with client:
            assert [node.name for node in client.nodes()] == ["attic"]
            assert client.node("attic").id == s.rigs[0].node_id
            assert client.chat("Hi", subtext=True).text == "Hello, world!"
            with client.stream("Hi") as events:
                texts = [each.text for each in events if isinstance(each, Text)]
            assert "".join(texts) == "Hello, world!"
            with client.stream("Hi") as events:
                next(events)
            with pytest.raises(LuckrigError):
                client.chat("Hi", model="nothing")
    assert threading.active_count() == before


def test_the_key_is_the_users_own_or_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUCKRIG_HOME", str(tmp_path))
    with pytest.raises(LuckrigError, match="luckrig keys create"):
        Client("http://127.0.0.1:1")
    Home(tmp_path).create("user", USER)
    assert Client("http://127.0.0.1:1")
    assert Client("http://127.0.0.1:1", Home(tmp_path).key_path("user"))
    assert Client("http://127.0.0.1:1", PrivateKey(bytes(32)))
    with pytest.raises(LuckrigError, match="can't be read"):
        Client("http://127.0.0.1:1", tmp_path / "none")
    with pytest.raises(ValueError, match="looks like"):
        Client("nonsense")


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, luckrig.client as c; "
        "assert not {'httpx2', 'msgspec', 'asyncio', 'cryptography'} & set(sys.modules); "
        "assert c.Client and 'httpx2' in sys.modules; assert set(c.__all__) == set(c._HOMES)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)  # noqa: S603 -- our own
