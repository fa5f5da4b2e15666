"""What a token allows: its limits."""

from dataclasses import dataclass

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.tokens import TokenUsage


@dataclass(frozen=True)
class HoldToLimits:
    """Counts the request against its token. Raises LuckrigError rate_limited."""

    usage: TokenUsage

    async def __call__(self, exchange: Exchange) -> None:
        """Count it, until the exchange is over."""
        claims = exchange.known_claims
        self.usage.begin(claims)
        exchange.on_close(lambda: self.usage.end(claims))
