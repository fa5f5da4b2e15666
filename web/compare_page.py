"""Up to four rigs side by side: /compare.

Rows say whether the rigs differ in them, and never which one is better.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, NamedTuple
from urllib.parse import urlencode

from luckrig.protocol.descriptor import Offer
from luckrig.protocol.names import gpu_key, model_key, quantization_key
from luckrig.protocol.wire import NodeView, TimingView
from luckrig.web.formats import format_bytes, scarcity_percent, split_hardware_name
from luckrig.web.pages import Site, list_path
from luckrig.web.ways import way_to

MAX_COMPARED: Final = 4
"""More columns than these don't fit on a screen."""
_DASH: Final = "\N{EN DASH}"

Reason = Literal["shape", "unknown", "twice", "too_many"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRig:
    """One column. timings: what users measured at it, by model and length of prompt.

    is_listed: whether the tracker's list has it, which says when it changes.
    """

    node: NodeView
    is_listed: bool = True
    timings: Sequence[TimingView] = ()


class NotCompared(NamedTuple):
    """What was asked for and is no column. text: as it was asked for, hostile."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarRig:
    """A rig to add. shares: what it has in common with those that are there."""

    node: NodeView
    shares: Literal["gpu", "model", "both", "none"]


class ModelRow(NamedTuple):
    """One model, under the name that the first rig gives it. cells: each rig's offers of it."""

    name: str
    cells: tuple[tuple[Offer, ...], ...]
    differs: bool


class Measured(NamedTuple):
    """Medians of what users shared, and the middle 80 %, as text. model: as that rig calls it."""

    model: str
    rate: str
    rate_range: str
    first_token: str
    first_token_range: str
    users: int
    streams: int


class MeasuredRow(NamedTuple):
    """low, high: tokens of the prompts, high not included; None where there is no bound.

    cells: for each rig; empty where nobody measured, several where it serves the model twice.
    """

    model: str
    low: int
    high: int | None
    cells: tuple[tuple[Measured, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage:
    """/compare?rigs=…&rigs=… .

    rigs: in the order that was asked for. left_out: what was asked for in vain. similar: rigs to
    add. prompt_starts: tokens at which the buckets of timings begin, ascending.
    """

    template: ClassVar[str] = "compare.html"

    site: Site
    rigs: Sequence[ComparedRig]
    left_out: Sequence[NotCompared] = ()
    similar: Sequence[SimilarRig] = ()
    prompt_starts: Sequence[int] = ()

    @property
    def node_ids(self) -> list[str]:
        """Of the columns."""
        return [rig.node.id for rig in self.rigs]

    @property
    def followed(self) -> list[str]:
        """Those whose status scripts keep true."""
        return [rig.node.id for rig in self.rigs if rig.is_listed]

    @property
    def api_path(self) -> str:
        """The same rigs as JSON; empty where there are none."""
        return list_path(self.followed)

    @property
    def is_full(self) -> bool:
        """Whether no other rig may be added."""
        return len(self.rigs) >= MAX_COMPARED

    @property
    def address(self) -> str:
        """This comparison's, whole, for others: without a language, for they choose their own."""
        return self.site.origin + compare_path(self.node_ids)

    def with_rig(self, node_id: str) -> str:
        """This comparison and one more rig."""
        return compare_path([*self.node_ids, node_id], lang=self.site.lang)

    def without_rig(self, node_id: str) -> str:
        """This comparison without one of its rigs."""
        return compare_path([x for x in self.node_ids if x != node_id], lang=self.site.lang)

    def is_relayed(self, node: NodeView) -> bool:
        """Whether this tracker passes requests on to the rig."""
        return way_to(node, self.site.origin) == "relay"

    @property
    def differing(self) -> frozenset[str]:
        """The rows of facts in which these rigs differ."""
        return frozenset(row for row, fact in self._facts().items() if self._differ(fact))

    @property
    def models(self) -> list[ModelRow]:
        """Every model of these rigs; those that several of them serve come first."""
        columns = [_by_key(rig.node.offers) for rig in self.rigs]
        keys = list(dict.fromkeys(key for column in columns for key in column))
        keys.sort(key=lambda key: -sum(key in column for column in columns))
        return [_model_row([column.get(key, ()) for column in columns]) for key in keys]

    @property
    def measured(self) -> list[MeasuredRow]:
        """What users measured, by model and length of prompt, in the order of the models."""
        columns = [_by_bucket(rig.timings) for rig in self.rigs]
        names = {model_key(row.name): row.name for row in self.models}
        places = {model: place for place, model in enumerate(names)}
        found = sorted(
            {key for column in columns for key in column},
            key=lambda key: (places.get(key[0], len(places)), key),
        )
        rows: list[MeasuredRow] = []
        for key in found:
            cells = tuple(column.get(key, ()) for column in columns)
            said = next(each.model for cell in cells for each in cell)
            high = next((each for each in self.prompt_starts if each > key[1]), None)
            rows.append(MeasuredRow(names.get(key[0], said), key[1], high, cells))
        return rows

    def _facts(self) -> dict[str, Callable[[NodeView], Hashable]]:
        """Row -> what is compared there: facts, not spellings.

        Not the status, which changes while somebody looks.
        """
        return {
            "scarcity": lambda node: scarcity_percent(node.scarcity),
            "reach": self.is_relayed,
            "gpu": lambda node: (gpu_key(node.hardware.gpu), _cards(node)),
            "vram": lambda node: _size(node.hardware.vram_bytes),
            "cpu": lambda node: (node.hardware.cpu or "").casefold(),
            "ram": lambda node: _size(node.hardware.ram_bytes),
            "engine": lambda node: (node.engine.kind, node.engine.version),
            "policy": lambda node: (node.policy.max_active, node.policy.max_queue),
            "hours": lambda node: repr(node.policy.schedule),
            "note": lambda node: node.note,
        }

    def _differ(self, fact: Callable[[NodeView], Hashable]) -> bool:
        return len({fact(rig.node) for rig in self.rigs}) > 1


def compare_path(node_ids: Sequence[str], *, lang: str = "") -> str:
    """The comparison of these rigs. lang: to keep the language that somebody asked for."""
    query = [("rigs", node_id) for node_id in node_ids] + ([("lang", lang)] if lang else [])
    return f"/compare?{urlencode(query)}" if query else "/compare"


def _by_key(offers: Sequence[Offer]) -> dict[str, tuple[Offer, ...]]:
    found: dict[str, tuple[Offer, ...]] = {}
    for offer in offers:
        key = model_key(offer.model)
        found[key] = (*found.get(key, ()), offer)
    return found


def _model_row(cells: Sequence[tuple[Offer, ...]]) -> ModelRow:
    name = next(offer.model for cell in cells for offer in cell)
    shapes = {
        frozenset((quantization_key(each.quantization), each.context_length) for each in cell)
        for cell in cells
    }
    return ModelRow(name, tuple(cells), differs=len(shapes) > 1)


def _by_bucket(timings: Sequence[TimingView]) -> dict[tuple[str, int], tuple[Measured, ...]]:
    found: dict[tuple[str, int], tuple[Measured, ...]] = {}
    for timing in timings:
        key = (model_key(timing.model), timing.prompt_tokens_from)
        found[key] = (*found.get(key, ()), _measured(timing))
    return found


def _measured(timing: TimingView) -> Measured:
    rate, first = timing.tokens_per_second, timing.ttft_ms
    return Measured(
        model=timing.model,
        rate=_rate(rate.p50),
        rate_range=_DASH.join((_rate(rate.p10), _rate(rate.p90))),
        first_token=_duration(first.p50),
        first_token_range=_DASH.join((_duration(first.p10), _duration(first.p90))),
        users=timing.users,
        streams=timing.streams,
    )


def _rate(per_second: float) -> str:
    return f"{per_second:.1f}" if per_second < 99.95 else f"{per_second:,.0f}"


def _duration(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms < 999.5 else f"{ms / 1000:,.1f} s"


def _size(size_bytes: int | None) -> str:
    return "" if size_bytes is None else format_bytes(size_bytes)


def _cards(node: NodeView) -> str:
    """How many: "2 x " and "" differ, which gpu_key() leaves out."""
    return "".join(split_hardware_name(node.hardware.gpu or "").times.split())
