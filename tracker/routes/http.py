"""Small pieces that every handler needs: bounded bodies in, JSON and errors out."""

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.errors import LuckrigError, PeerError, error_body

JSON: Final = "application/json"
BODY_ERRORS: Final = (
    "invalid_json",
    "invalid_request",
    "body_too_large",
    "unsupported_media_type",
)
"""What read_json_body and decode may refuse."""


async def read_json_body(request: Request, *, max_bytes: int) -> bytes:
    """The body of a plain application/json request, at most max_bytes long.

    Raises PeerError unsupported_media_type or body_too_large; reads no further than the bound.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON or "content-encoding" in request.headers:
        raise PeerError("unsupported_media_type", "Send uncompressed application/json.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise PeerError("body_too_large", f"This route takes at most {max_bytes} bytes.")
    return bytes(body)


def json_response(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A value of a wire type as JSON. Not to be cached unless headers say otherwise."""
    merged = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(value), status, merged, JSON)


def cacheable_json(request: Request, value: object) -> Response:
    """JSON with an ETag; 304 when the client already has it."""
    return cacheable(request, msgspec.json.encode(value), JSON)


def cacheable(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Any body with an ETag; 304 when the client already has it.

    headers: say how long it may be kept, else every use asks first.
    """
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    merged = {"Cache-Control": "no-cache", **(headers or {}), "ETag": etag}
    if status == 200 and _has(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=merged)
    return Response(body, status, merged, media_type)


def _has(known: str, etag: str) -> bool:
    """known: If-None-Match, compared weakly (RFC 9110, 13.1.2): proxies weaken ETags."""
    return any(each.strip().removeprefix("W/") in (etag, "*") for each in known.split(","))


def error_response(error: LuckrigError) -> Response:
    """OpenAI's error shape, with Retry-After where it is known."""
    headers: dict[str, str] = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    return json_response(error_body(error), status=error.status, headers=headers)
