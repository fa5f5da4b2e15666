"""Layer 2 of moderation: no text that the owner's moderation service flags reaches the engine."""

from dataclasses import dataclass

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.moderation.flags import FlagLog, subject_of
from luckrig.nodeproxy.moderation.hook import Checker
from luckrig.nodeproxy.steps.text_fields import field_of, texts_of
from luckrig.protocol.errors import PeerError


@dataclass(frozen=True)
class Moderate:
    """Raises PeerError content_filter with the categories, or LuckrigError moderation_unavailable.

    Stands after the local rules, which cost nothing, and before the queue: a refusal takes no turn.
    """

    checker: Checker
    flags: FlagLog

    async def __call__(self, exchange: Exchange) -> None:
        """Have every text-bearing field of the request checked."""
        verdict = await self.checker.check(texts_of(exchange))
        if not verdict.flagged:
            return
        await self.flags.note(subject_of(exchange), verdict, "input")
        raise PeerError(
            "content_filter",
            "This rig's moderation service refuses this request "
            f"(category: {', '.join(verdict.categories)}).",
            param=field_of(exchange),
        )
