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
from collections.abc import Callable, Iterable, Set
from functools import cache
from typing import Final

from luckrig.protocol.descriptor import NodeDescriptor
from luckrig.protocol.wire import NodeStatus
from luckrig.tracker.domain.names import gpu_key, model_family, model_key, quantization_key
from luckrig.tracker.domain.records import NodeRecord

LIVE: Final[Set[NodeStatus]] = frozenset({"available", "busy", "starting"})
"""A rig in one of these counts. Any other is scored against the live ones and itself."""

_Shared = tuple[str, ...] | str
"""Something that rigs share. The four things have four shapes, so they count in one Counter."""

_Shares = tuple[_Shared, _Shared, _Shared, _Shared]


def scarcities(nodes: Iterable[NodeRecord]) -> dict[str, float]:
    """node_id → scarcity in [0, 1] with 4 decimals: that of the rig's scarcest offer.

    Linear in the number of offers. A rig counts once for each thing it shares, however many of
    its offers share it.
    """
    shares_of = _share_reader()
    rigs = [
        (node.node_id, node.health.status in LIVE, shares_of(node.descriptor)) for node in nodes
    ]
    live = Counter[_Shared]()
    for _, is_live, offers in rigs:
        if is_live:
            live.update({thing for offer in offers for thing in offer})
    return {
        node_id: round(max(_scarcity(offer, live, itself=not is_live) for offer in offers), 4)
        for node_id, is_live, offers in rigs
    }


def _scarcity(offer: _Shares, live: Counter[_Shared], *, itself: bool) -> float:
    """itself: whether the rig has to be added to the live ones, because it isn't one of them."""
    exact, gpu_model, gpu, family = [live[thing] + itself for thing in offer]
    return float(exact**-0.10 * gpu_model**-0.15 * gpu**-0.60 * family**-0.15)


def _share_reader() -> Callable[[NodeDescriptor], list[_Shares]]:
    """Reads what a rig's offers share. It knows each name by heart after reading it once."""
    gpu_of, model_of = cache(gpu_key), cache(model_key)
    family_of, quantization_of = cache(model_family), cache(quantization_key)

    def read(descriptor: NodeDescriptor) -> list[_Shares]:
        gpu = gpu_of(descriptor.hardware.gpu)
        shares: list[_Shares] = []
        for offer in descriptor.offers:
            model = model_of(offer.model)
            exact = (gpu, model, quantization_of(offer.quantization))
            shares.append((exact, (gpu, model), (gpu,), family_of(offer.model, offer.family)))
        return shares

    return read
