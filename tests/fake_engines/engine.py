"""The part that all stand-ins share: HTTP, what was asked of them, pace and faults."""

import argparse
import asyncio
import socket
import struct
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol, Self, get_args

import msgspec

Fault = Literal[
    "busy", "loading", "locked", "too-long", "reset", "stall", "garbage", "half", "error"
]
"""The first four refuse a request; the others strike in the middle of a reply."""

REPLY = ("Hello", "!", " I", " only", " stand", " in", " for", " an", " engine", ".")


def vector_of(text: str) -> list[float]:
    """The embedding of a text, as every stand-in makes it: exact in 32 bits."""
    return [len(text) / 2, 0.25, -1.5]


class Pace(Protocol):
    """Decides when the next token may go out."""

    async def token(self, number: int) -> None:
        """Return when token `number` (from 0) may be sent."""


class AtOnce:
    """No pause at all."""

    async def token(self, number: int) -> None:
        """Let the token go, and the other tasks run."""
        await asyncio.sleep(0)


class OnDemand:
    """Tokens go out when the test says so."""

    def __init__(self) -> None:
        self._allowed = asyncio.Semaphore(0)

    def allow(self, count: int) -> None:
        """Let `count` more tokens go."""
        for _ in range(count):
            self._allowed.release()

    async def token(self, number: int) -> None:
        """Wait for allow()."""
        await self._allowed.acquire()


class PerSecond:
    """For runs by hand: a first token after ttft_seconds, then a steady rate."""

    def __init__(self, tokens_per_second: float, *, ttft_seconds: float = 0.0) -> None:
        self._pause_seconds = 1 / tokens_per_second
        self._ttft_seconds = ttft_seconds

    async def token(self, number: int) -> None:
        """Sleep."""
        await asyncio.sleep(self._pause_seconds if number else self._ttft_seconds)


class Request(NamedTuple):
    """What reached the engine. json: the decoded body, None without one."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    json: Any


class Refusal(Exception):
    """Answer with an error status and a JSON body."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class Exchange:
    """One request and the way to answer it."""

    def __init__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self._writer = writer

    async def send_json(self, document: object, *, status: int = 200, server: str = "") -> None:
        """Answer with a whole JSON document."""
        await self.send(msgspec.json.encode(document), status=status, server=server)

    async def send(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = "application/json",
        server: str = "",
    ) -> None:
        """Answer with a whole body."""
        extra = f"Server: {server}\r\n" if server else ""
        head = f"HTTP/1.1 {status} X\r\n{extra}Content-Type: {content_type}\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await self._writer.drain()

    async def start(self, content_type: str) -> None:
        """Begin a chunked answer."""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n"
        self._writer.write(head.encode() + b"\r\n")
        await self._writer.drain()

    async def piece(self, data: bytes) -> None:
        """One chunk of a chunked answer; b"" ends it."""
        self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self._writer.drain()

    async def half(self, data: bytes) -> None:
        """The first half of a chunk, and then nothing any more."""
        self._writer.write(b"%x\r\n%s" % (len(data), data[: len(data) // 2]))
        await self._writer.drain()
        self._writer.close()

    def reset(self) -> None:
        """Close with RST."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class FakeEngine:
    """A server on 127.0.0.1. Sub-classes speak a dialect in answer().

    requests: all that reached it, in order. left: released for each client that went away in the
    middle of a reply. Knobs may be changed between requests.
    """

    def __init__(
        self,
        *,
        reply: Sequence[str] = REPLY,
        pace: Pace | None = None,
        fault: Fault | None = None,
        fault_after: int = 2,
    ) -> None:
        self.reply = list(reply)
        self.pace: Pace = pace or AtOnce()
        self.fault = fault
        self.fault_after = fault_after
        self.requests: list[Request] = []
        self.left = asyncio.Semaphore(0)
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> Self:
        """Listen; port 0 takes a free one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def stop(self) -> None:
        """Close all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request in this engine's dialect. May raise Refusal."""
        raise NotImplementedError

    async def tokens(self, exchange: Exchange, limit: int | None) -> AsyncIterator[str]:
        """The reply's tokens, at its pace, until the limit or the fault."""
        for number, text in enumerate(self.reply[:limit]):
            await self.pace.token(number)
            if self.fault == "stall" and number >= self.fault_after:
                await asyncio.Event().wait()
            if self.fault == "reset" and number >= self.fault_after:
                exchange.reset()
                raise ConnectionResetError
            yield text

    def strikes(self, fault: Fault, number: int) -> bool:
        """Whether the fault hits before token `number`."""
        return self.fault == fault and number == self.fault_after

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        early = b""
        try:
            while True:
                request = await _read_request(reader, early)
                self.requests.append(request)
                early = await self._answer_or_notice_leaving(Exchange(request, writer), reader)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer_or_notice_leaving(
        self, exchange: Exchange, reader: asyncio.StreamReader
    ) -> bytes:
        """Answer. Returns what has already come of the next request, one byte at most."""
        answering = asyncio.create_task(self._answer(exchange))
        reading = asyncio.create_task(_next_byte(reader))
        try:
            await asyncio.wait({answering, reading}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done() and not reading.result():
                self.left.release()
                raise ConnectionResetError
            await answering
            return reading.result() if reading.done() else b""
        finally:
            for task in (answering, reading):
                task.cancel()
            await asyncio.gather(answering, reading, return_exceptions=True)

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self.answer(exchange)
        except Refusal as refusal:
            await exchange.send_json(refusal.body, status=refusal.status)


async def _next_byte(reader: asyncio.StreamReader) -> bytes:
    """A byte of the next request, or b"" when the client has closed."""
    try:
        return await reader.read(1)
    except ConnectionError:
        return b""


async def _read_request(reader: asyncio.StreamReader, early: bytes) -> Request:
    head = (early + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body, msgspec.json.decode(body) if body else None)


def run_by_hand(engine_class: type[FakeEngine], *, default_port: int) -> None:
    """Serve until interrupted, with the knobs from the command line."""
    parser = argparse.ArgumentParser(description=engine_class.__doc__)
    parser.add_argument("--port", type=int, default=default_port, help="0 takes a free one")
    parser.add_argument("--tps", type=float, default=20.0, help="tokens per second")
    parser.add_argument("--ttft", type=float, default=0.2, help="seconds until the first token")
    parser.add_argument("--fault", choices=get_args(Fault))
    parser.add_argument("--fault-after", type=int, default=2, help="tokens before it strikes")
    options = parser.parse_args()
    engine = engine_class(
        pace=PerSecond(options.tps, ttft_seconds=options.ttft),
        fault=options.fault,
        fault_after=options.fault_after,
    )

    async def serve() -> None:
        await engine.start(options.port)
        sys.stdout.write(f"{engine.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        pass
