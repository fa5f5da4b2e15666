"""Layer 1 of moderation: no text that breaks a local rule reaches the engine."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.filters.pack import RulePack, shipped_packs
from luckrig.nodeproxy.filters.rules import Hit, RuleSet
from luckrig.nodeproxy.filters.views import SEAM
from luckrig.nodeproxy.steps.text_fields import field_of, texts_of
from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext.carrier import MODEL
from luckrig.protocol.subtext.codec import carries_frames


class ObeyRules:
    """Raises PeerError content_filter with the category, never the rule; sealed_invalid for a
    sealed text where none belongs.

    categories: all that a refusal can have. on_hit: told the category of each.
    """

    def __init__(
        self,
        extra: Sequence[RulePack] = (),
        *,
        on_hit: Callable[[str], None] = lambda category: None,
    ) -> None:
        """extra: the owner's packs, beside the shipped ones, which always apply."""
        packs = [*shipped_packs(), *extra]
        self._rules = RuleSet(packs)
        self._on_hit = on_hit
        self.categories: Iterable[str] = {rule.category for pack in packs for rule in pack.rules}

    async def __call__(self, exchange: Exchange) -> None:
        """Check every text-bearing field of the request, all of them as one text.

        As one, because words and sentences can be split over messages; see SEAM.
        """
        text = SEAM.join(texts_of(exchange))
        if carries_frames(text):
            raise PeerError(
                "sealed_invalid",
                f"A sealed text goes to the model {MODEL}; in any other request nobody opens it.",
                param="model",
            )
        hit = await self._first_hit(text)
        if hit is not None:
            self._on_hit(hit.category)
            raise PeerError(
                "content_filter",
                f"A rule of this rig refuses this request (category: {hit.category}).",
                param=field_of(exchange),
            )

    async def _first_hit(self, text: str) -> Hit | None:
        """Between pieces of work everybody else's streams go on; a short text is one piece.

        No thread: a piece takes less than the hop to one, and most of it holds the interpreter.
        """
        for step in self._rules.check(text):
            if step is not None:
                return step
            await asyncio.sleep(0)
        return None
