"""Which Chromium the tests and the makers of pictures start."""

import shutil
from typing import Final

_COMMANDS: Final = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The first that is there. Chromium's headless shell has the same engine and no window around each
tab: a start, a tab or a page takes it a third to a sixth of the time that a whole browser needs."""


def system_browser() -> str | None:
    """Where it is; None for the one that Playwright downloaded: tools/install_browser.sh."""
    return next(filter(None, map(shutil.which, _COMMANDS)), None)
