"""The address that clients use for a rig behind a tunnel: {tracker}/n/{node_id}/v1/…

Bare ASGI, because bytes go through as they come. Both sides see what is on the lists below and
nothing else: the rig doesn't learn a client's address, the client not the rig's, and since a rig
is a stranger that answers under the tracker's own origin, it can set no cookie and serve no page.
"""

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any, Final

import msgspec

from luckrig.protocol.errors import LuckrigError, PeerError, error_body
from luckrig.protocol.surface import methods_of, split_relay_path
from luckrig.protocol.tunnel.frames import OpenHead, ReplyHead, ResetCode
from luckrig.tracker.relay.http import CLOSE, send_error
from luckrig.tracker.relay.hub import Hub
from luckrig.tracker.relay.limits import RelayLimits
from luckrig.tracker.relay.stream import ClientGone, RelayStream, RigLost, RigOffline
from luckrig.tracker.relay.tunnel import Receive, Send
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.connections import abort_of
from luckrig.tracker.service.bans import BanService

MAX_BODY_BYTES: Final = 1 << 20
"""Of a request, as at the rig."""
WRITE_SECONDS: Final = 15.0
"""How long a client may leave what was sent to it unread, as at the rig."""
ABORT_SECONDS: Final = 1.0

EVENT_STREAM: Final = "text/event-stream"
_TO_RIG: Final = frozenset(
    {b"accept", b"authorization", b"content-encoding", b"content-type", b"dpop"}
)
_TO_CLIENT: Final = frozenset({"cache-control", "content-type", "retry-after", "x-should-retry"})
"""And whatever begins with luckrig-."""
_CONTENT_TYPES: Final = frozenset({"application/json", EVENT_STREAM})
_WITHOUT_BODY: Final = frozenset({204, 205, 304})

_log = logging.getLogger(__name__)


class Relay:
    """host: the Host that rigs see, this tracker's."""

    def __init__(
        self,
        hub: Hub,
        limits: RelayLimits,
        networks: ClientNetworks,
        bans: BanService,
        *,
        host: str,
    ) -> None:
        self._hub = hub
        self._bans = bans
        self._limits = limits
        self._networks = networks
        self._host = host

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request under /n/."""
        reply = _Reply(scope, send)
        try:
            node_id, head = self._read_head(scope)
            prefix = self._networks.prefix_of(scope)
            await self._bans.check_network(prefix)
            with self._limits.place(prefix):
                await self._pass(node_id, head, receive, reply)
        except ClientGone:
            pass
        except LuckrigError as error:
            await reply.fail(error)

    def _read_head(self, scope: MutableMapping[str, Any]) -> tuple[str, OpenHead]:
        """Which rig, and what it gets to see. Raises PeerError."""
        raw = bytes(scope.get("raw_path") or b"").decode("latin-1")
        split = split_relay_path(raw)  # as it was sent, before any decoding
        methods = () if split is None else methods_of(split[1])
        if split is None or not methods:
            raise PeerError("not_found", "No such route. Rigs have /v1/… under /n/{node id}.")
        if scope["method"] not in methods:
            raise PeerError("method_not_allowed", f"This route takes {' or '.join(methods)}.")
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name in _TO_RIG
        ]
        _check_length(scope["headers"])
        head = OpenHead(
            method=scope["method"], path=split[1], headers=[("host", self._host), *headers]
        )
        return split[0], head

    async def _pass(self, node_id: str, head: OpenHead, receive: Receive, reply: "_Reply") -> None:
        tunnel = self._hub.get(node_id)
        if tunnel is None or tunnel.is_leaving:
            raise RigOffline
        if not tunnel.is_free:
            raise LuckrigError(
                "relay_full",
                f"{tunnel.streams} requests run through this rig's tunnel, which is its limit.",
                retry_after_seconds=1,
            )
        try:
            stream = tunnel.open(head)
        except ValueError as error:
            raise PeerError("invalid_request", "The request's head is too large.") from error
        upload = _Upload(receive, stream)
        task = asyncio.create_task(upload.run())
        code = ResetCode.CANCELLED
        try:
            await reply.relay(stream, upload)
        except TimeoutError:
            code = ResetCode.SLOW
            await reply.abort(task)
        except RigLost as error:
            if not await reply.fail(error):
                await reply.abort(task)
        finally:
            stream.close(code)
            task.cancel()


def _check_length(headers: list[tuple[bytes, bytes]]) -> None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > MAX_BODY_BYTES:
            raise _too_large()


def _too_large() -> PeerError:
    return PeerError("body_too_large", f"A request has at most {MAX_BODY_BYTES} bytes here.")


class _Upload:
    """The way of the request's body. is_whole: all of it has come from the client."""

    def __init__(self, receive: Receive, stream: RelayStream) -> None:
        self._receive = receive
        self._stream = stream
        self.is_whole = False

    async def run(self) -> None:
        """Pass the body on, then wait for the client to leave."""
        size = 0
        try:
            while (message := await self._receive())["type"] == "http.request":
                body: bytes = message.get("body") or b""
                size += len(body)
                if size > MAX_BODY_BYTES:
                    raise _too_large()
                await self._stream.write(body)
                if not message.get("more_body") and not self.is_whole:
                    self.is_whole = True
                    self._stream.finish()
        except LuckrigError as error:
            self._stream.fail(error)
        else:
            self._stream.fail(ClientGone())


class _Reply:
    """The client's side of one answer."""

    def __init__(self, scope: MutableMapping[str, Any], send: Send) -> None:
        self._scope = scope
        self._send = send
        self._is_events = self._is_started = False
        self._tail = b"\n\n"

    async def relay(self, stream: RelayStream, upload: _Upload) -> None:
        """The whole answer. Raises LuckrigError; TimeoutError for a client that does not read."""
        head = await stream.head()
        headers = _reply_headers(head)
        self._is_events = any(
            name == b"content-type" and value.lower().startswith(EVENT_STREAM.encode("ascii"))
            for name, value in headers
        )
        if not upload.is_whole:
            headers.append(CLOSE)  # our server would read the rest of the body, however long
        left = head.length
        loop = asyncio.get_running_loop()
        self._is_started = True
        # One timeout for all writes: it is moved, and stands still while the rig is thinking.
        async with asyncio.timeout(WRITE_SECONDS) as deadline:
            await self._send(
                {"type": "http.response.start", "status": head.status, "headers": headers}
            )
            while True:
                deadline.reschedule(None)
                data = await stream.read()
                if left is not None:
                    left -= len(data)
                    if left < 0 or (left and not data):
                        raise RigLost  # not the length that it said; our server would stumble
                deadline.reschedule(loop.time() + WRITE_SECONDS)
                await self._send(
                    {"type": "http.response.body", "body": data, "more_body": bool(data)}
                )
                if not data:
                    return
                self._tail = (self._tail + data[-2:])[-2:]
                stream.consumed(len(data))

    async def fail(self, error: LuckrigError) -> bool:
        """Tell the client, as a status or as a last event; False when it is too late for both."""
        if not self._is_started:
            self._is_started = True
            await send_error(self._send, error)
            return True
        if not self._is_events or self._tail != b"\n\n":
            return False  # whatever is written now would be read as part of what broke off
        body = b"data: " + msgspec.json.encode(error_body(error)) + b"\n\n"
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._send({"type": "http.response.body", "body": body})
        except TimeoutError:
            return False  # a client that doesn't read
        return True

    async def abort(self, upload: "asyncio.Task[None]") -> None:
        """Break the connection off, so that the client sees that something is missing."""
        abort_of(self._scope)()
        await asyncio.wait((upload,), timeout=ABORT_SECONDS)  # it ends when the server has noticed


def _reply_headers(head: ReplyHead) -> list[tuple[bytes, bytes]]:
    """What of a rig's head a client gets. Raises RigLost for what no rig of ours sends."""
    media = [value.partition(";")[0].strip().lower() for name, value in head.headers
             if name == "content-type"]  # fmt: skip
    if 300 <= head.status < 400 or head.status in _WITHOUT_BODY:
        raise RigLost
    if len(media) != 1 or media[0] not in _CONTENT_TYPES:
        raise RigLost
    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in head.headers
        if name in _TO_CLIENT or name.startswith("luckrig-")
    ]
    if head.length is not None:
        headers.append((b"content-length", str(head.length).encode("ascii")))
    return headers
