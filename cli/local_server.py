"""Serves the sidecar on this machine: what serve.py does, and what only the sidecar needs."""

import socket
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from luckrig.cli.serve import HttpProtocol, serving
from luckrig.client.sidecar.asgi import ABORT, TARGET

GRACE_SECONDS: Final = 5
"""For replies that run at Ctrl-C."""


def serving_locally(app: Any, sock: socket.socket) -> AbstractAsyncContextManager[None]:
    """Serve while the block runs."""
    return serving(
        app, sock, http=_LocalProtocol, speaks_websocket=False, grace_seconds=GRACE_SECONDS
    )


class _LocalProtocol(HttpProtocol):
    """Tells the application the request line's target. uvicorn takes the path out of one with a
    host in it, and a browser that uses the sidecar as its proxy would send such a one."""

    def on_headers_complete(self) -> None:
        # The application's task begins later than this.
        self.scope["extensions"] = {
            ABORT: {"call": self.transport.abort},
            TARGET: {"raw": self.url},
        }
        super().on_headers_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """The application refuses it; the terminal needn't hear of every try."""
