"""Where a running rig's state is shown: a live screen, lines, or nowhere."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from rich.live import Live

from luckrig.cli.dashboard import View, headline, render
from luckrig.cli.output import console, safe_line, say, styled


class Screen(Protocol):
    """Shows a rig's state whenever it is told."""

    def show(self, view: View) -> None:
        """This is how it is now."""
        ...


class NoScreen:
    """For scripts that read one JSON document and nothing else."""

    def show(self, view: View) -> None:
        """Nothing."""


class Lines:
    """A line for each change, without colours: for pipes, logs and whoever likes it plain."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, view: View) -> None:
        """Say it if it is news."""
        _, text = headline(view)
        _, news = headline(View(status=view.status, tunnel=view.tunnel, has_models=view.has_models))
        if news != self._last:
            self._last = news
            say(f"{datetime.now().astimezone():%H:%M:%S}  {safe_line(text)}")


class LiveScreen:
    """A live dashboard on the terminal."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, view: View) -> None:
        """Draw it."""
        self._live.update(render(view), refresh=True)


class _AboveHandler(logging.Handler):
    """Log lines above the dashboard instead of through it."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self._live = live
        self.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        self._live.console.print(styled(self.format(record), "dim"))


@contextmanager
def live_screen() -> Generator[LiveScreen, None, None]:
    """The dashboard while the block runs; its last state stays on the terminal."""
    # Refreshed by show() alone: a thread of rich's own would draw in between.
    live = Live(console=console(), auto_refresh=False, vertical_overflow="crop")
    root = logging.getLogger()
    handlers = list(root.handlers)
    with live:
        root.handlers[:] = [_AboveHandler(live)]
        try:
            yield LiveScreen(live)
        finally:
            root.handlers[:] = handlers
