"""Publishes a rig's descriptor, and again when the engine's models have become others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

import msgspec

from luckrig.client.tracker import TrackerClient
from luckrig.nodeproxy.describe import Listing, describe_node
from luckrig.nodeproxy.engine_watch import EngineWatch
from luckrig.nodeproxy.engines.base import EngineOffer
from luckrig.protocol.descriptor import Hardware
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.text import check_note
from luckrig.protocol.wire import PublishReply

LOOK_SECONDS: Final = 5.0
"""As often as the engine itself is asked."""
CALM_SECONDS: Final = 60.0
"""Between two descriptors that nobody asked for: the tracker's log of them is for ever, and an
engine that loads and unloads models changes its mind often."""

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Publisher:
    """Signs and publishes what the engine offers now. listing: with the note that is on the map.

    watch: its offers are never none; see EngineWatch. clock: Unix seconds. monotonic: seconds from
    any origin. sleep: seconds.
    """

    listing: Listing
    watch: EngineWatch
    hardware: Hardware
    tracker: TrackerClient
    node_key: PrivateKey
    owner_key: PrivateKey
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _published: Sequence[EngineOffer] = field(default=(), init=False)
    _tried_at: float = field(default=0.0, init=False)

    async def publish(self, note: str | None = None) -> PublishReply:
        """Do it now, with another note if one is given. Raises LuckrigError."""
        listing = self.listing
        if note is not None:
            check_note(note, field="note")
            listing = replace(listing, note=note)
        state = self.watch.state
        self._tried_at = self.monotonic()
        signed = describe_node(
            listing,
            state,
            self.hardware,
            node_key=self.node_key,
            owner_key=self.owner_key,
            now=self.clock(),
        )
        reply = await self.tracker.publish(signed)
        self.listing, self._published = listing, state.offers
        return reply

    async def look(self) -> bool:
        """Publish if there is something new; True if so. A failure is tried again, and calmly."""
        offers = self.watch.state.offers
        if not self.watch.has_models or not is_news(self._published, offers):
            return False
        if self.monotonic() - self._tried_at < CALM_SECONDS:
            return False
        try:
            await self.publish()
        except LuckrigError as error:
            _log.warning("the new models can't be published: %s", error.message)
            return False
        return True

    async def run(self) -> NoReturn:
        """Look until cancelled."""
        while True:
            await self.sleep(LOOK_SECONDS)
            await self.look()


def is_news(before: Sequence[EngineOffer], now: Sequence[EngineOffer]) -> bool:
    """Whether the map should show other offers than before. Their order is none: ollama lists first
    what was used last. Nor is a context length that the engine doesn't tell any more."""
    known = {offer.model: offer for offer in before}
    if known.keys() != {offer.model for offer in now}:
        return True
    return any(_as_told(offer, known[offer.model]) != known[offer.model] for offer in now)


def _as_told(offer: EngineOffer, before: EngineOffer) -> EngineOffer:
    if offer.context_length is not None:
        return offer
    return msgspec.structs.replace(offer, context_length=before.context_length)
