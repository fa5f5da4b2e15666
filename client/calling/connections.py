# ruff: noqa: ASYNC109 (the names of the parameters are those of the library's interface)
"""Connections to rigs: kept for a while, and each request sent in one piece.

Without a client around them: its redirects, cookies, hooks and environment variables are what rigs
must not have anyway, and cost as much again. The library writes a request's head and body apart,
which costs the rig a read and both sides a wake-up; here they wait for each other.
"""

import ssl
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import httpcore2
import httpx2

MAX_CONNECTIONS: Final = 256
MAX_IDLE_CONNECTIONS: Final = 32
KEPT_SECONDS: Final = 10.0
"""A rig closes a connection that was quiet for 15: it must not do so under a request."""
MAX_JOINED_BYTES: Final = 65_536
"""More than that goes out without waiting for the rest."""


@asynccontextmanager
async def open_connections() -> AsyncGenerator[httpcore2.AsyncConnectionPool]:
    """A pool that ends with the block. Proxy and certificate variables are ignored."""
    async with httpcore2.AsyncConnectionPool(
        ssl_context=httpx2.create_ssl_context(trust_env=False),
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_IDLE_CONNECTIONS,
        keepalive_expiry=KEPT_SECONDS,
        network_backend=_JoiningBackend(),
    ) as pool:
        yield pool


class _JoiningBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections that join what is written to them."""

    def __init__(self) -> None:
        # The library has another class of this name for where anyio is missing.
        self._backend = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return JoiningStream(
            await self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        )

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class JoiningStream(httpcore2.AsyncNetworkStream):
    """What is written goes out when an answer is awaited, or when it is much."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._waiting = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            await self._flush(timeout)
        except httpcore2.WriteError:
            pass  # it may have answered, and hung up, before it read all
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._waiting += buffer
        if len(self._waiting) > MAX_JOINED_BYTES:
            await self._flush(timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return JoiningStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    async def _flush(self, timeout: float | None) -> None:
        if self._waiting:
            joined = bytes(self._waiting)
            self._waiting.clear()
            await self._stream.write(joined, timeout)
