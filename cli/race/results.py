"""How a race ended: a table for people, a document for programs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from rich.text import Text

from luckrig.cli.output import Cell, Column, console, print_facts, print_table, table_fits
from luckrig.cli.race.lanes import Lane
from luckrig.cli.replay.words import NONE, milliseconds, rate, tokens
from luckrig.client.history.replay import Figures
from luckrig.protocol.errors import error_body

MARK: Final = "★ "
"""Of the best in a column, so that it needn't be told from its colour."""
_BEST: Final = "bold green"
_COLUMNS: Final = (
    Column("Rig"),
    Column("Model"),
    Column("Quant"),
    Column("Queue", justify="right"),
    Column("First", justify="right"),
    Column("tok/s", justify="right"),
    Column("Tokens", justify="right"),
    Column("Total", justify="right"),
)
_NAME_CHARS: Final = ((110, 28, 28, 12), (90, 18, 18, 10), (0, 12, 12, 7))
"""From that width on: characters of rig, model and quantisation."""

_FIGURES: Final[Mapping[str, Callable[[Figures], float | None]]] = {
    "rig_queue_ms": lambda figures: figures.rig_queue_ms,
    "ttft_ms": lambda figures: figures.ttft_ms,
    "tokens_per_second": lambda figures: figures.tokens_per_second,
    "total_ms": lambda figures: figures.total_ms,
}
_MOST_WINS: Final = frozenset(("tokens_per_second",))


def winners(lanes: Sequence[Lane]) -> dict[str, int | None]:
    """Figure -> the number of the lane that is best at it; None where nobody is, or all are alike.

    Only whole replies count: one that breaks off early is soon over.
    """
    whole = [
        (each.number, each.replay.figures)
        for each in lanes
        if each.replay is not None and each.replay.outcome == "complete"
    ]
    best: dict[str, int | None] = {}
    for name, read in _FIGURES.items():
        sign = -1 if name in _MOST_WINS else 1
        known = sorted(
            (sign * value, number)
            for number, figures in whole
            if (value := read(figures)) is not None
        )
        is_race = len(known) > 1 and known[0][0] != known[1][0]
        best[name] = known[0][1] if is_race else None
    return best


def print_results(lanes: Sequence[Lane]) -> None:
    """The table, what failed, and where the replays are."""
    target, best = console(), winners(lanes)
    _, rig, model, quant = next(each for each in _NAME_CHARS if target.width >= each[0])
    rows = [
        [Cell(_cut(lane.name, rig)), Cell(_cut(lane.model, model)),
         Cell(_cut(lane.quantization or NONE, quant)), *_figures(lane, best)]
        for lane in lanes
    ]  # fmt: skip
    if table_fits(_COLUMNS, rows):
        print_table(_COLUMNS, rows)
    else:  # a narrow terminal: one below the other
        for title, *facts in rows:
            named = zip(_COLUMNS[1:], facts, strict=True)
            print_facts(title, [(column.title, cell) for column, cell in named])
    for lane in lanes:
        if lane.error is not None:
            print()
            target.print(Text(f"✗ {lane.name}  {lane.status}", style="red"))
    if any(each is not None for each in best.values()):
        target.print(Text(f"\n{MARK}the best of its column, of whole replies", style="dim"))
    if kept := sum(lane.kept is not None for lane in lanes):
        target.print(Text(f"Kept on this machine: luckrig replay list --limit {kept}", style="dim"))


def document(prompt: str, lanes: Sequence[Lane]) -> dict[str, Any]:
    """What --json prints. best: figure -> a contestant's number."""
    return {
        "prompt": prompt,
        "contestants": [_contestant(lane) for lane in lanes],
        "best": winners(lanes),
    }


def _contestant(lane: Lane) -> dict[str, Any]:
    replay, view, offer = lane.replay, lane.candidate.rig, lane.candidate.offer
    return {
        "number": lane.number,
        "node_id": view.id,
        "name": view.name,
        "gpu": view.hardware.gpu,
        "model": offer.model,
        "quantization": offer.quantization,
        "subtext": lane.subtext,
        "outcome": "failed" if replay is None else replay.outcome,
        "finish_reason": lane.finish_reason,
        "error": None if lane.error is None else error_body(lane.error)["error"],
        "figures": None if replay is None else msgspec.to_builtins(replay.figures),
        "text": lane.text,
        "replay": lane.kept,
    }


def _figures(lane: Lane, best: Mapping[str, int | None]) -> list[Cell]:
    if lane.replay is None:
        failed = Cell("failed", "red")
        return [Cell(NONE), failed, Cell(NONE), Cell(NONE), Cell(NONE)]
    figures = lane.replay.figures

    def cell(name: str, text: str) -> Cell:
        return Cell(f"{MARK}{text}", _BEST) if best[name] == lane.number else Cell(text)

    total = milliseconds(figures.total_ms)
    return [
        cell("rig_queue_ms", milliseconds(figures.rig_queue_ms)),
        cell("ttft_ms", milliseconds(figures.ttft_ms)),
        cell("tokens_per_second", rate(figures)),
        Cell(tokens(figures)),
        cell("total_ms", total) if lane.error is None else Cell("broke off", "red"),
    ]


def _cut(text: str, columns: int) -> str:
    line = Text(text)
    line.truncate(columns, overflow="ellipsis")
    return line.plain
