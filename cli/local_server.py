"""Serves the sidecar on this machine: what serve.py does, and what only the sidecar needs.

uvicorn waits for a request's head without an end, and takes any number of connections. Programs of
this machine alone can connect, and web pages in its browsers: bounds keep one that hangs, or means
ill, from taking the sidecar's memory and files.
"""

import asyncio
import socket
from asyncio.transports import Transport
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from luckrig.cli.serve import HttpProtocol, serving
from luckrig.client.sidecar.asgi import ABORT, TARGET

GRACE_SECONDS: Final = 5
"""For replies that run at Ctrl-C."""
HEAD_SECONDS: Final = 10.0
"""For a request's head to come whole, from the connection's beginning or the head's first byte."""
MAX_CONNECTIONS: Final = 512
"""Twice what it has to rigs (client/calling/sending.py): as many again may be idle, or waiting."""
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\n"
    b"connection: close\r\n\r\n"
)


def serving_locally(app: Any, sock: socket.socket) -> AbstractAsyncContextManager[None]:
    """Serve while the block runs."""
    return serving(
        app, sock, http=LocalProtocol, speaks_websocket=False, grace_seconds=GRACE_SECONDS
    )


class LocalProtocol(HttpProtocol):
    """Tells the application the request line's target. uvicorn takes the path out of one with a
    host in it, and a browser that uses the sidecar as its proxy would send such a one.

    head_seconds, max_connections: see HEAD_SECONDS and MAX_CONNECTIONS.
    """

    head_seconds: float = HEAD_SECONDS
    max_connections: int = MAX_CONNECTIONS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.write(_FULL)
            transport.close()
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # Bytes end uvicorn's own deadline between requests, be it an empty line that begins none.
        is_between = not self.cycle or self.cycle.response_complete  # None before the first one
        if is_between and self._deadline is None:
            self._wait_for_head()
        super().data_received(data)

    def _wait_for_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _has_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def on_headers_complete(self) -> None:
        self._has_head()
        # The application's task begins later than this.
        self.scope["extensions"] = {
            ABORT: {"call": self.transport.abort},
            TARGET: {"raw": self.url},
        }
        super().on_headers_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """The application refuses it; the terminal needn't hear of every try."""
