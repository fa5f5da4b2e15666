"""The renderer: pages in, HTML out. Jinja2 with autoescape always on and undefined names fatal."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from luckrig.web import desk_words, foreign, formats, operator_pages, pages
from luckrig.web.assets import StaticFile
from luckrig.web.chart import draw_chart
from luckrig.web.pages import MapPage, Page, RigPage
from luckrig.web.snippets import make_snippets

_TEMPLATES: Final = Path(__file__).parent / "templates"

CARD_OFFERS: Final = 3
"""Offers on a card; a rig's own page lists all of them."""
TABLE_OFFERS: Final = 6


class Renderer:
    """Turns page values into HTML documents. Safe to share; holds templates, no data."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def render_map(self, page: MapPage) -> str:
        """The map: /."""
        chart = draw_chart(page.plotted or page.nodes)
        return self._environment.get_template("map.html").render(
            page=page, t=page.site.words, chart=chart
        )

    def render_node(self, page: RigPage) -> str:
        """One rig: /nodes/{id}."""
        snippets = make_snippets(page.node, tracker=page.site.address)
        return self._environment.get_template("node.html").render(
            page=page, t=page.site.words, snippets=snippets
        )

    def render(self, page: Page) -> str:
        """Any page whose template needs nothing but the page, and its words as `t`."""
        return self._environment.get_template(page.template).render(page=page, t=page.site.words)


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
    filters.update(_FILTERS)
    names: dict[str, Any] = environment.globals
    names.update(
        static={file.name: url for url, file in files.items()},
        status_words=formats.STATUS_WORDS,
        sort_words=pages.SORT_WORDS,
        field_words=pages.FIELD_WORDS,
        verdict_words=pages.VERDICT_WORDS,
        capabilities=pages.CAPABILITIES,
        card_offers=CARD_OFFERS,
        table_offers=TABLE_OFFERS,
        category_words=desk_words.CATEGORY_WORDS,
        severity_words=desk_words.SEVERITY_WORDS,
        subject_words=desk_words.SUBJECT_WORDS,
        relation_words=desk_words.RELATION_WORDS,
        action_words=desk_words.ACTION_WORDS,
        ground_words=desk_words.GROUND_WORDS,
    )
    return Renderer(environment)


_FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "age": formats.format_age,
    "badge_path": pages.badge_path,
    "bytes": formats.format_bytes,
    "case_path": operator_pages.case_path,
    "counted": formats.count,
    "descriptor_path": pages.descriptor_path,
    "due": desk_words.describe_due,
    "excerpt": foreign.excerpt,
    "group_id": formats.group_id,
    "hardware": formats.split_hardware_name,
    "hold_words": desk_words.describe_hold,
    "iso_time": formats.format_iso_time,
    "isolate": foreign.isolate,
    "node_path": pages.node_path,
    "number": formats.format_number,
    "parameters": formats.format_parameters,
    "queue": formats.describe_queue,
    "scarcity": formats.describe_scarcity,
    "schedule": formats.describe_schedule,
    "short_id": formats.short_id,
    "short_name": desk_words.short_name,
    "subject_path": operator_pages.subject_path,
    "time": formats.format_time,
    "tokens": formats.format_tokens,
}
