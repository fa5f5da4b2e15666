"""Real Chromium on the running demo: what a visitor sees, and what the browser complains about."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from playwright.sync_api import Browser, Page, Route

from luckrig.web.assets import static_files
from luckrig.web.formats import format_time
from luckrig.web.render import make_renderer
from tests.e2e.conftest import Demo
from tests.web.rigs import NOW, SITE, map_page, twelve_rigs

ARTIFACTS = Path(__file__).resolve().parents[2] / ".artifacts"


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    """A tab that fails the test for every error, warning and request to another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda message: faults.append(message.text))
    tab.on(
        "request",
        lambda request: (
            faults.append(request.url)
            if not request.url.startswith((demo.announced["tracker"], "data:"))
            else None
        ),
    )
    yield tab
    context.close()
    assert faults == []


def keep_picture(page: Page, name: str) -> None:
    """Screenshots are kept as artefacts of the run, to be looked at."""
    ARTIFACTS.mkdir(exist_ok=True)
    picture = ARTIFACTS / f"{name}.png"
    page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 10_000


def test_visitor_finds_the_rig_on_the_map(page: Page, demo: Demo) -> None:
    page.goto(demo.announced["map"])
    card = page.locator(f"a[href='/nodes/{demo.announced['node_id']}']").first
    card.wait_for()
    assert "Demo rig" in page.inner_text("main")
    assert demo.announced["model"] in page.inner_text("main")
    assert "available" in page.inner_text("main")
    keep_picture(page, "map")


def test_visitor_opens_the_rigs_page(page: Page, demo: Demo) -> None:
    page.goto(demo.announced["map"])
    page.locator(f"a[href='/nodes/{demo.announced['node_id']}']").last.click()
    page.wait_for_url(f"**/nodes/{demo.announced['node_id']}")
    text = page.inner_text("main")
    assert demo.announced["base_url"] in text
    assert "can read what you send it" in text
    keep_picture(page, "node")


def test_filters_are_in_the_address_and_can_be_taken_back(page: Page, demo: Demo) -> None:
    page.goto(demo.announced["map"])
    page.fill("input[name=q]", "no such rig anywhere")
    page.press("input[name=q]", "Enter")
    page.wait_for_url("**/?*q=no*")
    assert "Demo rig" not in page.inner_text("main")
    keep_picture(page, "map-no-match")


def test_map_reads_without_javascript(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(java_script_enabled=False, color_scheme="dark")
    page = context.new_page()
    for path in ("", "?view=table", f"nodes/{demo.announced['node_id']}"):
        page.goto(demo.announced["map"] + path)
        assert "Demo rig" in page.inner_text("main")
    keep_picture(page, "node-dark")
    context.close()


def test_a_paused_rig_opens_in_the_readers_time(browser: Browser) -> None:
    """22:00 in Berlin is 06:00 the next morning in Tokyo; without scripts it is said in UTC."""
    opens_at = NOW - NOW % 86_400 + 86_400 + 21 * 3600
    rig = msgspec.structs.replace(twelve_rigs()[0], status="paused", opens_at=opens_at)
    files = static_files()
    html = make_renderer(files).render_map(replace(map_page([rig]), site=SITE))

    def answer(route: Route) -> None:
        file = files.get(urlsplit(route.request.url).path)
        if file is None:
            route.fulfill(body=html, content_type="text/html; charset=utf-8")
        else:
            route.fulfill(body=file.content, content_type=file.media_type)

    read: dict[tuple[str, bool], str] = {}
    for zone, scripts in (("Europe/Berlin", True), ("Asia/Tokyo", True), ("Asia/Tokyo", False)):
        context = browser.new_context(timezone_id=zone, java_script_enabled=scripts)
        context.route("**/*", answer)
        page = context.new_page()
        page.goto("http://map.test/")
        read[zone, scripts] = page.inner_text("[data-part=opens]")
        context.close()
    assert read["Europe/Berlin", True].endswith("22:00")
    assert read["Asia/Tokyo", True].endswith("06:00")
    assert read["Asia/Tokyo", False] == f"opens {format_time(opens_at)}"


def test_map_fits_a_phone(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=2)
    page = context.new_page()
    for path, name in (("", "map-phone"), (f"nodes/{demo.announced['node_id']}", "node-phone")):
        page.goto(demo.announced["map"] + path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{name} scrolls sideways"
        keep_picture(page, name)
    context.close()
