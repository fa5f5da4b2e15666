"""Sample rigs, and pages that show them."""

from collections.abc import Sequence

from tools.sample_rigs import (
    CHAT,
    EMBEDS,
    GB,
    NOW,
    SEES,
    TIMES,
    make_id,
    make_rig,
    many_rigs,
    offer,
    twelve_rigs,
)

from luckrig.protocol.wire import NodeView
from luckrig.web.map_page import Choices, MapPage, Totals
from luckrig.web.pages import Site
from luckrig.web.rig_page import RigPage

__all__ = [
    "CHAT", "EMBEDS", "GB", "NOW", "SEES", "SITE", "TIMES", "choices_of", "make_id", "make_rig",
    "many_rigs", "map_page", "offer", "rig_page", "totals_of", "twelve_rigs",
]  # fmt: skip

SITE = Site(
    address="https://luckrig.example#r1" + "q7m2kx4t" * 4,
    version="0.1.0",
    now=NOW,
)


def totals_of(nodes: Sequence[NodeView]) -> Totals:
    """What a tracker with exactly these rigs would say."""
    return Totals(
        rigs=len(nodes),
        answering=sum(node.status in ("available", "busy") for node in nodes),
        models=len({offer.model for node in nodes for offer in node.offers}),
        gpus=len({node.hardware.gpu for node in nodes if node.hardware.gpu}),
    )


def choices_of(nodes: Sequence[NodeView]) -> Choices:
    """The names that these rigs have."""
    offers = [offer for node in nodes for offer in node.offers]
    return Choices(
        gpus=sorted({node.hardware.gpu for node in nodes if node.hardware.gpu}),
        models=sorted({offer.model for offer in offers}),
        quants=sorted({offer.quantization for offer in offers if offer.quantization}),
    )


def map_page(nodes: Sequence[NodeView]) -> MapPage:
    """The whole map on one page."""
    return MapPage(
        site=SITE,
        totals=totals_of(nodes),
        nodes=nodes,
        matching=len(nodes),
        choices=choices_of(nodes),
    )


def rig_page(node: NodeView) -> RigPage:
    """The page of one rig."""
    return RigPage(site=SITE, node=node, signed_at=NOW - 86_400)
