"""axe-core over the pages for people, in real Chromium: no serious fault in any language or theme.

Add the pages of another area as a line in `_pages`: a name, and the page as a value.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
import pytest
from playwright.sync_api import Browser, Route
from playwright.sync_api import Page as Tab

from luckrig.web.assets import static_files
from luckrig.web.headers import PAGE_HEADERS
from luckrig.web.pages import ErrorPage, Page
from luckrig.web.render import make_renderer
from luckrig.web.taste_page import TastePage
from tests.e2e.axe import RUN, axe_script, serious_faults
from tests.web import desk_samples, report_samples
from tests.web.report_samples import site_in
from tests.web.rigs import map_page, rig_page, twelve_rigs
from tests.web.text_samples import text_pages

Scheme = Literal["light", "dark"]

ARTIFACTS: Final = Path(__file__).resolve().parents[2] / ".artifacts"
FILES: Final = static_files()
RENDERER: Final = make_renderer(FILES)
ORIGIN: Final = "http://map.test"
REPORTS: Final = {
    "en": (
        "form",
        "form copyright with every fault",
        "form too often",
        "ticket new",
        "ticket late",
        "ticket answered",
        "ticket appeal missing",
    ),
    "ja": ("form with every fault", "ticket new", "ticket answered"),
}
DESK: Final = frozenset(
    ("login", "cases", "no cases", "case problem", "fresh case", "decide", "audit", "me", "gone")
)
"""Those of the samples that differ in what is on them; a page takes half a second in each theme."""
KEPT: Final = ("en-form", "ja-form-with-every-fault", "en-ticket-new", "en-case-problem", "en-me")
"""Of which pictures are kept, to be looked at."""
TEXT: Final = "日本語 and English.\n" + "A_word_that_does_not_break" * 6
"""Stands wherever strangers and operators write."""
VIEWPORTS: Final[dict[Scheme, int]] = {"light": 1280, "dark": 390}


def _pages() -> Iterator[tuple[str, Page]]:
    for language, names in REPORTS.items():
        samples = dict(report_samples.sample_pages(language))
        for name in names:
            yield f"{language} {name}", samples[name]
        error = ErrorPage(
            site=site_in(language), status=500, code="x", message="M.", request_id="r"
        )
        yield f"{language} error", error
    for name, page in text_pages():
        if name == "about bare" or not name.endswith(" bare"):
            yield f"en {name}", page
    for name, page in desk_samples.sample_pages(TEXT):
        if name in DESK:
            yield f"en {name}", page


def _documents() -> Iterator[tuple[str, str]]:
    for name, page in _pages():
        yield name, RENDERER.render(page)
    rig = twelve_rigs()[7]
    yield "en map", RENDERER.render_map(map_page(twelve_rigs()))
    yield "en map table", RENDERER.render_map(replace(map_page(twelve_rigs()), view="table"))
    yield "en rig", RENDERER.render_node(rig_page(rig))
    for language in ("en", "ja"):
        site = site_in(language)
        yield f"{language} taste direct", RENDERER.render(TastePage(site=site, node=rig))
        relayed = msgspec.structs.replace(rig, base_url=f"{site.origin}/n/{rig.id}/v1")
        yield f"{language} taste", RENDERER.render(TastePage(site=site, node=relayed))


DOCUMENTS: Final = {name.replace(" ", "-").replace(",", ""): html for name, html in _documents()}


@pytest.fixture(scope="module")
def axe() -> str:
    """The script, as npm installed it for `make test`."""
    return axe_script()


@pytest.fixture(scope="module")
def tabs(browser: Browser, axe: str) -> Iterator[dict[Scheme, Tab]]:
    """A desktop by day and a phone by night. The policy is bypassed for axe's own script only."""
    opened: dict[Scheme, Tab] = {}
    for scheme, width in VIEWPORTS.items():
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
        )
        context.route("**/*", _answer)
        context.add_init_script(axe)
        opened[scheme] = context.new_page()
    yield opened
    for tab in opened.values():
        tab.context.close()


def _answer(route: Route) -> None:
    """Instead of a network."""
    path = urlsplit(route.request.url).path
    if file := FILES.get(path):
        route.fulfill(body=file.content, content_type=file.media_type)
    else:
        headers = {**PAGE_HEADERS, "content-type": "text/html; charset=utf-8"}
        route.fulfill(body=DOCUMENTS.get(path[1:], ""), headers=headers)


@pytest.mark.timeout(60)  # axe takes its time where two cores are shared with others
@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("scheme", VIEWPORTS)
def test_axe_finds_nothing_serious(tabs: dict[Scheme, Tab], name: str, scheme: Scheme) -> None:
    """And nothing scrolls sideways. What is folded away is looked at, too."""
    tab = tabs[scheme]
    tab.goto(f"{ORIGIN}/{name}")
    tab.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    if name in KEPT:
        ARTIFACTS.mkdir(exist_ok=True)
        tab.screenshot(path=ARTIFACTS / f"{name}-{VIEWPORTS[scheme]}-{scheme}.png", full_page=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= VIEWPORTS[scheme]
    serious = serious_faults(tab.evaluate(RUN))
    assert serious == [], json.dumps(serious, indent=1)
