"""The HTTP server in front of the pipeline, byte by byte, with a small application behind it."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest

from luckrig.cli.loop import bind
from luckrig.nodeproxy.server import ServerLimits, serving
from luckrig.nodeproxy.server.connection import ClientConnection, RequestHead
from luckrig.nodeproxy.server.head import single_headers
from luckrig.protocol.errors import PeerError
from tests.tracker.factories import seeded

HOST = "rig.example"
GET = f"GET /x HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


class Echo:
    """Answers with what arrived; /stream with chunks, /flood without end.

    seen: one entry for each request that got here. left: set when a client leaves.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[RequestHead, bytes | str]] = []
        self.left = asyncio.Event()
        self.go = asyncio.Event()
        self.waiting = asyncio.Event()

    async def __call__(self, connection: ClientConnection, head: RequestHead) -> None:
        try:
            await self._answer(connection, head)
        except asyncio.CancelledError:
            self.left.set()

    async def _answer(self, connection: ClientConnection, head: RequestHead) -> None:
        try:
            single_headers(head.headers, frozenset({HOST}))
            body = b"" if head.path == "/early" else await connection.read_body()
        except PeerError as error:
            self.seen.append((head, error.code))
            connection.start(error.status, b"", length=0)
            connection.write(b"", more=False)
            return
        self.seen.append((head, body))
        if head.path == "/wait":
            self.waiting.set()
            await self.go.wait()
        if head.path == "/stream":
            connection.start(200, b"", length=None)
            connection.write(b"one", more=True)
            connection.write(b"two", more=False)
        elif head.path == "/flood":
            connection.start(200, b"", length=None)
            while True:
                connection.write(b"x" * 65_536, more=True)
                await connection.drain()
                await asyncio.sleep(0)
        elif head.path == "/abort":
            connection.start(200, b"", length=None)
            connection.write(b"half", more=True)
            connection.abort()
        elif head.path != "/nothing":
            connection.start(200, b"x-own: 1\r\n", length=len(body))
            connection.write(body, more=False)


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def rest(self) -> bytes:
        """All until the server closes."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b"reset"

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of one answer with a content-length."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        return int(head.split(b" ", 2)[1]), await self.reader.readexactly(length)


class Served:
    """A running server, and its clients."""

    def __init__(self, app: Echo, port: int) -> None:
        self.app, self.port = app, port
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, *, receive_bytes: int | None = None) -> Client:
        sock = socket.socket()
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
        self._writers.append(writer)
        return Client(reader, writer)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def served(**limits: Any) -> AsyncGenerator[Served]:
    """A server with these ServerLimits."""
    app, sock = Echo(), bind("127.0.0.1", 0)
    running = Served(app, sock.getsockname()[1])
    async with serving(app, sock, ServerLimits(**limits)):
        yield running
    running.close()


def post(body: bytes, *headers: str, path: str = "/x") -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def request(*lines: str, body: str = "") -> bytes:
    return ("\r\n".join([*lines, "", ""]) + body).encode("latin-1")


async def test_requests_follow_one_another_on_a_connection() -> None:
    async with served() as server:
        client = await server.connect()
        for body in (b"first", b"", b"x" * 100_000):
            client.send(post(body))
            assert await client.answer() == (200, body)


async def test_stream_is_chunked_and_ends() -> None:
    async with served() as server:
        client = await server.connect()
        client.send(GET.replace(b"/x", b"/stream"))
        raw = await client.reader.readuntil(b"0\r\n\r\n")
        head, _, body = raw.partition(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        assert b"connection: close" not in head
        assert b"\r\ndate: " in head
        assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
        client.send(GET)
        assert await client.answer() == (200, b"")


async def test_next_request_may_come_before_the_last_one_is_tidied_up() -> None:
    async with served() as server:
        for _ in range(50):
            client = await server.connect()
            client.send(post(b"a"))
            await client.reader.readuntil(b"\r\n\r\na")
            client.send(post(b"b"))
            assert await client.answer() == (200, b"b")


async def test_old_clients_get_a_stream_that_the_end_of_the_connection_ends() -> None:
    async with served() as server:
        client = await server.connect()
        client.send(request("GET /stream HTTP/1.0", f"Host: {HOST}"))
        raw = await client.rest()
        assert raw.endswith(b"\r\n\r\nonetwo")
        assert b"connection: close" in raw


async def test_answer_to_head_has_no_body() -> None:
    async with served() as server:
        client = await server.connect()
        client.send(GET.replace(b"GET /x", b"HEAD /stream"))
        client.send(b"")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        client.send(GET)
        assert await client.answer() == (200, b"")


async def test_client_that_asks_whether_to_send_its_body_is_told_so() -> None:
    async with served() as server:
        client = await server.connect()
        head, body = post(b"hello", "Expect: 100-continue").split(b"\r\n\r\n")
        client.send(head + b"\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(body)
        assert await client.answer() == (200, b"hello")


async def test_chunked_bodies_are_read_however_they_are_cut() -> None:
    raw = request(
        "POST /x HTTP/1.1", f"Host: {HOST}", "Transfer-Encoding: chunked",
        body="5;note=1\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: dropped\r\n\r\n",
    )  # fmt: skip
    rng = seeded(1)
    async with served() as server:
        for _ in range(30):
            client = await server.connect()
            cuts = sorted(rng.sample(range(1, len(raw)), rng.randint(0, 8)))
            for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
                client.send(raw[start:end])
                await client.writer.drain()
                await asyncio.sleep(0)
            assert await client.answer() == (200, b"hello!")


SECOND = f"GET /second HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
SMUGGLING = {
    "length and coding": request(
        "POST /x HTTP/1.1", f"Host: {HOST}", "Content-Length: 6", "Transfer-Encoding: chunked",
        body="0\r\n\r\n" + SECOND,
    ),
    "two lengths": request(
        "POST /x HTTP/1.1", f"Host: {HOST}", "Content-Length: 3", "Content-Length: 3", body="abc"
    ),
    "two different lengths": request(
        "POST /x HTTP/1.1", f"Host: {HOST}", "Content-Length: 0", "Content-Length: 40", body=SECOND
    ),
    "signed length": request("POST /x HTTP/1.1", f"Host: {HOST}", "Content-Length: +3", body="abc"),
    "bare line feeds": f"GET /x HTTP/1.1\nHost: {HOST}\n\n".encode(),
    "folded header": request("GET /x HTTP/1.1", f"Host: {HOST}", "X: a\r\n b"),
    "space before the colon": request("GET /x HTTP/1.1", f"Host: {HOST}", "X : a"),
    "another coding": request(
        "POST /x HTTP/1.1", f"Host: {HOST}", "Transfer-Encoding: gzip, chunked", body="0\r\n\r\n"
    ),
    "unknown coding": request(
        "POST /x HTTP/1.1", f"Host: {HOST}", "Transfer-Encoding: xchunked", body="0\r\n\r\n"
    ),
    "bad chunk size": request(
        "POST /x HTTP/1.1", f"Host: {HOST}", "Transfer-Encoding: chunked",
        body="3\nabc\r\n0\r\n\r\n",
    ),
    "no host": request("GET /x HTTP/1.1"),
    "two hosts": request("GET /x HTTP/1.1", f"Host: {HOST}", f"Host: {HOST}"),
    "foreign host": request("GET /x HTTP/1.1", "Host: evil.example"),
    "control character": request("GET /x HTTP/1.1", f"Host: {HOST}", "X: a\x00b"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2 version": request("GET /x HTTP/2.0", f"Host: {HOST}"),
    "upgrade": request(
        "GET /x HTTP/1.1", f"Host: {HOST}", "Connection: Upgrade", "Upgrade: h2c", body=SECOND
    ),
    "CONNECT": request("CONNECT a:1 HTTP/1.1", f"Host: {HOST}", body=SECOND),
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 80,
}  # fmt: skip


@pytest.mark.parametrize("raw", SMUGGLING.values(), ids=SMUGGLING)
async def test_what_parsers_differ_about_is_refused(raw: bytes) -> None:
    """One refusal, no second answer, and nothing got to the application as a good request."""
    async with served() as server:
        client = await server.connect()
        client.send(raw)
        client.writer.write_eof()
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 400 ") or answer == b""
        assert answer.count(b"HTTP/1.1 ") <= 1
        assert [what for _, what in server.app.seen if isinstance(what, bytes)] == []


async def test_pipelined_request_is_never_answered() -> None:
    async with served() as server:
        client = await server.connect()
        client.send(post(b"abc") + SECOND.encode())
        answer = await client.rest()
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in answer
        assert [head.path for head, _ in server.app.seen] == ["/x"]


async def test_client_sees_why_its_body_is_too_large() -> None:
    async with served(body_bytes=1000) as server:
        for body in (b"x" * 1001, b"x" * 3_000_000):
            client = await server.connect()
            client.send(post(body))
            assert await client.answer() == (413, b"")
        assert {what for _, what in server.app.seen} == {"body_too_large"}


async def test_oversized_heads_are_refused() -> None:
    async with served(head_bytes=2000, headers=5) as server:
        long = GET.replace(b"\r\n\r\n", b"\r\nX: " + b"a" * 2000)
        many = GET.replace(b"\r\n\r\n", b"\r\nX: a" * 6 + b"\r\n\r\n")
        for raw in (long, many, b"GET /" + b"a" * 3000):
            client = await server.connect()
            client.send(raw)
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 400 ")
            error = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["error"]
            assert error["code"] == "invalid_request"
        assert server.app.seen == []


async def test_answer_may_come_before_the_body_and_ends_the_connection() -> None:
    async with served() as server:
        client = await server.connect()
        client.send(post(b"x" * 100, path="/early")[:-50])
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer


# Deadlines. None of these sleeps: each waits for what the server does.


async def test_idle_connection_is_closed() -> None:
    async with served(idle_seconds=0.05) as server:
        assert await (await server.connect()).rest() == b""


async def test_head_that_comes_slowly_is_not_waited_for() -> None:
    async with served(head_seconds=0.05, idle_seconds=30) as server:
        client = await server.connect()
        client.send(GET[:20])
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
        assert server.app.seen == []


async def test_body_that_comes_slowly_is_not_waited_for() -> None:
    async with served(body_seconds=0.05) as server:
        client = await server.connect()
        client.send(post(b"x" * 100)[:-1])
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
        assert [what for _, what in server.app.seen] == ["invalid_request"]


async def test_client_that_stops_reading_is_dropped() -> None:
    async with served(write_seconds=0.05) as server:
        client = await server.connect(receive_bytes=4096)
        client.send(GET.replace(b"/x", b"/flood"))
        await server.app.left.wait()


async def test_client_that_reads_slowly_but_reads_gets_everything() -> None:
    async with served(write_seconds=30, body_bytes=1 << 22) as server:
        client = await server.connect(receive_bytes=4096)
        body = seeded(1).randbytes(1 << 20)
        client.send(post(body))
        assert await client.answer() == (200, body)
        client.send(GET)
        assert await client.answer() == (200, b"")


async def test_client_that_leaves_ends_its_request() -> None:
    async with served() as server:
        client = await server.connect()
        client.send(GET.replace(b"/x", b"/wait"))
        await server.app.waiting.wait()
        client.writer.close()
        await server.app.left.wait()


# Counts


async def test_connections_beyond_the_limit_are_closed_at_once() -> None:
    async with served(connections=2) as server:
        first = await server.connect()
        first.send(GET)
        assert await first.answer() == (200, b"")
        await server.connect()
        assert await (await server.connect()).rest() in (b"", b"reset")
        first.send(GET)
        assert await first.answer() == (200, b"")


async def test_one_address_may_not_take_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(address: str) -> bool:
        return False

    monkeypatch.setattr("luckrig.nodeproxy.server.server.is_loopback", nowhere)
    async with served(connections_per_address=1) as server:
        first = await server.connect()
        first.send(GET)
        assert await first.answer() == (200, b"")
        assert await (await server.connect()).rest() in (b"", b"reset")
        first.writer.close()
        await _eventually(server, lambda answer: answer.startswith(b"HTTP/1.1 200 "))


# Ends


@pytest.mark.parametrize("path", ["/abort", "/nothing"])
async def test_answer_that_breaks_off_ends_the_connection(path: str) -> None:
    async with served() as server:
        client = await server.connect()
        client.send(GET.replace(b"/x", path.encode()))
        answer = await client.rest()
        assert b"0\r\n\r\n" not in answer


async def test_stopping_waits_for_what_runs_and_takes_nothing_new() -> None:
    async with served() as server:
        client, idle = await server.connect(), await server.connect()
        client.send(GET.replace(b"/x", b"/wait"))
        await server.app.waiting.wait()
        asyncio.get_running_loop().call_later(0.05, server.app.go.set)
    answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer
    assert await idle.rest() == b""


async def test_stopping_ends_what_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luckrig.nodeproxy.server.server.GRACE_SECONDS", 0.05)
    async with served() as server:
        client = await server.connect()
        client.send(GET.replace(b"/x", b"/wait"))
        await server.app.waiting.wait()
    assert server.app.left.is_set()


async def test_garbage_never_harms_the_server() -> None:
    """2,000 mutated requests: each is answered or closed, and good ones go on being served."""
    rng = seeded(7)
    good = [GET, post(b"body"), *SMUGGLING.values()]
    async with served(head_seconds=0.2, body_seconds=0.2, idle_seconds=0.2) as server:
        for _ in range(100):
            clients = [await server.connect() for _ in range(20)]
            for client in clients:
                raw = bytearray(rng.choice(good))
                for _ in range(rng.randint(1, 6)):
                    raw[rng.randrange(len(raw))] = rng.randrange(256)
                client.send(bytes(raw[: rng.randint(1, len(raw))]))
                with suppress(OSError):  # it may have been closed by now
                    client.writer.write_eof()
            await asyncio.gather(*(client.rest() for client in clients))
        last = await server.connect()
        last.send(GET)
        assert await last.answer() == (200, b"")


async def _eventually(server: Served, is_right: Callable[[bytes], bool]) -> None:
    """Ask until the answer is right; the test's timeout bounds it."""
    while True:
        client = await server.connect()
        client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        if is_right(await client.rest()):
            return
