"""A tab on a page with the product's headers, that fails a test for breaking any of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.subtext.pages import Probe, Rig, Site, running_site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """One server for all tests; each gets a new rig."""
    with running_site() as running:
        yield running


@dataclass
class _Tab:
    """A tab on the site's page. faults: what the console says, and requests to any other server."""

    page: Page
    faults: list[str]


@pytest.fixture(scope="module")
def _tab(browser: Browser, site: Site) -> Iterator[_Tab]:
    """One for a file's tests: a new page costs a third of a new profile."""
    with browser.new_context() as context:
        tab = _Tab(context.new_page(), [])
        tab.page.on("pageerror", lambda error: tab.faults.append(str(error)))
        tab.page.on("console", lambda message: tab.faults.append(message.text))
        tab.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(site.origin + "/")
                else tab.faults.append(request.url)
            ),
        )
        tab.page.goto(site.origin)
        yield tab


@pytest.fixture
def probe(_tab: _Tab, site: Site) -> Iterator[Probe]:
    """A page that nobody has used, and a new rig."""
    site.rig = Rig()
    _tab.faults.clear()
    yield Probe(_tab.page, site)
    _tab.page.goto(site.origin)  # ends whatever the test left, and is the next one's page
    # What Chromium says of an answer that isn't 2xx, or breaks off: tests ask for those.
    assert [each for each in _tab.faults if not each.startswith("Failed to load resource")] == []
