"""The map's chart: every rig a mark, VRAM to the right (logarithmic), scarcity upwards.

Positions are worked out here and printed as SVG attributes. x is in percent of the width, so that
one drawing fits a phone and a desk; y is in pixels. Rigs alike in both lie on one point; they are
moved aside, to the nearest free place, so that each stays a mark one can point at.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from markupsafe import Markup

from luckrig.protocol.wire import NodeStatus, NodeView
from luckrig.web.foreign import isolate
from luckrig.web.formats import describe_scarcity, format_bytes, split_hardware_name
from luckrig.web.languages import Words

MAX_MARKS: Final = 300
"""About 90 kB of HTML is what 300 marks cost; beyond that the chart is a carpet anyway."""

HEIGHT: Final = 270
TOP: Final = 30
BOTTOM: Final = 234
"""y of scarcity 1 and 0."""
_WIDTH: Final = 1180
"""The width in pixels that distances are judged by: the page at its widest."""
_PHONE: Final = 350 / _WIDTH

_LEFT: Final = 13.0
_RIGHT: Final = 94.0
"""x of the smallest and the largest VRAM, percent."""
_NO_VRAM: Final = 4.5
"""x of the column for rigs that state no VRAM."""

CROWDED_FROM: Final = 100
"""From so many rigs on, marks are drawn at two thirds."""
_CELL: Final = 12
_CROWDED_CELL: Final = 8
"""Each mark gets a square of this many pixels of the ruled paper."""
_REACH_PIXELS: Final = 50
"""How far a mark may be moved to find a free square: a third of a doubling of VRAM, a quarter of
the scarcity scale. Farther would be a false claim, so after that marks lie on each other."""
_LABEL_HEIGHT: Final = 12
_TOP_WORDS, _BOTTOM_WORDS = 170, 65
"""Pixels that the words of the scarcity axis take, at the right edge."""
_LABEL_CHARACTER: Final = 6.6
_LABEL_CHARS: Final = 26

_GIB: Final = 2**30


@dataclass(frozen=True, slots=True)
class Label:
    """A GPU's name beside its mark. narrow: it fits on a phone, too."""

    text: str
    x: str
    y: int
    anchor: Literal["start", "end"]
    offset: int
    narrow: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """One rig. x: percent, e.g. "43.25%"; y: pixels. name: its GPU's, its CPU's or its own."""

    node_id: str
    x: str
    y: int
    status: NodeStatus
    name: str
    vram_bytes: int | None
    scarcity: float
    label: Label | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid. narrow: its text has room on a phone."""

    x: str
    text: str
    narrow: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything to draw. left_out: rigs beyond MAX_MARKS."""

    marks: list[Mark]
    ticks: list[Tick]
    has_no_vram: bool
    crowded: bool
    left_out: int
    height: int = HEIGHT
    top: int = TOP
    bottom: int = BOTTOM


@dataclass(frozen=True, slots=True)
class _Scale:
    """VRAM in GB, as powers of two: low ... high."""

    low: int
    high: int

    def percent(self, vram_bytes: int | None) -> float:
        if vram_bytes is None:
            return _NO_VRAM
        power = math.log2(max(vram_bytes / _GIB, 2**self.low))
        share = (power - self.low) / (self.high - self.low)
        return _LEFT + share * (_RIGHT - _LEFT)


def draw_chart(nodes: Sequence[NodeView]) -> Chart:
    """Place the first MAX_MARKS rigs; the scarcest get their places and labels first."""
    plotted = sorted(nodes[:MAX_MARKS], key=lambda node: (-node.scarcity, node.id))
    scale = _scale([node.hardware.vram_bytes for node in plotted])
    spots = _place([(scale.percent(node.hardware.vram_bytes), node.scarcity) for node in plotted])
    names = [node.hardware.gpu or node.hardware.cpu or node.name for node in plotted]
    labels = _label(names, spots)
    marks = [
        Mark(
            node_id=node.id,
            x=_percent(x),
            y=y,
            status=node.status,
            name=name,
            vram_bytes=node.hardware.vram_bytes,
            scarcity=node.scarcity,
            label=label,
        )
        for node, name, (x, y), label in zip(plotted, names, spots, labels, strict=True)
    ]
    has_no_vram = any(node.hardware.vram_bytes is None for node in plotted)
    return Chart(
        marks=marks,
        ticks=[
            _tick(power, scale, beside_words=has_no_vram)
            for power in range(scale.low, scale.high + 1)
        ],
        has_no_vram=has_no_vram,
        crowded=len(plotted) >= CROWDED_FROM,
        left_out=len(nodes) - len(plotted),
    )


def describe_mark(mark: Mark, words: Words) -> Markup:
    """What a mark says when it is pointed at: name, VRAM, how scarce the rig is, its status."""
    vram = mark.vram_bytes
    return Markup(", ").join(
        (
            isolate(mark.name),
            words("map.chart.no_vram") if vram is None else format_bytes(vram),
            describe_scarcity(mark.scarcity, words).word,
            words(f"shared.status.{mark.status}"),
        )
    )


def _scale(vram: list[int | None]) -> _Scale:
    powers = [math.log2(size / _GIB) for size in vram if size is not None]
    low = max(0, min(2, math.floor(min(powers, default=2))))
    return _Scale(low, max(7, math.ceil(max(powers, default=7))))


def _tick(power: int, scale: _Scale, *, beside_words: bool) -> Tick:
    """beside_words: on a phone "no VRAM" stands where the first tick's text would be."""
    narrow = (scale.high - power) % 2 == 0 and not (beside_words and power == scale.low)
    return Tick(_percent(scale.percent(_GIB * 2**power)), format_bytes(_GIB * 2**power), narrow)


def _place(wanted: list[tuple[float, float]]) -> list[tuple[float, int]]:
    cell = _CROWDED_CELL if len(wanted) >= CROWDED_FROM else _CELL
    reach = _REACH_PIXELS // cell
    rows = (BOTTOM - TOP) // cell
    taken: set[tuple[int, int]] = set()
    tries: dict[tuple[int, int], Iterator[tuple[int, int]]] = {}
    spots: list[tuple[float, int]] = []
    for percent, scarcity in wanted:
        home = (
            round(percent / 100 * _WIDTH / cell),
            round((1 - min(1.0, max(0.0, scarcity))) * rows),
        )
        # No square becomes free again, so a search goes on where the last one from there ended.
        around = tries.setdefault(home, _around(home, reach, rows))
        column, row = next((spot for spot in around if spot not in taken), home)
        taken.add((column, row))
        spots.append((column * cell / _WIDTH * 100, TOP + row * cell))
    return spots


def _around(home: tuple[int, int], reach: int, rows: int) -> Iterator[tuple[int, int]]:
    """The squares within reach, the nearest first."""
    for right, down in _steps(reach):
        column, row = home[0] + right, home[1] + down
        if column > 0 and 0 <= row <= rows:
            yield column, row


@cache
def _steps(reach: int) -> tuple[tuple[int, int], ...]:
    """Nearest first; sideways before up or down, since rows of marks read better than piles."""
    span = range(-reach, reach + 1)
    steps = [(right, down) for right in span for down in span]
    return tuple(sorted(steps, key=lambda step: (step[0] ** 2 + 2 * step[1] ** 2, step)))


class _Boxes:
    """Rectangles that are spoken for, at one width of the page."""

    def __init__(self, width: float) -> None:
        self._width = width
        self._taken: list[tuple[float, float, float, float]] = []

    def add(self, left: float, right: float, y: float, height: float = _LABEL_HEIGHT) -> None:
        self._taken.append((left, right, y - height / 2, y + height / 2))

    def has_room(self, left: float, right: float, y: float) -> bool:
        top, bottom = y - _LABEL_HEIGHT / 2, y + _LABEL_HEIGHT / 2
        if left < 0 or right > self._width:
            return False
        for other_left, other_right, other_top, other_bottom in self._taken:
            if (
                top < other_bottom
                and bottom > other_top
                and left < other_right
                and right > other_left
            ):
                return False
        return True


@dataclass(frozen=True, slots=True)
class _Side:
    """Right or left of a mark. offset: from the mark's middle to the text, pixels."""

    anchor: Literal["start", "end"]
    offset: int

    def span(self, x: float, length: float) -> tuple[float, float]:
        if self.anchor == "start":
            return x + 7, x + self.offset + length
        return x + self.offset - length, x - 7


_SIDES: Final = (_Side("start", 10), _Side("end", -10))


def _label(names: list[str], spots: list[tuple[float, int]]) -> list[Label | None]:
    """Names for the marks that have room for one, scarcest first, each name once."""
    text_of = {name: _label_text(name) for name in set(names)}
    wide, narrow = _Boxes(_WIDTH), _Boxes(_WIDTH * _PHONE)
    for boxes, width in ((wide, _WIDTH), (narrow, _WIDTH * _PHONE)):
        boxes.add(width - _TOP_WORDS, width, TOP - 18, 16)
        boxes.add(width - _BOTTOM_WORDS, width, BOTTOM - 10, 16)
    for percent, y in spots:
        for boxes, width in ((wide, _WIDTH), (narrow, _WIDTH * _PHONE)):
            x = percent / 100 * width
            boxes.add(x - 6, x + 6, y, 10)
    labels: list[Label | None] = []
    named: set[str] = set()
    for name, (percent, y) in zip(names, spots, strict=True):
        text = text_of[name]
        label = None if text in named else _fit(text, percent, y, wide, narrow)
        labels.append(label)
        if label is not None:
            named.add(text)
    return labels


def _fit(text: str, percent: float, y: int, wide: _Boxes, narrow: _Boxes) -> Label | None:
    length = len(text) * _LABEL_CHARACTER
    wide_x, narrow_x = (percent / 100 * width for width in (_WIDTH, _WIDTH * _PHONE))
    sides = [side for side in _SIDES if wide.has_room(*side.span(wide_x, length), y)]
    if not sides:
        return None
    on_phone = [side for side in sides if narrow.has_room(*side.span(narrow_x, length), y)]
    side = (on_phone or sides)[0]
    wide.add(*side.span(wide_x, length), y)
    if on_phone:
        narrow.add(*side.span(narrow_x, length), y)
    return Label(text, _percent(percent), y, side.anchor, side.offset, bool(on_phone))


def _label_text(name: str) -> str:
    parts = split_hardware_name(name)
    text = parts.times + parts.model
    return text if len(text) <= _LABEL_CHARS else f"{text[: _LABEL_CHARS - 1]}…"


def _percent(value: float) -> str:
    return f"{value:.2f}%"
