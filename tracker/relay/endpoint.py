"""Where rigs connect: /api/v1/tunnel, a WebSocket."""

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from typing import Any, Final

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.surface import TUNNEL_PATH
from luckrig.protocol.tunnel.ends import Left, Proved, TrackerEnd
from luckrig.protocol.tunnel.frames import PING_SECONDS, VERSION, GoAway, Hello, Violation
from luckrig.protocol.tunnel.proof import Challenge, ClockOff, TunnelClaims, verify_tunnel_proof
from luckrig.tracker.relay.bans import banned
from luckrig.tracker.relay.http import refuse_websocket
from luckrig.tracker.relay.hub import Hub
from luckrig.tracker.relay.tunnel import GOODBYE_CODE, Receive, Send, Tunnel
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.connections import abort_of
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.store.interface import Store, StoreError

HANDSHAKE_SECONDS: Final = 10.0
MAX_HANDSHAKES: Final = 512
"""At once: a thousand rigs come back together after a restart, and strangers may come too."""
NONCE_BYTES: Final = 24
NOT_LISTED: Final = GoAway(
    reason="not_listed",
    message="This rig isn't on the tracker's map: publish its descriptor first.",
)

_log = logging.getLogger(__name__)


class _Refused(Exception):
    """The rig isn't let in."""

    def __init__(self, why: GoAway) -> None:
        super().__init__(why.reason)
        self.why = why


class TunnelEndpoint:
    """A rig gets in when it proves that it has the key of a rig that is listed and not banned.

    clock: Unix seconds. random_bytes: for nonces.
    """

    def __init__(
        self,
        hub: Hub,
        store: Store,
        bans: BanService,
        networks: ClientNetworks,
        *,
        root_id: str,
        public_url: str,
        max_streams: int,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._hub = hub
        self._store = store
        self._bans = bans
        self._networks = networks
        self._root_id = root_id
        self._public_url = public_url
        self._max_streams = max_streams
        self._clock = clock
        self._random_bytes = random_bytes
        self._handshakes = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one WebSocket, from its HTTP request to its end."""
        await receive()  # websocket.connect
        refusal = self._refusal(scope) or await self._network_refusal(scope)
        if refusal is not None:
            await refuse_websocket(scope, send, refusal)
            return
        self._handshakes += 1
        try:
            await send({"type": "websocket.accept"})
            tunnel = await self._handshake(scope, receive, send)
        except OSError:
            return  # it has left
        finally:
            self._handshakes -= 1
        if tunnel is not None:
            await tunnel.run(receive)
            _log.info("%s disconnected", tunnel.node_id)

    async def _network_refusal(self, scope: MutableMapping[str, Any]) -> LuckrigError | None:
        try:
            await self._bans.check_network(self._networks.prefix_of(scope))
        except PeerError as error:
            return error
        return None

    def _refusal(self, scope: MutableMapping[str, Any]) -> LuckrigError | None:
        if scope["path"] != TUNNEL_PATH:
            return PeerError("not_found", "There is nothing at this address.")
        if any(name == b"origin" for name, _ in scope["headers"]):
            # A rig sends none; a browser always does, and no page has business here.
            return PeerError("invalid_request", "Pages don't connect here; rigs do.")
        if self._handshakes >= MAX_HANDSHAKES:
            return LuckrigError(
                "rate_limited", "Too many rigs are connecting.", retry_after_seconds=5
            )
        return None

    async def _handshake(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> Tunnel | None:
        end = TrackerEnd()
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                claims = await self._proof(end, receive, send)
            if claims is None:
                return None
            await self._check(claims)
        except _Refused as refused:
            why = refused.why
        except Violation as fault:
            why = GoAway(reason="protocol_error", message=str(fault))
        except TimeoutError:
            why = GoAway(reason="silent", message="No proof came in time.")
        except StoreError as error:
            _log.error("a rig wasn't let in: %s", error)
            why = GoAway(reason="try_later", message="The tracker can't look this rig up now.")
        else:
            return await self._let_in(claims.node_id, end, scope, send)
        _log.info("a rig was not let in: %s", why.reason)
        await send({"type": "websocket.send", "bytes": end.go_away(why)})
        await send({"type": "websocket.close", "code": GOODBYE_CODE})
        return None

    async def _proof(self, end: TrackerEnd, receive: Receive, send: Send) -> TunnelClaims | None:
        nonce = b64url_encode(self._random_bytes(NONCE_BYTES))
        hello = Hello(
            version=VERSION,
            root_id=self._root_id,
            nonce=nonce,
            max_streams=self._max_streams,
            ping_seconds=PING_SECONDS,
        )
        await send({"type": "websocket.send", "bytes": end.hello(hello)})
        message = await receive()
        if message["type"] != "websocket.receive":
            return None
        event = end.receive(message.get("bytes") or b"")
        if isinstance(event, Left):
            return None
        if not isinstance(event, Proved):
            raise Violation("the first frame is the PROOF")
        challenge = Challenge(root_id=self._root_id, origin=self._public_url, nonce=nonce)
        try:
            return verify_tunnel_proof(event.proof, challenge, now=self._clock())
        except ClockOff as error:
            raise _Refused(GoAway(reason="clock_off", message=error.message)) from error
        except PeerError as error:
            raise _Refused(GoAway(reason="proof_invalid", message=error.message)) from error

    async def _check(self, claims: TunnelClaims) -> None:
        if claims.node_id in await self._bans.banned_nodes():
            raise _Refused(await banned(self._bans, claims.node_id))
        if await self._store.node(claims.node_id) is None:
            raise _Refused(NOT_LISTED)
        if not claims.takes_over and self._hub.get(claims.node_id) is not None:
            text = "Another process with this rig's key is connected. Stop one of them."
            raise _Refused(GoAway(reason="place_taken", message=text, retry_seconds=30))

    async def _let_in(
        self, node_id: str, end: TrackerEnd, scope: MutableMapping[str, Any], send: Send
    ) -> Tunnel:
        await send({"type": "websocket.send", "bytes": end.ready()})
        tunnel = Tunnel(
            node_id,
            end,
            send,
            abort_of(scope),
            ping_seconds=PING_SECONDS,
            on_beat=self._hub.on_beat,
            on_closed=self._hub.on_closed,
        )
        self._hub.adopt(tunnel)
        _log.info("%s connected", node_id)
        return tunnel
