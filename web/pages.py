"""What each page shows, as frozen values. The tracker fills them; the templates only print them.

No clock and no lookups here: `now` comes in with the page, lists come in finished and in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Literal, Protocol, get_args
from urllib.parse import quote, urlencode

from luckrig.protocol.descriptor import Capability
from luckrig.protocol.evidence import AuditField, Finding, ReachView, Verdict
from luckrig.protocol.wire import NodeStatus, NodeView
from luckrig.web.formats import STATUS_WORDS, format_tokens
from luckrig.web.languages import Words, english

View = Literal["cards", "table"]
Sort = Literal["scarcity", "newest", "name"]

STATUSES: Final[tuple[NodeStatus, ...]] = tuple(STATUS_WORDS)
CAPABILITIES: Final[tuple[Capability, ...]] = get_args(Capability)
SORT_WORDS: Final[dict[Sort, str]] = {
    "scarcity": "scarcest first",
    "newest": "newest on the map",
    "name": "by name",
}
"""Product law: never by speed, never by size."""
FIELD_WORDS: Final[dict[AuditField, str]] = {
    "quantization": "quantisation",
    "parameters": "weights",
    "context_length": "context",
    "weights": "memory",
    "context_memory": "memory for context",
    "speed": "speed",
}
VERDICT_WORDS: Final[dict[Verdict, str]] = {
    "consistent": "consistent",
    "unknown": "unknown",
    "contradicts": "contradicts",
}

MIN_VRAM_GB_STEPS: Final = (8, 12, 16, 24, 32, 48, 80, 128)
MIN_CONTEXT_STEPS: Final = (4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageLink:
    """The same page in a language. path: with ?lang=. is_current: whether this page is in it."""

    language: str
    name: str
    path: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every page says of the tracker itself.

    address: https://host#r1…, as people write it into their config. now: Unix seconds.
    join_command: what an owner types to put a rig on this map. words: the page's language.
    lang: the value of ?lang= where that chose it, else empty. languages: for the language switch;
    none where the page is in English only. contact: how to reach the operator, if that is known.
    """

    address: str
    version: str
    now: int
    join_command: str = "luckrig register"
    words: Words = field(default_factory=english)
    lang: str = ""
    languages: Sequence[LanguageLink] = ()
    contact: str = ""

    @property
    def origin(self) -> str:
        """https://host, without the root key's id."""
        return self.address.partition("#")[0]

    def link(self, path: str, **query: str) -> str:
        """A path on this tracker that keeps the language somebody asked for."""
        asked = {name: value for name, value in query.items() if value}
        return _path(path, {**asked, **({"lang": self.lang} if self.lang else {})})


class Page(Protocol):
    """What every page has. template: the file that prints it."""

    template: ClassVar[str]

    @property
    def site(self) -> Site:
        """Of the tracker that shows it."""
        ...


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

    Names are those of the URL, of the form and of GET /api/v1/nodes. min_vram: GB.
    min_context: tokens.
    """

    q: str = ""
    gpu: str = ""
    model: str = ""
    quant: str = ""
    status: NodeStatus | Literal[""] = ""
    capability: Capability | Literal[""] = ""
    min_vram: int | None = None
    min_context: int | None = None
    sort: Sort = "scarcity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the form offers: names that listed rigs really have, in the order to show them."""

    gpus: Sequence[str] = ()
    models: Sequence[str] = ()
    quants: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFilter:
    """One filter in force. without: the map's address with this one taken away."""

    label: str
    value: str
    without: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPage:
    """/ : the map.

    nodes: this page of the list, in order. plotted: the rigs for the chart, usually more than one
    page of them; empty means the same as nodes. matching: how many rigs pass the filters.
    next_cursor: `after` of the next page; None at the end.
    """

    site: Site
    totals: Totals
    nodes: Sequence[NodeView]
    matching: int
    plotted: Sequence[NodeView] = ()
    filters: Filters = field(default_factory=Filters)
    choices: Choices = field(default_factory=Choices)
    view: View = "cards"
    after: str | None = None
    next_cursor: str | None = None

    @property
    def api_path(self) -> str:
        """The same list as JSON."""
        return _path("/api/v1/nodes", self._query(view="cards", after=self.after))

    @property
    def csv_path(self) -> str:
        """Every rig that passes the filters, on all pages, as CSV."""
        return _path("/api/v1/nodes.csv", self._query(view="cards"))

    @property
    def next_path(self) -> str | None:
        """The next page, if there is one."""
        if self.next_cursor is None:
            return None
        return _path("/", self._query(after=self.next_cursor))

    @property
    def first_path(self) -> str:
        """The first page of this list."""
        return _path("/", self._query())

    @property
    def reset_path(self) -> str:
        """The whole map, in the same view."""
        return replace(self, filters=Filters()).first_path

    @property
    def view_paths(self) -> dict[View, str]:
        """This very list, as cards and as a table."""
        views: tuple[View, ...] = get_args(View)
        return {view: _path("/", self._query(view=view, after=self.after)) for view in views}

    @property
    def active_filters(self) -> list[ActiveFilter]:
        """The filters in force, in the form's order; sorting is none."""
        filters = self.filters
        shown: list[tuple[str, str, str]] = [
            ("q", "text", filters.q),
            ("gpu", "GPU", filters.gpu),
            ("model", "model", filters.model),
            ("quant", "quantisation", filters.quant),
            ("status", "status", STATUS_WORDS[filters.status] if filters.status else ""),
            ("capability", "can do", filters.capability),
            ("min_vram", "VRAM", _at_least(filters.min_vram, "GB")),
            ("min_context", "context", _at_least(filters.min_context)),
        ]
        return [
            ActiveFilter(label=label, value=value, without=self._without(name))
            for name, label, value in shown
            if value
        ]

    @property
    def min_vram_steps(self) -> list[int]:
        """What the form offers, with the current value wherever it came from."""
        return _with_current(MIN_VRAM_GB_STEPS, self.filters.min_vram)

    @property
    def min_context_steps(self) -> list[int]:
        """What the form offers, with the current value wherever it came from."""
        return _with_current(MIN_CONTEXT_STEPS, self.filters.min_context)

    def _without(self, name: str) -> str:
        query = self._query()
        return _path("/", {key: value for key, value in query.items() if key != name})

    def _query(self, *, view: View | None = None, after: str | None = None) -> dict[str, str]:
        filters = self.filters
        sort = "" if filters.sort == "scarcity" else filters.sort
        shown = view or self.view
        query = {
            "q": filters.q,
            "gpu": filters.gpu,
            "model": filters.model,
            "quant": filters.quant,
            "status": filters.status,
            "capability": filters.capability,
            "min_vram": _number(filters.min_vram),
            "min_context": _number(filters.min_context),
            "sort": sort,
            "view": "" if shown == "cards" else shown,
            "after": after or "",
        }
        return {key: value for key, value in query.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class RigPage:
    """/nodes/{id} : one rig. signed_at: the descriptor's created_at, Unix seconds.

    reach: how its endpoint is. audit: its claims and what the tracker knows of them.
    """

    site: Site
    node: NodeView
    signed_at: int
    reach: ReachView | None = None
    audit: Sequence[Finding] = ()

    @property
    def taste_path(self) -> str | None:
        """Where a visitor can ask it something now; None while that is no use."""
        answers = self.node.status in ("available", "busy")
        return taste_path(self.node.id) if answers and is_relayed(self.node, self.site) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """Any failure, for people. code: a key of the protocol's CODES. message: that error's text.

    request_id: leads to the log line; for failures that are ours. retry_after_seconds: when it may
    work again, if that is known.
    """

    template: ClassVar[str] = "error.html"

    site: Site
    status: int
    code: str
    message: str
    request_id: str | None = None
    retry_after_seconds: int | None = None

    @property
    def kind(self) -> str:
        """Which words it has: those of `error.title` and `error.advice` in the languages."""
        special = {"node_not_found": "no_rig", "report_not_found": "no_report"}
        return special.get(self.code, str(self.status))

    @property
    def wait(self) -> tuple[str, int] | None:
        """When to try again: a key of the languages, and how many minutes or hours."""
        return wait_words(self.retry_after_seconds)


def wait_words(seconds: int | None) -> tuple[str, int] | None:
    """How long to wait: a key of the languages, and its number of minutes or hours, rounded up."""
    if seconds is None:
        return None
    minutes = max(1, -(-seconds // 60))
    if minutes < 120:
        return "error.wait_minutes", minutes
    return "error.wait_hours", -(-minutes // 60)


def node_path(node_id: str) -> str:
    """The page of a rig."""
    return f"/nodes/{quote(node_id, safe='')}"


def badge_path(node_id: str) -> str:
    """A rig's status as a picture."""
    return f"/badge/{quote(node_id, safe='')}.svg"


def taste_path(node_id: str) -> str:
    """Where a rig can be tried."""
    return f"/taste/{quote(node_id, safe='')}"


def is_relayed(node: NodeView, site: Site) -> bool:
    """Whether a rig is reached through this tracker: pages may ask no other address."""
    return node.base_url.startswith(f"{site.origin}/n/")


def descriptor_path(node_id: str) -> str:
    """A rig with its signed descriptor, as JSON."""
    return f"/api/v1/nodes/{quote(node_id, safe='')}"


def _path(base: str, query: dict[str, str]) -> str:
    return f"{base}?{urlencode(query)}" if query else base


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _at_least(value: int | None, unit: str = "") -> str:
    if value is None:
        return ""
    return f"≥ {value} {unit}" if unit else f"≥ {format_tokens(value)}"


def _with_current(steps: tuple[int, ...], current: int | None) -> list[int]:
    return sorted({*steps, *([] if current is None else [current])})
