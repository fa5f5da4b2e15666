"""/queue in real Chromium: tickets of other tabs and pasted ones, live, and really left."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator

from tests.e2e.tasting import Visitor, paced_scene, visiting
from tests.e2e.tunnels import NODE_ID, OTHER, Scene, tunnelled
from tests.fake_engines.engine import OnDemand
from tests.nodeproxy.conditions import until

pytestmark = [pytest.mark.timeout(90), pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """One rig behind a tunnel, which works on one request at a time."""
    async with tunnelled(tmp_path) as running:
        yield running


async def ticket_of(scene: Scene, waiting: "asyncio.Queue[str]") -> None:
    """Somebody with a script, who waits and hears of a ticket."""
    token = (await scene.token(OTHER)).token
    reply = await scene.http.send(scene.chat(token), stream=True)
    async for line in reply.aiter_lines():
        if found := re.search(r"ticket=(\S+)", line):
            waiting.put_nowait(found[1])
    await reply.aclose()


def card_of(visitor: Visitor, ticket: str) -> Locator:
    return visitor.page.locator(f'[data-ticket="{ticket}"]')


async def paste(visitor: Visitor, ticket: str) -> None:
    await visitor.page.locator("#rig").fill(f"{visitor.origin}/nodes/{NODE_ID}?lang=en")
    await visitor.page.locator("#ticket").fill(ticket)
    await visitor.page.locator("#paste button").click()


async def test_tickets_of_tabs_and_of_scripts_are_shown_and_left(
    async_browser: Browser, scene: Scene
) -> None:
    """One request runs, two wait: one in a console, one in a script. Both are left by button."""
    queue = scene.rig.node.queue
    scene.engine.pace = pace = OnDemand()
    first = asyncio.create_task(scene.http.send(scene.chat((await scene.token()).token)))
    await until(lambda: scene.engine.answering == 1)
    heard: asyncio.Queue[str] = asyncio.Queue()
    script = asyncio.create_task(ticket_of(scene, heard))
    pasted = await asyncio.wait_for(heard.get(), 10)

    context = await async_browser.new_context()
    origin = scene.process.address.origin
    async with visiting(context, origin) as console, visiting(context, origin) as visitor:
        await console.open()
        await console.ask("Is anybody there?", mode="subtext")
        await console.state("In the queue: place")
        await visitor.page.goto(f"{origin}/queue")
        cards = visitor.page.locator(".ticket")
        await cards.filter(has_text=re.compile(r"Place [12] of 2 in the queue")).wait_for()
        assert queue.waiting == 2
        own = await cards.get_attribute("data-ticket")
        assert own is not None

        await paste(visitor, "no-such-ticket")
        await visitor.state("No request with that ticket")
        await paste(visitor, pasted)
        await card_of(visitor, pasted).filter(has_text="of 2 in the queue").wait_for()

        await card_of(visitor, own).get_by_role("button").click()
        await visitor.state("You left the queue of")
        await until(lambda: queue.waiting == 1)
        await console.state("This request left the queue: it was ended through its ticket.")
        await card_of(visitor, own).wait_for(state="detached")

        # The script's turn comes; it is ended while it runs.
        pace.allow(len(scene.engine.reply))
        assert (await first).status_code == 200
        await card_of(visitor, pasted).filter(has_text="Its turn has come").wait_for()
        await card_of(visitor, pasted).get_by_role("button").click()
        await visitor.state("Ended at")
        await visitor.page.locator("#none").wait_for()
        await until(lambda: queue.active == 0)
        # Tickets went to their rig and nowhere else, and into nothing that stays.
        stored = await visitor.page.evaluate(
            "[localStorage.length, sessionStorage.length, location.href, document.cookie]"
        )
        assert stored == [0, 0, f"{origin}/queue", ""]
    await context.close()
    await asyncio.wait_for(script, 10)  # the rig ended its stream as one ends


async def test_tickets_of_a_rig_with_an_address_of_its_own(
    async_browser: Browser, tmp_path: Path
) -> None:
    """Only the page for that rig asks it, and the console leads there."""
    async with paced_scene(tmp_path) as (scene, engine):
        engine.pace = pace = OnDemand()
        context = await async_browser.new_context()
        queue = scene.rig.node.queue
        there = {"rig": scene.rig_origin}
        async with (
            visiting(context, scene.origin, **there) as first,
            visiting(context, scene.origin, **there) as console,
            visiting(context, scene.origin) as outside,
            visiting(context, scene.origin, **there) as visitor,
        ):
            await first.open()
            await first.ask("Take your time.")
            await until(lambda: engine.answering == 1)
            await console.open(accept=False)
            await console.ask("Is anybody there?")
            await console.state("In the queue: place 1")

            await outside.page.goto(f"{scene.origin}/queue")
            card = outside.page.locator(".ticket")
            await card.filter(has_text="Place 1 in the queue").wait_for()
            assert not await card.get_by_role("button").is_visible()
            ticket = str(await card.get_attribute("data-ticket"))
            link = card.get_by_role("link", name="Open the page for this rig")
            path = f"/queue?rig={NODE_ID}"
            assert await link.get_attribute("href") == path
            await paste(outside, ticket)
            await outside.state(f"curl {scene.rig_origin}/luckrig/queue/{ticket} shows the place")
            assert await outside.page.locator("#state a").get_attribute("href") == path

            link = console.page.locator(".figures a")
            assert await link.get_attribute("href") == path
            assert await link.get_attribute("target") == "_blank"  # its request goes on
            await visitor.page.goto(f"{scene.origin}{path}")
            await card_of(visitor, ticket).filter(has_text="Place 1 of 1 in the queue").wait_for()
            back = card_of(visitor, ticket).get_by_role("link", name="Ask this rig")
            assert await back.get_attribute("href") == f"/taste/{NODE_ID}"
            await card_of(visitor, ticket).get_by_role("button").click()
            await visitor.state("You left the queue of")
            await until(lambda: queue.waiting == 0)
            await console.state("This request left the queue: it was ended through its ticket.")
            pace.allow(len(engine.reply))
            await first.state("Complete.")
        await context.close()
