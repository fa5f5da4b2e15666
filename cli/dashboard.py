"""The live screen of a rig, for its owner. Pure: a view in, something that rich can draw out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from luckrig.cli.facts import folded
from luckrig.cli.output import safe_line
from luckrig.cli.owner import REASONS, clock_time
from luckrig.nodeproxy.control import RigStatus
from luckrig.nodeproxy.tunnel.client import TunnelState
from luckrig.protocol.telemetry import GpuReading

BAR_COLUMNS: Final = 16
MAX_ERRORS: Final = 5
MAX_MODELS: Final = 3
NONE: Final = "–"  # noqa: RUF001 -- the dash people expect where there is no figure

Mood = Literal["good", "wait", "bad"]
_STYLES: Final[dict[Mood, str]] = {"good": "bold green", "wait": "bold yellow", "bad": "bold red"}


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything that the screen shows.

    tunnel: None for a rig that listens. retry_seconds: until it tries to connect again. rule_hits:
    category to number. blocked: flags of the moderation service, None without one. points: the
    owner's score, None while nobody knows. has_models: whether the engine still has any of the
    offered ones. gpus: as far as they can be read. tell_time: writes Unix seconds down.
    """

    status: RigStatus
    tunnel: TunnelState | None = None
    retry_seconds: float | None = None
    rule_hits: Mapping[str, int] = field(default_factory=dict[str, int])
    blocked: int | None = None
    points: str | None = None
    has_models: bool = True
    gpus: Sequence[GpuReading] = ()
    tell_time: Callable[[int], str] = clock_time


def headline(view: View) -> tuple[Mood, str]:
    """How it is, in one line; the worst first."""
    status, tunnel = view.status, view.tunnel
    if status.reason == "draining":
        count = status.active + status.waiting
        if not count:
            return "wait", "finished; taking no new requests"
        return "wait", f"finishing {count} request{'' if count == 1 else 's'}, taking no new ones"
    if tunnel is not None and tunnel.phase != "up":
        return _tunnel_words(tunnel, view.retry_seconds)
    if status.reason is not None:
        opens = "" if status.opens_at is None else f"; opens {view.tell_time(status.opens_at)}"
        return "wait", f"paused: {REASONS[status.reason]}{opens}"
    if status.engine == "loading":
        return "wait", "the engine is loading a model"
    if status.engine != "ready":
        return "bad", "the engine is away; the map shows the rig as unavailable until it is back"
    if not view.has_models:
        return "bad", "the engine has none of the offered models any more"
    return "good", "on the map"


def _tunnel_words(tunnel: TunnelState, retry_seconds: float | None) -> tuple[Mood, str]:
    again = "" if retry_seconds is None else f" in {max(0, math.ceil(retry_seconds))} s"
    why = safe_line(" ".join(tunnel.message.split()))
    if tunnel.phase == "clock_off":
        return "bad", f"this machine's clock is wrong: {why}"
    if tunnel.phase == "refused":
        return "bad", f"refused: {why or tunnel.reason}"
    if tunnel.phase == "replaced":
        return "bad", "another process with this rig's key has its place"
    return "wait", f"tunnel reconnecting{again}: {why}" if why else f"tunnel connecting{again}"


def render(view: View) -> RenderableType:
    """The screen, at most 22 lines of 80 columns; it folds at 60."""
    status = view.status
    mood, text = headline(view)
    title = Text.assemble(
        ("● ", _STYLES[mood]), (safe_line(status.name), "bold"), "  ", (text, _STYLES[mood])
    )
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, cell in _rows(view):
        grid.add_row(Text(label), cell if isinstance(cell, Text) else Text(cell))
    ending = (
        "Ctrl-C again ends at once."
        if status.reason == "draining"
        else ("Ctrl-C drains, twice ends at once. luckrig node pause rests it.")
    )
    return Group(title, grid, Text(ending, style="dim"))


def _rows(view: View) -> list[tuple[str, Text | str]]:
    status = view.status
    speed = status.tokens_per_second
    rows: list[tuple[str, Text | str]] = [
        ("Page", safe_line(status.page)),
        ("API", safe_line(status.base_url)),
        ("Models", ", ".join(folded([safe_line(m) for m in status.models], MAX_MODELS))),
        ("Running", _bar(status.active, status.max_active)),
        ("Waiting", _bar(status.waiting, status.max_queue)),
        ("Speed", NONE if speed is None else f"{speed:.1f} tokens/s over the last minute"),
        (
            "Served",
            f"{status.served:,} since {view.tell_time(status.started_at)}, {_tokens(status)}",
        ),
        ("Refused", _refused(view)),
        ("Score", NONE if view.points is None else f"{view.points} points"),
    ]
    if gpu := _gpu(view.gpus):
        rows.append(("GPU", gpu))
    errors = [
        safe_line(f"{view.tell_time(error.at)} {error.endpoint}: {error.code}")
        for error in status.errors[:MAX_ERRORS]
    ]
    rows += [("Errors" if number == 0 else "", line) for number, line in enumerate(errors)]
    return rows


def _bar(count: int, most: int) -> Text:
    filled = min(BAR_COLUMNS, math.ceil(BAR_COLUMNS * count / most)) if most else 0
    style = "yellow" if most and count >= most else "green"
    return Text.assemble(
        ("█" * filled, style), ("·" * (BAR_COLUMNS - filled), "dim"), f" {count} of {most}"
    )


def _tokens(status: RigStatus) -> str:
    cap = status.tokens_per_day
    return f"{status.tokens_today:,}{'' if cap is None else f' of {cap:,}'} tokens today"


def _refused(view: View) -> str:
    hits = sorted(view.rule_hits.items(), key=lambda hit: (-hit[1], hit[0]))
    parts = folded([f"{safe_line(name)} {count}" for name, count in hits if count], 4)
    if view.blocked is not None:
        parts.append(f"moderation {view.blocked}")
    return ", ".join(parts) or "0"


def _gpu(gpus: Sequence[GpuReading]) -> str:
    """The busiest and the hottest one's figures, and what all of them draw."""
    busy = max((gpu.utilization for gpu in gpus if gpu.utilization is not None), default=None)
    celsius = max((gpu.celsius for gpu in gpus if gpu.celsius is not None), default=None)
    watts = [gpu.watts for gpu in gpus if gpu.watts is not None]
    figures = (
        None if busy is None else f"{busy * 100:.0f} % busy",
        None if celsius is None else f"{celsius:.0f} °C",
        f"{sum(watts):.0f} W" if watts else None,
    )
    return ", ".join(figure for figure in figures if figure)
