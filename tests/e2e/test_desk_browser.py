"""Real Chromium: an operator at work without scripts, and pages that try to work in their name."""

import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.cli.loop import bind, origin_of
from luckrig.cli.serve import serving
from tests.e2e.desk import OPERATOR, OPERATOR_ID, RIG, Desk, running_desk

pytestmark = [pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="session")]

FORM = """<!doctype html><title>evil</title>
<form id="f" method="post" action="{target}/operator/decide">
<input name="target_kind" value="node"><input name="target_id" value="{rig}">
<input name="action" value="ban"><input name="ground" value="terms">
<input name="reason" value="Because I can."><input name="csrf" value="">
</form><script>document.getElementById("f").submit()</script>"""
FRAME = """<!doctype html><title>evil</title><iframe src="{target}/operator"></iframe>"""


@pytest_asyncio.fixture(loop_scope="session")
async def desk() -> AsyncIterator[Desk]:
    """A tracker with one report."""
    async with running_desk() as running:
        yield running


async def sign_in(context: BrowserContext, desk: Desk) -> Page:
    """Open the address that `luckrig login` prints, and press the button."""
    page = await context.new_page()
    await page.goto(await desk.login_address(OPERATOR))
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{desk.origin}/me")
    return page


async def held(desk: Desk) -> set[str]:
    """What decisions hold now."""
    return set(await desk.store.cases.holding(now=time.time()))


async def test_an_operator_bans_in_three_clicks_without_scripts(
    desk: Desk, async_browser: Browser
) -> None:
    context = await async_browser.new_context(java_script_enabled=False)
    page = await sign_in(context, desk)
    await page.goto(f"{desk.origin}/operator")
    await page.locator(".case-name a").click()
    await page.get_by_role("group", name="rig").get_by_label("ban").click()
    await page.locator("#reason").fill("It isn't a 5090.")
    await page.get_by_role("button", name="Decide", exact=True).click()
    await page.get_by_text("banned for good").first.wait_for()
    assert await held(desk) == {RIG.node_id}
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{desk.origin}/")
    assert await context.cookies() == []


async def open_evil(
    browser: Browser, desk: Desk, html: str, *, host: str
) -> tuple[Page, list[str]]:
    """A signed-in operator's browser meets a page on another port; what the browser says then."""

    async def show(_: Request) -> Response:
        filled = html.format(target=desk.origin, rig=RIG.node_id)
        return HTMLResponse(filled)

    sock = bind("127.0.0.1", 0)
    port = urlsplit(origin_of(sock)).port
    said: list[str] = []
    async with serving(Starlette(routes=[Route("/", show)]), sock):
        context = await browser.new_context()
        await sign_in(context, desk)
        page = await context.new_page()
        page.on("console", lambda message: said.append(message.text))
        await page.goto(f"http://{host}:{port}/")
        await page.wait_for_load_state("networkidle")
    return page, said


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_another_port_cannot_send_the_desks_form(
    desk: Desk, async_browser: Browser, host: str
) -> None:
    """127.0.0.1 is one site whatever the port, so the cookie goes along; localhost is another."""
    page, _ = await open_evil(async_browser, desk, FORM, host=host)
    await page.wait_for_url(f"{desk.origin}/operator/decide")
    assert "cross_site" in await page.inner_text("main")
    assert await held(desk) == set()


async def test_another_port_cannot_frame_the_desk(desk: Desk, async_browser: Browser) -> None:
    page, said = await open_evil(async_browser, desk, FRAME, host="127.0.0.1")
    (frame,) = page.main_frame.child_frames
    assert OPERATOR_ID[:10] not in await frame.content()
    assert any("frame-ancestors" in text or "X-Frame-Options" in text for text in said)


async def test_a_rebound_name_reaches_no_page(desk: Desk, async_browser: Browser) -> None:
    """A name of the attacker's that has come to resolve to this machine."""
    port = urlsplit(desk.origin).port
    context = await async_browser.new_context()
    await sign_in(context, desk)
    page = await context.new_page()
    reply = await page.goto(f"http://evil.example:{port}/operator")
    assert reply is not None and reply.status == 400
    assert OPERATOR_ID[:10] not in await page.content()
