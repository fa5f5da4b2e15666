"""What the relay needs of the ASGI server, beyond ASGI where it has to."""

from collections.abc import MutableMapping
from typing import Any, Final

import msgspec

from luckrig.protocol.errors import LuckrigError, error_body
from luckrig.tracker.relay.tunnel import Send

CLOSE: Final = (b"connection", b"close")


async def send_error(send: Send, error: LuckrigError) -> None:
    """Answer a request with an error, in OpenAI's shape."""
    body = msgspec.json.encode(error_body(error))
    headers = [*_headers(error, body), CLOSE]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse_websocket(
    scope: MutableMapping[str, Any], send: Send, error: LuckrigError
) -> None:
    """Answer a WebSocket's request with an HTTP error, or as the server does it by itself."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    body = msgspec.json.encode(error_body(error))
    start = {"status": error.status, "headers": _headers(error, body)}
    await send({"type": "websocket.http.response.start", **start})
    await send({"type": "websocket.http.response.body", "body": body})


def _headers(error: LuckrigError, body: bytes) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
    ]
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", str(error.retry_after_seconds).encode("ascii")))
    return headers
