"""What the map asks of a rig's descriptor: read once, when the descriptor is new.

Names are compared by their keys (protocol.names). What is claimed stays claimed: nothing here is
measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from luckrig.protocol.descriptor import Capability, NodeDescriptor, Offer
from luckrig.protocol.names import (
    Vendor,
    gpu_key,
    gpu_vendor,
    model_family,
    model_key,
    quantization_key,
)
from luckrig.protocol.tags import tag_key, tags_of

MAX_NAMES: Final = 1 << 16
"""Names whose keys are remembered: owners choose them freely."""


class OfferTraits(NamedTuple):
    """One model that a rig serves. model, family, quant: keys. context: tokens, 0 if unknown.

    Offers that are alike are mostly one object, which is what filters make use of.
    """

    name: str
    model: str
    family: str
    quant: str
    context: int
    capabilities: Sequence[Capability]


@dataclass(frozen=True, slots=True)
class Traits:
    """A rig. gpu: its key. vram_bytes, context: 0 where it doesn't say; context is its largest.

    tags: keys. text: what `q` looks through, in folded case. name: for the order by name.
    """

    gpu: str
    vendor: Vendor
    vram_bytes: int
    ram_bytes: int | None
    context: int
    offers: tuple[OfferTraits, ...]
    tags: tuple[str, ...]
    name: str
    text: str


TraitReader = Callable[[NodeDescriptor], Traits]


def trait_reader() -> TraitReader:
    """Reads descriptors. It knows each name by heart after reading it once."""
    learn = lru_cache(maxsize=MAX_NAMES)
    gpu_of, vendor_of, model_of = learn(gpu_key), learn(gpu_vendor), learn(model_key)
    family_of, quant_of = learn(model_family), learn(quantization_key)

    @learn
    def known_offer(
        model: str, family: str | None, quant: str | None, context: int, *can: Capability
    ) -> OfferTraits:
        return OfferTraits(
            model, model_of(model), family_of(model, family), quant_of(quant), context, can
        )

    def read_offer(offer: Offer) -> OfferTraits:
        context = offer.context_length or 0
        return known_offer(
            offer.model, offer.family, offer.quantization, context, *offer.capabilities
        )

    def read(descriptor: NodeDescriptor) -> Traits:
        hardware = descriptor.hardware
        offers = tuple(map(read_offer, descriptor.offers))
        return Traits(
            gpu=gpu_of(hardware.gpu),
            vendor=vendor_of(hardware.gpu),
            vram_bytes=hardware.vram_bytes or 0,
            ram_bytes=hardware.ram_bytes,
            context=max((offer.context for offer in offers), default=0),
            offers=offers,
            tags=tuple(map(tag_key, tags_of(descriptor.note))),
            name=descriptor.name.casefold(),
            text=_searched(descriptor),
        )

    return read


def _searched(descriptor: NodeDescriptor) -> str:
    models = (offer.model for offer in descriptor.offers)
    # A word has no line break, so it can't be found across two parts.
    parts = (descriptor.name, descriptor.hardware.gpu or "", *models, descriptor.note)
    return "\n".join(parts).casefold()
