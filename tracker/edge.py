"""The tracker's outermost ASGI layer: one known Host, security headers, a request id."""

import secrets
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from luckrig.protocol.errors import PeerError
from luckrig.tracker.relay.http import refuse_websocket
from luckrig.tracker.routes.http import error_response
from luckrig.web.headers import PAGE_HEADERS


class Edge:
    """Wraps the application. hosts: the Host values it answers to, lower case, with port.

    A request with no Host, two of them, or another one is refused: a page on another name that
    resolves to this machine (DNS rebinding) must not reach the tracker.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of the ASGI server."""
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("luckrig-request", request_id)  # a relayed answer has its rig's
                for name, value in PAGE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if self._is_ours(scope):
            await self._app(scope, receive, send_with_headers)
            return
        await error_response(_foreign_host())(scope, receive, send_with_headers)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        await receive()
        await refuse_websocket(scope, send, _foreign_host())

    def _is_ours(self, scope: Scope) -> bool:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        return len(hosts) == 1 and hosts[0].decode("latin-1").lower() in self._hosts


def _foreign_host() -> PeerError:
    return PeerError("invalid_request", "Send exactly one Host header: this tracker's.")
