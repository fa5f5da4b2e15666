"""Layer 1 of moderation: no text that breaks a local rule reaches the engine."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.filters.rules import Hit, RulePack
from luckrig.nodeproxy.steps.text_fields import field_of, texts_of
from luckrig.protocol.errors import PeerError

INLINE_CHARS: Final = 8_192
"""Longer texts are checked in a thread, so that they don't hold up everybody else's stream. A
thread costs about 60 µs, more than the check of a short text."""


@dataclass(frozen=True)
class ObeyRules:
    """Raises PeerError content_filter with the category, never the rule."""

    packs: Sequence[RulePack]

    async def __call__(self, exchange: Exchange) -> None:
        """Check every text-bearing field of the request."""
        found = texts_of(exchange)
        if sum(map(len, found)) <= INLINE_CHARS:
            hit = self._first_hit(found)
        else:
            hit = await asyncio.to_thread(self._first_hit, found)
        if hit is not None:
            raise PeerError(
                "content_filter",
                f"A rule of this rig refuses this request (category: {hit.category}).",
                param=field_of(exchange),
            )

    def _first_hit(self, found: list[str]) -> Hit | None:
        hits = (pack.first_hit(found) for pack in self.packs)
        return next((hit for hit in hits if hit is not None), None)
