"""Makes pictures of pages and of their parts, for the README and docs/STYLE-GUIDE.md.

From a real tracker full of sample rigs, whose time stands still: tools/sample_tracker.py. One more
is a line in WHOLE (the README's) or in PARTS. Chromium is needed: tools/install_browser.sh
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx2
from playwright.sync_api import Browser, Route, sync_playwright
from playwright.sync_api import Page as Tab
from tools import small_png
from tools.sample_tracker import Sample, running_sample
from tools.small_png import Pixels
from tools.system_browser import system_browser

Scheme = Literal["light", "dark"]

PUBLIC_URL: Final = "https://tracker.example"
"""What pages say of themselves: https, so that the console works, and the same in each run."""
MAX_BYTES: Final = 150_000
MAX_BYTES_OF_ALL: Final = 1_000_000
MARGIN: Final = 12
_SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
_FORGOTTEN_HEADERS: Final = ("content-length", "transfer-encoding", "connection")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One file. path: of the page; {relayed}, {paused} and {ticket} are those of the sample.

    part: a CSS selector; without one it is the page from its top. width: of the window, pixels.
    height: at most. press: a button to press first; fill: a field and its text.
    """

    name: str
    path: str
    part: str = ""
    width: int = 1280
    height: int = 900
    press: str = ""
    fill: tuple[str, str] = ("", "")


WHOLE: Final = (
    Picture(name="map", path="/", height=1000),
    Picture(name="rig", path="/nodes/{relayed}", height=1000),
    Picture(
        name="console",
        path="/taste/{relayed}",
        height=840,
        press="#accept",
        fill=("#prompt", "Why does an old card with a lot of memory still make sense?"),
    ),
)
"""In light only; the README shows them."""
PARTS: Final = (
    Picture(name="part-navigation", path="/", part=".top", width=780),
    Picture(name="part-navigation-phone", path="/", part=".top", width=390),
    Picture(name="part-chart", path="/", part=".chart", width=900),
    Picture(name="part-statuses", path="/", part=".legend", width=900),
    Picture(name="part-filters", path="/", part=".filters", width=1000),
    Picture(name="part-card", path="/", part=".cards > .rig", width=420, height=520),
    Picture(name="part-scarcity", path="/", part=".cards .scarcity", width=420),
    Picture(name="part-table", path="/?view=table", part=".scroll", width=1000, height=260),
    Picture(name="part-facts", path="/nodes/{paused}", part=".plate-head", width=520),
    Picture(name="part-heads-up", path="/nodes/{relayed}", part=".readable", width=520),
    Picture(name="part-snippet", path="/nodes/{relayed}", part=".snippet", width=520),
    Picture(name="part-fields", path="/report", part=".report fieldset", width=520, height=420),
    Picture(name="part-blank", path="/?q=no+such+rig", part=".blank", width=520),
    Picture(name="part-failure", path="/no-such-page", part=".failure", width=520),
)
"""In light and in dark, side by side where they are narrow."""


def page_pictures() -> dict[str, bytes]:
    """File name to content. Raises ValueError for one that is too large."""
    made: dict[str, bytes] = {}
    with running_sample("--still", "--public-url", PUBLIC_URL) as sample, _chromium() as browser:
        for picture in WHOLE:
            made[f"{picture.name}.png"] = small_png.encode(
                _taken(browser, sample, picture, "light")
            )
        for picture in PARTS:
            light, dark = (_taken(browser, sample, picture, scheme) for scheme in _SCHEMES)
            join = small_png.beside if picture.width <= 520 else small_png.below
            made[f"{picture.name}.png"] = small_png.encode(join(light, dark))
    for name, content in made.items():
        if len(content) > MAX_BYTES:
            raise ValueError(f"{name} has {len(content)} bytes, more than {MAX_BYTES}")
    if sum(map(len, made.values())) > MAX_BYTES_OF_ALL:
        raise ValueError(f"the pictures have more than {MAX_BYTES_OF_ALL} bytes together")
    return made


def write_page_pictures(folder: Path) -> None:
    """Make all, then write all: a fault leaves the old ones."""
    for name, content in page_pictures().items():
        folder.joinpath(name).write_bytes(content)


@contextmanager
def _chromium() -> Generator[Browser, None, None]:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=system_browser()) as browser,
    ):
        yield browser


def _taken(browser: Browser, sample: Sample, picture: Picture, scheme: Scheme) -> Pixels:
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=scheme,
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    host = {"host": urlsplit(PUBLIC_URL).netloc}
    with httpx2.Client(base_url=sample.origin, headers=host, trust_env=False) as http:
        context.route("**/*", lambda route: _answer(route, http))
        tab = context.new_page()
        tab.goto(PUBLIC_URL + picture.path.format_map(vars(sample)))
        if picture.press:
            tab.locator(picture.press).click()
        if picture.fill[0]:
            tab.locator(picture.fill[0]).fill(picture.fill[1])
        pixels = small_png.decode(tab, tab.screenshot(full_page=True, clip=_clip(tab, picture)))
    context.close()
    return pixels


def _clip(tab: Tab, picture: Picture) -> Any:
    if not picture.part:
        return {"x": 0, "y": 0, "width": picture.width, "height": picture.height}
    box = tab.locator(picture.part).first.bounding_box(timeout=5_000)
    if box is None:
        raise ValueError(f"{picture.name}: {picture.path} shows no {picture.part}")
    top = max(0, box["y"] - MARGIN)
    height = min(picture.height, box["y"] + box["height"] + MARGIN - top)
    return {"x": 0, "y": top, "width": picture.width, "height": height}


def _answer(route: Route, http: httpx2.Client) -> None:
    """From the tracker, whatever address it listens on. Events never end, so there are none."""
    url = urlsplit(route.request.url)
    if url.path == "/api/v1/events":
        route.abort()
        return
    reply = http.get(f"{url.path}?{url.query}")
    headers = {
        name: value
        for name, value in reply.headers.items()
        if name.lower() not in _FORGOTTEN_HEADERS
    }
    route.fulfill(status=reply.status_code, headers=headers, body=reply.content)
