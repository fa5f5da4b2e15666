"""A visitor at /taste/{id}: a tracker, a rig behind its tunnel or at an address of its own, and a
real browser that complains."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import Browser, BrowserContext, Page

from luckrig.cli.home import Home
from luckrig.cli.hosting import running_tracker
from luckrig.cli.loop import bind, origin_of
from luckrig.cli.options import ask_tracker
from luckrig.cli.rig import RunningRig, running_rig
from luckrig.engine.process import EngineSpec, start_engine
from luckrig.engine.tiny import TINY_CONTEXT, TINY_MODEL
from luckrig.tracker.settings import TrackerSettings
from tests.e2e.tunnels import NODE_ID, on_the_map, tunnel_plan
from tests.fake_engines.openai_compatible import FakeOpenAi

WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""
ENDLESS = """
const { stringify } = JSON;
JSON.stringify = (value, ...more) => {
  const isChat = value?.messages && value.model !== "luckrig/subtext";
  return stringify(isChat ? { ...value, logit_bias: { 2: -100 } } : value, ...more);
};
"""
"""For the page's own scripts: whatever they ask, the tiny model never comes to the end of it."""


@dataclass
class Visitor:
    """A tab. faults: what the browser complained about, and requests to anybody else.

    rig: the origin of a rig that the page may ask, too; empty for one behind the relay.
    """

    page: Page
    origin: str
    rig: str = ""
    faults: list[str] = field(default_factory=list[str])
    posted: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Path and body of what the page posted; the whole URL of what went to the rig itself."""

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
        known = [f"{origin}/" for origin in (visitor.origin, visitor.rig) if origin]
        if not request.url.startswith((*known, "blob:", "data:")):
            faults.append(request.url)
        elif request.method == "POST":
            path = request.url.removeprefix(visitor.origin)
            visitor.posted.append((path, request.post_data or ""))

    page.on("request", look)


@asynccontextmanager
async def visiting(
    browser: Browser | BrowserContext, origin: str, *, rig: str = "", **context: Any
) -> AsyncGenerator[Visitor, None]:
    """A tab of its own profile, or another tab of one. It ends without a single fault."""
    own = None if isinstance(browser, BrowserContext) else await browser.new_context(**context)
    shared = own or browser
    assert isinstance(shared, BrowserContext)
    shared.set_default_timeout(45_000)
    page = await shared.new_page()
    await page.add_init_script(WATCH)
    visitor = Visitor(page, origin, rig)
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
    """A tracker, and a rig; with the real tiny engine, unless somebody put another one there."""

    origin: str
    rig: RunningRig
    engine_url: str
    http: httpx2.AsyncClient

    @property
    def rig_origin(self) -> str:
        """Of a rig with an address of its own; empty for one behind the relay."""
        return "" if self.rig.tunnel else self.rig.origin

    async def busy_slots(self) -> int:
        """How many requests the engine itself works on."""
        slots = (await self.http.get(f"{self.engine_url}/slots")).json()
        return sum(bool(each["is_processing"]) for each in slots)


@asynccontextmanager
async def real_scene(folder: Path, *, is_direct: bool = False) -> AsyncGenerator[RealScene, None]:
    """llama.cpp's server on the tiny model, one slot; behind a tunnel, or at its own address."""
    spec = EngineSpec(model_path=TINY_MODEL, alias="tiny", slots=1, context_length=TINY_CONTEXT)
    async with (
        start_engine(spec, log_path=folder / "engine.log") as engine,
        _scene(folder, engine.url, is_direct=is_direct) as scene,
    ):
        yield scene


@asynccontextmanager
async def paced_scene(folder: Path) -> AsyncGenerator[tuple[RealScene, FakeOpenAi], None]:
    """A rig at its own address, and a stand-in for its engine, which takes what time it should."""
    async with FakeOpenAi() as engine, _scene(folder, engine.url, is_direct=True) as scene:
        yield scene, engine


@asynccontextmanager
async def _scene(
    folder: Path, engine_url: str, *, is_direct: bool
) -> AsyncGenerator[RealScene, None]:
    """All that runs is what `luckrig tracker` and `luckrig node` run."""
    sock = bind("127.0.0.1", 0)
    settings = TrackerSettings(public_url=origin_of(sock), allow_private_endpoints=True)
    listen = ("127.0.0.1", 0) if is_direct else None
    async with (
        running_tracker(Home(folder / "tracker"), settings, sock) as address,
        ask_tracker(address) as tracker,
        running_rig(tunnel_plan(engine_url, listen=listen), tracker) as rig,
        httpx2.AsyncClient(trust_env=False, timeout=20) as http,
    ):
        await on_the_map(tracker)
        yield RealScene(address.origin, rig, engine_url, http)
