"""The list of rigs: filters, order and pages.

The order is never by speed or size unless somebody asks for it: the map is a showcase, not a
leaderboard. Where they do, what users measured is used, and claims are called claims.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec

from luckrig.protocol.descriptor import Capability
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.names import Vendor, gpu_key, model_family, model_key, quantization_key
from luckrig.protocol.tags import tag_key
from luckrig.protocol.wire import NodeStatus, TimingView
from luckrig.tracker.domain.likeness import likeness_of
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.timings import best_known
from luckrig.tracker.domain.traits import OfferTraits, Traits

Sort = Literal["scarcity", "newest", "last_seen", "context", "measured", "name"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeQuery:
    """What to list; everything that is set must hold.

    text: words that all occur, in any case, in the rig's name, GPU, models or note. gpu, model,
    family, quant: names in any spelling that protocol.names knows. model, family, quant, capability
    and min_context (tokens) must hold for one and the same offer. tag: a #word of the owner's note.
    like: the id of a rig; see domain/likeness.py. node_ids: none but these rigs. after:
    the `next_cursor` of the page before, with the same sort. limit: rigs on a page, 1 to 200.
    """

    text: str | None = None
    gpu: str | None = None
    vendor: Vendor | None = None
    model: str | None = None
    family: str | None = None
    quant: str | None = None
    tag: str | None = None
    like: str | None = None
    min_context: int | None = None
    min_vram_bytes: int | None = None
    status: NodeStatus | None = None
    capability: Capability | None = None
    node_ids: frozenset[str] | None = None
    sort: Sort = "scarcity"
    after: str | None = None
    limit: int = 50


@dataclass(slots=True)
class Row:
    """A listed rig with all that lists ask of it. Changed in place, by its MapIndex only.

    timings: what users measured at it lately, with whatever models.
    """

    node: NodeRecord
    traits: Traits
    scarcity: float = 0.0
    timings: Sequence[TimingView] = field(default=())

    def measured(self, tests: Sequence["OfferTest"] = ()) -> TimingView | None:
        """What most users measured here, with a model that it still offers and that passes."""
        if not self.timings:
            return None
        models = {each.name for each in self.traits.offers if all(test(each) for test in tests)}
        return best_known(each for each in self.timings if each.model in models)


class Selection(NamedTuple):
    """One page. total: how many rigs match, on all pages. next_cursor: None on the last page."""

    rows: list[Row]
    total: int
    next_cursor: str | None


OfferTest = Callable[[OfferTraits], bool]
_RowTest = Callable[[Row], bool]
_Key = float | str
_Position = tuple[_Key, str]
"""A rig's place in the order: the sort key, ascending, then its id, so that no two are equal."""


def choose(rows: Sequence[Row], by_id: Mapping[str, Row], query: NodeQuery) -> list[Row]:
    """Those of the rows that pass the query's filters, in the same order.

    by_id: every listed rig, for `like`. Nothing is like a rig that isn't listed.
    """
    found = rows
    for test in _tests(by_id, query):
        found = [row for row in found if test(row)]
    return list(found)


def page_of(found: Sequence[Row], query: NodeQuery) -> Selection:
    """The page that the query asks for, of rows in the query's order.

    A page starts behind the last rig of the page before, so that rigs which come and go between
    two pages neither repeat nor hide others. Raises PeerError invalid_request for an `after` that
    this order never gave out.
    """
    key = sort_key(query)

    def position(row: Row) -> _Position:
        return key(row), row.node.node_id

    start = 0
    if query.after is not None:
        start = bisect_right(found, _decode_cursor(query.after, query.sort), key=position)
    page = list(found[start : start + query.limit])
    more = start + query.limit < len(found)
    next_cursor = _encode_cursor(position(page[-1]), query.sort) if more else None
    return Selection(page, len(found), next_cursor)


def sort_key(query: NodeQuery) -> Callable[[Row], _Key]:
    """What rows are ordered by, ascending; rows with equal keys go by their ids.

    Scarcest, newest, last seen, largest context and fastest come first; what says no context, and
    what nobody measured, last.
    """
    match query.sort:
        case "scarcity":
            return lambda row: -row.scarcity
        case "newest":
            return lambda row: -row.node.listed_at
        case "last_seen":
            return lambda row: -(row.node.health.last_seen_at or 0)
        case "context":
            return lambda row: -row.traits.context
        case "measured":
            tests = offer_tests(query)
            return lambda row: _slowness(row.measured(tests))
        case "name":
            return lambda row: row.traits.name


def _slowness(measured: TimingView | None) -> float:
    return 1.0 if measured is None else -measured.tokens_per_second.p50


def _tests(by_id: Mapping[str, Row], query: NodeQuery) -> list[_RowTest]:
    """What a row must pass, first what is cheap and leaves few."""
    tests: list[_RowTest] = []
    if (node_ids := query.node_ids) is not None:
        tests.append(lambda row: row.node.node_id in node_ids)
    if query.gpu is not None:
        gpu = gpu_key(query.gpu)
        tests.append(lambda row: row.traits.gpu == gpu)
    if (vram := query.min_vram_bytes) is not None:
        tests.append(lambda row: row.traits.vram_bytes >= vram)
    if (vendor := query.vendor) is not None:
        tests.append(lambda row: row.traits.vendor == vendor)
    if (status := query.status) is not None:
        tests.append(lambda row: row.node.health.status == status)
    if query.like is not None:
        tests.append(_like_test(by_id.get(query.like)))
    if query.tag is not None:
        tag = tag_key(query.tag)
        tests.append(lambda row: tag in row.traits.tags)
    if wanted := offer_tests(query):
        tests.append(_offer_test(wanted))
    if query.text is not None:
        tests += map(_word_test, query.text.casefold().split())
    return tests


def _word_test(word: str) -> _RowTest:
    return lambda row: word in row.traits.text


def _like_test(row: Row | None) -> _RowTest:
    if row is None:
        return lambda _: False
    likeness = likeness_of(row.traits)
    return lambda other: likeness.holds(other.traits)


def offer_tests(query: NodeQuery) -> list[OfferTest]:
    """What one and the same offer must pass."""
    tests: list[OfferTest] = []
    if (context := query.min_context) is not None:
        tests.append(lambda offer: offer.context >= context)
    if (capability := query.capability) is not None:
        tests.append(lambda offer: capability in offer.capabilities)
    if query.model is not None:
        model = model_key(query.model)
        tests.append(lambda offer: offer.model == model)
    if query.family is not None:
        family = model_family(query.family)
        tests.append(lambda offer: offer.family == family)
    if query.quant is not None:
        quant = quantization_key(query.quant)
        tests.append(lambda offer: offer.quant == quant)
    return tests


def _offer_test(tests: Sequence[OfferTest]) -> _RowTest:
    """That one of a rig's offers passes them all. Each offer that many rigs share is tried once."""
    known: dict[int, bool] = {}

    def passes(offer: OfferTraits) -> bool:
        passed = known.get(id(offer))  # rows hold their offers while the list is made
        if passed is None:
            passed = known[id(offer)] = all(test(offer) for test in tests)
        return passed

    return lambda row: any(map(passes, row.traits.offers))


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
