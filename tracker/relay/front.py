"""Decides who serves what: the relay, the rigs' WebSockets, or the rest of the tracker."""

from starlette.types import ASGIApp, Receive, Scope, Send

from luckrig.protocol.surface import RELAY
from luckrig.tracker.relay.endpoint import TunnelEndpoint
from luckrig.tracker.relay.route import Relay


class Front:
    """The relay's requests are many and long, so they go round the router of all the others."""

    def __init__(self, app: ASGIApp, *, relay: Relay, tunnels: TunnelEndpoint) -> None:
        self._app = app
        self._relay = relay
        self._tunnels = tunnels

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of the ASGI server."""
        if scope["type"] == "websocket":
            await self._tunnels(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(RELAY):
            await self._relay(scope, receive, send)
        else:
            await self._app(scope, receive, send)
