"""Scarcity: how few live rigs share what this one offers, from 0 (everybody has it) to 1.

For one offer, count the live rigs that share each of four things, this rig included:

| shared                     | weight | why                                                      |
|----------------------------|--------|----------------------------------------------------------|
| GPU, model, quantisation   | 0.10   | what a user gets here and nowhere else                   |
| GPU, model                 | 0.15   |                                                          |
| GPU                        | 0.60   | the hardware is the star; and nobody mistypes it:        |
|                            |        | a typo in a model's name can't win more than the rest    |
| model family               | 0.15   | survives a typo when the engine names the family         |

    scarcity = exact^-0.10 · gpu_model^-0.15 · gpu^-0.60 · family^-0.15

The weights sum to 1, so n rigs that are alike in everything have 1/n each, and the only rig of
everything has 1, on an empty map too: it *is* the only one.

Worked example. 100 live rigs have an RTX 4090 and serve qwen3:8b as Q4_K_M: 1/100 each. One of them
retypes the model as `qwen3:8b-mine`: 1 · 1 · 100^-0.60 · 100^-0.15 = 0.0316, still a common rig.
The only P40 serves the same model: 1 · 1 · 1 · 101^-0.15 = 0.5004, a rare one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from functools import lru_cache
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from luckrig.protocol.descriptor import NodeDescriptor
from luckrig.protocol.names import gpu_key, model_family, model_key, quantization_key
from luckrig.protocol.wire import NodeStatus
from luckrig.tracker.domain.records import NodeRecord

LIVE: Final[Set[NodeStatus]] = frozenset({"available", "busy", "starting"})
"""A rig in one of these counts. Any other is scored against the live ones and itself."""

MAX_NAMES: Final = 1 << 16
"""Names, and combinations of counts, that are remembered: owners choose names freely."""

_Shared = tuple[str, ...] | str
"""Something that rigs share. The four things have four shapes, so they count in one Counter."""

_Shares = tuple[_Shared, _Shared, _Shared, _Shared]


class ScarcityIndex:
    """Counts who shares what, rig by rig: a change costs what that rig's offers cost, no more.

    A rig counts once for each thing it shares, however many of its offers share it.
    """

    def __init__(self) -> None:
        self._shares_of = _share_reader()
        self._kinds = WeakValueDictionary[tuple[_Shares, ...], _Kind]()
        self._rigs: dict[str, _Rig] = {}
        self._live = Counter[_Shared]()

    def __len__(self) -> int:
        return len(self._rigs)

    def put(self, node: NodeRecord) -> None:
        """Count a rig, in place of what was counted of it before."""
        known = self._rigs.get(node.node_id)
        if known is not None and known.node is node:
            return
        is_live = node.health.status in LIVE
        if known is not None and known.node.descriptor is node.descriptor:
            kind = known.kind
            if known.is_live == is_live:
                self._rigs[node.node_id] = _Rig(node, is_live, kind)
                return
        else:
            kind = self._kind(self._shares_of(node.descriptor))
        self.drop(node.node_id)
        self._rigs[node.node_id] = _Rig(node, is_live, kind)
        if is_live:
            self._live.update(kind.things())

    def drop(self, node_id: str) -> None:
        """Count a rig no more."""
        rig = self._rigs.pop(node_id, None)
        if rig is None or not rig.is_live:
            return
        for thing in rig.kind.things():
            self._live[thing] -= 1
            if not self._live[thing]:
                del self._live[thing]

    def follow(self, nodes: Sequence[NodeRecord]) -> None:
        """Count exactly these rigs. What didn't change since last time costs a comparison."""
        for node in nodes:
            self.put(node)
        if len(self._rigs) > len(nodes):
            kept = {node.node_id for node in nodes}
            for node_id in self._rigs.keys() - kept:
                self.drop(node_id)

    def scarcity(self, node_id: str) -> float:
        """A rig's scarcity in [0, 1] with 4 decimals: that of its scarcest offer.

        Raises KeyError for a rig that isn't counted.
        """
        rig = self._rigs[node_id]
        return self._reader(is_live=rig.is_live)(rig.kind)

    def scarcest_offer(self, node_id: str) -> int:
        """Which of a rig's offers that is; of equals the first. KeyError as above."""
        rig = self._rigs[node_id]
        each = [_scarcity(offer, self._live, itself=not rig.is_live) for offer in rig.kind.offers]
        return each.index(max(each))

    def scarcities(self) -> dict[str, float]:
        """node_id → scarcity, of every rig that is counted.

        Each kind of rig is worked out once, and so is each offer that many kinds share.
        """
        readers = self._reader(is_live=False), self._reader(is_live=True)
        known: tuple[dict[_Kind, float], dict[_Kind, float]] = {}, {}
        found: dict[str, float] = {}
        for node_id, (_, is_live, kind) in self._rigs.items():
            scarcity = known[is_live].get(kind)
            if scarcity is None:
                scarcity = known[is_live][kind] = readers[is_live](kind)
            found[node_id] = scarcity
        return found

    def _reader(self, *, is_live: bool) -> Callable[["_Kind"], float]:
        """Tells the scarcity of rigs of a kind, as long as nothing changes."""
        known: dict[int, float] = {}

        def read(kind: "_Kind") -> float:
            scarcest = 0.0
            for offer in kind.offers:
                scarcity = known.get(id(offer))  # kinds hold their offers
                if scarcity is None:
                    scarcity = round(_scarcity(offer, self._live, itself=not is_live), 4)
                    known[id(offer)] = scarcity
                if scarcity > scarcest:
                    scarcest = scarcity
            return scarcest

        return read

    def _kind(self, offers: Iterable[_Shares]) -> "_Kind":
        shared = tuple(offers)
        kind = self._kinds.get(shared)
        if kind is None:
            kind = self._kinds[shared] = _Kind(shared)
        return kind


class _Kind:
    """What rigs share that are alike in GPU and offers; compared by identity."""

    __slots__ = ("__weakref__", "offers")

    def __init__(self, offers: tuple[_Shares, ...]) -> None:
        self.offers = offers

    def things(self) -> set[_Shared]:
        """Each thing once."""
        return {thing for offer in self.offers for thing in offer}


class _Rig(NamedTuple):
    node: NodeRecord
    is_live: bool
    kind: _Kind


def scarcities(nodes: Iterable[NodeRecord]) -> dict[str, float]:
    """node_id → scarcity of each of these rigs among themselves. Linear in their offers."""
    index = ScarcityIndex()
    index.follow(list(nodes))
    return index.scarcities()


@lru_cache(maxsize=MAX_NAMES)
def _formula(exact: int, gpu_model: int, gpu: int, family: int) -> float:
    return float(exact**-0.10 * gpu_model**-0.15 * gpu**-0.60 * family**-0.15)


def _scarcity(offer: _Shares, live: Counter[_Shared], *, itself: bool) -> float:
    """itself: whether the rig has to be added to the live ones, because it isn't one of them."""
    exact, gpu_model, gpu, family = offer
    return _formula(
        live[exact] + itself, live[gpu_model] + itself, live[gpu] + itself, live[family] + itself
    )


def _share_reader() -> Callable[[NodeDescriptor], list[_Shares]]:
    """Reads what a rig's offers share. It knows each name by heart after reading it once.

    What is alike is mostly one object, which is what counting makes use of.
    """
    learn = lru_cache(maxsize=MAX_NAMES)
    gpu_of, model_of = learn(gpu_key), learn(model_key)
    family_of, quantization_of = learn(model_family), learn(quantization_key)

    @learn
    def known_offer(gpu: str, name: str, family: str | None, quantization: str | None) -> _Shares:
        model = model_of(name)
        exact = (gpu, model, quantization_of(quantization))
        return exact, (gpu, model), (gpu,), family_of(name, family)

    def read(descriptor: NodeDescriptor) -> list[_Shares]:
        gpu = gpu_of(descriptor.hardware.gpu)
        return [
            known_offer(gpu, offer.model, offer.family, offer.quantization)
            for offer in descriptor.offers
        ]

    return read
