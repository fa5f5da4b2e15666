"""ASGI for the sidecar: bodies in, JSON and errors out, and two things that our server adds."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import msgspec

from luckrig.protocol.errors import LuckrigError, PeerError, error_body

MAX_BODY_BYTES: Final = 1 << 20
"""Of a request: as much as any rig takes."""
BODY_SECONDS: Final = 30.0
"""For a body to come whole, from a program on the same machine."""

TARGET: Final = "luckrig.target"
"""ASGI extension of our server (cli/local_server.py), {"raw": the request line's target, bytes}."""
ABORT: Final = "luckrig.abort"
"""Another one, {"call": what drops the connection at once}."""

HELPS: Final = frozenset(
    {
        "engine_error", "engine_loading", "engine_unavailable", "keyset_unavailable",
        "moderation_unavailable", "node_offline", "queue_full", "queue_timeout", "rate_limited",
        "relay_full", "rig_lost", "rig_offline", "tracker_unreachable",
    }
)  # fmt: skip
"""The codes after which a second try may end otherwise. OpenAI's clients would go by the status,
and so send a request again that a rule refused, or that a bug of ours broke."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]


class ClientGone(Exception):
    """Whoever asked has closed the connection."""


def target_of(scope: Scope) -> bytes:
    """The request line's target; its path, where another server runs the application."""
    target: bytes = _extension(scope, TARGET).get("raw") or bytes(scope.get("raw_path") or b"")
    return target


def abort(scope: Scope) -> None:
    """Drop the connection, where the server can."""
    call: Callable[[], None] | None = _extension(scope, ABORT).get("call")
    if call is not None:
        call()


async def read_body(receive: Receive) -> bytes:
    """A whole body. Raises PeerError body_too_large, ClientGone, TimeoutError."""
    pieces: list[bytes] = []
    size = 0
    async with asyncio.timeout(BODY_SECONDS):
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGone
            pieces.append(message.get("body") or b"")
            size += len(pieces[-1])
            if size > MAX_BODY_BYTES:
                raise PeerError(
                    "body_too_large", f"A request has at most {MAX_BODY_BYTES} bytes here."
                )
            if not message.get("more_body"):
                return b"".join(pieces)


async def until_gone(receive: Receive) -> None:
    """Wait until the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_json(send: Send, status: int, document: object, headers: RawHeaders) -> None:
    """A whole answer. headers: besides those that every one has."""
    body = msgspec.json.encode(document)
    head: RawHeaders = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def error_headers(error: LuckrigError) -> RawHeaders:
    """What tells OpenAI's clients whether to ask again, and when."""
    headers: RawHeaders = [(b"x-should-retry", b"true" if error.code in HELPS else b"false")]
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_seconds))
    return headers


async def send_error(send: Send, error: LuckrigError, *, is_read: bool) -> None:
    """An error in OpenAI's shape. is_read: whether the request's body was read to its end."""
    more = error_headers(error)
    if not is_read:
        more.append((b"connection", b"close"))  # the server would read the rest, however long
    await send_json(send, error.status, error_body(error), more)


def _extension(scope: Scope, name: str) -> Mapping[str, Any]:
    extensions: Mapping[str, Mapping[str, Any]] = scope.get("extensions") or {}
    return extensions.get(name, {})
