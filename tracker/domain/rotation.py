"""When which signing key is made, shown, used and dropped: a rule over start times alone.

    made, in the keyset          signs                    still in the keyset
    |- PUBLISHED_EARLY_SECONDS -|--- LIFETIME_SECONDS ---|- KEPT_SECONDS -|

Keys are given by the times at which they start to sign, Unix seconds, sorted, at least one.
"""

from collections.abc import Sequence
from typing import Final

from luckrig.protocol.tokens import MAX_BOUND_TTL_SECONDS

LIFETIME_SECONDS: Final = 30 * 86_400
PUBLISHED_EARLY_SECONDS: Final = 86_400
"""Rigs fetch the keyset every 5 minutes; one that was off for a night has it, too."""
KEPT_SECONDS: Final = MAX_BOUND_TTL_SECONDS + 86_400
"""The last token of a key dies after its longest life; the day is for wrong clocks."""


def signing(starts: Sequence[int], *, now: float) -> int:
    """The start of the key that signs now: the newest one whose time has come."""
    return max((start for start in starts if start <= now), default=starts[0])


def published(starts: Sequence[int], *, now: float) -> list[int]:
    """The starts of the keys that belong in the keyset now, `signing` among them."""
    following = [*starts[1:], None]
    return [
        start
        for start, stop in zip(starts, following, strict=True)
        if (stop is None or now < stop + KEPT_SECONDS) and not _far_off(start, now)
    ] or [signing(starts, now=now)]


def next_start(starts: Sequence[int], *, now: float) -> int | None:
    """When a key that is to be made now shall start to sign; None while none is due."""
    if any(start > now and not _far_off(start, now) for start in starts):
        return None
    wanted = signing(starts, now=now) + LIFETIME_SECONDS
    if now < wanted - PUBLISHED_EARLY_SECONDS:
        return None
    return max(wanted, int(now) + 1 + PUBLISHED_EARLY_SECONDS)


def _far_off(start: int, now: float) -> bool:
    """A start that no run of this rule chose: the clock was wrong once. It must stop nothing."""
    return start > now + LIFETIME_SECONDS + PUBLISHED_EARLY_SECONDS
