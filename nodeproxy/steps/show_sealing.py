"""GET /luckrig/sealing: the keys that requests can be sealed to, signed by the rig."""

from dataclasses import dataclass

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.sealing.keys import SealingKeys


@dataclass(frozen=True)
class ShowSealing:
    """For everybody, without any allowance: the same bytes all day, so asking costs no signature.

    Who asks for a token at the tracker hasn't got one yet, and needs the key all the same.
    """

    keys: SealingKeys

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange."""
        exchange.send_json(self.keys.answer)
