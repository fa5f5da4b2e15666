"""HTTP/1.1 on a real socket, byte by byte: a server that can do what no honest one does."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec


@dataclass(frozen=True, repr=False)
class Request:
    """One request as it arrived. headers: lower-case names."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    @property
    def json(self) -> Any:
        """The body."""
        return msgspec.json.decode(self.body)


class Wire:
    """The connection that a request came on, for its answer."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def head(self, status: int = 200, **headers: str) -> None:
        """A head; the body follows in chunks, unless there is a content_length."""
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        if "content_length" not in headers:
            headers["transfer_encoding"] = "chunked"
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def chunk(self, data: bytes) -> None:
        """A piece of the body; the last one is empty."""
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def json(self, document: Any, status: int = 200, **headers: str) -> None:
        """A whole answer. document: bytes go as they are."""
        body = document if isinstance(document, bytes) else msgspec.json.encode(document)
        size = str(len(body))
        await self.head(status, content_type="application/json", content_length=size, **headers)
        await self.raw(body)

    async def raw(self, data: bytes) -> None:
        """Any bytes."""
        self._writer.write(data)
        await self._writer.drain()

    def cut(self) -> None:
        """End the connection, as a process that dies does."""
        self._writer.transport.abort()

    def reset(self) -> None:
        """The same with a reset instead of an end."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Answer = Callable[[Request, Wire], Awaitable[None]]


@asynccontextmanager
async def wire_server(answer: Answer) -> AsyncGenerator[str, None]:
    """The origin of a server on a free port of 127.0.0.1, until the block ends."""
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            while (request := await _read(reader)) is not None:
                await answer(request, Wire(writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)
