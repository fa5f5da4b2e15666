"""Which web pages may read a rig's answers: those of its own tracker, and no others (CORS).

A page of anybody else gets what a program without `Origin` gets, and its browser keeps that from
it. No cookie is ever involved: whoever asks needs a token, and a key for each request.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.server.head import header_block
from luckrig.protocol.address import browser_origin

VARY: Final = b"vary: origin\r\n"
"""On every answer: what one origin may read isn't for another one's cache."""
MAX_AGE_SECONDS: Final = 600
"""How long a browser keeps the permission. A rig that changes its tracker is rid of the old one's
pages after that."""

_HEADERS: Final = b"authorization, content-type, dpop"
_EXPOSED: Final = (
    b"luckrig-node, luckrig-gpu, luckrig-engine, luckrig-request, luckrig-quant, luckrig-queue-ms, "
    b"retry-after, x-should-retry"
)


@dataclass(frozen=True)
class PageRules:
    """origins: as browsers send them, to the byte; none for a rig that no page reads directly."""

    origins: frozenset[bytes]

    @classmethod
    def of(cls, origins: Collection[str]) -> "PageRules":
        """Of http(s)://host[:port], however they are spelled. Raises ValueError."""
        return cls(frozenset(browser_origin(each).encode("ascii") for each in origins))

    @property
    def for_all(self) -> bytes:
        """Header lines that every answer has."""
        return VARY if self.origins else b""

    def readable(self, headers: Mapping[bytes, bytes]) -> bytes:
        """Header lines that let the page read an answer; empty for a page that may not."""
        origin = headers[b"origin"]
        if origin not in self.origins:
            return b""
        return header_block(
            [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _EXPOSED),
            ]
        )

    def permission(self, headers: Mapping[bytes, bytes], methods: Collection[str]) -> bytes | None:
        """Header lines of the answer to a preflight, OPTIONS; None for one that gets none.

        methods: those that a page may use there.
        """
        asked = headers.get(b"access-control-request-method", b"").decode("latin-1")
        origin = headers[b"origin"]
        if origin not in self.origins or asked not in methods:
            return None
        lines = [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-methods", ", ".join(methods).encode("ascii")),
            (b"access-control-allow-headers", _HEADERS),
            (b"access-control-max-age", b"%d" % MAX_AGE_SECONDS),
        ]
        # Chromium 104 to 141 asked so before a request into a private network; newer ones ask the
        # visitor instead, and send no such header.
        if headers.get(b"access-control-request-private-network") == b"true":
            lines.append((b"access-control-allow-private-network", b"true"))
        return header_block(lines)
