"""HTML forms: read within bounds, and only when a page of this tracker sent them."""

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from luckrig.protocol.errors import PeerError

FORM: Final = "application/x-www-form-urlencoded"
MAX_FORM_BYTES: Final = 65_536
"""Ten times the longest report in ASCII; Japanese takes nine bytes a character here."""
MAX_FIELDS: Final = 40


async def read_form(request: Request, *, max_bytes: int = MAX_FORM_BYTES) -> Mapping[str, str]:
    """The fields of a form, by name. Line ends are \\n; NUL and lone surrogates are refused.

    Raises PeerError unsupported_media_type, body_too_large, invalid_request.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM or "content-encoding" in request.headers:
        raise PeerError("unsupported_media_type", f"Send this form as {FORM}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise PeerError("body_too_large", f"This form takes at most {max_bytes} bytes.")
    try:
        items = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:  # a UnicodeError is one
        raise PeerError("invalid_request", "This form can't be read.") from None
    fields = {name: value.replace("\r\n", "\n").replace("\r", "\n") for name, value in items}
    if len(fields) != len(items) or any("\0" in value for value in fields.values()):
        raise PeerError("invalid_request", "This form can't be read.")
    return fields


def check_same_site(request: Request, *, hosts: Collection[str]) -> None:
    """Refuse a form that another site's page sent. hosts: this tracker's Host values, lower case.

    Browsers say where a request came from in Sec-Fetch-Site; older ones in Origin. Whoever sends
    neither is no browser, and carries nobody's cookies by accident. Raises PeerError cross_site.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        allowed = origin is None or urlsplit(origin).netloc.lower() in hosts
    if not allowed:
        raise PeerError("cross_site", "Open this page on the tracker itself, and send it again.")
