"""Times of day and spans of time as the command line writes them. Pure.

A tracker may send any number as a time, so none of this fails.
"""

from datetime import UTC, datetime
from typing import Final

_HOUR: Final = 3600
_DAY: Final = 86_400
_DAYS_FROM: Final = 2 * _DAY
"""47 h are "47 h", 49 h are "2 d"."""


def utc(at: int) -> str:
    """Unix seconds as "2026-11-24 12:00 UTC"."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return "at no time there is"


def day(at: int) -> str:
    """Unix seconds as "2026-11-24"."""
    return utc(at)[:10] if utc(at).endswith("UTC") else utc(at)


def span(seconds: float) -> str:
    """A span of time, roughly: "<1 h", "47 h", "6 d"."""
    if seconds >= _DAYS_FROM:
        return f"{int(seconds // _DAY)} d"
    return f"{int(seconds // _HOUR)} h" if seconds >= _HOUR else "<1 h"


def due(at: int, *, now: float) -> str:
    """When something is due: "in 47 h", or "3 h late"."""
    return f"in {span(at - now)}" if at >= now else f"{span(now - at)} late"
