"""Every page for people, from a real tracker full of rigs, in real Chromium.

On a phone by night and at a desk by day, in each language that a page speaks.

Adding a page is one line in PAGES. Pictures of all are kept in .artifacts/pages, to be looked at.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Request
from playwright.sync_api import Page as Tab
from tools.sample_tracker import Sample, running_sample

from tests.e2e.axe import RUN, axe_script, serious_faults

Scheme = Literal["light", "dark"]

ARTIFACTS: Final = Path(__file__).resolve().parents[2] / ".artifacts" / "pages"
BOTH: Final = ("en", "ja")
WIDTHS: Final[dict[Scheme, int]] = {"light": 1280, "dark": 390}
PICTURE_HEIGHT: Final = 3000
MAX_MAP_BYTES: Final = 150_000
"""Over the wire, with fifty rigs on it: the page, its style, its script and its icon."""


@dataclass(frozen=True)
class Shown:
    """A page. path: on a sample tracker. languages: that it speaks. status: of its reply."""

    name: str
    path: str | Callable[[Sample], str]
    languages: tuple[str, ...] = ("en",)
    status: int = 200
    signed_in: bool = False

    def where(self, sample: Sample) -> str:
        """Its path on that tracker."""
        return self.path if isinstance(self.path, str) else self.path(sample)


PAGES: Final = (
    Shown("map", "/", BOTH),
    Shown("map-table", "/?view=table"),
    Shown("map-nothing", "/?q=no+such+rig"),
    Shown("rig", lambda sample: f"/nodes/{sample.relayed}", BOTH),
    Shown("rig-paused", lambda sample: f"/nodes/{sample.paused}"),
    Shown("taste", lambda sample: f"/taste/{sample.relayed}", BOTH),
    Shown("taste-direct", lambda sample: f"/taste/{sample.rigs[1]}", BOTH),
    Shown("compare", lambda sample: f"/compare?rigs={sample.rigs[0]}&rigs={sample.paused}", BOTH),
    Shown("showcase", "/showcase", BOTH),
    Shown("queue", "/queue", BOTH),
    Shown("queue-direct", lambda sample: f"/queue?rig={sample.rigs[1]}"),
    Shown("replays", "/replays", BOTH),
    Shown("report", lambda sample: f"/report?kind=node&id={sample.rigs[1]}", BOTH),
    Shown("ticket", lambda sample: sample.ticket, BOTH),
    Shown("error", "/no-such-page", BOTH, status=404),
    Shown("api", "/api"),
    Shown("terms", "/terms", BOTH),
    Shown("privacy", "/privacy"),
    Shown("compliance", "/compliance"),
    Shown("about", "/about"),
    Shown("transparency", "/transparency"),
    Shown("sign-in", "/me", status=401),
    Shown("me", "/me", BOTH, signed_in=True),
    Shown("desk", "/operator", BOTH, signed_in=True),
)
READ_WITHOUT_SCRIPTS: Final = (
    ("/", "50 rigs"),
    ("/?view=table", "Tesla P40"),
    ("/nodes/{relayed}", "The owner’s note"),
    ("/taste/{relayed}", "needs JavaScript"),
    ("/report", "What is it about?"),
    ("/terms", "Terms"),
)
"""A path and some of what is read there."""
VISITS: Final = [
    pytest.param(page, language, scheme, id=f"{page.name}-{language}-{scheme}")
    for page in PAGES
    for language in page.languages
    for scheme in WIDTHS
]

WATCH: Final = """
window.seen = { shifts: [], violations: [] };
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) {
    const moved = each.sources.map((source) => source.node?.outerHTML?.slice(0, 120) ?? "?");
    window.seen.shifts.push([each.value, moved]);
  }
}).observe({ type: "layout-shift", buffered: true });
document.addEventListener("securitypolicyviolation", (event) => {
  window.seen.violations.push([event.violatedDirective, event.blockedURI]);
});
"""
ROUNDING: Final = 0.001
"""A shift so small is a fraction of a pixel that came with the page's width."""
SETTLED: Final = """async () => {
  await document.fonts.ready;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const paint = performance.getEntriesByType("paint").map((each) => [each.name, each.startTime]);
  return { ...window.seen, paint: Object.fromEntries(paint) };
}"""


FEW_OF_A_KIND: Final = """() => {
  const parts = ".cards > *:nth-child(n+7), tbody > tr:nth-child(n+13), .call:nth-of-type(n+5)";
  for (const each of document.querySelectorAll(parts)) each.remove();
}"""
"""For axe, which takes a quarter of a second for each of fifty cards that are all alike."""


@dataclass
class Visitor:
    """Somebody's tab. faults: what the browser complained of, and who else was asked."""

    tab: Tab
    origin: str
    faults: list[str] = field(default_factory=list[str])
    requests: list[Request] = field(default_factory=list[Request])

    def watch(self) -> None:
        """From now on."""
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.on("console", lambda message: self.faults.append(message.text))
        self.tab.on("request", self._look)
        self.tab.add_init_script(WATCH)

    def _look(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith((f"{self.origin}/", "data:")):
            self.faults.append(request.url)


@dataclass
class Visitors:
    """One for each language and scheme. cookies: of somebody who is signed in."""

    sample: Sample
    axe: str
    each: dict[tuple[str, str], Visitor]
    cookies: list[Any]


@pytest.fixture(scope="module")
def sample() -> Iterator[Sample]:
    """A tracker in a process of its own."""
    with running_sample() as running:
        yield running


def context_of(browser: Browser, language: str, scheme: Scheme) -> BrowserContext:
    return browser.new_context(
        locale={"en": "en-GB", "ja": "ja-JP"}[language],
        viewport={"width": WIDTHS[scheme], "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",
        timezone_id="Asia/Tokyo",
    )


@pytest.fixture(scope="module")
def visitors(browser: Browser, sample: Sample) -> Iterator[Visitors]:
    """They stay for all pages."""
    opened: dict[tuple[str, str], Visitor] = {}
    for language in BOTH:
        for scheme in WIDTHS:
            tab = context_of(browser, language, scheme).new_page()
            opened[language, scheme] = Visitor(tab, sample.origin)
    first = opened["en", "light"].tab
    first.goto(sample.login)
    first.get_by_role("button", name="Sign in").click()
    first.wait_for_url("**/me")
    cookies: list[Any] = first.context.cookies()
    first.context.clear_cookies()
    for visitor in opened.values():
        visitor.watch()
    yield Visitors(sample, axe_script(), opened, cookies)
    for visitor in opened.values():
        visitor.tab.context.close()


@pytest.mark.timeout(120)  # axe takes its time where two cores are shared with others
@pytest.mark.parametrize(("page", "language", "scheme"), VISITS)
def test_a_page_keeps_the_rules(
    visitors: Visitors, page: Shown, language: str, scheme: Scheme
) -> None:
    """It asks nobody else, breaks no policy, complains of nothing, doesn't jump, fits, is
    accessible, and says in which language it is."""
    visitor = visitors.each[language, scheme]
    tab = visitor.tab
    visitor.faults.clear()
    visitor.requests.clear()
    if page.signed_in:
        tab.context.add_cookies(visitors.cookies)
    reply = tab.goto(visitors.sample.origin + page.where(visitors.sample))
    seen: dict[str, Any] = tab.evaluate(SETTLED)
    if page.signed_in:
        tab.context.clear_cookies()
    assert reply is not None
    assert reply.status == page.status
    assert tab.get_attribute("html", "lang") == language
    keep_picture(tab, f"{page.name}-{language}-{WIDTHS[scheme]}-{scheme}", seen["paint"])
    told = f"Failed to load resource: the server responded with a status of {page.status}"
    assert [fault for fault in visitor.faults if not fault.startswith(told)] == []
    assert seen["violations"] == []
    assert [shift for shift in seen["shifts"] if shift[0] >= ROUNDING] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= WIDTHS[scheme]
    tab.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= WIDTHS[scheme]
    tab.evaluate(FEW_OF_A_KIND)
    tab.evaluate(visitors.axe)
    serious = serious_faults(tab.evaluate(RUN))
    assert serious == [], json.dumps(serious, indent=1)


def keep_picture(tab: Tab, name: str, paint: dict[str, float]) -> None:
    """And when its first paint was, in milliseconds: told, not judged."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    size = tab.evaluate("[document.body.scrollWidth, document.body.scrollHeight]")
    clip: Any = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], PICTURE_HEIGHT)}
    tab.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True, clip=clip)
    print(f"{name}: {paint}")  # noqa: T201 -- pytest shows it with -rP


def test_the_map_is_light(browser: Browser, sample: Sample) -> None:
    """Everything that a first visit fetches, but for the events, which have no end."""
    context = context_of(browser, "en", "light")
    tab = context.new_page()
    fetched: list[Request] = []
    tab.on("requestfinished", lambda request: fetched.append(request))
    tab.goto(sample.origin)
    assert tab.locator(".cards > .rig").count() == 50
    wire = 0
    for request in fetched:
        sizes = request.sizes()
        wire += sizes["responseBodySize"] + sizes["responseHeadersSize"]
    icon = tab.get_attribute("link[rel=icon]", "href")
    if not any(request.url.endswith(str(icon)) for request in fetched):
        wire += len(context.request.get(f"{sample.origin}{icon}").body())
    context.close()
    print(f"map: {wire} bytes in {len(fetched)} requests")  # noqa: T201 -- pytest shows it with -rP
    assert wire <= MAX_MAP_BYTES


def test_pages_are_read_without_scripts(browser: Browser, sample: Sample) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    tab = context.new_page()
    for path, text in READ_WITHOUT_SCRIPTS:
        tab.goto(sample.origin + path.format_map(vars(sample)))
        assert tab.locator("h1").is_visible()
        assert text in tab.inner_text("main"), path
        assert not tab.locator("button[data-copy]").first.is_visible()  # it would do nothing
    context.close()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_four_rigs_are_ticked_on_the_map_and_compared(
    browser: Browser, sample: Sample, has_scripts: bool
) -> None:
    """Scripts keep others from ticking more, which would only be left out."""
    context = browser.new_context(java_script_enabled=has_scripts, locale="en-GB")
    tab = context.new_page()
    tab.goto(sample.origin)
    boxes = tab.locator(".pick input")
    ticked = [boxes.nth(number) for number in (0, 3, 4, 9)]
    for box in ticked:
        box.check()
    assert boxes.nth(1).is_disabled() == has_scripts
    node_ids = [box.get_attribute("value") for box in ticked]
    button = tab.locator("#picks button")
    assert button.is_visible()
    button.click()
    tab.wait_for_url("**/compare?*")
    hrefs = [each.get_attribute("href") for each in tab.locator(".sides thead th > a").all()]
    assert [href for href in hrefs if href and href.startswith("/nodes/")] == [
        f"/nodes/{node_id}" for node_id in node_ids
    ]
    context.close()
