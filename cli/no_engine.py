"""The screen for a machine without an engine: what was tried, what to install, what would fit.

Pure but for on_the_map(), which asks the tracker.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from luckrig.cli.advice.fit import Fit, fitting, usable_bytes
from luckrig.cli.advice.install import recipe
from luckrig.cli.facts import context, gib, hardware_facts
from luckrig.cli.options import ask_tracker
from luckrig.cli.output import safe_line
from luckrig.nodeproxy.engines.advice import what_to_do
from luckrig.nodeproxy.engines.detect import Examined, Found, Missed
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor import Hardware
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.names import model_key

MAX_FITS: Final = 8
MAX_CPU_PARAMETERS: Final = 9_000_000_000
"""Each token reads all the weights: 5 GB of them come ten times a second at 50 GB/s."""
MAP_SECONDS: Final = 5.0
"""The tracker's list is a help, not worth a longer wait."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is known of a machine without an engine to use.

    system: as platform.system(). on_map: how many rigs offer a model, by model_key; None when the
    tracker can't be asked.
    """

    tried: Sequence[Examined]
    hardware: Hardware
    system: str
    on_map: Mapping[str, int] | None


async def on_the_map(address: TrackerAddress) -> dict[str, int] | None:
    """How many rigs offer each model, by model_key; None if the tracker can't be asked in time."""
    counts: Counter[str] = Counter()
    try:
        async with asyncio.timeout(MAP_SECONDS), ask_tracker(address) as client:
            async for node in client.each_node(limit=200):
                counts.update({model_key(offer.model) for offer in node.offers})
    except (LuckrigError, TimeoutError):
        return None
    return dict(counts)


def render(situation: Situation) -> RenderableType:
    """The screen."""
    fits = fitting(situation.hardware)
    parts: list[RenderableType] = [
        Text("No engine to put on the map was found here.", style="bold"),
        _tried(situation.tried),
        Text(f"This machine  {' · '.join(hardware_facts(situation.hardware))}"),
    ]
    if fits:
        parts += [*_install(situation, _best(situation.hardware, fits)), _table(situation, fits)]
    else:
        memory = gib(usable_bytes(situation.hardware))
        parts.append(Text(f"None of the models we know fits its {memory} of memory for models."))
    hint = "luckrig register --engine tiny"
    parts.append(Text.assemble("To try it all without one:  ", (hint, "bold")))
    return Group(*parts)


def why_none(tried: Sequence[Examined]) -> str:
    """The same in one line, for errors."""
    told = [f"{each.url}: {_problem(each)}" for each in tried if not _is_silent(each)]
    what = " ".join(told) or "Nothing listens at the ports that engines use."
    return f"No engine to put on the map was found. {what} --engine tiny tries it all without one."


def _tried(tried: Sequence[Examined]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for each in tried:
        if not _is_silent(each):
            grid.add_row(Text(f"  {safe_line(each.url)}"), Text(_problem(each), style="yellow"))
    silent = [safe_line(each.url) for each in tried if _is_silent(each)]
    if silent:
        ports = ", ".join(url.rpartition(":")[2] for url in silent)
        place = "this machine's ports " if len(silent) > 1 else f"{silent[0]}, port "
        grid.add_row(Text("  Nothing listens"), Text(f"at {place}{ports}", style="dim"))
    return grid


def _is_silent(each: Examined) -> bool:
    return isinstance(each, Missed) and each.is_silent


def _problem(each: Examined) -> str:
    if isinstance(each, Found):
        return f"{each.state.kind}. {what_to_do(each.state) or ''}"
    return each.why


def _install(situation: Situation, best: Fit) -> list[RenderableType]:
    has_ollama = any(
        isinstance(each, Found) and each.state.kind == "ollama" for each in situation.tried
    )
    how = recipe(situation.system, situation.hardware, best.model.name)
    commands = how.commands[1:] if has_ollama and len(how.commands) > 1 else how.commands
    lines = Text()
    for command in (*commands, "luckrig register"):
        lines.append(f"\n    {command}", style="bold")
    title = "Get a model, and come back:" if has_ollama else safe_line(how.why)
    return [Text(f"\n{title}"), lines, Text("")]


def _best(hardware: Hardware, fits: Sequence[Fit]) -> Fit:
    """The largest that fits; without a GPU the largest that a CPU runs at a reader's pace."""
    quick = [fit for fit in fits if fit.model.parameters <= MAX_CPU_PARAMETERS]
    return quick[0] if hardware.gpu is None and quick else fits[0]


def _table(situation: Situation, fits: Sequence[Fit]) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Fits here", no_wrap=True)
    table.add_column("Format", no_wrap=True)
    for title in ("Weights", "Context", "Cache", "Total"):
        table.add_column(title, justify="right", no_wrap=True)
    if situation.on_map is not None:
        table.add_column("On the map")
    for fit in islice(fits, MAX_FITS):
        cells = [
            fit.model.name,
            fit.model.format,
            gib(fit.weight_bytes),
            context(fit.context_length),
            gib(fit.cache_bytes),
            gib(fit.total_bytes),
        ]
        row: list[Text] = [Text(cell) for cell in cells]
        if situation.on_map is not None:
            row.append(_scarce(situation.on_map.get(model_key(fit.model.name), 0)))
        table.add_row(*row)
    return table


def _scarce(rigs: int) -> Text:
    if not rigs:
        return Text("none yet", style="bold magenta")
    return Text(f"{rigs} rig" if rigs == 1 else f"{rigs} rigs")
