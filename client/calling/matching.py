"""Which offers fit what is wanted, and what to say when none does. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from luckrig.client.transport import one_line
from luckrig.client.wanted import AT_LEAST, MIN_PREFIX_CHARS, Wanted
from luckrig.protocol.descriptor import Capability, Offer
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.ids import is_node_id
from luckrig.protocol.names import gpu_key, model_key, quantization_bits, quantization_key
from luckrig.protocol.wire import NodeStatus, NodeView

OPEN: Final[tuple[NodeStatus, ...]] = ("available", "busy")
_SHOWN: Final = 6
_BY_PATH: Final[Mapping[str, Capability]] = {"/v1/embeddings": "embedding"}

# A map has the same few hundred names for each call, and reading one takes some microseconds.
_gpu_key = lru_cache(maxsize=1024)(gpu_key)
_model_key = lru_cache(maxsize=4096)(model_key)

Speed = Callable[[NodeView, Offer], float | None]
"""Tokens per second of an offer as far as anybody measured them, else None."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model of one rig that fits."""

    rig: NodeView
    offer: Offer


def find(rigs: Iterable[NodeView], wanted: Wanted, *, path: str, speed: Speed) -> list[Candidate]:
    """The offers that fit, at most one for each rig: its best.

    path: of the request; where no model is named, it says what the model must be able to do.
    Rigs that are closed are left out, unless one is named: its owner gets in all the same.
    Raises LuckrigError model_not_found, node_not_found, node_offline with what there is instead.
    """
    listed = list(rigs)
    named = find_named(listed, wanted.node)
    fitting = _fitting(named, wanted, path, speed)
    if not fitting:
        raise _nothing_fits(named, wanted, path, speed)
    open_now = [each for each in fitting if wanted.node or each.rig.status in OPEN]
    if not open_now:
        raise _all_closed(fitting)
    return open_now


def is_named(rig: NodeView, node: str) -> bool:
    """Whether a user who says `node` may mean that rig, in an app or at the command line.

    Names are free text: a rig may call itself like another's id. So name and the beginning of an id
    count alike, and what fits two rigs is asked back.
    """
    begins = len(node) >= MIN_PREFIX_CHARS and rig.id.startswith(node.lower())
    return begins or rig.name == node


def check_quant(quant: str | None) -> None:
    """Raises PeerError for `>=` and a name that says nothing of bits."""
    if quant is None or not quant.startswith(AT_LEAST):
        return
    if quantization_bits(quant.removeprefix(AT_LEAST)) is None:
        message = "After >= stands a quantisation that tells its bits, such as Q5 or Q8_0."
        raise PeerError("invalid_request", message, param="luckrig.quant")


def find_named(rigs: list[NodeView], node: str | None) -> list[NodeView]:
    """The rig of that name; all where none is named. Two that fit are asked back, not guessed.

    Raises PeerError node_not_found, and invalid_request with the choices.
    """
    if node is None:
        return rigs
    found = [rig for rig in rigs if rig.id == node] or [rig for rig in rigs if is_named(rig, node)]
    if not found:
        what = "id" if is_node_id(node) else "id or name"
        message = f"No rig on the map has the {what} {one_line(node)!r}."
        raise PeerError("node_not_found", message, param="model")
    if len(found) > 1:
        choices = _listed(f"{rig.id[:10]} ({one_line(rig.name)})" for rig in found)
        message = f"Several rigs fit {one_line(node)!r}: {choices}. Name one by its id."
        raise PeerError("invalid_request", message, param="model")
    return found


def _fitting(rigs: Iterable[NodeView], wanted: Wanted, path: str, speed: Speed) -> list[Candidate]:
    found: list[Candidate] = []
    gpu = None if wanted.gpu is None else _gpu_key(wanted.gpu)
    for rig in rigs:
        if gpu is not None and _gpu_key(rig.hardware.gpu) != gpu:
            continue
        offers = [offer for offer in rig.offers if _fits(rig, offer, wanted, path, speed)]
        exact = [offer for offer in offers if offer.model == wanted.model]
        if offers:
            found.append(Candidate(rig, (exact or offers)[0]))
    return found


def _fits(rig: NodeView, offer: Offer, wanted: Wanted, path: str, speed: Speed) -> bool:
    if wanted.model is not None and not _is_model(offer, wanted.model):
        return False
    if not _can(offer, wanted, path) or not _is_quant(offer, wanted.quant):
        return False
    if wanted.ctx > (offer.context_length or 0):
        return False
    # Nobody knows a new rig's speed before somebody has used it.
    return wanted.min_tps <= 0 or (speed(rig, offer) or wanted.min_tps) >= wanted.min_tps


def _is_model(offer: Offer, model: str) -> bool:
    return offer.model == model or _model_key(offer.model) == _model_key(model)


def _can(offer: Offer, wanted: Wanted, path: str) -> bool:
    """An offer that tells nothing may be able to do what every model does."""
    if wanted.capability is not None:
        return wanted.capability in offer.capabilities
    if wanted.model is not None:
        return True  # the user knows it; the rig says what it can't do
    needed = _BY_PATH.get(path, "chat")
    return needed in offer.capabilities or (not offer.capabilities and needed == "chat")


def _is_quant(offer: Offer, quant: str | None) -> bool:
    if quant is None:
        return True
    if quant.startswith(AT_LEAST):
        needed = quantization_bits(quant.removeprefix(AT_LEAST)) or 0
        return (quantization_bits(offer.quantization) or 0) >= needed
    return quantization_key(offer.quantization) == quantization_key(quant)


_DROPS: Final[Mapping[str, Any]] = {
    "gpu": None, "quant": None, "ctx": 0, "min_tps": 0.0, "capability": None,
}  # fmt: skip
"""What may be dropped → what it is then."""


def _nothing_fits(rigs: list[NodeView], wanted: Wanted, path: str, speed: Speed) -> LuckrigError:
    if not rigs:
        return PeerError("node_offline", "No rig is on this tracker's map now.")
    of_model = _fitting(rigs, Wanted(model=wanted.model), path, speed)
    if wanted.model is not None and not of_model:
        there = _listed(sorted({one_line(offer.model) for rig in rigs for offer in rig.offers}))
        whose = f"{one_line(rigs[0].name)} doesn't serve" if wanted.node else "No rig serves"
        message = f"{whose} {one_line(wanted.model)!r}. There is: {there}."
        return PeerError("model_not_found", message, param="model")
    return _too_much(rigs, wanted, path, speed)


def _too_much(rigs: list[NodeView], wanted: Wanted, path: str, speed: Speed) -> LuckrigError:
    """What to drop: each constraint alone, then all of them."""
    asked = [name for name, unset in _DROPS.items() if getattr(wanted, name) != unset]
    counts = {
        name: len(_fitting(rigs, replace(wanted, **{name: _DROPS[name]}), path, speed))
        for name in asked
    }
    helpful = [name for name in asked if counts[name]]
    what = "No rig fits all that was asked for"
    if helpful:
        ways = ", ".join(f"without {name} {_rigs(counts[name])}" for name in helpful)
        message = f"{what}: {ways} would."
    else:
        message = f"{what} ({', '.join(asked) or path}): drop more than one of these."
    param = f"luckrig.{(helpful or asked or ['capability'])[0]}"
    return PeerError("node_not_found", message, param=param)


def _all_closed(fitting: list[Candidate]) -> LuckrigError:
    opens = [each.rig.opens_at for each in fitting if each.rig.opens_at is not None]
    states = _listed(f"{one_line(each.rig.name)} is {each.rig.status}" for each in fitting)
    when = f" The first opens at {min(opens)} (Unix seconds)." if opens else ""
    return LuckrigError("node_offline", f"Rigs that fit are closed now: {states}.{when}")


def _rigs(count: int) -> str:
    return f"{count} rig{'s' * (count != 1)}"


def _listed(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = len(listed) - _SHOWN
    return ", ".join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
