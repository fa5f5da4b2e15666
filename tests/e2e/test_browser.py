"""Real Chromium on the running demo: what a visitor sees, and what the browser complains about."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import msgspec
import pytest
from playwright.sync_api import Browser, Page, Route

from luckrig.web.assets import static_files
from luckrig.web.formats import format_time
from luckrig.web.render import make_renderer
from tests.e2e.conftest import Demo
from tests.web.rigs import NOW, SITE, map_page, twelve_rigs


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


def test_visitor_finds_the_rig_and_opens_its_page(page: Page, demo: Demo) -> None:
    page.goto(demo.announced["map"])
    link = page.locator(f"a[href='/nodes/{demo.announced['node_id']}']").last
    link.wait_for()
    text = page.inner_text("main")
    for said in ("Demo rig", demo.announced["model"], "available"):
        assert said in text
    link.click()
    page.wait_for_url(f"**/nodes/{demo.announced['node_id']}")
    text = page.inner_text("main")
    assert demo.announced["base_url"] in text
    assert "can read what you send it" in text


def test_filters_are_in_the_address_and_can_be_taken_back(page: Page, demo: Demo) -> None:
    page.goto(demo.announced["map"])
    page.fill("input[name=q]", "no such rig anywhere")
    page.press("input[name=q]", "Enter")
    page.wait_for_url("**/?*q=no*")
    assert "Demo rig" not in page.inner_text("main")


def test_a_paused_rig_opens_in_the_readers_time(browser: Browser) -> None:
    """22:00 in Berlin is 06:00 the next morning in Tokyo; without scripts it is said in UTC."""
    opens_at = NOW - NOW % 86_400 + 86_400 + 21 * 3600
    rig = msgspec.structs.replace(twelve_rigs()[0], status="paused", opens_at=opens_at)
    files = static_files()
    html = make_renderer(files).render(replace(map_page([rig]), site=SITE))

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
