"""HTTP as a stand-in speaks it: one request read, one answer written, well or badly."""

import asyncio
import gzip
import socket
import struct
from typing import Any, NamedTuple

import msgspec

from tests.fake_engines.knobs import Fault

HUGE_BYTES = 10 << 20
PAGE = b"<!DOCTYPE html><html><body>It works!</body></html>"


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


class Over(Exception):
    """The answer has ended early, and the connection lives on."""


class Exchange:
    """One request and the way to answer it. extra: header lines of every answer."""

    def __init__(self, request: Request, writer: asyncio.StreamWriter, extra: str = "") -> None:
        self.request = request
        self._writer = writer
        self._extra = extra

    async def send_json(self, document: object, *, status: int = 200) -> None:
        """Answer with a whole JSON document."""
        await self.send(msgspec.json.encode(document), status=status)

    async def send(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = "application/json",
        more_lines: str = "",
        missing_bytes: int = 0,
    ) -> None:
        """Answer with a whole body. missing_bytes: promised and not sent."""
        lines = f"{self._extra}{more_lines}Content-Type: {content_type}\r\n"
        length = len(body) + missing_bytes
        head = f"HTTP/1.1 {status} X\r\n{lines}Content-Length: {length}\r\n\r\n"
        self._writer.write(head.encode() + body)
        await self._writer.drain()

    async def start(self, content_type: str) -> None:
        """Begin a chunked answer."""
        lines = f"{self._extra}Content-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n"
        self._writer.write(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode())
        await self._writer.drain()

    async def piece(self, data: bytes) -> None:
        """One chunk of a chunked answer; b"" ends it."""
        self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self._writer.drain()

    async def half(self, data: bytes) -> None:
        """The first half of a chunk, and then nothing any more."""
        self._writer.write(b"%x\r\n%s" % (len(data), data[: len(data) // 2]))
        await self._writer.drain()
        self.hang_up()

    def hang_up(self) -> None:
        """Close in order."""
        self._writer.close()

    def reset(self) -> None:
        """Close with RST."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


async def spoil(exchange: Exchange, fault: Fault) -> bool:
    """Give the whole answer that this fault is. False: it isn't one of those."""
    match fault:
        case "slow-head":
            await asyncio.Event().wait()
        case "hang-up":
            exchange.hang_up()
            raise ConnectionResetError
        case "html":
            await exchange.send(PAGE, content_type="text/html")
        case "redirect":
            await exchange.send(b"", status=302, more_lines="Location: http://127.0.0.1:1/\r\n")
        case "gzip":
            await exchange.send(gzip.compress(PAGE), more_lines="Content-Encoding: gzip\r\n")
        case "huge":
            await exchange.send(b"x" * HUGE_BYTES)
        case "wrong-length":
            await exchange.send(b'{"choices":', missing_bytes=50)
            exchange.hang_up()
            raise ConnectionResetError
        case _:
            return False
    return True


async def read_request(reader: asyncio.StreamReader, early: bytes) -> Request:
    """The next request. early: what was read of it already."""
    head = (early + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body, msgspec.json.decode(body) if body else None)


async def next_byte(reader: asyncio.StreamReader) -> bytes:
    """A byte of the next request, or b"" when the client has closed."""
    try:
        return await reader.read(1)
    except ConnectionError:
        return b""
