"""The counters of quotas, in memory: every store's. Where they are written down is the store's."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from luckrig.tracker.domain.quotas import Use, met

UPSERT_QUOTA = """
    INSERT INTO quotas (name, used, ends_at) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET used = used + excluded.used
"""


class Counters:
    """name → (used, ends_at). Check and count are one step: nothing here waits."""

    def __init__(self, rows: Iterable[tuple[str, int, int]] = ()) -> None:
        self._used = {name: (used, ends_at) for name, used, ends_at in rows}

    def take(self, uses: Sequence[Use], *, now: float) -> None:
        """Count all uses, or none: raises PeerError rate_limited with the limit that was met."""
        for use in uses:
            if self._used.get(use.name, (0, 0))[0] >= use.limit:
                raise met(use, now=now)
        for use in uses:
            self._add(use, 1)

    def give_back(self, uses: Sequence[Use]) -> None:
        """What the uses were for didn't happen."""
        for use in uses:
            self._add(use, -1)

    def prune(self, *, now: int) -> int:
        """Forget windows that ended at `now` or earlier; return how many."""
        live = {name: count for name, count in self._used.items() if count[1] > now}
        pruned = len(self._used) - len(live)
        self._used = live
        return pruned

    def rows(self) -> Iterator[tuple[str, dict[str, object]]]:
        """(name, its row in the database) of every counter."""
        for name, (used, ends_at) in self._used.items():
            yield name, {"name": name, "used": used, "ends_at": ends_at}

    def _add(self, use: Use, count: int) -> None:
        used, _ = self._used.get(use.name, (0, 0))
        self._used[use.name] = (used + count, use.ends_at)


def quota_rows(uses: Iterable[Use]) -> list[tuple[str, int, int]]:
    """The values for UPSERT_QUOTA: each counter once, however often it is used."""
    return [(name, count, end) for (name, end), count in _totals(uses).items()]


def _totals(uses: Iterable[Use]) -> Counter[tuple[str, int]]:
    return Counter((use.name, use.ends_at) for use in uses)
