"""The map as lists need it: every listed rig read once, and each order kept until it changes.

What a list costs is what its filters cost: no rig is read again, scored or sorted for it. A change
costs what the rigs cost that changed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from luckrig.protocol.descriptor import NodeDescriptor
from luckrig.protocol.tags import tags_of
from luckrig.protocol.wire import NodeStatus, TimingView
from luckrig.tracker.domain.listing import (
    NodeQuery,
    Row,
    Selection,
    Sort,
    choose,
    offer_tests,
    page_of,
    sort_key,
)
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.scarcity import ScarcityIndex
from luckrig.tracker.domain.traits import OfferTraits, Traits, trait_reader

ANSWERING: Final[frozenset[NodeStatus]] = frozenset(("available", "busy"))
MAX_CHOICES: Final = 100
"""Suggestions in the filter form; its fields take any text all the same."""
MAX_SCARCE: Final = 6

_OF_DESCRIPTORS: Final[tuple[Sort, ...]] = ("name", "context", "measured", "scarcity")
"""Orders that a new descriptor may change."""

_Combination = tuple[str, str, str]
"""GPU, model and quantisation, however they are spelt."""


class Names(NamedTuple):
    """What listed rigs name, the MAX_CHOICES most common ones in alphabetical order."""

    gpus: Sequence[str]
    models: Sequence[str]
    families: Sequence[str]
    quants: Sequence[str]
    tags: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The whole map. answering: rigs that take requests now. models, gpus: distinct names."""

    rigs: int
    answering: int
    models: int
    gpus: int
    names: Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Scarce:
    """A combination that is scarce now, as its scarcest rig spells it. gpu: None for no GPU.

    scarcity: of that rig. answering: rigs with just this combination that answer now; at least 1.
    """

    gpu: str | None
    model: str
    quant: str | None
    scarcity: float
    answering: int


class MapIndex:
    """Follows the listed rigs; the caller says when to count scarcity anew, for it changes with
    each rig that comes, goes or falls silent.
    """

    generation: int
    """Counts what changed but for health, scarcity and timings."""

    def __init__(self) -> None:
        self.generation = 0
        self._read = trait_reader()
        self._scarcity = ScarcityIndex()
        self._nodes: list[NodeRecord] = []
        self._rows: dict[str, Row] = {}
        self._sorted_rows: list[Row] = []
        self._orders: dict[Sort, list[Row]] = {}
        self._names: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._common: Names | None = None
        self._scarce: list[Scarce] | None = None
        self._answering = 0
        self._answering_with = Counter[_Combination]()
        self._timings: Mapping[str, Sequence[TimingView]] = {}

    def follow(self, nodes: list[NodeRecord]) -> bool:
        """Hold exactly these rigs. True: scarcity must be counted anew before the next list.

        What didn't change since last time costs a comparison.
        """
        if len(nodes) == len(self._nodes):
            # Records are replaced, never changed; stores keep their order.
            pairs = zip(self._nodes, nodes, strict=True)
            changed = [(old, new) for old, new in pairs if old is not new]
            if all(old.node_id == new.node_id for old, new in changed):
                self._nodes = nodes
                # No short cut: each change has to be taken in.
                return any([self._renew(new) for _, new in changed])
        self._nodes = nodes
        self._replace_all(nodes)
        return True

    def count_scarcity(self) -> None:
        """Count who shares what, and how rare that makes each rig."""
        for node_id, scarcity in self._scarcity.scarcities().items():
            self._rows[node_id].scarcity = scarcity
        self._orders.pop("scarcity", None)
        self._scarce = None

    def put_timings(self, timings: Iterable[TimingView]) -> None:
        """What users measured lately, at whatever rigs: in place of what was put before."""
        of_node: defaultdict[str, list[TimingView]] = defaultdict(list)
        for timing in timings:
            of_node[timing.node_id].append(timing)
        self._timings = of_node
        for node_id, row in self._rows.items():
            row.timings = of_node.get(node_id, ())
        self._orders.pop("measured", None)

    def matching(self, query: NodeQuery) -> list[Row]:
        """Every rig that the query asks for, in its order; after and limit don't count."""
        by_query = query.sort == "measured" and bool(offer_tests(query))
        rows = self._sorted_rows if by_query else self._order(query)
        found = choose(rows, self._rows, query)
        if by_query:
            found.sort(key=sort_key(query))
        return found

    def select(self, query: NodeQuery) -> Selection:
        """The page that the query asks for. Raises PeerError invalid_request for a bad `after`."""
        return page_of(self.matching(query), query)

    def row(self, node_id: str) -> Row | None:
        """A listed rig."""
        return self._rows.get(node_id)

    def scarcities(self) -> dict[str, float]:
        """node_id → scarcity, of every listed rig."""
        return {node_id: row.scarcity for node_id, row in self._rows.items()}

    def summary(self) -> Summary:
        """The whole map in a few numbers and names."""
        if self._common is None:
            self._common = Names(*(_common(self._names[each]) for each in Names._fields))
        return Summary(
            rigs=len(self._nodes),
            answering=self._answering,
            models=len(self._names["models"]),
            gpus=len(self._names["gpus"]),
            names=self._common,
        )

    def scarce(self) -> list[Scarce]:
        """The scarcest that answers now, one combination for each kind of GPU, MAX_SCARCE at most.

        As of the last count of scarcity. One rig alone with its GPU and twenty models would
        otherwise fill the whole list.
        """
        if self._scarce is None:
            self._scarce = self._find_scarce()
        return self._scarce

    def _order(self, query: NodeQuery) -> list[Row]:
        order = self._orders.get(query.sort)
        if order is None:
            # Sorting is stable, so rows with equal keys stay in the order of their ids.
            order = self._orders[query.sort] = sorted(self._sorted_rows, key=sort_key(query))
        return order

    def _renew(self, node: NodeRecord) -> bool:
        row = self._rows[node.node_id]
        old, row.node = row.node, node
        self._scarcity.put(node)
        if old.health.last_seen_at != node.health.last_seen_at:
            self._orders.pop("last_seen", None)
        if old.descriptor is node.descriptor:
            if (old.health.status in ANSWERING) != (node.health.status in ANSWERING):
                self._count_answering(old, row.traits, -1)
                self._count_answering(node, row.traits, 1)
            return False
        self._count(old, row.traits, -1)
        row.traits = self._read(node.descriptor)
        self._count(node, row.traits, 1)
        self.generation += 1
        for sort in _OF_DESCRIPTORS:
            self._orders.pop(sort, None)
        return True

    def _replace_all(self, nodes: Sequence[NodeRecord]) -> None:
        kept = {node.node_id for node in nodes}
        for node_id in self._rows.keys() - kept:
            gone = self._rows.pop(node_id)
            self._count(gone.node, gone.traits, -1)
            self._scarcity.drop(node_id)
        for node in nodes:
            known = self._rows.get(node.node_id)
            if known is None:
                self._add(node)
            elif known.node is not node:
                self._renew(node)
        self._sorted_rows = [row for _, row in sorted(self._rows.items())]
        self._orders.clear()
        self.generation += 1

    def _add(self, node: NodeRecord) -> None:
        traits, timings = self._read(node.descriptor), self._timings.get(node.node_id, ())
        self._rows[node.node_id] = Row(node, traits, timings=timings)
        self._scarcity.put(node)
        self._count(node, traits, 1)

    def _count(self, node: NodeRecord, traits: Traits, number: int) -> None:
        self._count_names(node.descriptor, traits, number)
        self._count_answering(node, traits, number)

    def _count_answering(self, node: NodeRecord, traits: Traits, number: int) -> None:
        if node.health.status in ANSWERING:
            self._answering += number
            for combination in {_combination(traits, offer) for offer in traits.offers}:
                self._answering_with[combination] += number
                if not self._answering_with[combination]:
                    del self._answering_with[combination]

    def _count_names(self, descriptor: NodeDescriptor, traits: Traits, number: int) -> None:
        gpu, offers = descriptor.hardware.gpu, descriptor.offers
        for kind, names in (
            ("gpus", [gpu] if gpu else []),
            ("models", [offer.model for offer in offers]),
            ("families", [offer.family for offer in traits.offers]),
            ("quants", [offer.quantization for offer in offers if offer.quantization]),
            ("tags", tags_of(descriptor.note)),
        ):
            counts = self._names[kind]
            for name in names:
                counts[name] += number
                if not counts[name]:
                    del counts[name]
        self._common = None

    def _find_scarce(self) -> list[Scarce]:
        found: dict[str, tuple[Row, int]] = {}
        for row in self._order(NodeQuery()):
            if row.node.health.status in ANSWERING and row.traits.gpu not in found:
                found[row.traits.gpu] = row, self._scarcity.scarcest_offer(row.node.node_id)
                if len(found) == MAX_SCARCE:
                    break
        return [self._describe(row, number) for row, number in found.values()]

    def _describe(self, row: Row, number: int) -> Scarce:
        descriptor = row.node.descriptor
        offer = descriptor.offers[number]
        return Scarce(
            gpu=descriptor.hardware.gpu,
            model=offer.model,
            quant=offer.quantization,
            scarcity=row.scarcity,
            answering=self._answering_with[_combination(row.traits, row.traits.offers[number])],
        )


def _combination(traits: Traits, offer: OfferTraits) -> _Combination:
    return traits.gpu, offer.model, offer.quant


def _common(counts: Counter[str]) -> list[str]:
    return sorted(name for name, _ in counts.most_common(MAX_CHOICES))
