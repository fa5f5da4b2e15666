"""Serves an ASGI application inside a running event loop, and ends it politely.

uvicorn wants to own the process: its signal handlers, its logging, its exit. A command here may
run several servers and a child process, so it keeps all that to itself.
"""

import asyncio
import contextlib
import logging
import socket
from asyncio.transports import BaseTransport, Transport
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from luckrig.protocol.errors import LuckrigError
from luckrig.tracker.routes.connections import ABORT

KEEP_ALIVE_SECONDS: Final = 15
GRACE_SECONDS: Final = 2
"""How long running requests may go on after the wish to stop."""

SEND_BUFFER_BYTES: Final = 128 * 1024
"""In the kernel, for each connection. Left alone it grows to megabytes, and a client that stops
reading a relayed stream isn't noticed before they are full."""
WS_MAX_BYTES: Final = 65_600
"""A tunnel's largest frame is 65,541 bytes."""


@asynccontextmanager
async def serving(
    app: Any,
    sock: socket.socket,
    *,
    http: "type[HttpProtocol] | None" = None,
    speaks_websocket: bool = True,
    grace_seconds: int = GRACE_SECONDS,
) -> AsyncGenerator[None, None]:
    """Serve the application on the socket while the block runs; the socket is closed after it.

    http: of each connection, HttpProtocol if none is given. speaks_websocket: or else a WebSocket's
    request is one like any other. grace_seconds: for requests that run when the block ends.
    """
    config = uvicorn.Config(
        app,
        http=http or HttpProtocol,
        ws=_WebSocketProtocol if speaks_websocket else "none",
        ws_max_size=WS_MAX_BYTES,
        ws_per_message_deflate=False,  # what passes is short, or sealed, or both
        ws_ping_interval=None,  # the tunnel has its own PING, which both ends count
        loop="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody here believes X-Forwarded-For
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace_seconds,
    )
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await _started(server, task)
        yield
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await task
        sock.close()


class HttpProtocol(HttpToolsProtocol):
    """Lets an application drop a connection whose client doesn't read, and doesn't wait for answers
    without an end: see tracker/routes/connections.py.

    uvicorn has no deadline for a slow reader, and closing waits until everything was sent.
    """

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # access_log=False alone doesn't hold where somebody logs at INFO; addresses and queries
        # are nobody's business.
        self.access_log = False

    def shutdown(self) -> None:
        super().shutdown()
        # The grace is for answers that come to an end.
        extensions: dict[str, Any] = (self.scope or {}).get("extensions") or {}
        if extensions.get(ABORT, {}).get("endless"):
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"call": self.transport.abort}}


_FAULTS_ONLY: Final = logging.getLogger("uvicorn.error.websocket")
_FAULTS_ONLY.setLevel(logging.WARNING)


class _WebSocketProtocol(WebSocketsSansIOProtocol):
    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.conn.debug = False  # else it writes frames, and so prompts, to a log set to DEBUG
        self.logger = _FAULTS_ONLY  # else addresses, to one set to INFO

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if (scope := getattr(self, "scope", None)) is not None:  # there is one for a good request
            scope["extensions"][ABORT] = {"call": self.transport.abort}


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # the command handles them: stop_on_signals() in loop.py


async def _started(server: _Server, task: "asyncio.Task[None]") -> None:
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait((ready, task), return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if not server.started:
        await task  # raises what went wrong
        raise LuckrigError("internal_error", "The server didn't start.")
