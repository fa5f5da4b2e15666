"""The upstream client against real sockets: faults, cancelling, back-pressure, TLS."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from luckrig.nodeproxy.upstream import Upstream
from luckrig.nodeproxy.upstream.response import HIGH_WATER_BYTES, MAX_HEAD_BYTES
from luckrig.nodeproxy.upstream.turns import READ_BYTES
from luckrig.protocol.errors import UpstreamError
from tests.fake_engines.scripted import Peer, scripted_engine, upstream_to
from tests.nodeproxy.upstream_scenes import (
    CHUNKED,
    OK,
    Runner,
    both_loops,
    fault_of,
    new_answer,
    playing,
    read_all,
)

# Faults


@both_loops
async def test_a_refused_connection_says_when_to_try_again() -> None:
    async with scripted_engine(playing(OK)) as url:
        pass
    fault = await fault_of(Upstream(url).fetch("GET", "/"))
    assert (fault.code, fault.retry_after_seconds) == ("engine_unavailable", 5)
    unknown = Upstream("http://" + "a" * 70)
    assert (await fault_of(unknown.fetch("GET", "/"))).code == "engine_unavailable"


@both_loops
async def test_a_reset_before_the_head_means_unavailable() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with upstream_to(script) as upstream:
        assert (await fault_of(upstream.fetch("GET", "/"))).code == "engine_unavailable"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["length", "chunked", "until-close"],
)
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_cut_body_gives_what_came_and_then_a_fault(head: bytes, reset: bool) -> None:
    read = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head + b"12345")
        await read.wait()
        if reset:
            peer.reset()

    async with upstream_to(script) as upstream:
        response = await upstream.request("GET", "/")
        assert await response.read() == b"12345"
        read.set()
        if not reset and b"\r\n\r\n" in head[:19]:
            assert await response.read() == b""  # without framing, the close is the end
        else:
            assert (await fault_of(response.read())).code == "engine_error"


@both_loops
async def test_garbage_instead_of_an_answer_is_an_engine_error() -> None:
    for garbage in (
        b"\x16\x03\x01\x02\x00",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    ):
        async with upstream_to(playing(garbage)) as upstream:
            assert (await fault_of(upstream.fetch("GET", "/"))).code == "engine_error", garbage


@both_loops
async def test_garbage_inside_a_body_comes_after_the_good_part() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n"
    async with upstream_to(playing(head)) as upstream:
        response = await upstream.request("GET", "/")
        assert await response.read() == b"ok"
        assert (await fault_of(response.read())).code == "engine_error"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * MAX_HEAD_BYTES + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 4000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 600_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * 600_000,
    ],
    ids=["value", "count", "complete", "interim", "trailer", "extension"],
)
async def test_bytes_that_are_no_body_are_bounded(head: bytes) -> None:
    async with upstream_to(playing(head)) as upstream:
        fault = await fault_of(upstream.fetch("GET", "/"))
        assert (fault.code, "oversized" in fault.message) == ("engine_error", True)


@both_loops
async def test_an_engine_that_stalls_is_given_up_and_its_connection_closed() -> None:
    closed: list[int] = []
    done = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number:
            await peer.send(OK[:-1])
        await peer.gone()
        closed.append(peer.number)
        if len(closed) == 2:
            done.set()

    async with upstream_to(
        script, head_timeout_seconds=0.05, idle_timeout_seconds=0.02
    ) as upstream:
        fault = await fault_of(upstream.request("GET", "/"))
        response = await upstream.request("GET", "/")
        assert await response.read() == b"o"
        assert (await fault_of(response.read())).code == fault.code == "engine_unavailable"
        await done.wait()


@both_loops
async def test_steady_pieces_outlast_the_idle_timeout() -> None:
    """The one timer is moved, not fired, while the engine keeps talking."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        loop = asyncio.get_running_loop()
        for _ in range(4):
            pause = asyncio.Event()
            loop.call_later(0.2, pause.set)
            await pause.wait()
            await peer.send(b"x")

    async with upstream_to(script, idle_timeout_seconds=0.6) as upstream:
        assert await upstream.fetch("GET", "/") == (200, b"xxxx")


@both_loops
async def test_a_probe_is_bounded_in_size_and_time() -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000
    async with upstream_to(playing(endless)) as upstream:
        fault = await fault_of(upstream.fetch("GET", "/", max_bytes=4096))
        assert (fault.code, "too large" in fault.message) == ("engine_error", True)
        fault = await fault_of(upstream.fetch("GET", "/", timeout_seconds=0.05))
        assert fault.code == "engine_unavailable"


# Cancelling and back-pressure


@both_loops
async def test_cancelling_a_request_closes_the_socket() -> None:
    arrived, closed = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        arrived.set()
        await peer.gone()
        closed.set()

    async with upstream_to(script) as upstream:
        task = asyncio.create_task(upstream.request("POST", "/", b"{}"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed.wait()


@both_loops
async def test_closing_an_answer_closes_the_socket_and_wakes_its_reader() -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED[:-40])
        await peer.gone()
        closed.set()

    async with upstream_to(script) as upstream:
        response = await upstream.request("POST", "/", b"{}")
        await response.read()
        reader = asyncio.create_task(response.read())
        await asyncio.sleep(0)
        response.close()
        response.close()
        await closed.wait()
        with pytest.raises(UpstreamError, match="closed before its end"):
            await reader
        assert (await fault_of(response.read())).code == "engine_error"


@both_loops
async def test_closing_a_finished_answer_keeps_its_connection() -> None:
    connections: set[int] = set()

    async def script(peer: Peer) -> None:
        connections.add(peer.number)
        await playing(OK)(peer)

    async with upstream_to(script) as upstream:
        for _ in range(3):
            async with await upstream.request("GET", "/") as response:
                assert await read_all(response) == b"ok"
    assert connections == {0}


async def test_a_reader_that_lags_stops_the_engine() -> None:
    answer, wire = new_answer()
    answer.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    answer.feed(b"x" * HIGH_WATER_BYTES)
    assert wire.calls == []
    answer.feed(b"x")
    answer.feed(b"x")
    assert wire.calls == ["pause"]
    assert len(await answer.read()) == HIGH_WATER_BYTES + 2
    assert wire.calls == ["pause", "resume"]
    answer.close()
    assert wire.calls == ["pause", "resume", "drop"]


async def test_a_paused_answer_that_completes_leaves_a_connection_that_reads() -> None:
    answer, wire = new_answer()
    answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (HIGH_WATER_BYTES + 2))
    answer.feed(b"x" * (HIGH_WATER_BYTES + 1))
    answer.feed(b"x")
    assert wire.calls == ["pause", "resume", "keep"]
    assert len(await answer.read()) == HIGH_WATER_BYTES + 2
    assert await answer.read() == b""
    assert wire.calls == ["pause", "resume", "keep"]


@both_loops
async def test_a_large_body_passes_whole_through_a_slow_reader() -> None:
    size = 8 << 20

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(64):
            await peer.send(b"x" * (size // 64))
        await peer.gone()

    async with upstream_to(script) as upstream:
        response = await upstream.request("GET", "/")
        total = 0
        while data := await response.read():
            total += len(data)
            for _ in range(5):
                await asyncio.sleep(0)
        assert total == size


@both_loops
async def test_aclose_ends_what_runs() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await peer.gone()

    async with upstream_to(script) as upstream:
        response = await upstream.request("GET", "/")
        await upstream.aclose()
        await upstream.aclose()
        assert (await fault_of(response.read())).code == "engine_error"
        assert (await fault_of(upstream.request("GET", "/"))).code == "engine_unavailable"


# TLS


def write_certificate(path: Path) -> None:
    """A self-signed certificate for 127.0.0.1, with its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    loopback = x509.IPAddress(ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_https_is_checked_against_the_certificate(run: Runner, tmp_path: Path) -> None:
    path = tmp_path / "engine.pem"
    write_certificate(path)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(path)
    much = b"x" * (40 * READ_BYTES)

    async def scenario() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(CHUNKED)
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + much)

        async with scripted_engine(script, ssl_context=server_context) as url:
            trusting = Upstream(url, ssl_context=ssl.create_default_context(cafile=str(path)))
            assert await trusting.fetch("GET", "/") == (200, b"hello world")
            assert await trusting.fetch("GET", "/") == (200, much)
            await trusting.aclose()
            strict = Upstream(url)
            assert (await fault_of(strict.fetch("GET", "/"))).code == "engine_unavailable"
            await strict.aclose()

    run(scenario())
