"""A server that plays a script on each connection, down to single bytes.

For what no well-behaved engine does: half heads, resets, two answers at once.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from luckrig.nodeproxy.upstream import Upstream
from tests.fake_engines.server import StandIn


class Peer:
    """The script's side of one connection. number: 0 for the first connection, and so on."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """Read one whole request."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        sizes = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")]
        return head + await self._reader.readexactly(sizes[0] if sizes else 0)

    async def send(self, data: bytes) -> None:
        """Write, and wait until the socket has taken it."""
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Wait until the other side has closed or reset the connection."""
        try:
            while await self._reader.read(1 << 16):
                pass
        except ConnectionError:
            pass

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class _Scripted(StandIn):
    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script
        self._count = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See StandIn."""
        peer, self._count = Peer(self._count, reader, writer), self._count + 1
        await self._script(peer)


@asynccontextmanager
async def scripted_engine(
    script: Script, *, ssl_context: ssl.SSLContext | None = None
) -> AsyncGenerator[str, None]:
    """Run the script for each connection; gives the origin. The connection closes at its end."""
    server = _Scripted(script)
    await server.start(ssl_context=ssl_context)
    try:
        yield server.url
    finally:
        await server.stop()


@asynccontextmanager
async def upstream_to(script: Script, **options: float) -> AsyncGenerator[Upstream, None]:
    """An Upstream whose engine plays the script. options: the timeouts, by name."""
    async with scripted_engine(script) as url:
        upstream = Upstream(url, **options)  # type: ignore[arg-type]
        try:
            yield upstream
        finally:
            await upstream.aclose()
