"""`luckrig nodes`: the map as a table, rarest rigs first."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, get_args

import click

from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import (
    Cell,
    Column,
    note,
    print_json,
    print_table,
    safe_line,
    say,
    table_fits,
)
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor import Hardware, Offer
from luckrig.protocol.names import model_key, quantization_key
from luckrig.protocol.wire import NodePage, NodeStatus, NodeView
from luckrig.tracker.domain.listing import Sort

SHORT_ID_CHARS: Final = 10
"""n1 and eight characters: 40 bits, so that nobody makes a look-alike in passing."""

_GIB: Final = 2**30
_NONE: Final = "–"  # noqa: RUF001 -- the dash people expect in an empty table cell
_STATUS_STYLES: Final[dict[str, str]] = {
    "available": "green",
    "busy": "yellow",
    "starting": "cyan",
    "unavailable": "red",
}
_RARE: Final = 0.8
"""From here on the scarcity is set in bold."""

_WIDE: Final[tuple[Column, ...]] = (
    Column("Rig", min_width=SHORT_ID_CHARS),
    Column("Name"),
    Column("Status", min_width=len("unavailable")),
    Column("Scarcity", justify="right", min_width=len("Scarcity")),
    Column("GPU"),
    Column("VRAM", justify="right", min_width=len("24 GiB")),
    Column("Model"),
    Column("Quant"),
    Column("Context", justify="right", min_width=len("Context")),
    Column("Seen", justify="right"),
)
_NARROW: Final[tuple[Column, ...]] = (
    Column("Rig", min_width=SHORT_ID_CHARS),
    Column("Status", min_width=len("unavailable")),
    Column("Scarcity", justify="right", min_width=len("Scarcity")),
    Column("Hardware"),
    Column("Model"),
)


@click.command("nodes")
@click.option("--gpu", metavar="NAME", help="This GPU, in any common spelling, like rtx4090.")
@click.option("--model", metavar="NAME", help="This model, in any common spelling.")
@click.option("--quant", metavar="NAME", help="This quantisation, for example Q4_K_M.")
@click.option("--status", type=click.Choice(get_args(NodeStatus)), help="Only rigs in this state.")
@click.option(
    "--min-context", type=click.IntRange(min=0), metavar="TOKENS", help="At least this context."
)
@click.option(
    "--min-vram",
    type=click.IntRange(0, 2**20),
    metavar="GIB",
    help="At least this much GPU memory, all GPUs of a rig together.",
)
@click.option(
    "--sort",
    type=click.Choice(get_args(Sort)),
    default="scarcity",
    show_default=True,
    help="What comes first. `measured` is what users measured and shared; `context` is claimed.",
)
@click.option(
    "--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most so many."
)
@json_option
@tracker_option
def command(tracker: TrackerAddress, as_json: bool, **options: Any) -> None:
    """List the rigs on the map, rarest first.

    Shows what rigs say of themselves. `luckrig token RIG` gets you into one: its id, the
    first characters of its id, or its name.
    """
    page = asyncio.run(_fetch(tracker, options))
    if as_json:
        print_json(page)
    elif page.nodes:
        _print_page(page, options, now=time.time())
    else:
        unfiltered = {"limit", "sort"}
        _print_empty(filtered=any(options[name] for name in options.keys() - unfiltered))


async def _fetch(tracker: TrackerAddress, options: dict[str, Any]) -> NodePage:
    asked = {name: value for name, value in options.items() if value is not None}
    async with ask_tracker(tracker) as client:
        return await client.nodes(**asked)


def _print_page(page: NodePage, asked: Mapping[str, Any], *, now: float) -> None:
    shown = [(node, _offer_to_show(node, asked)) for node in page.nodes]
    columns, rows = _WIDE, [_wide_row(node, offer, now) for node, offer in shown]
    if not table_fits(columns, rows):
        columns, rows = _NARROW, [_narrow_row(node, offer, now) for node, offer in shown]
    print_table(columns, rows)
    if page.total > len(page.nodes):
        note(f"{len(page.nodes)} of {page.total} rigs. --limit shows more; filters narrow it down.")


def _print_empty(*, filtered: bool) -> None:
    if filtered:
        say("No rig on this tracker's map fits. Try with fewer filters.")
    else:
        say("No rig is on this tracker's map yet. Put yours there: luckrig node start")


def _wide_row(node: NodeView, offer: Offer | None, now: float) -> list[Cell | str]:
    return [
        short_id(node.id),
        safe_line(node.name),
        _status(node),
        _scarcity(node),
        gpu_name(node.hardware),
        _vram(node.hardware),
        _model(node, offer),
        _quant(offer),
        _context(offer),
        _ago(node.last_seen_at, now),
    ]


def _narrow_row(node: NodeView, offer: Offer | None, now: float) -> list[Cell | str]:
    status = _status(node)
    return [
        f"{safe_line(node.name)}\n{short_id(node.id)}",
        Cell(f"{status.text}\n{_ago(node.last_seen_at, now)}", status.style),
        _scarcity(node),
        f"{gpu_name(node.hardware)}\n{_memory(node.hardware)}",
        f"{_model(node, offer)}\n{_quant(offer)} · {_context(offer)}",
    ]


def short_id(node_id: str) -> str:
    """The part of an id that people read."""
    return node_id[:SHORT_ID_CHARS]


def gpu_name(hardware: Hardware) -> str:
    """The GPU without its maker's repeated name, or the CPU of a rig that has none."""
    if hardware.gpu is None:
        return safe_line(f"CPU: {hardware.cpu}" if hardware.cpu else "CPU only")
    return safe_line(hardware.gpu.replace("NVIDIA ", "").replace("GeForce ", ""))


def _offer_to_show(node: NodeView, asked: Mapping[str, Any]) -> Offer | None:
    """The offer that fits what was asked for, by the tracker's own rules, else the first."""
    model, quant = asked["model"], asked["quant"]
    for offer in node.offers:
        if (
            (model is None or model_key(offer.model) == model_key(model))
            and (quant is None or quantization_key(offer.quantization) == quantization_key(quant))
            and (offer.context_length or 0) >= (asked["min_context"] or 0)
        ):
            return offer
    return next(iter(node.offers), None)


def _model(node: NodeView, offer: Offer | None) -> str:
    if offer is None:
        return _NONE
    others = len(node.offers) - 1
    return safe_line(f"{offer.model} +{others}" if others else offer.model)


def _status(node: NodeView) -> Cell:
    return Cell(node.status, _STATUS_STYLES.get(node.status, "dim"))


def _scarcity(node: NodeView) -> Cell:
    return Cell(f"{node.scarcity:.2f}", "bold magenta" if node.scarcity >= _RARE else "")


def _vram(hardware: Hardware) -> str:
    return _NONE if hardware.vram_bytes is None else f"{hardware.vram_bytes / _GIB:.0f} GiB"


def _memory(hardware: Hardware) -> str:
    """What models have to fit in: the GPU's memory, or the machine's where there is no GPU."""
    if hardware.vram_bytes is None and hardware.ram_bytes is not None:
        return f"{hardware.ram_bytes / _GIB:.0f} GiB RAM"
    return _vram(hardware)


def _quant(offer: Offer | None) -> str:
    return safe_line((offer.quantization if offer else None) or _NONE)


def _context(offer: Offer | None) -> str:
    """131072 as 128K, as model cards write it; what isn't a round number as it is."""
    tokens = offer.context_length if offer else None
    if tokens is None:
        return _NONE
    return f"{tokens // 1024}K" if tokens % 1024 == 0 else f"{tokens:,}"


def _ago(at: int | None, now: float) -> str:
    """at: Unix seconds. A clock that runs ahead says "now"."""
    if at is None:
        return "never"
    seconds = max(0, int(now) - at)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "now"
