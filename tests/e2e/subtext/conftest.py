"""A tab on a page with the product's headers, that fails a test for breaking any of them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.subtext.pages import Probe, Rig, Site, running_site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """One server for all tests; each gets a new rig."""
    with running_site() as running:
        yield running


@pytest.fixture
def probe(browser: Browser, site: Site) -> Iterator[Probe]:
    """Faults are errors, whatever the console says, and requests to any other server."""
    site.rig = Rig()
    context = browser.new_context()
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(site.origin + "/") else faults.append(request.url)
        ),
    )
    page.goto(site.origin)
    yield Probe(page, site)
    context.close()
    # What Chromium says of an answer that isn't 2xx, or breaks off: tests ask for those.
    assert [fault for fault in faults if not fault.startswith("Failed to load resource")] == []
