"""Whose turn it is: the token's limits, then the queue in front of the engine."""

from collections.abc import Callable
from dataclasses import dataclass

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.queue import RequestQueue
from luckrig.nodeproxy.tokens import TokenUsage


@dataclass(frozen=True)
class HoldToLimits:
    """Counts the request against its token. Raises LuckrigError rate_limited."""

    usage: TokenUsage

    async def __call__(self, exchange: Exchange) -> None:
        """Count it, until the exchange is over."""
        claims = exchange.claims
        assert claims is not None, "authenticate comes first"  # noqa: S101 -- narrows the type
        self.usage.begin(claims)
        exchange.on_close(lambda: self.usage.end(claims))


@dataclass(frozen=True)
class WaitForTurn:
    """Waits in the queue. Raises LuckrigError queue_full. monotonic: seconds, any origin."""

    queue: RequestQueue
    monotonic: Callable[[], float]

    async def __call__(self, exchange: Exchange) -> None:
        """Take a turn at the engine, until the exchange is over."""
        assert exchange.claims is not None, "authenticate comes first"  # noqa: S101
        arrived = self.monotonic()
        await self.queue.enter(priority=exchange.claims.lim.priority)
        exchange.on_close(self.queue.leave)
        exchange.queue_seconds = self.monotonic() - arrived
