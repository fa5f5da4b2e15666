"""What the network offers, as OpenAI lists models. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from luckrig.client.wanted import AUTO, OWN_NAMES
from luckrig.protocol.descriptor import Offer
from luckrig.protocol.openai.responses import Model
from luckrig.protocol.wire import NodeView

OWNER: Final = "luckrig"
_OPEN: Final = frozenset({"available", "busy"})


@dataclass
class _Offered:
    """One model at all the rigs that take requests for it now."""

    rigs: list[NodeView] = field(default_factory=list[NodeView])
    offers: list[Offer] = field(default_factory=list[Offer])

    def add(self, rig: NodeView, offer: Offer) -> None:
        self.rigs.append(rig)
        self.offers.append(offer)

    def model(self, name: str) -> Model:
        contexts = [each.context_length for each in self.offers if each.context_length is not None]
        about: dict[str, Any] = {
            "rigs": len({rig.id for rig in self.rigs}),
            "available": len({rig.id for rig in self.rigs if rig.status == "available"}),
            "quantizations": sorted({each.quantization or "unknown" for each in self.offers}),
            "context_length": max(contexts, default=None),
            "capabilities": sorted({one for each in self.offers for one in each.capabilities}),
            "gpus": sorted({rig.hardware.gpu or "none" for rig in self.rigs}),
        }
        created = min((rig.listed_at for rig in self.rigs), default=0)
        return Model(id=name, created=created, owned_by=OWNER, luckrig=about)


def list_models(rigs: Sequence[NodeView], *, each_rig: bool = False) -> list[Model]:
    """luckrig/auto, then every model that some rig takes requests for now, by name.

    each_rig: then every model of every rig, as `model@node_id`.
    """
    anything = _Offered()
    by_name: dict[str, _Offered] = {}
    for rig in rigs:
        if rig.status not in _OPEN:
            continue
        for offer in rig.offers:
            if offer.model.startswith(OWN_NAMES):
                continue  # it couldn't be asked for
            anything.add(rig, offer)
            by_name.setdefault(offer.model, _Offered()).add(rig, offer)
    models = [anything.model(AUTO), *(by_name[name].model(name) for name in sorted(by_name))]
    if each_rig:
        models += [one for name in sorted(by_name) for one in _at_each(name, by_name[name])]
    return models


def find_model(rigs: Sequence[NodeView], name: str) -> Model | None:
    """The model of that name, with or without a rig's id behind it."""
    return next((each for each in list_models(rigs, each_rig=True) if each.id == name), None)


def _at_each(name: str, offered: _Offered) -> list[Model]:
    return [
        Model(
            id=f"{name}@{rig.id}",
            created=rig.listed_at,
            owned_by=OWNER,
            luckrig={
                "node": rig.id,
                "name": rig.name,
                "status": rig.status,
                "gpu": rig.hardware.gpu,
                "quantization": offer.quantization,
                "context_length": offer.context_length,
                "scarcity": rig.scarcity,
            },
        )
        for rig, offer in zip(offered.rigs, offered.offers, strict=True)
    ]
