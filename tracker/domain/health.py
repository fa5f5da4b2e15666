"""A rig's health as a state machine: one look at a time, without a clock of its own.

| look                                 | status shown | misses | last_seen_at |
|--------------------------------------|--------------|--------|--------------|
| a good answer                        | as reported  | 0      | now          |
| a miss, first in a row, seen before  | unchanged    | 1      | unchanged    |
| a miss, never seen                   | unavailable  | + 1    | None         |
| a miss, second in a row or later     | unavailable  | + 1    | unchanged    |
| its endpoint isn't proven            | unknown      | + 1    | unchanged    |

`unknown` is what a prober reports of a rig that hasn't proven its endpoint. It counts as a miss,
so that a door that isn't the rig's is knocked at less and less.
"""

from dataclasses import replace
from typing import Final

from luckrig.protocol.wire import NodeHealth
from luckrig.tracker.domain.records import Health

MISSES_UNTIL_UNAVAILABLE: Final = 2
"""One missed look is only late: home networks lose a packet now and then."""


def next_health(previous: Health, outcome: NodeHealth | None, *, now: int) -> Health:
    """The health after one more look. outcome: None when there was no good answer."""
    if outcome is not None and outcome.status == "unknown":
        return replace(
            previous, status="unknown", queue=None, checked_at=now, misses=previous.misses + 1
        )
    if outcome is not None:
        return Health(
            status=outcome.status,
            queue=outcome.queue,
            checked_at=now,
            last_seen_at=now,
            misses=0,
            opens_at=outcome.opens_at if outcome.status == "paused" else None,
            wish_at=outcome.wish_at,
        )
    missed = replace(previous, checked_at=now, misses=previous.misses + 1)
    if previous.last_seen_at is not None and missed.misses < MISSES_UNTIL_UNAVAILABLE:
        return missed
    return replace(missed, status="unavailable", queue=None, opens_at=None)
