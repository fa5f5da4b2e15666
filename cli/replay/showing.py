"""What `luckrig replay` prints of replays."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from luckrig.cli.model_text import model_text
from luckrig.cli.moments import utc
from luckrig.cli.output import Cell, Column, console, note, print_facts, print_table
from luckrig.cli.replay.choosing import HOW_TO_MAKE, short_ids
from luckrig.cli.replay.words import (
    NONE,
    figure_facts,
    hardware,
    milliseconds,
    one_line,
    outcome,
    rate,
    rig_facts,
    tokens,
)
from luckrig.client.history.asking import Said, messages_of
from luckrig.client.history.compare import Compared, Comparison
from luckrig.client.history.replay import Kind, Replay, Summary
from luckrig.client.history.store import Listing

_COLUMNS: Final = (
    Column("Replay", min_width=15),
    Column("Rig"),
    Column("Model"),
    Column("First", justify="right", min_width=7),
    Column("tok/s", justify="right", min_width=6),
    Column("Asked"),
)
_GAPS: Final = 2 * (len(_COLUMNS) - 1)
_NAME_CHARS: Final = ((120, 24, 40), (72, 12, 15), (0, 7, 8))
"""From that width on: characters of rig and model. What was asked gets the rest of the line."""
_NAMES_CHARS: Final = 14
_SIDE_CHARS: Final = 20
"""Of a table's first column, and of each replay beside it: three fit into 80 columns."""

_STYLES: Final = {"complete": "", "cut": "yellow", "failed": "red"}
_PARTS: Final[tuple[tuple[Kind, str], ...]] = (
    ("reasoning", "reasoning"),
    ("tool", "tool"),
    ("other", "other"),
    ("text", "reply"),
)


def print_listing(listing: Listing, ids: Sequence[str]) -> None:
    """A table, newest first. ids: of all replays, so that short ones are unique."""
    if listing.replays:
        short = short_ids(ids)
        rows = [_row(each, short.get(each.replay_id, each.replay_id)) for each in listing.replays]
        print_table(_COLUMNS, _fitted(rows, console().width))
    elif not listing.unreadable:
        note(HOW_TO_MAKE)
    left = listing.total - len(listing.replays)
    if listing.replays and left > len(listing.unreadable):
        note(f"{len(listing.replays)} of {listing.total}. --limit shows more.")
    for file in listing.unreadable:
        note(one_line(f"left out: {file.name} {file.why}"))


def print_head(replay: Replay) -> None:
    """Which rig, with what, when."""
    print_facts(_title(replay), rig_facts(replay))


def print_figures(replay: Replay) -> None:
    """What it took, and how it ended."""
    ended = Cell(outcome(replay), _STYLES[replay.outcome])
    print_facts(None, [*figure_facts(replay.figures), ("ended", ended)])


def print_replay(replay: Replay) -> None:
    """All of it: facts, figures, what was asked and answered."""
    ended = Cell(outcome(replay), _STYLES[replay.outcome])
    said = [(_role(each.role), model_text(each.text)) for each in _asked(replay)]
    answered = [
        (name, model_text(text).rstrip("\n"))
        for kind, name in _PARTS
        if (text := replay.text(kind))
    ]
    print_facts(
        _title(replay),
        [*rig_facts(replay), *figure_facts(replay.figures), ("ended", ended)],
    )
    for name, text in [*said, *answered]:
        print()
        print_facts(None, [(name.ljust(9), text)])


def print_comparison(comparison: Comparison) -> None:
    """Facts below each other, replays beside each other; the best figure of each line in green."""
    if not comparison.same_prompt:
        note("Not the same prompt: their figures say little about the rigs.")
    short = short_ids([each.replay_id for each in comparison.replays])
    every = [_side(each, short[each.replay_id], comparison) for each in comparison.replays]
    at_once = max(1, (console().width - _NAMES_CHARS) // (_SIDE_CHARS + 2))
    for start in range(0, len(every), at_once):
        some = every[start : start + at_once]
        if start:
            print()
        titles = [str(start + number) for number in range(1, len(some) + 1)]
        rows = [
            [Cell(name, "dim"), *(side[index][1] for side in some)]
            for index, (name, _) in enumerate(some[0])
        ]
        print_table([Column(""), *(Column(title, justify="right") for title in titles)], rows)


def _side(each: Compared, short_id: str, comparison: Comparison) -> list[tuple[str, Cell]]:
    """One replay's lines."""
    rig, figures = each.rig, each.figures

    def best(name: str, text: str) -> Cell:
        return Cell(text, "bold green" if comparison.fastest[name] == each.replay_id else "")

    def label(text: str | None) -> Cell:
        return Cell(_cut(text or NONE, _SIDE_CHARS))

    claimed = figures.rig_tokens_per_second
    prompt = figures.prompt_tokens
    return [
        ("replay", label(short_id)),
        ("rig", label(rig.name or rig.node_id)),
        ("hardware", label(hardware(rig))),
        ("model", label(rig.model)),
        ("quant", label(rig.quantization)),
        ("engine", label(rig.engine)),
        ("first token", best("ttft_ms", milliseconds(figures.ttft_ms))),
        ("  the rig says", Cell(milliseconds(figures.rig_ttft_ms), "dim")),
        ("tok/s", best("tokens_per_second", rate(figures))),
        ("  the rig says", Cell(NONE if claimed is None else f"{claimed:,.1f}", "dim")),
        ("tokens", Cell(tokens(figures))),
        ("  of prompt", Cell(NONE if prompt is None else f"{prompt:,}", "dim")),
        ("queued", Cell(milliseconds(figures.rig_queue_ms))),
        ("in all", best("total_ms", milliseconds(figures.total_ms))),
        ("ended", Cell(each.outcome, _STYLES[each.outcome])),
    ]


def _row(summary: Summary, short_id: str) -> list[Cell]:
    return [
        Cell(short_id, _STYLES[summary.outcome]),
        Cell(summary.rig.name or summary.rig.node_id),
        Cell(summary.rig.model),
        Cell(milliseconds(summary.figures.ttft_ms)),
        Cell(rate(summary.figures)),
        Cell(summary.title),
    ]


def _fitted(rows: Sequence[Sequence[Cell]], width: int) -> list[list[Cell | str]]:
    """The rows with rig, model and title cut so that no line breaks."""
    rig, model = next((rig, model) for least, rig, model in _NAME_CHARS if width >= least)
    first = max(len(row[0].text) for row in rows)
    left = width - _GAPS - first - rig - model - sum(c.min_width or 0 for c in _COLUMNS[3:5])
    most = {1: rig, 2: model, len(_COLUMNS) - 1: max(left, 5)}
    return [
        [Cell(_cut(c.text, most[n]), c.style) if n in most else c for n, c in enumerate(row)]
        for row in rows
    ]


def _title(replay: Replay) -> Cell:
    return Cell(f"{replay.replay_id}  {utc(int(replay.created_at))}", "bold")


def _asked(replay: Replay) -> list[Said]:
    return messages_of(bytes(replay.request))


def _role(role: str) -> str:
    return _cut(role, 9)


def _cut(text: str, columns: int) -> str:
    """A stranger's text as one line that fits, wide characters counted twice."""
    line = Text(one_line(text))
    line.truncate(columns, overflow="ellipsis")
    return line.plain
