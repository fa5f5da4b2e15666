"""Real Chromium on a map that changes: events are seen at once, and do without them works, too."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.e2e.desk import OPERATOR, RIG, Desk, running_desk
from tests.e2e.test_hostile_texts import signed
from tests.tracker.factories import make_health, make_node

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="session")]

LIVE = "Statuses change as they happen."
POLLED = "Statuses refresh every 10 seconds."


@pytest_asyncio.fixture(loop_scope="session")
async def desk() -> AsyncIterator[Desk]:
    """A tracker with a rig and an operator."""
    async with running_desk() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def browser(async_browser: Browser) -> Browser:
    """Real Chromium."""
    return async_browser


async def open_map(browser: Browser, desk: Desk, path: str = "/") -> Page:
    """The map in a browser whose questions for the list get the answer of the beginning for ever:
    what changes on the page came as an event."""
    page = await browser.new_page()
    old = await desk.http.get("/api/v1/nodes")

    async def answer(route: Route) -> None:
        await route.fulfill(body=old.text, content_type="application/json")

    await page.route("**/api/v1/nodes*", answer)
    await page.goto(f"{desk.origin}{path}")
    return page


async def test_a_status_changes_on_the_page_as_it_happens(desk: Desk, browser: Browser) -> None:
    """On the map, and wherever else rigs are shown."""
    await desk.store.put_health({RIG.node_id: make_health()})
    paths = ("/", f"/compare?rigs={RIG.node_id}", "/showcase")
    pages = [await open_map(browser, desk, path) for path in paths]
    for page in pages:
        await expect(page.locator("[data-fresh]")).to_have_text(LIVE)
    cards = [page.locator(f"[data-node={RIG.node_id}]").first for page in pages]
    await desk.store.put_health({RIG.node_id: make_health("paused")})
    await publish(desk.http, 2)  # whatever happens on the map makes the tracker look
    for card in cards:
        await expect(card).to_have_attribute("data-status", "paused")
        await expect(card.locator("[data-part=status]")).to_have_text("paused by owner")
    ban = {"target_kind": "node", "target_id": RIG.node_id, "action": "ban", "reason": "x"}
    await signed(desk, "/api/v1/admin/decisions", ban, OPERATOR)
    for card in cards:
        await expect(card.locator("[data-part=status]")).to_have_text("no longer on this list")


async def test_a_page_that_gets_no_events_asks_by_itself(desk: Desk, browser: Browser) -> None:
    page = await browser.new_page()
    await page.clock.install()
    refusal = json.dumps({"error": {"code": "rate_limited"}})
    await page.route("**/api/v1/events", lambda route: route.fulfill(status=429, body=refusal))
    await page.goto(desk.origin)
    await desk.store.put_health({RIG.node_id: make_health("busy")})
    await page.clock.fast_forward(12_000)
    await expect(page.locator("[data-fresh]")).to_have_text(POLLED)
    card = page.locator(f"[data-node={RIG.node_id}]")
    await expect(card).to_have_attribute("data-status", "busy")


async def publish(http: httpx2.AsyncClient, number: int) -> None:
    """List one more rig."""
    headers = {"content-type": "application/json"}
    reply = await http.post("/api/v1/nodes", content=make_node(number).signed, headers=headers)
    assert reply.status_code == 200
