"""Pages that are kept: who gets an old one, who waits, and who makes the next one."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from luckrig.tracker.routes.packing import Packable, pack
from luckrig.tracker.routes.recent import (
    FRESH_SECONDS,
    MAX_AGE_SECONDS,
    MAX_PAGES,
    RecentPages,
)
from tests.tracker.trackers import Clock


class Press:
    """Makes pages that tell which one they are, when a test lets it. errors: of the next ones."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.generation = 1
        self.made = 0
        self.errors: list[Exception] = []
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.pages = RecentPages(self._read_generation, clock=self.clock)

    async def get(self, key: str = "map") -> bytes:
        """What somebody gets who asks."""
        return (await self.pages.get(key, self._make)).content

    async def _read_generation(self) -> int:
        return self.generation

    async def _make(self) -> Packable:
        self.made += 1
        number = self.made
        self.begun.set()
        await self.open.wait()
        if self.errors:
            raise self.errors.pop()
        return pack(b"page %d" % number)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """The loop runs, and stops without a trace."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.pages.run())
            yield
            task.cancel()

    async def made_in_background(self, number: int) -> None:
        """Wait until that many were begun and the last of them is done."""
        while self.made < number:
            self.begun.clear()
            await self.begun.wait()
        await self.get(f"after {number}")  # it has its turn after the others


async def test_a_fresh_page_is_not_made_again() -> None:
    press = Press()
    async with press.running():
        assert await press.get() == b"page 1"
        press.clock.now += FRESH_SECONDS - 0.1
        assert [await press.get() for _ in range(3)] == [b"page 1"] * 3
    assert press.made == 1


async def test_an_older_page_is_given_at_once_and_made_anew_once_whoever_asks() -> None:
    press = Press()
    await press.get()
    press.clock.now += FRESH_SECONDS
    press.open.clear()
    async with press.running():
        assert [await press.get() for _ in range(3)] == [b"page 1"] * 3
        await press.begun.wait()
        assert [await press.get() for _ in range(3)] == [b"page 1"] * 3  # it is being made
        press.open.set()
        await press.made_in_background(2)
        assert await press.get() == b"page 2"
    assert press.made == 3  # and the one after it


async def test_nobody_gets_a_page_that_is_too_old() -> None:
    press = Press()
    async with press.running():
        await press.get()
        press.clock.now += MAX_AGE_SECONDS
        assert await press.get() == b"page 2"
        press.clock.now -= 1  # a clock that was set back says nothing about an age
        assert await press.get() == b"page 3"


async def test_another_generation_makes_every_page_anew() -> None:
    press = Press()
    async with press.running():
        await press.get()
        press.generation += 1
        assert await press.get() == b"page 2"
        press.open.clear()
        waiting = asyncio.create_task(press.get("during"))
        press.begun.clear()
        await press.begun.wait()
        press.generation += 1  # what is being made may miss it
        press.open.set()
        assert await waiting == b"page 3"
        assert await press.get("during") == b"page 4"


async def test_those_who_wait_for_the_same_page_share_one_however_long_it_took() -> None:
    press = Press()
    press.open.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(press.get()) for _ in range(5)]
        await press.begun.wait()
        press.clock.now += FRESH_SECONDS
        press.open.set()
    assert [task.result() for task in tasks] == [b"page 1"] * 5


async def test_who_waits_behind_a_page_that_failed_makes_it() -> None:
    press = Press()
    press.errors.append(ValueError("no paper"))
    results = await asyncio.gather(press.get(), press.get(), return_exceptions=True)
    assert isinstance(results[0], ValueError)
    assert results[1] == b"page 2"


async def test_without_a_loop_who_finds_a_page_too_old_makes_it() -> None:
    press = Press()
    await press.get()
    press.clock.now += FRESH_SECONDS
    assert await press.get() == b"page 1"
    press.clock.now += MAX_AGE_SECONDS
    assert await press.get() == b"page 2"


async def test_what_fails_behind_the_back_is_logged_and_told_to_who_asks_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    press = Press()
    await press.get()
    press.clock.now += FRESH_SECONDS
    press.errors.append(ValueError("no paper"))
    async with press.running():
        assert await press.get() == b"page 1"
        await press.made_in_background(2)
        press.errors.append(ValueError("no ink"))
        with pytest.raises(ValueError, match="no ink"):
            await press.get()
        assert await press.get() == b"page 5"
        press.clock.now += FRESH_SECONDS
        await press.get()
        await press.made_in_background(6)  # the loop goes on
        assert await press.get() == b"page 6"
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert lines == ["a page wasn't made anew: ValueError"]


async def test_only_so_many_pages_are_kept_the_newest_of_them() -> None:
    press = Press()
    keys = [str(number) for number in range(MAX_PAGES)]
    for key in (*keys, "0"):
        await press.get(key)
    assert press.made == MAX_PAGES
    await press.get("one more")
    assert await press.get("1") == b"page 2"
    assert await press.get("0") == b"page %d" % (MAX_PAGES + 2)
