"""A visitor at /taste/{id}: a tracker, a rig behind its tunnel, a real browser that complains."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import Browser, BrowserContext, Page

from luckrig.cli.options import ask_tracker
from luckrig.cli.rig import RunningRig, running_rig
from luckrig.engine.process import EngineSpec, start_engine
from luckrig.engine.tiny import TINY_CONTEXT, TINY_MODEL
from tests.e2e.tunnels import NODE_ID, on_the_map, tracker_process, tunnel_plan

WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@dataclass
class Visitor:
    """A tab. faults: what the browser complained about, and requests to anybody else."""

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list[str])
    posted: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Path and body of what the page posted."""

    @property
    def path(self) -> str:
        """The console of the rig."""
        return f"{self.origin}/taste/{NODE_ID}"

    async def open(self, *, accept: bool = True) -> None:
        """The console, ready to type."""
        await self.page.goto(self.path)
        if accept:
            await self.page.get_by_role("button", name="I understand").click()
            await self.page.locator("#prompt").wait_for()

    async def ask(self, prompt: str, *, mode: str = "subtext") -> None:
        """Press Send."""
        await self.page.locator(f"#mode-{mode}").check()
        await self.page.locator("#prompt").fill(prompt)
        await self.page.locator("#send").click()

    async def state(self, text: str) -> None:
        """Wait until the page says so."""
        await self.page.locator("#state", has_text=text).wait_for()

    async def text(self, selector: str) -> str:
        """What somebody reads there."""
        return (await self.page.locator(selector).text_content()) or ""

    async def violations(self) -> list[str]:
        """Of the page's policy."""
        found: list[str] = await self.page.evaluate("violations")
        return found


def _watch(visitor: Visitor) -> None:
    page, faults = visitor.page, visitor.faults
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: (
            # An answer that isn't 2xx; tests ask for some.
            None
            if message.text.startswith("Failed to load resource") or message.type == "debug"
            else faults.append(message.text)
        ),
    )

    def look(request: Any) -> None:
        if not request.url.startswith((f"{visitor.origin}/", "blob:", "data:")):
            faults.append(request.url)
        elif request.method == "POST":
            path = request.url.removeprefix(visitor.origin)
            visitor.posted.append((path, request.post_data or ""))

    page.on("request", look)


@asynccontextmanager
async def visiting(
    browser: Browser | BrowserContext, origin: str, **context: Any
) -> AsyncGenerator[Visitor, None]:
    """A tab of its own profile, or another tab of one. It ends without a single fault."""
    own = None if isinstance(browser, BrowserContext) else await browser.new_context(**context)
    shared = own or browser
    assert isinstance(shared, BrowserContext)
    shared.set_default_timeout(15_000)
    page = await shared.new_page()
    await page.add_init_script(WATCH)
    visitor = Visitor(page, origin)
    _watch(visitor)
    yield visitor
    found = await visitor.violations() if page.url.startswith(origin) else []
    await page.close()
    if own is not None:
        await own.close()
    assert found == []
    assert visitor.faults == []


@dataclass
class RealScene:
    """A tracker, and a rig with the real tiny engine."""

    origin: str
    rig: RunningRig
    engine_url: str
    http: httpx2.AsyncClient

    async def busy_slots(self) -> int:
        """How many requests the engine itself works on."""
        slots = (await self.http.get(f"{self.engine_url}/slots")).json()
        return sum(bool(each["is_processing"]) for each in slots)


@asynccontextmanager
async def real_scene(folder: Path) -> AsyncGenerator[RealScene, None]:
    """llama.cpp's own server on the tiny model, one slot, behind a tunnel."""
    spec = EngineSpec(model_path=TINY_MODEL, alias="tiny", slots=1, context_length=TINY_CONTEXT)
    async with (
        tracker_process(folder) as process,
        ask_tracker(process.address) as tracker,
        start_engine(spec, log_path=folder / "engine.log") as engine,
        running_rig(tunnel_plan(engine.url), tracker) as rig,
        httpx2.AsyncClient(trust_env=False, timeout=20) as http,
    ):
        await on_the_map(tracker)
        yield RealScene(process.address.origin, rig, engine.url, http)
