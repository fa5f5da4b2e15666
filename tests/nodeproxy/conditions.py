"""Waits for what has no event of its own."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks run until it holds; the test's timeout bounds it."""
    while not condition():
        await asyncio.sleep(0.001)
