"""Response headers of pages and static files. The tracker adds them; the pages are made to fit."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from luckrig.protocol.address import browser_origin


def content_security_policy(*, connect_to: str | None = None) -> str:
    """What a page may load and ask.

    connect_to: one more origin that its scripts may ask, http(s)://host[:port]. Raises ValueError
    for anything else, and for IPv6 addresses, which browsers know in no policy.
    """
    asked = "'self'"
    if connect_to is not None:
        origin = browser_origin(connect_to)
        if "[" in origin:
            raise ValueError("no policy can name an IPv6 address")
        asked = f"'self' {origin}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src {asked}",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


CONTENT_SECURITY_POLICY: Final = content_security_policy()

PAGE_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",  # for what doesn't know frame-ancestors
        "Cache-Control": "no-cache",  # a map of minutes ago would be a lie about who answers
    }
)

STATIC_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        # A year: the hash in the URL is the version.
        "Cache-Control": "public, max-age=31536000, immutable",
    }
)
