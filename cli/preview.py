"""The one screen before a rig goes on the map: what becomes public, and what never does. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from luckrig.cli.facts import folded, hardware_facts, hours, limits, offer_facts
from luckrig.cli.output import safe_line
from luckrig.nodeproxy.opening import Wishes
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor import Hardware, Offer

MAX_MODELS: Final = 4
"""Lines of models: with the rest it fits a terminal of 24 lines."""
MAX_NOTE_CHARS: Final = 140


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What is about to be published.

    first_use: the tracker's key was taken on trust. base_url: None where it will only be known
    when the rig listens. is_relayed: whether users come in through the tracker. engine: kind and
    version. packs: names of the owner's rule packs. moderation: whether a service checks texts.
    """

    tracker: TrackerAddress
    first_use: bool
    name: str
    note: str
    hardware: Hardware
    engine: str
    offers: Sequence[Offer]
    wishes: Wishes
    max_active: int | None
    max_queue: int
    owner_id: str
    base_url: str | None
    is_relayed: bool
    packs: Sequence[str]
    moderation: bool


def render(preview: Preview) -> RenderableType:
    """The screen, at most 24 lines of 80 columns with three models and a short note."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in _public(preview):
        grid.add_row(Text(f"  {label}"), Text(text))
    title = Text(f"This becomes public on {preview.tracker.origin}", style="bold")
    return Group(title, grid, *_words(preview))


def _public(preview: Preview) -> list[tuple[str, str]]:
    models = folded([" · ".join(offer_facts(offer)) for offer in preview.offers], MAX_MODELS)
    rows = [
        ("Name", safe_line(preview.name)),
        ("Note", _short(preview.note)),
        ("Hardware", " · ".join(hardware_facts(preview.hardware))),
        ("Engine", safe_line(preview.engine)),
        *(("Models" if number == 0 else "", line) for number, line in enumerate(models)),
        ("Open", hours(preview.wishes)),
        (
            "Limits",
            limits(preview.wishes, max_active=preview.max_active, max_queue=preview.max_queue),
        ),
        ("Owner", preview.owner_id),
        ("Address", preview.base_url or "where it listens"),
    ]
    return [(label, text) for label, text in rows if text]


def _words(preview: Preview) -> list[Text]:
    if preview.is_relayed:
        where = "The tracker relays: users don't see your home address; the tracker sees it."
    else:
        where = "Users connect to that address themselves, so they see it."
    checks = "luckrig's rules" + (f" and yours ({_names(preview.packs)})" if preview.packs else "")
    if preview.moderation:
        checks += " and your moderation service"
    words = [
        Text(where, style="dim"),
        Text("Never public: prompts, replies, your keys.", style="dim"),
        Text(
            "This machine will answer strangers' prompts, and could read them. "
            f"Each one is checked first, by {checks}."
        ),
    ]
    if preview.first_use:
        words.append(
            Text(
                f"First time here: its key {preview.tracker.root_id} is taken on trust and kept; "
                "another key will be refused.",
                style="yellow",
            )
        )
    return words


def _names(packs: Sequence[str]) -> str:
    return safe_line(", ".join(folded(list(packs), 3)))


def _short(note: str) -> str:
    line = safe_line(" ".join(note.split()))
    return line if len(line) <= MAX_NOTE_CHARS else f"{line[: MAX_NOTE_CHARS - 1]}…"
