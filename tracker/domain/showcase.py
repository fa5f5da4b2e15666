"""The showcase: rigs that are worth a look, each with the number that put it there.

Computed from what rigs say of their hardware, so nobody nominates anybody. Only rigs that are live
count; an owner stands in a category once; among equals the scarcer rig comes first.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from heapq import nsmallest
from typing import Final, NamedTuple

from luckrig.protocol.descriptor import Hardware
from luckrig.protocol.names import gpu_key, gpu_vendor, model_key
from luckrig.protocol.wire import ShowcaseCategory, ShowcaseEntry, ShowcaseReply
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.scarcity import LIVE

PER_CATEGORY: Final = 3
_GIB: Final = 2**30


class GpuFacts(NamedTuple):
    """year: of release. watts: the board's rated power."""

    year: int
    watts: int


GPU_FACTS: Final[Mapping[str, GpuFacts]] = {
    "k80": GpuFacts(2014, 300),
    "m40": GpuFacts(2015, 250),
    "gtx 970": GpuFacts(2014, 145),
    "gtx 1050 ti": GpuFacts(2016, 75),
    "gtx 1060": GpuFacts(2016, 120),
    "gtx 1070": GpuFacts(2016, 150),
    "gtx 1080": GpuFacts(2016, 180),
    "gtx 1080 ti": GpuFacts(2017, 250),
    "p4": GpuFacts(2016, 75),
    "p40": GpuFacts(2016, 250),
    "p100": GpuFacts(2016, 250),
    "v100": GpuFacts(2017, 250),
    "titan v": GpuFacts(2017, 250),
    "t4": GpuFacts(2018, 70),
    "rtx 2060": GpuFacts(2019, 160),
    "rtx 2070": GpuFacts(2018, 175),
    "rtx 2080": GpuFacts(2018, 215),
    "rtx 2080 ti": GpuFacts(2018, 250),
    "gtx 1650": GpuFacts(2019, 75),
    "gtx 1660": GpuFacts(2019, 120),
    "rtx 3050": GpuFacts(2022, 130),
    "rtx 3060": GpuFacts(2021, 170),
    "rtx 3060 ti": GpuFacts(2020, 200),
    "rtx 3070": GpuFacts(2020, 220),
    "rtx 3080": GpuFacts(2020, 320),
    "rtx 3090": GpuFacts(2020, 350),
    "rtx 3090 ti": GpuFacts(2022, 450),
    "rtx a2000": GpuFacts(2021, 70),
    "rtx a4000": GpuFacts(2021, 140),
    "rtx a6000": GpuFacts(2020, 300),
    "a100": GpuFacts(2020, 400),
    "rtx 4060": GpuFacts(2023, 115),
    "rtx 4060 ti": GpuFacts(2023, 160),
    "rtx 4070": GpuFacts(2023, 200),
    "rtx 4070 ti": GpuFacts(2023, 285),
    "rtx 4080": GpuFacts(2022, 320),
    "rtx 4090": GpuFacts(2022, 450),
    "h100": GpuFacts(2022, 700),
    "rtx 5060": GpuFacts(2025, 145),
    "rtx 5070": GpuFacts(2025, 250),
    "rtx 5080": GpuFacts(2025, 360),
    "rtx 5090": GpuFacts(2025, 575),
    "rx 580": GpuFacts(2017, 185),
    "rx 6700 xt": GpuFacts(2021, 230),
    "rx 6800 xt": GpuFacts(2020, 300),
    "rx 6900 xt": GpuFacts(2020, 300),
    "rx 7600": GpuFacts(2023, 165),
    "rx 7900 xt": GpuFacts(2022, 315),
    "rx 7900 xtx": GpuFacts(2022, 355),
    "mi50": GpuFacts(2018, 300),
    "mi60": GpuFacts(2018, 300),
    "mi100": GpuFacts(2020, 300),
    "arc a380": GpuFacts(2022, 75),
    "arc a750": GpuFacts(2022, 225),
    "arc a770": GpuFacts(2022, 225),
    "arc b580": GpuFacts(2024, 190),
}
"""As protocol/names.py spells it. A GPU that isn't here is in no category that needs it."""


class _Category(NamedTuple):
    """number: what decides, lower first, or None for rigs that have no place here."""

    key: str
    title: str
    unit: str
    number: Callable[[NodeRecord], float | None]
    most: bool = False


class _Place(NamedTuple):
    """Where a rig stands in a category, in order of what decides; ids end every tie."""

    first: float
    common: float
    node_id: str
    name: str
    number: float


def showcase(
    nodes: Iterable[NodeRecord],
    scarcity: Mapping[str, float],
    reproduced: Mapping[str, int],
) -> ShowcaseReply:
    """The categories that have anybody in them.

    scarcity: by node id, of every rig that may be shown. reproduced: how often notes about a rig
    were reproduced.
    """
    live = [node for node in nodes if node.health.status in LIVE and node.node_id in scarcity]
    names = _Names()
    firsts = _Firsts(live, names)

    def count_people(node: NodeRecord) -> float | None:
        return reproduced.get(node.node_id) or None

    categories = (
        _Category("lowest-vram", "Least GPU memory", "GiB", names.vram_gib),
        _Category("cpu-only", "No GPU at all", "GiB RAM", _ram_without_gpu),
        _Category("apple-silicon", "Apple silicon", "GiB", names.apple_gib),
        _Category("oldest-gpu", "Oldest GPU", "year", names.year),
        _Category("lowest-power", "Least power", "W", names.watts),
        _Category("largest-context", "Largest context", "tokens", _context, most=True),
        _Category("first-of-its-kind", "First of its kind", "listed", firsts.get_listed),
        _Category(
            "most-reproduced",
            "Notes that others reproduced",
            "people",
            count_people,
            most=True,
        ),
    )
    filled = [_fill(category, live, scarcity) for category in categories]
    return ShowcaseReply(categories=[category for category in filled if category.rigs])


def _fill(
    category: _Category, nodes: Iterable[NodeRecord], scarcity: Mapping[str, float]
) -> ShowcaseCategory:
    best: dict[str, _Place] = {}
    for node in nodes:
        number = category.number(node)
        if number is not None:
            node_id, owner_id = node.node_id, node.descriptor.owner_id
            first = -number if category.most else number
            place = _Place(first, -scarcity[node_id], node_id, node.descriptor.name, number)
            known = best.get(owner_id)
            if known is None or place < known:
                best[owner_id] = place
    shown = [
        ShowcaseEntry(node_id=place.node_id, name=place.name, number=place.number)
        for place in nsmallest(PER_CATEGORY, best.values())
    ]
    return ShowcaseCategory(key=category.key, title=category.title, unit=category.unit, rigs=shown)


class _Names:
    """What follows from names. A map has few names and many rigs, so each is read once."""

    def __init__(self) -> None:
        self._gpu_of = cache(gpu_key)
        self._vendor_of = cache(gpu_vendor)
        self._model_of = cache(model_key)

    def kinds(self, node: NodeRecord) -> set[tuple[str, str]]:
        """Its GPU with each of its models."""
        gpu = self._gpu_of(node.descriptor.hardware.gpu)
        return {(gpu, self._model_of(offer.model)) for offer in node.descriptor.offers}

    def vram_gib(self, node: NodeRecord) -> float | None:
        """Of a card's own memory."""
        hardware = node.descriptor.hardware
        if hardware.gpu is None or self._is_apple(hardware) or not hardware.vram_bytes:
            return None
        return round(hardware.vram_bytes / _GIB, 1)

    def apple_gib(self, node: NodeRecord) -> float | None:
        """Of the memory that CPU and GPU share."""
        hardware = node.descriptor.hardware
        if not self._is_apple(hardware) or not hardware.ram_bytes:
            return None
        return round(hardware.ram_bytes / _GIB, 1)

    def year(self, node: NodeRecord) -> float | None:
        """In which its GPU came out."""
        facts = self._facts(node)
        return None if facts is None else float(facts.year)

    def watts(self, node: NodeRecord) -> float | None:
        """That its GPU's board is rated at."""
        facts = self._facts(node)
        return None if facts is None else float(facts.watts)

    def _is_apple(self, hardware: Hardware) -> bool:
        return self._vendor_of(hardware.gpu) == "apple"

    def _facts(self, node: NodeRecord) -> GpuFacts | None:
        return GPU_FACTS.get(self._gpu_of(node.descriptor.hardware.gpu))


class _Firsts:
    """Which live rig was listed first with its GPU and one of its models."""

    def __init__(self, nodes: Iterable[NodeRecord], names: _Names) -> None:
        self._names = names
        self._listed: dict[tuple[str, str], tuple[int, str]] = {}
        self._size: dict[tuple[str, str], int] = {}
        for node in nodes:
            self._see(node)

    def get_listed(self, node: NodeRecord) -> float | None:
        """When it was listed, if it was the first of a kind that others joined."""
        for kind in self._names.kinds(node):
            if self._size[kind] > 1 and self._listed[kind][1] == node.node_id:
                return float(node.listed_at)
        return None

    def _see(self, node: NodeRecord) -> None:
        for kind in self._names.kinds(node):
            known = self._listed.get(kind)
            here = (node.listed_at, node.node_id)
            self._listed[kind] = here if known is None else min(known, here)
            self._size[kind] = self._size.get(kind, 0) + 1


def _ram_without_gpu(node: NodeRecord) -> float | None:
    hardware = node.descriptor.hardware
    if hardware.gpu is not None or not hardware.ram_bytes:
        return None
    return round(hardware.ram_bytes / _GIB, 1)


def _context(node: NodeRecord) -> float | None:
    known = [offer.context_length for offer in node.descriptor.offers if offer.context_length]
    return float(max(known)) if known else None
