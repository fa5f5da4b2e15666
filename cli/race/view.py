"""The live screen of a race: panels side by side. Pure: lanes in, something for rich out."""

import math
from collections.abc import Sequence
from typing import Final

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from luckrig.cli.race.lanes import Lane, Stage

MIN_PANEL_COLUMNS: Final = 36
MIN_PANEL_LINES: Final = 7
MAX_PANEL_LINES: Final = 14
_FRAME: Final = 4
"""Columns of a panel's borders and padding."""
_BORDERS: Final[dict[Stage, str]] = {
    "waiting": "dim", "running": "cyan", "done": "green", "failed": "red",
}  # fmt: skip
_MARKS: Final[dict[Stage, str]] = {"waiting": "·", "running": "▶", "done": "✓", "failed": "✗"}


def grid(count: int, *, columns: int, lines: int) -> tuple[int, int] | None:
    """(panels in a row, lines of each) on a terminal of that size; None where they don't fit."""
    most = columns // MIN_PANEL_COLUMNS
    if most < 2:
        return None
    rows = math.ceil(count / most)
    height = min((lines - 1) // rows, MAX_PANEL_LINES)
    return (math.ceil(count / rows), height) if height >= MIN_PANEL_LINES else None


def render(
    lanes: Sequence[Lane], console: Console, *, across: int, lines: int, winner: Lane | None = None
) -> RenderableType:
    """The panels. across, lines: of grid(). winner: the one that is called the first."""
    width = console.width // across
    table = Table.grid(padding=0)
    for _ in range(across):
        table.add_column(width=width)
    for start in range(0, len(lanes), across):
        row = lanes[start : start + across]
        table.add_row(*(_panel(each, console, width, lines, each is winner) for each in row))
    return table


def _panel(lane: Lane, console: Console, width: int, lines: int, wins: bool) -> Panel:
    inner, room = width - _FRAME, lines - 5
    wrapped = list(lane.tail.wrap(console, inner, overflow="fold")) if lane.tail.plain else []
    for line in wrapped:
        line.rstrip()
    shown = wrapped[-room:]
    shown += [Text()] * (room - len(shown))
    status = Text(f"{_MARKS[lane.stage]} {lane.status}", style=_BORDERS[lane.stage])
    status.truncate(inner, overflow="ellipsis")
    title = Text(f"{lane.number}  {lane.name}", style="bold")
    title.truncate(inner - 2, overflow="ellipsis")
    facts = "  ".join(filter(None, [lane.model, lane.quantization, "★ first" if wins else ""]))
    subtitle = Text(facts)
    subtitle.truncate(inner - 2, overflow="ellipsis")
    hardware = Text(lane.hardware, style="dim")
    hardware.truncate(inner, overflow="ellipsis")
    body = Text("\n").join([hardware, *shown, Text(), status])
    return Panel(
        body,
        title=title,
        title_align="left",
        subtitle=subtitle,
        subtitle_align="left",
        border_style=_BORDERS[lane.stage],
        padding=(0, 1),
        height=lines,
        width=width,
    )
