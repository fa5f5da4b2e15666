"""The ASGI application of a node proxy. Bare ASGI: Starlette's request and response objects would
double the CPU that a short stream costs (bench/README.md)."""

import asyncio
import logging
import secrets
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

import msgspec

from luckrig.nodeproxy.exchange import EVENT_STREAM, ClientGone, Exchange
from luckrig.nodeproxy.pipeline import Pipeline, Route
from luckrig.nodeproxy.settings import NodeSettings
from luckrig.protocol.errors import LuckrigError, PeerError, error_body

_Message = MutableMapping[str, Any]
_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

_REPEATABLE: Final = frozenset({b"accept", b"accept-encoding", b"accept-language", b"cookie"})
"""Every other header may come once: two Authorization headers are two opinions."""

_log = logging.getLogger(__name__)


class NodeProxy:
    """The application: finds the route, runs its steps, answers errors."""

    def __init__(self, pipeline: Pipeline, settings: NodeSettings) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._hosts = settings.hosts

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve one ASGI connection event."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _acknowledge_lifespan(receive, send)
        else:  # no WebSockets here
            await send({"type": "websocket.close"})

    async def _serve(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        connection = _AsgiConnection(receive, send, self._settings)
        exchange = Exchange(
            connection=connection,
            headers={},
            request_id=secrets.token_hex(8),
            method=scope["method"],
            path=scope.get("raw_path", b"").decode("latin-1"),
            rig_headers=self._pipeline.rig_headers,
        )
        try:
            async with asyncio.TaskGroup() as group:
                connection.watch_with(group)
                await self._answer(exchange, scope["headers"])
                connection.stop_watching()
        except* ClientGone:
            _log.info("%s client gone", exchange.request_id)
        finally:
            exchange.close()

    async def _answer(self, exchange: Exchange, headers: Iterable[tuple[bytes, bytes]]) -> None:
        try:
            exchange.headers = _single_headers(headers, self._hosts)
            route = self._pipeline.route(exchange.method, exchange.path)
            exchange.endpoint = route.endpoint
            await exchange.run(_run(route, exchange))
            _log.info("%s %s done", exchange.request_id, exchange.endpoint)
        except LuckrigError as error:
            exchange.close()  # a client that is slow to read why mustn't hold a turn meanwhile
            await _send_error(exchange, error)
        except (ClientGone, asyncio.CancelledError):
            raise
        except Exception as error:  # the one place where a bug of ours becomes an answer
            # Type and place alone: the message could quote the prompt.
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = type(error).__qualname__
            _log.error("%s %s at %s:%s", exchange.request_id, kind, where.filename, where.lineno)
            await _send_error(exchange, _internal(exchange.request_id))


class _AsgiConnection:
    """The ASGI side of an Exchange. Implements exchange.Connection."""

    def __init__(self, receive: _Receive, send: _Send, settings: NodeSettings) -> None:
        self._receive = receive
        self._send = send
        self._settings = settings
        self._group: asyncio.TaskGroup | None = None
        self._watcher: asyncio.Task[None] | None = None

    def watch_with(self, group: asyncio.TaskGroup) -> None:
        """Once the body is read, watch in this group for the client's leaving."""
        self._group = group

    def stop_watching(self) -> None:
        """The answer is complete."""
        if self._watcher is not None:
            self._watcher.cancel()

    async def read_body(self, *, max_bytes: int) -> bytes:
        """The whole body, within the body deadline."""
        try:
            async with asyncio.timeout(self._settings.body_timeout_seconds):
                body = await self._read(max_bytes)
        except TimeoutError as error:
            raise PeerError("invalid_request", "The body didn't arrive in time.") from error
        if self._group is not None:
            self._watcher = self._group.create_task(self._until_gone())
        return body

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head; ASGI servers keep it until the first body bytes come."""
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes, *, more: bool) -> None:
        """Send body bytes; a client that takes none of them in time counts as gone."""
        message = {"type": "http.response.body", "body": data, "more_body": more}
        try:
            async with asyncio.timeout(self._settings.write_timeout_seconds):
                await self._send(message)
        except (TimeoutError, OSError) as error:
            raise ClientGone from error

    async def _read(self, max_bytes: int) -> bytes:
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            body += message.get("body", b"")
            if len(body) > max_bytes:
                raise PeerError("body_too_large", f"This rig takes at most {max_bytes} bytes.")
            if not message.get("more_body", False):
                return bytes(body)

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        raise ClientGone


async def _run(route: Route, exchange: Exchange) -> None:
    for step in route.steps:
        await step(exchange)


def _single_headers(
    headers: Iterable[tuple[bytes, bytes]], hosts: frozenset[str]
) -> Mapping[bytes, bytes]:
    """Lower-case header names to values. Raises PeerError on a repeated one or a foreign Host."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in found and name not in _REPEATABLE:
            raise PeerError("invalid_request", "A header that may come once came twice.")
        found[name] = value
    if found.get(b"host", b"").decode("latin-1").lower() not in hosts:
        raise PeerError("invalid_request", "Send exactly one Host header: this rig's.")
    return found


async def _send_error(exchange: Exchange, error: LuckrigError) -> None:
    _log.info("%s %s %s", exchange.request_id, exchange.endpoint or "-", error.code)
    body = msgspec.json.encode(error_body(error))
    if exchange.started:  # too late for a status
        if exchange.started != EVENT_STREAM:  # a document that was on its way stays unfinished
            raise ClientGone
        await exchange.connection.write(b"data: " + body + b"\n\n", more=False)
        return
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", str(error.retry_after_seconds).encode("ascii")))
    if error.code == "content_filter":  # the stock openai client obeys it
        headers.append((b"x-should-retry", b"false"))
    await exchange.send_json(body, status=error.status, headers=headers)


def _internal(request_id: str) -> LuckrigError:
    return LuckrigError("internal_error", f"Internal error. Its number is {request_id}.")


async def _acknowledge_lifespan(receive: _Receive, send: _Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
