"""Query strings: the map's, the same for the API and the page, and the descriptor log's."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final, TypeVar, get_args

import msgspec
from starlette.requests import Request

from luckrig.protocol.descriptor import Capability
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import ID_CHARS, NODE_ID_PATTERN
from luckrig.protocol.names import Vendor
from luckrig.protocol.wire import NodeStatus
from luckrig.tracker.domain.listing import NodeQuery, Sort
from luckrig.tracker.routes.operations import Parameter

_GB: Final = 10**9
"""A card sold as 24 GB reports a little less than 24 GiB, and still has 24 GB."""

MAX_LOG_ENTRIES: Final = 1000
"""In one answer: about 250 KB."""

Query = TypeVar("Query")

_ID: Final = NODE_ID_PATTERN.strip("^$")
_NODE_ID: Final = re.compile(rf"(?<![a-z0-9]){_ID}(?![a-z0-9])")

MAX_RIGS: Final = 50
"""That can be asked for by their ids: no more than a page of the list has by itself."""
_RIGS_PATTERN: Final = rf"^{_ID}(?:,{_ID}){{0,{MAX_RIGS - 1}}}$"
_RIGS_CHARS: Final = MAX_RIGS * (ID_CHARS + 1) - 1

_Name = Annotated[str, msgspec.Meta(max_length=120)]
_Gigabytes = Annotated[int, msgspec.Meta(ge=0, le=1 << 20)]
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**9)]


class MapFilters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rigs, in which order; an empty value is the same as none.

    min_vram: GB. min_context: tokens. like: a rig's id, or text with one in it, such as the address
    of its page.
    """

    q: _Name | None = None
    gpu: _Name | None = None
    vendor: Vendor | None = None
    model: _Name | None = None
    family: _Name | None = None
    quant: _Name | None = None
    tag: _Name | None = None
    like: _Name | None = None
    min_context: _Tokens | None = None
    min_vram: _Gigabytes | None = None
    status: NodeStatus | None = None
    capability: Capability | None = None
    sort: Sort = "scarcity"

    def selection(self) -> NodeQuery:
        """The same in the words of the domain."""
        return NodeQuery(
            text=self.q,
            gpu=self.gpu,
            vendor=self.vendor,
            model=self.model,
            family=self.family,
            quant=self.quant,
            tag=self.tag,
            like=None if self.like is None else _read_id(self.like),
            min_context=self.min_context,
            min_vram_bytes=None if self.min_vram is None else self.min_vram * _GB,
            status=self.status,
            capability=self.capability,
            sort=self.sort,
        )


def _read_id(text: str) -> str:
    """The rig's id in a text; the text itself, which is like no rig, where there is none."""
    found = _NODE_ID.search(text)
    return text if found is None else found[0]


class MapQuery(MapFilters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the address of a list may say. after: `next` of the page before."""

    after: Annotated[str, msgspec.Meta(max_length=400)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50

    def selection(self) -> NodeQuery:
        """The same in the words of the domain."""
        return replace(super().selection(), after=self.after, limit=self.limit)


class ListQuery(MapQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the address of the API's list may say. rigs: ids with commas between."""

    rigs: Annotated[str, msgspec.Meta(pattern=_RIGS_PATTERN, max_length=_RIGS_CHARS)] | None = None

    def selection(self) -> NodeQuery:
        """The same in the words of the domain."""
        node_ids = None if self.rigs is None else frozenset(self.rigs.split(","))
        return replace(super().selection(), node_ids=node_ids)


class LogQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which piece of the descriptor log: entries with an index above `after`."""

    after: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LOG_ENTRIES)] = MAX_LOG_ENTRIES


def without_language(request: Request) -> list[tuple[str, str]]:
    """A page's query but for ?lang=, which travels with every link of a page."""
    return [item for item in request.query_params.multi_items() if item[0] != "lang"]


def parse_query(items: Sequence[tuple[str, str]], kind: type[Query]) -> Query:
    """A URL's query as `kind`. Raises PeerError invalid_request naming the parameter at fault."""
    values: dict[str, str] = {}
    for name, value in items:
        if name in values:
            raise PeerError("invalid_request", "A parameter came twice.", param=name[:40])
        if value:
            values[name] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise PeerError("invalid_request", f"{what}.", param=where.rstrip("`") or None) from error


def _choice(type_: object) -> dict[str, object]:
    return {"type": "string", "enum": list(get_args(type_))}


def _query(name: str, description: str, schema: dict[str, object]) -> Parameter:
    return Parameter(name=name, where="query", schema=schema, description=description)


_TEXT: Final[dict[str, object]] = {"type": "string", "maxLength": 120}
_COUNT: Final[dict[str, object]] = {"type": "integer", "minimum": 0}

FILTER_PARAMETERS: Final = (
    _query("q", "Words in name, GPU, models or note.", _TEXT),
    _query("gpu", "GPU in any common spelling: rtx4090, NVIDIA GeForce RTX 4090.", _TEXT),
    _query("vendor", "Who made the GPU; `cpu` for rigs without one.", _choice(Vendor)),
    _query("model", "Model name.", _TEXT),
    _query("family", "Model family.", _TEXT),
    _query("quant", "Quantisation, such as Q4_K_M.", _TEXT),
    _query("tag", "A tag: a #word of the owner's note, with or without #.", _TEXT),
    _query(
        "like",
        "A rig's id: rigs with the same GPU, or, if it has none, without one and with about as "
        "much RAM. No rig is like one that isn't listed.",
        _TEXT,
    ),
    _query("min_context", "At least this many tokens of context.", _COUNT),
    _query("min_vram", "At least this much GPU memory, GB.", _COUNT),
    _query("status", "State of the rig.", _choice(NodeStatus)),
    _query("capability", "What the model can do.", _choice(Capability)),
    _query(
        "sort",
        "Order; scarcest first unless said otherwise. `measured`: by tokens a second that users "
        "measured and shared, rigs without any last; `context` is claimed.",
        _choice(Sort),
    ),
)
QUERY_PARAMETERS: Final = (
    *FILTER_PARAMETERS,
    _query("after", "`next` of the page before.", {"type": "string", "maxLength": 400}),
    _query("limit", "Rigs on a page.", {"type": "integer", "minimum": 1, "maximum": 200}),
)
LIST_PARAMETERS: Final = (
    *QUERY_PARAMETERS,
    _query(
        "rigs",
        f"Ids of at most {MAX_RIGS} rigs, with commas between: none but these.",
        {"type": "string", "maxLength": _RIGS_CHARS, "pattern": _RIGS_PATTERN},
    ),
)
LOG_PARAMETERS: Final = (
    _query("after", "The index before the first entry wanted.", _COUNT),
    _query(
        "limit",
        "Entries in the answer.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LOG_ENTRIES},
    ),
)
