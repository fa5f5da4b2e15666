"""GET /metrics: for the owner, and no such route for anybody else."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.server import is_loopback
from luckrig.nodeproxy.steps.step import no_such_route

_HANDED_ON: Final = frozenset({b"forwarded", b"via", b"x-real-ip", b"true-client-ip"})
_HANDED_ON_AS: Final = (b"x-forwarded-", b"cf-")


@dataclass(frozen=True, kw_only=True)
class ShowMetrics:
    """Who may read: whoever has the token; or this machine itself, if that isn't a stranger's door.

    write: makes the document. trust_loopback: False where strangers come from a loopback address
    too, because a reverse proxy or a tunnel runs here; many of those add no header that says so.
    Raises PeerError not_found.
    """

    write: Callable[[], bytes]
    content_type: bytes
    token: str | None
    trust_loopback: bool

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange."""
        if not (self._is_local(exchange) or self._has_token(exchange.headers)):
            exchange.endpoint = ""  # as if there were none, in the counters too
            raise no_such_route()
        body = self.write()
        exchange.start(self.content_type, length=len(body))
        exchange.connection.write(body, more=False)

    def _is_local(self, exchange: Exchange) -> bool:
        was_handed_on = any(
            name in _HANDED_ON or name.startswith(_HANDED_ON_AS) for name in exchange.headers
        )
        is_here = is_loopback(exchange.connection.address)
        return self.trust_loopback and is_here and not was_handed_on

    def _has_token(self, headers: Mapping[bytes, bytes]) -> bool:
        scheme, _, sent = headers.get(b"authorization", b"").partition(b" ")
        if self.token is None or scheme.lower() != b"bearer":
            return False
        return hmac.compare_digest(sent.strip(), self.token.encode("ascii"))
