"""axe-core over pages in states that take a story to get into: faults in forms, decisions, appeals.

Every page as a visitor finds it is looked at in test_every_page.py. Add a state as a line in
`_pages`: a name, and the page as a value.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Route
from playwright.sync_api import Page as Tab

from luckrig.web.assets import static_files
from luckrig.web.headers import PAGE_HEADERS
from luckrig.web.map_page import Filters
from luckrig.web.me_pages import MePage, SignInPage
from luckrig.web.pages import Page
from luckrig.web.render import make_renderer
from tests.e2e.axe import RUN, axe_script, serious_faults
from tests.web import choice_samples, desk_samples, report_samples, rig_samples
from tests.web.lazy import Lazy
from tests.web.report_samples import site_in
from tests.web.rigs import twelve_rigs
from tests.web.test_map_page import LIKED, alive
from tests.web.text_samples import text_pages

Scheme = Literal["light", "dark"]

ARTIFACTS: Final = Path(__file__).resolve().parents[2] / ".artifacts"
FILES: Final = static_files()
RENDERER: Final = make_renderer(FILES)
ORIGIN: Final = "http://map.test"
REPORTS: Final = {
    "en": (
        "form copyright with every fault",
        "form too often",
        "ticket late",
        "ticket answered",
        "ticket appeal missing",
    ),
    "ja": ("form with every fault", "ticket answered"),
}
DESK: Final = frozenset(
    ("login", "sign in", "no cases", "case problem", "fresh case", "decide", "audit", "me", "gone")
)
"""Those of the samples that differ in what is on them; a page takes half a second in each theme."""
KEPT: Final = (
    "ja-form-with-every-fault", "en-ticket-answered", "en-case-problem", "en-me", "ja-me",
    "en-rig-whole", "ja-rig-whole", "en-note",
)  # fmt: skip
"""Of which pictures are kept, to be looked at."""
TEXT: Final = "日本語 and English.\n" + "A_word_that_does_not_break" * 6
"""Stands wherever strangers and operators write."""
VIEWPORTS: Final[dict[Scheme, int]] = {"light": 1280, "dark": 390}


def _pages() -> Iterator[tuple[str, Page]]:
    for language, names in REPORTS.items():
        samples = dict(report_samples.sample_pages(language))
        for name in names:
            yield f"{language} {name}", samples[name]
    yield "en compare four", dict(choice_samples.sample_pages("en"))["compare four"]
    for name, page in text_pages():
        if name in ("about", "transparency"):
            yield f"en {name}", page
    for name, page in desk_samples.sample_pages(TEXT):
        if name in DESK:
            yield f"en {name}", page
        if isinstance(page, MePage | SignInPage) and name in ("me", "sign in"):
            yield f"ja {name}", replace(page, site=site_in("ja"))
    like = Filters(like=twelve_rigs()[7].id, tag="quiet")
    yield "ja map", replace(alive("ja"), filters=like, liked=LIKED)
    for language in ("en", "ja"):
        for name, page in rig_samples.sample_pages(site_in(language)):
            yield f"{language} {name}", page


DOCUMENTS: Final = Lazy(
    RENDERER.render,
    {name.replace(" ", "-").replace(",", ""): page for name, page in _pages()},
)


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
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            reduced_motion="reduce",
            bypass_csp=True,
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
