"""The upstream client against real sockets: framing of answers, reuse of connections."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.nodeproxy.upstream import Upstream, UpstreamResponse
from tests.fake_engines.scripted import Peer, scripted_engine, upstream_to
from tests.nodeproxy.upstream_scenes import (
    CHUNKED,
    OK,
    both_loops,
    fault_of,
    new_answer,
    playing,
    read_all,
)

UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nhello world"


# Framing


@given(
    st.sampled_from([CHUNKED, UNTIL_CLOSE, OK.replace(b"2\r", b"11\r")[:-2] + b"hello world"]),
    st.lists(st.integers(1, 120)),
)
def test_any_split_of_the_bytes_gives_the_same_answer(wire_bytes: bytes, cuts: list[int]) -> None:
    async def scenario() -> None:
        answer, wire = new_answer()
        marks = [0, *sorted(cuts), len(wire_bytes)]
        for start, end in pairwise(marks):
            answer.feed(wire_bytes[start:end])
        answer.lost(clean=True)
        assert await answer.arrived()
        assert await read_all(answer) == b"hello world"
        assert (answer.status, len(wire.calls)) == (200, 1)

    asyncio.run(scenario())


@both_loops
async def test_bodies_of_each_framing_arrive_over_a_socket() -> None:
    for wire_bytes in (CHUNKED, UNTIL_CLOSE):

        async def script(peer: Peer, wire_bytes: bytes = wire_bytes) -> None:
            await peer.request()
            for byte in wire_bytes:
                await peer.send(bytes([byte]))

        async with upstream_to(script) as upstream:
            response = await upstream.request("GET", "/health")
            assert await read_all(response) == b"hello world"
            assert await response.read() == b""


@both_loops
async def test_answers_without_a_body_keep_the_connection() -> None:
    seen: list[int] = []

    async def script(peer: Peer) -> None:
        seen.append(peer.number)
        for head in (b"204 No Content\r\n", b"304 Not Modified\r\nContent-Length: 9\r\n"):
            await peer.request()
            await peer.send(b"HTTP/1.1 " + head + b"\r\n")
        await peer.gone()

    async with upstream_to(script) as upstream:
        assert await upstream.fetch("GET", "/a") == (204, b"")
        assert await upstream.fetch("GET", "/b") == (304, b"")
    assert seen == [0]


@both_loops
async def test_interim_answers_are_skipped_and_redirects_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    script = playing(b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", moved)
    async with upstream_to(script) as upstream:
        response = await upstream.request("POST", "/a", b"{}")
        assert (response.status, b"x" in response.headers) == (302, False)
        assert response.headers[b"location"] == b"http://127.0.0.1:1/"


@both_loops
async def test_request_leaves_in_one_piece_without_compression_or_proxies() -> None:
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        requests.append(await peer.request())
        await peer.send(OK)

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        environment.setenv("ALL_PROXY", "http://127.0.0.1:1")
        async with scripted_engine(script) as url:
            upstream = Upstream(url + "/base/", api_key="k-1")
            extra = [(b"X-Extra", b"1")]
            async with await upstream.request("POST", "/v1/x?y=1", b'{"a":1}', headers=extra):
                pass
            await upstream.aclose()
    host = url.removeprefix("http://").encode()
    assert requests == [
        b"POST /base/v1/x?y=1 HTTP/1.1\r\nHost: " + host + b"\r\nAccept-Encoding: identity\r\n"
        b"Authorization: Bearer k-1\r\nX-Extra: 1\r\n"
        b'Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
    ]


@pytest.mark.parametrize(
    "url",
    ["ftp://a", "http://", "127.0.0.1:80", "http://me@host", "http://host/?q", "http://ho st"],
)
def test_odd_origins_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="engine's address"):
        Upstream(url)


async def test_nothing_can_be_smuggled_into_a_head() -> None:
    upstream = Upstream("http://127.0.0.1:1")
    for method, path in (("GET", "/a b"), ("GET", "/a\r\nX: y"), ("GET", "a"), ("HEAD", "/")):
        with pytest.raises(ValueError, match="method or path"):
            await upstream.request(method, path)
    with pytest.raises(ValueError, match="header"):
        await upstream.request("GET", "/", headers=[(b"X", b"a\r\nY: b")])
    with pytest.raises(ValueError, match="header"):
        Upstream("http://127.0.0.1:1", api_key="a\nb")


# Reuse


@both_loops
async def test_a_reused_connection_never_mixes_answers() -> None:
    """The known bug: an answer left unread while its connection already serves the next one."""
    connections: set[int] = set()

    async def script(peer: Peer) -> None:
        connections.add(peer.number)
        while True:
            path = (await peer.request()).split(b" ")[1]
            head = b"HTTP/1.1 200 OK\r\nX-Path: %s\r\nContent-Length: %d\r\n\r\n"
            await peer.send(head % (path, len(path)) + path)  # whole before anyone reads

    async with upstream_to(script) as upstream:
        unread: list[UpstreamResponse] = []
        for number in range(20):
            unread.append(await upstream.request("GET", f"/{number}"))
        for number, response in enumerate(unread):
            path = f"/{number}".encode()
            assert (response.headers[b"x-path"], await read_all(response)) == (path, path)
    assert connections == {0}


@both_loops
async def test_trailers_never_show_up_in_the_next_answer() -> None:
    async with upstream_to(playing(CHUNKED)) as upstream:
        for _ in range(3):
            answer = await upstream.fetch_answer("GET", "/")
            assert answer.headers == {
                b"content-type": b"text/event-stream",
                b"transfer-encoding": b"chunked",
            }


@both_loops
async def test_a_kept_connection_that_closes_unanswered_is_replaced_once() -> None:
    requests: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        requests.append(peer.number)
        if peer.number < 2:
            await peer.send(OK)
            await peer.request()
            requests.append(peer.number)

    async with upstream_to(script) as upstream:
        assert await upstream.fetch("POST", "/1") == (200, b"ok")
        assert await upstream.fetch("POST", "/2") == (200, b"ok")
        assert requests == [0, 0, 1]
        fault = await fault_of(upstream.fetch("POST", "/3"))
    assert requests == [0, 0, 1, 1, 2]  # the fresh one closed as well: no third attempt
    assert (fault.code, fault.retry_after_seconds) == ("engine_unavailable", 5)


@both_loops
async def test_a_request_is_not_repeated_once_a_byte_of_its_answer_came() -> None:
    requests: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        requests.append(peer.number)
        await peer.send(b"H")

    async with upstream_to(script) as upstream:
        await upstream.fetch("POST", "/1")
        fault = await fault_of(upstream.fetch("POST", "/2"))
    assert (fault.code, requests) == ("engine_unavailable", [0])


@both_loops
async def test_connections_that_may_not_be_reused_are_closed() -> None:
    """Told so, HTTP/1.0, two answers in one, garbage or a byte after the end."""
    endings = [
        OK.replace(b"Content", b"Connection: close\r\nContent"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        OK + OK,
        OK + b"\x00garbage",
        OK + b"H",
    ]
    closed = [asyncio.Event() for _ in endings]

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(endings[peer.number])
        await peer.gone()
        closed[peer.number].set()

    async with upstream_to(script) as upstream:
        for event in closed:
            assert await upstream.fetch("GET", "/") == (200, b"ok")
            await event.wait()


@both_loops
async def test_bytes_on_an_idle_connection_close_it() -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 0:
            await go.wait()
            await peer.send(OK)
            await peer.gone()
            closed.set()

    go = asyncio.Event()
    async with upstream_to(script) as upstream:
        assert await upstream.fetch("GET", "/") == (200, b"ok")
        go.set()
        await closed.wait()
        assert await upstream.fetch("GET", "/") == (200, b"ok")


@both_loops
async def test_an_engine_that_answers_before_it_read_the_request_is_not_reused() -> None:
    connections: list[int] = []
    body = b"x" * (16 << 20)

    async def script(peer: Peer) -> None:
        connections.append(peer.number)
        if peer.number == 0:
            await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            await peer.gone()
        else:
            await playing(OK)(peer)

    async with upstream_to(script) as upstream:
        assert await upstream.fetch("POST", "/1", body) == (413, b"")
        assert await upstream.fetch("POST", "/2") == (200, b"ok")
    assert connections == [0, 1]


@both_loops
async def test_no_more_than_max_idle_connections_are_kept() -> None:
    left = asyncio.Semaphore(0)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.gone()
        left.release()

    async with scripted_engine(script) as url:
        upstream = Upstream(url, max_idle=2)
        await asyncio.gather(*(upstream.fetch("GET", "/") for _ in range(5)))
        for _ in range(3):
            await left.acquire()
        await upstream.aclose()
