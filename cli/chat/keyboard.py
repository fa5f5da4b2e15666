"""What is typed at a terminal, without holding up the event loop, and Ctrl-C as an event.

A terminal hands over whole lines, which the user may still edit before. Lines that come at once
were pasted together and are one text.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

PASTE_SECONDS: Final = 0.02
"""Between two lines of one paste; nobody types so fast."""
MAX_LINE_BYTES: Final = 4095
"""Where Linux cuts a line that isn't ended."""
_READ_BYTES: Final = 65_536

Result = TypeVar("Result")


class Interrupted(Exception):
    """Ctrl-C was typed."""


class Interrupts:
    """Ctrl-C ends what runs in `until_interrupted`, and nothing else."""

    def __init__(self) -> None:
        self._running: asyncio.Task[Any] | None = None
        self._was_typed = False

    async def until_interrupted(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What it returns or raises. Raises Interrupted when Ctrl-C came, before it or meanwhile;
        the work was then cancelled and has ended."""
        task = asyncio.create_task(work)
        self._running = task
        if self._was_typed:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            if not self._was_typed:
                raise
            raise Interrupted from None
        finally:
            self._running, self._was_typed = None, False
            task.cancel()

    def typed(self) -> None:
        """Ctrl-C was typed now."""
        self._was_typed = True
        if self._running is not None:
            self._running.cancel()


@asynccontextmanager
async def interrupts() -> AsyncGenerator[Interrupts, None]:
    """Take Ctrl-C for the block."""
    loop, caught = asyncio.get_running_loop(), Interrupts()
    loop.add_signal_handler(signal.SIGINT, caught.typed)
    try:
        yield caught
    finally:
        loop.remove_signal_handler(signal.SIGINT)


class Keyboard:
    """Lines from a terminal. is_over: its end was typed (Ctrl-D), or it went away."""

    def __init__(self, descriptor: int | None = None) -> None:
        """descriptor: of a terminal; None for stdin."""
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        self.is_over = False
        self.was_cut = False
        """Whether the last text has a line as long as a terminal takes."""

    async def text(self) -> str:
        """A line, or several that came at once, without the last one's end; "" at the end."""
        self.was_cut = False
        lines = [await self._line()]
        while not self.is_over:
            try:
                async with asyncio.timeout(PASTE_SECONDS):
                    await self._readable()
            except TimeoutError:
                break
            lines.append(await self._line())
        return "".join(lines).removesuffix("\n")

    async def _line(self) -> str:
        await self._readable()
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except OSError:  # the terminal was closed
            data = b""
        self.is_over = not data
        self.was_cut = self.was_cut or len(data) >= MAX_LINE_BYTES
        return data.decode("utf-8", "replace")

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        came: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, _settle, came)
        try:
            await came
        finally:
            loop.remove_reader(self._descriptor)


def _settle(came: "asyncio.Future[None]") -> None:
    if not came.done():
        came.set_result(None)
