"""Finding engines and asking them how they are, over real sockets."""

import asyncio

import pytest

from luckrig.nodeproxy.engines.advice import what_to_do
from luckrig.nodeproxy.engines.base import Call
from luckrig.nodeproxy.engines.chunks import Chunk, Usage
from luckrig.nodeproxy.engines.detect import (
    Found,
    Missed,
    Search,
    detect,
    examine,
    find_engines,
    probe,
)
from luckrig.nodeproxy.upstream import Upstream
from luckrig.protocol.errors import LuckrigError
from tests.fake_engines.dialects import DIALECTS
from tests.fake_engines.engine import AtOnce, FakeEngine, Fault, OnDemand
from tests.fake_engines.ollama import FakeModel, FakeOllama
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.fake_engines.scripted import Peer, Script, scripted_engine
from tests.nodeproxy.engine_scenes import chat_request, completion_request

ENGINES: list[type[FakeEngine]] = [FakeOllama, FakeOpenAi]
MODELS = {"ollama": "qwen3:4b", "openai-compatible": "stand-in"}


async def find(url: str, *, api_key: str | None = None) -> Found:
    """The engine that must be there."""
    found = await detect(url, api_key=api_key)
    assert found is not None
    return found


def answering(head: bytes, body: bytes, *, status: bytes = b"200 OK") -> Script:
    """Every request gets the same answer."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            length = b"Content-Length: %d\r\n\r\n" % len(body)
            await peer.send(b"HTTP/1.1 " + status + b"\r\n" + head + length + body)

    return script


def call_of(found: Found, *, chat: bool = True) -> Call:
    model = MODELS[found.state.kind]
    if chat:
        return found.dialect.chat(chat_request(model=model), max_output_tokens=100)
    return found.dialect.completion(completion_request(model=model), max_output_tokens=100)


async def ask(upstream: Upstream, found: Found, call: Call) -> list[Chunk]:
    """A whole reply, or the fault it becomes; what came before a fault is lost here."""
    async with await upstream.request("POST", call.path, call.body) as response:
        if response.status != 200:
            raise found.dialect.fault(response.status, await response.read())
        chunks: list[Chunk] = []
        while data := await response.read():
            chunks += call.decoder.feed(data)
        call.decoder.end()
        return chunks


@pytest.mark.parametrize("engine_class", ENGINES)
@pytest.mark.parametrize("chat", [True, False], ids=["chat", "completion"])
async def test_a_found_engine_replies(engine_class: type[FakeEngine], chat: bool) -> None:
    async with engine_class() as engine:
        found = await find(engine.url + "/v1/")
        assert (found.url, found.state.status) == (engine.url, "ready")
        upstream = Upstream(found.url)
        chunks = await ask(upstream, found, call_of(found, chat=chat))
        assert "".join(chunk.text for chunk in chunks) == "".join(engine.reply)
        assert chunks[-1].done
        usage = [chunk.usage for chunk in chunks if chunk.usage]
        assert [u.completion_tokens for u in usage] == [len(engine.reply)]
        await upstream.aclose()


async def test_a_prompt_count_of_zero_is_absent_in_ollamas_answer() -> None:
    async with FakeOllama(reply=[]) as engine:
        engine.counts_prompt = False
        found = await find(engine.url)
        upstream = Upstream(found.url)
        chunks = await ask(upstream, found, call_of(found))
        assert [chunk.usage for chunk in chunks if chunk.usage] == [Usage(0, 0, 0)]
        await upstream.aclose()


@pytest.mark.parametrize("engine_class", ENGINES)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("busy", "engine_unavailable"),
        ("loading", "engine_loading"),
        ("locked", "engine_unavailable"),
        ("too-long", "context_length_exceeded"),
        ("reset", "engine_error"),
        ("garbage", "engine_error"),
        ("half", "engine_error"),
        ("error", "engine_error"),
    ],
)
async def test_each_fault_of_an_engine_has_its_code(
    engine_class: type[FakeEngine], fault: Fault, code: str
) -> None:
    async with engine_class() as engine:
        found = await find(engine.url)
        upstream = Upstream(found.url)
        engine.fault = fault
        with pytest.raises(LuckrigError) as caught:
            await ask(upstream, found, call_of(found))
        assert caught.value.code == code
        await upstream.aclose()


@pytest.mark.parametrize("engine_class", ENGINES)
async def test_closing_a_reply_makes_the_engine_see_its_client_leave(
    engine_class: type[FakeEngine],
) -> None:
    async with engine_class() as engine:
        found = await find(engine.url)
        pace = OnDemand()
        engine.pace = pace
        upstream = Upstream(found.url)
        call = call_of(found)
        pace.allow(2)
        response = await upstream.request("POST", call.path, call.body)
        await response.read()
        response.close()
        await engine.left.acquire()
        engine.pace = AtOnce()
        assert await ask(upstream, found, call_of(found))
        await upstream.aclose()


async def test_an_engine_that_goes_down_and_comes_back_is_seen_to() -> None:
    async with FakeOllama() as engine:
        found = await find(engine.url)
        upstream = Upstream(engine.url)
        port = int(engine.url.rpartition(":")[2])
        assert await probe(upstream, found.dialect) == found.state
        await engine.stop()
        down = await probe(upstream, found.dialect)
        assert (down.status, down.offers, down.kind) == ("down", (), "ollama")
        await engine.start(port)
        assert await probe(upstream, found.dialect) == found.state
        await upstream.aclose()


async def test_a_llama_server_is_known_while_it_loads_or_wants_a_key() -> None:
    server = b"Server: llama.cpp\r\n"
    loading = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    locked = b'{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}'
    for script, status in (
        (answering(server, loading, status=b"503 X"), "loading"),
        (answering(server, locked, status=b"401 X"), "locked"),
    ):
        async with scripted_engine(script) as url:
            found = await find(url)
            assert (found.state.kind, found.state.status) == ("llama-server", status)


async def test_a_llama_server_behind_a_proxy_is_known_by_its_props() -> None:
    props = b'{"default_generation_settings":{"n_ctx":512},"total_slots":3,"data":[{"id":"m"}]}'
    async with scripted_engine(answering(b"", props)) as url:
        found = await find(url)
        assert (found.state.kind, found.state.slots) == ("llama-server", 3)


async def test_the_key_is_sent_to_the_engine_that_was_named() -> None:
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            requests.append(await peer.request())
            await peer.send(b"HTTP/1.1 401 X\r\nContent-Length: 2\r\n\r\n{}")

    async with scripted_engine(script) as url:
        found = await find(url, api_key="sk-1")
        assert (found.state.kind, found.state.status) == ("openai-compatible", "locked")
    assert requests
    assert all(b"\r\nAuthorization: Bearer sk-1\r\n" in request for request in requests)


@pytest.mark.parametrize(
    "script",
    [
        answering(b"", b"<html>hello</html>"),
        answering(b"", b'{"error":"Unexpected endpoint or method. (GET /x)"}'),
        answering(b"", b"x" * (2 << 20)),
        answering(b"", b'{"version":1,"data":7}'),
        answering(b"Luckrig-Node: n1abc\r\n", b'{"data":[{"id":"m"}]}'),
        answering(b"", b"Not Found", status=b"404 Not Found"),
    ],
    ids=["html", "lm-studio-error", "huge", "wrong-types", "another-node", "404"],
)
async def test_what_is_no_engine_is_not_found(script: Script) -> None:
    async with scripted_engine(script) as url:
        assert await detect(url) is None


async def test_a_bad_url_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="engine's address"):
        await detect("localhost:8080")


async def test_local_engines_are_found_in_the_order_of_the_ports() -> None:
    async def silent(peer: Peer) -> None:
        await peer.gone()

    async with FakeOpenAi() as plain, FakeOllama() as ollama, scripted_engine(silent) as dead:
        ports = [int(url.rpartition(":")[2]) for url in (ollama.url, dead, plain.url)]
        search = await find_engines([*ports, 1])
        assert [one.url for one in search.found] == [ollama.url, plain.url]
        assert [one.state.kind for one in search.found] == ["ollama", "openai-compatible"]
        assert [one.url for one in search.missed] == [dead, "http://127.0.0.1:1"]
        assert [one.is_silent for one in search.missed] == [False, True]


async def find_at(*urls: str, deadline_seconds: float = 10.0) -> Search:
    """The search of a machine where these are all that there is."""
    ports = [int(url.rpartition(":")[2]) for url in urls]
    return await find_engines(ports, deadline_seconds=deadline_seconds)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ("html", "web page"),
        ("redirect", "another address"),
        ("gzip", "compresses"),
        ("huge", "too large"),
        ("hang-up", "without an answer"),
        ("wrong-length", "broke off"),
    ],
)
async def test_an_owner_is_told_why_an_engine_is_none(name: str, fault: Fault, advice: str) -> None:
    async with DIALECTS[name].engine_class(fault=fault, everywhere=True) as engine:
        missed = await examine(engine.url)
        assert isinstance(missed, Missed)
        assert advice in missed.why
        assert (await find_at(engine.url)).missed == [missed]


@pytest.mark.parametrize("name", DIALECTS)
async def test_an_engine_that_wants_a_key_is_found_and_opens_with_it(name: str) -> None:
    async with DIALECTS[name].engine_class(api_key="sk-1") as engine:
        locked = await examine(engine.url)
        assert isinstance(locked, Found)
        assert (locked.state.status, locked.state.offers) == ("locked", ())
        assert "LUCKRIG_ENGINE_KEY" in (what_to_do(locked.state) or "")
        opened = await find(engine.url, api_key="sk-1")
        assert what_to_do(opened.state) is None
        if name in ("llama-server", "lm-studio"):
            assert locked.state.kind == opened.state.kind == name


@pytest.mark.parametrize("name", ["llama-server", "generic"])
async def test_an_engine_that_loads_is_found_and_worth_waiting_for(name: str) -> None:
    engine_class = DIALECTS[name].engine_class
    async with engine_class(fault="loading", everywhere=True) as engine:
        found = await find(engine.url)
        assert found.state.status == "loading"
        assert "loading" in (what_to_do(found.state) or "")
        engine.fault = "busy"
        missed = await examine(engine.url)
        assert isinstance(missed, Missed)
        assert "503" in missed.why


async def test_a_search_ends_in_time_and_says_what_was_tried() -> None:
    async with FakeOllama(fault="slow-head", everywhere=True) as slow, FakeOpenAi() as good:
        search = await find_at(slow.url, good.url, "http://127.0.0.1:1", deadline_seconds=0.5)
        assert [one.url for one in search.found] == [good.url]
        assert [one.url for one in search.missed] == [slow.url, "http://127.0.0.1:1"]
        assert "too long" in search.missed[0].why
        assert "Start the engine" in search.missed[1].why


async def test_an_engine_without_models_says_how_to_get_one() -> None:
    async with FakeOllama() as engine:
        engine.models = [FakeModel("gpt-oss:120b-cloud", remote_host="https://ollama.com")]
        found = await find(engine.url)
        assert found.state.offers == ()
        assert "ollama pull" in (what_to_do(found.state) or "")


async def test_the_owners_context_goes_into_each_request_to_ollama() -> None:
    async with FakeOllama() as engine:
        found = await detect(engine.url, num_ctx=16_384)
        assert found is not None
        assert [offer.context_length for offer in found.state.offers] == [16_384]
        assert b'"num_ctx":16384' in call_of(found).body


async def test_a_model_that_is_swapped_is_seen_at_the_next_look() -> None:
    """ollama loads one model and drops another; what was seen of a context is remembered."""
    async with FakeOllama() as engine:
        small, large = FakeModel("a", loaded_context=4096), FakeModel("b", loaded_context=None)
        engine.models = [small, large]
        found = await find(engine.url)
        assert [offer.context_length for offer in found.state.offers] == [4096, None]
        small.loaded_context, large.loaded_context = None, 8192
        upstream = Upstream(engine.url)
        state = await probe(upstream, found.dialect)
        assert [offer.context_length for offer in state.offers] == [4096, 8192]
        engine.models = [large]
        state = await probe(upstream, found.dialect)
        assert [offer.model for offer in state.offers] == ["b"]
        with pytest.raises(LuckrigError, match="doesn't offer"):
            found.dialect.chat(chat_request(model="a"), max_output_tokens=5)
        await upstream.aclose()


async def test_probes_run_side_by_side() -> None:
    async with FakeOllama() as engine:
        found = await find(engine.url)
        upstream = Upstream(engine.url)
        states = await asyncio.gather(*(probe(upstream, found.dialect) for _ in range(5)))
        assert states == [found.state] * 5
        await upstream.aclose()
