"""What a server counts of its connections."""

from dataclasses import dataclass


@dataclass(slots=True)
class ConnectionCounts:
    """open: now. turned_away: those that were too many. malformed: requests that were no HTTP.

    The last two since the start.
    """

    open: int = 0
    turned_away: int = 0
    malformed: int = 0
