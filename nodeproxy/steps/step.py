"""What a step is."""

from typing import Protocol

from luckrig.nodeproxy.exchange import Exchange


class Step(Protocol):
    """Looks at an exchange, fills in its part, or refuses by raising LuckrigError.

    Whatever a step holds for the exchange it gives back through Exchange.on_close.
    """

    async def __call__(self, exchange: Exchange) -> None:
        """Do this step."""
        ...
