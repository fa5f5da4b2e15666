"""Real Chromium: the system's, else the one that Playwright downloaded."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from playwright import async_api, sync_api
from tools.system_browser import system_browser


@contextmanager
def chromium() -> Generator[sync_api.Browser, None, None]:
    """A browser for tests that have no event loop."""
    with (
        sync_api.sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=system_browser()) as browser,
    ):
        yield browser


@asynccontextmanager
async def async_chromium(*arguments: str) -> AsyncGenerator[async_api.Browser, None]:
    """A browser for tests that have one. arguments: of Chromium's command line."""
    async with async_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=system_browser(), args=list(arguments)
        )
        yield browser
        await browser.close()
