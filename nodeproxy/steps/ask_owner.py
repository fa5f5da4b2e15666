"""Whether the rig's owner wants any requests now."""

from dataclasses import dataclass

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.gate import Gate


@dataclass(frozen=True)
class AskOwner:
    """Refuses while the rig is closed. Raises LuckrigError rig_paused.

    It is asked twice: right after the token was checked, so that a closed rig does no work, and
    when a request's turn has come (at_turn), so that a long queue doesn't outlive the owner's wish.
    """

    gate: Gate
    at_turn: bool = False

    async def __call__(self, exchange: Exchange) -> None:
        """Ask."""
        self.gate.admit(exchange, at_turn=self.at_turn)
        if self.at_turn:
            exchange.on_close(self.gate.note_work)
