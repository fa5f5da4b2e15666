"""The map, /: what it shows, and its addresses. Names are those of the URL, of the form and of the
API, so that a list can be shared and asked for in any of the three.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, Final, Literal, get_args

from markupsafe import Markup

from luckrig.protocol.descriptor import Capability
from luckrig.protocol.names import Vendor
from luckrig.protocol.wire import NodeStatus, NodeView
from luckrig.web.chart import Chart, draw_chart
from luckrig.web.foreign import clean
from luckrig.web.formats import describe_capability, format_bytes, format_tokens
from luckrig.web.pages import Site, node_path, with_query

View = Literal["cards", "table"]
Sort = Literal["scarcity", "newest", "last_seen", "context", "measured", "name"]

SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
"""Product law: the first one unless somebody chooses another; never by speed or size."""
VENDORS: Final[tuple[Vendor, ...]] = get_args(Vendor)
MIN_VRAM_GB_STEPS: Final = (8, 12, 16, 24, 32, 48, 80, 128)
MIN_CONTEXT_STEPS: Final = (4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144)
CPU: Final = "cpu"
"""What `gpu` and `vendor` call a rig without a GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The whole map, whatever the filters. models and gpus: distinct names among listed rigs."""

    rigs: int
    answering: int
    models: int
    gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The map's query string. Empty text or None: not asked for.

    tag: with or without #. like: a rig's id, or whatever was typed where one is wanted.
    min_vram: GB. min_context: tokens.
    """

    q: str = ""
    gpu: str = ""
    vendor: Vendor | Literal[""] = ""
    model: str = ""
    family: str = ""
    quant: str = ""
    tag: str = ""
    like: str = ""
    status: NodeStatus | Literal[""] = ""
    capability: Capability | Literal[""] = ""
    min_vram: int | None = None
    min_context: int | None = None
    sort: Sort = "scarcity"


FOLDED: Final = ("vendor", "family", "quant", "capability", "min_context", "tag", "like")
"""Filters that the form folds away until one of them is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the form offers: names that listed rigs really have, in the order to show them."""

    gpus: Sequence[str] = ()
    models: Sequence[str] = ()
    families: Sequence[str] = ()
    quants: Sequence[str] = ()
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFilter:
    """One filter in force. without: the map's address with this one taken away."""

    label: str
    value: str
    without: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScarceNow:
    """A combination that few rigs have that answer now. gpu: None for rigs without one.

    answering: how many there are, at least 1. scarcity: of the scarcest of them.
    """

    gpu: str | None
    model: str
    quant: str | None
    scarcity: float
    answering: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LikedRig:
    """The rig that others are to be like, and what they share with it.

    gpu: as its owner wrote it, None for none. ram_bytes: (least, most) that a rig without a GPU
    must say; None where this one doesn't say what it has.
    """

    node_id: str
    name: str
    gpu: str | None
    ram_bytes: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPage:
    """/ : the map.

    nodes: this page of the list, in order. plotted: the rigs for the chart, usually more than one
    page of them; empty means the same as nodes. matching: how many rigs pass the filters. scarce:
    the scarcest first. liked: the rig of filters.like; None where there is no such rig.
    next_cursor: `after` of the next page; None at the end.
    """

    template: ClassVar[str] = "map.html"

    site: Site
    totals: Totals
    nodes: Sequence[NodeView]
    matching: int
    plotted: Sequence[NodeView] = ()
    scarce: Sequence[ScarceNow] = ()
    liked: LikedRig | None = None
    filters: Filters = field(default_factory=Filters)
    choices: Choices = field(default_factory=Choices)
    view: View = "cards"
    after: str | None = None
    next_cursor: str | None = None

    @property
    def chart(self) -> Chart:
        """The rigs as marks; drawn anew each time it is asked for."""
        return draw_chart(self.plotted or self.nodes)

    @property
    def likeness(self) -> Markup | None:
        """What the rigs of this list share with the one in filters.like, in words."""
        liked, words = self.liked, self.site.words
        if liked is None:
            return None
        path = self.node_path(liked.node_id)
        rig = Markup('<a href="{}"><bdi>{}</bdi></a>').format(path, clean(liked.name))
        if liked.gpu is not None:
            gpu = Markup("<bdi>{}</bdi>").format(clean(liked.gpu))
            return words("map.like.gpu", rig=rig, gpu=gpu)
        if liked.ram_bytes is None:
            return words("map.like.no_gpu", rig=rig)
        least, most = (format_bytes(size) for size in liked.ram_bytes)
        return words("map.like.ram", rig=rig, least=least, most=most)

    @property
    def api_path(self) -> str:
        """The same list as JSON."""
        return with_query("/api/v1/nodes", self._query(view="cards", after=self.after))

    @property
    def csv_path(self) -> str:
        """Every rig that passes the filters, on all pages, as CSV."""
        return with_query("/api/v1/nodes.csv", self._query(view="cards"))

    @property
    def next_path(self) -> str | None:
        """The next page, if there is one."""
        if self.next_cursor is None:
            return None
        return self._path(self._query(after=self.next_cursor))

    @property
    def first_path(self) -> str:
        """The first page of this list."""
        return self._path(self._query())

    @property
    def reset_path(self) -> str:
        """The whole map, in the same view."""
        return replace(self, filters=Filters()).first_path

    @property
    def view_paths(self) -> dict[View, str]:
        """This very list, as cards and as a table."""
        views: tuple[View, ...] = get_args(View)
        return {view: self._path(self._query(view=view, after=self.after)) for view in views}

    @property
    def active_filters(self) -> list[ActiveFilter]:
        """The filters in force, in the form's order; sorting is none."""
        filters, words = self.filters, self.site.words
        shown: list[tuple[str, str]] = [
            ("q", filters.q),
            ("gpu", filters.gpu),
            ("model", filters.model),
            ("status", self._status_word),
            ("min_vram", _at_least(filters.min_vram, "GB")),
            ("vendor", words(f"map.maker.{filters.vendor}") if filters.vendor else ""),
            ("family", filters.family),
            ("quant", filters.quant),
            ("capability", self._capability),
            ("min_context", _at_least(filters.min_context)),
            ("tag", f"#{filters.tag.lstrip('#')}" if filters.tag else ""),
            ("like", self.liked.name if self.liked else filters.like),
        ]
        return [
            ActiveFilter(
                label=words(f"map.filter.{name}"), value=value, without=self._without(name)
            )
            for name, value in shown
            if value
        ]

    @property
    def is_unfolded(self) -> bool:
        """Whether a filter is in force that the form would fold away."""
        return any(getattr(self.filters, name) for name in FOLDED)

    @property
    def min_vram_steps(self) -> list[int]:
        """What the form offers, with the current value wherever it came from."""
        return _with_current(MIN_VRAM_GB_STEPS, self.filters.min_vram)

    @property
    def min_context_steps(self) -> list[int]:
        """What the form offers, with the current value wherever it came from."""
        return _with_current(MIN_CONTEXT_STEPS, self.filters.min_context)

    def node_path(self, node_id: str) -> str:
        """The page of a rig, in the language that was asked for."""
        return self.site.link(node_path(node_id))

    def scarce_path(self, scarce: ScarceNow) -> str:
        """The map with that combination only."""
        gpu = CPU if scarce.gpu is None else scarce.gpu
        return self.site.link("/", gpu=gpu, model=scarce.model, quant=scarce.quant or "")

    def tag_path(self, tag: str) -> str:
        """The map with the rigs that have that tag."""
        return self.site.link("/", tag=tag)

    def like_path(self, node_id: str) -> str:
        """The map with the rigs that are like one."""
        return self.site.link("/", like=node_id)

    def _path(self, query: Mapping[str, str]) -> str:
        return self.site.link("/", **query)

    @property
    def _status_word(self) -> str:
        status = self.filters.status
        return self.site.words(f"shared.status.{status}") if status else ""

    @property
    def _capability(self) -> str:
        capability = self.filters.capability
        return describe_capability(capability, self.site.words) if capability else ""

    def _without(self, name: str) -> str:
        return self._path({key: value for key, value in self._query().items() if key != name})

    def _query(self, *, view: View | None = None, after: str | None = None) -> dict[str, str]:
        asked = {each.name: getattr(self.filters, each.name) for each in fields(Filters)}
        if asked["sort"] == SORTS[0]:
            del asked["sort"]
        shown = view or self.view
        asked |= {"view": "" if shown == "cards" else shown, "after": after}
        return {key: str(value) for key, value in asked.items() if value not in ("", None)}


def _at_least(value: int | None, unit: str = "") -> str:
    if value is None:
        return ""
    return f"≥ {value} {unit}" if unit else f"≥ {format_tokens(value)}"


def _with_current(steps: tuple[int, ...], current: int | None) -> list[int]:
    return sorted({*steps, *([] if current is None else [current])})
