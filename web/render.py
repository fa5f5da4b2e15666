"""The renderer: pages in, HTML out. Jinja2 with autoescape always on and undefined names fatal."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from luckrig.protocol.schedule import name_days
from luckrig.protocol.tags import tags_of
from luckrig.web import (
    chart,
    desk_words,
    foreign,
    formats,
    note_text,
    operator_pages,
    pages,
    rig_page,
    score_chart,
)  # fmt: skip
from luckrig.web.assets import StaticFile
from luckrig.web.compare_page import MAX_COMPARED, compare_path
from luckrig.web.languages import Words, name_of
from luckrig.web.map_page import SORTS, VENDORS
from luckrig.web.pages import Page

_TEMPLATES: Final = Path(__file__).parent / "templates"

_LIVE_WORDS: Final = "shared.live."

CARD_OFFERS: Final = 3
"""Offers on a card; a rig's own page lists all of them."""
TABLE_OFFERS: Final = 6
FIRST_BUCKET_TOKENS: Final = 256
"""Where the tracker's second bucket of prompts begins; a test compares."""


class Renderer:
    """Turns page values into HTML documents. Safe to share; holds templates, no data."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def render(self, page: Page) -> str:
        """Its template gets the page, its words as `t`, and what every page shows of rigs."""
        return self._environment.get_template(page.template).render(_names(page))

    def pieces(self, page: Page) -> Iterator[str]:
        """What `render` gives, as it comes: for those who let others have a turn in between."""
        return self._environment.get_template(page.template).generate(_names(page))


def make_renderer(files: Mapping[str, StaticFile]) -> Renderer:
    """files: what static_files() returned, so that pages name exactly what the tracker serves."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=foreign.finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: dict[str, Any] = environment.filters  # Jinja infers the types of its own ones only
    filters.update(FILTERS)
    names: dict[str, Any] = environment.globals
    names.update(
        static={file.name: url for url, file in files.items()},
        sorts=SORTS,
        vendors=VENDORS,
        capabilities=pages.CAPABILITIES,
        first_bucket=FIRST_BUCKET_TOKENS,
        card_offers=CARD_OFFERS,
        table_offers=TABLE_OFFERS,
        max_compared=MAX_COMPARED,
        short_points=score_chart.all_short_points,
    )
    return Renderer(environment)


def _names(page: Page) -> dict[str, object]:
    words = page.site.words
    return {
        "page": page,
        "t": words,
        "status_words": {status: words(f"shared.status.{status}") for status in formats.STATUSES},
        "live_words": _live_words(words),
    }


def _live_words(words: Words) -> Mapping[str, Mapping[str, str]]:
    """What static/app.js says, by name and plural form, with {named} placeholders to fill."""
    return {
        key.removeprefix(_LIVE_WORDS): forms
        for key, forms in words.texts.items()
        if key.startswith(_LIVE_WORDS)
    }


def _in_words(formatter: Callable[..., object]) -> Callable[..., object]:
    """The formatter as a filter that speaks the language of the page that asks."""

    @pass_context
    def speak(context: Context, *values: object) -> object:
        return formatter(*values, context["t"])

    return speak


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "age": _in_words(formats.format_age),
    "badge_path": pages.badge_path,
    "bytes": formats.format_bytes,
    "capability": _in_words(formats.describe_capability),
    "case_path": operator_pages.case_path,
    "compare_path": compare_path,
    "counted": _in_words(formats.count),
    "day": formats.format_day,
    "descriptor_path": pages.descriptor_path,
    "due": _in_words(desk_words.describe_due),
    "excerpt": foreign.excerpt,
    "group_id": formats.group_id,
    "hardware": formats.split_hardware_name,
    "hold_words": _in_words(desk_words.describe_hold),
    "iso_time": formats.format_iso_time,
    "isolate": foreign.isolate,
    "language_name": name_of,
    "mark_title": _in_words(chart.describe_mark),
    "name_days": name_days,
    "node_path": pages.node_path,
    "note_path": pages.note_path,
    "note_pieces": note_text.split_note,
    "note_reference": rig_page.note_reference,
    "number": formats.format_number,
    "points": score_chart.format_points,
    "short_points": score_chart.format_short_points,
    "parameters": formats.format_parameters,
    "queue": _in_words(formats.describe_queue),
    "scarcity": _in_words(formats.describe_scarcity),
    "short_id": formats.short_id,
    "short_name": desk_words.short_name,
    "tags": tags_of,
    "subject_path": operator_pages.subject_path,
    "time": formats.format_time,
    "tokens": formats.format_tokens,
}
