"""The list of rigs: filters, order and pages.

There is no order by speed or size, on purpose: the map is a showcase, not a leaderboard.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import msgspec

from luckrig.protocol.descriptor import Capability, Offer
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.names import (
    Vendor,
    gpu_key,
    gpu_vendor,
    model_family,
    model_key,
    quantization_key,
)
from luckrig.protocol.wire import NodeStatus
from luckrig.tracker.domain.records import NodeRecord

Sort = Literal["scarcity", "newest", "name", "last_seen"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeQuery:
    """What to list; everything that is set must hold.

    text: words that all occur, in any case, in the rig's name, GPU, models or note. gpu, model,
    family, quant: names in any spelling that protocol.names knows. model, family, quant, capability
    and min_context (tokens) must hold for one and the same offer. after: the `next_cursor` of the
    page before, with the same sort. limit: rigs on a page, 1 to 200.
    """

    text: str | None = None
    gpu: str | None = None
    vendor: Vendor | None = None
    model: str | None = None
    family: str | None = None
    quant: str | None = None
    min_context: int | None = None
    min_vram_bytes: int | None = None
    status: NodeStatus | None = None
    capability: Capability | None = None
    sort: Sort = "scarcity"
    after: str | None = None
    limit: int = 50


class Selection(NamedTuple):
    """One page. total: how many rigs match, on all pages. next_cursor: None on the last page."""

    nodes: list[NodeRecord]
    total: int
    next_cursor: str | None


_Position = tuple[float | str, str]
"""A rig's place in the order: the sort key, ascending, then its id, so that no two are equal."""


def select(
    nodes: Iterable[NodeRecord], scarcity: Mapping[str, float], query: NodeQuery
) -> Selection:
    """The page that the query asks for. scarcity: node_id → scarcity, for every node.

    A page starts behind the last rig of the page before, so that rigs which come and go between
    two pages neither repeat nor hide others. Scarcest, newest and last seen come first.
    Raises PeerError invalid_request for an `after` that this order never gave out.
    """

    def position(node: NodeRecord) -> _Position:
        return _sort_key(node, query.sort, scarcity), node.node_id

    found = matching(nodes, scarcity, query)
    start = 0
    if query.after is not None:
        start = bisect_right(found, _decode_cursor(query.after, query.sort), key=position)
    page = found[start : start + query.limit]
    more = start + query.limit < len(found)
    next_cursor = _encode_cursor(position(page[-1]), query.sort) if more else None
    return Selection(page, len(found), next_cursor)


def matching(
    nodes: Iterable[NodeRecord], scarcity: Mapping[str, float], query: NodeQuery
) -> list[NodeRecord]:
    """Every rig that the query asks for, in its order; after and limit don't count."""
    found = list(nodes)
    for test in _tests(query):
        found = [node for node in found if test(node)]
    found.sort(key=lambda node: (_sort_key(node, query.sort, scarcity), node.node_id))
    return found


def _sort_key(node: NodeRecord, sort: Sort, scarcity: Mapping[str, float]) -> float | str:
    match sort:
        case "scarcity":
            return -scarcity[node.node_id]
        case "newest":
            return -node.listed_at
        case "name":
            return node.descriptor.name.casefold()
        case "last_seen":
            return -(node.health.last_seen_at or 0)


def _tests(query: NodeQuery) -> list[Callable[[NodeRecord], bool]]:
    """What a rig must pass, the cheap tests first."""
    tests: list[Callable[[NodeRecord], bool]] = []
    if (status := query.status) is not None:
        tests.append(lambda node: node.health.status == status)
    if (vram := query.min_vram_bytes) is not None:
        tests.append(lambda node: (node.descriptor.hardware.vram_bytes or 0) >= vram)
    if query.gpu is not None:
        gpu, gpu_of = gpu_key(query.gpu), cache(gpu_key)
        tests.append(lambda node: gpu_of(node.descriptor.hardware.gpu) == gpu)
    if (vendor := query.vendor) is not None:
        vendor_of = cache(gpu_vendor)
        tests.append(lambda node: vendor_of(node.descriptor.hardware.gpu) == vendor)
    if offer_tests := _offer_tests(query):
        tests.append(lambda node: _has_offer(node, offer_tests))
    if query.text is not None:
        words = query.text.casefold().split()
        tests.append(lambda node: _has_words(node, words))
    return tests


def _offer_tests(query: NodeQuery) -> list[Callable[[Offer], bool]]:
    tests: list[Callable[[Offer], bool]] = []
    if (context := query.min_context) is not None:
        tests.append(lambda offer: (offer.context_length or 0) >= context)
    if (capability := query.capability) is not None:
        tests.append(lambda offer: capability in offer.capabilities)
    if query.model is not None:
        model, model_of = model_key(query.model), cache(model_key)
        tests.append(lambda offer: model_of(offer.model) == model)
    if query.family is not None:
        family, family_of = model_family(query.family), cache(model_family)
        tests.append(lambda offer: family_of(offer.model, offer.family) == family)
    if query.quant is not None:
        quant, quant_of = quantization_key(query.quant), cache(quantization_key)
        tests.append(lambda offer: quant_of(offer.quantization) == quant)
    return tests


def _has_offer(node: NodeRecord, tests: list[Callable[[Offer], bool]]) -> bool:
    return any(all(test(offer) for test in tests) for offer in node.descriptor.offers)


def _has_words(node: NodeRecord, words: list[str]) -> bool:
    """words: in folded case."""
    descriptor = node.descriptor
    models = (offer.model for offer in descriptor.offers)
    # A word has no line break, so it can't be found across two parts.
    text = "\n".join((descriptor.name, descriptor.hardware.gpu or "", *models, descriptor.note))
    folded = text.casefold()
    return all(word in folded for word in words)


class _Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    sort: Sort
    key: float | str
    node_id: str


def _encode_cursor(position: _Position, sort: Sort) -> str:
    key, node_id = position
    return b64url_encode(msgspec.json.encode(_Cursor(sort, key, node_id)))


def _decode_cursor(text: str, sort: Sort) -> _Position:
    try:
        cursor = msgspec.json.decode(b64url_decode(text), type=_Cursor)
    except ValueError as error:  # msgspec's errors are ValueErrors too
        raise _bad_cursor() from error
    if cursor.sort != sort or isinstance(cursor.key, str) != (sort == "name"):
        raise _bad_cursor()
    return cursor.key, cursor.node_id


def _bad_cursor() -> PeerError:
    return PeerError(
        "invalid_request",
        "`after` is the `next` of a page of the same list with the same sort. "
        "Leave it out to start again.",
        param="after",
    )
