"""Layer 1 of moderation: no text that breaks a local rule reaches the engine."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.filters.pack import RulePack, shipped_packs
from luckrig.nodeproxy.filters.rules import RuleSet
from luckrig.nodeproxy.filters.views import SEAM
from luckrig.nodeproxy.steps.text_fields import field_of, texts_of
from luckrig.protocol.errors import PeerError

INLINE_CHARS: Final = 8_192
"""Longer texts are checked in a thread, so that they don't hold up everybody else's stream. A
thread costs about 60 µs, more than the check of a short text. The check goes in slices, so the
thread gives the interpreter back every few hundred µs."""


class ObeyRules:
    """Raises PeerError content_filter with the category, never the rule.

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
        if len(text) <= INLINE_CHARS:
            hit = self._rules.first_hit([text])
        else:
            hit = await asyncio.to_thread(self._rules.first_hit, [text])
        if hit is not None:
            self._on_hit(hit.category)
            raise PeerError(
                "content_filter",
                f"A rule of this rig refuses this request (category: {hit.category}).",
                param=field_of(exchange),
            )
