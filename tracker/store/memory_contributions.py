"""Receipts, ledger, live hours and timings in memory: the twin of sqlite_contributions.py."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from luckrig.protocol.ledger_chain import GENESIS
from luckrig.tracker.domain.ledger import Entry, canonical, entry_hash
from luckrig.tracker.domain.receipts import ReceiptRecord, TimingRecord
from luckrig.tracker.store.interface import LIVE_DAYS_KEPT, LedgerRow, LiveHours, Receipts
from luckrig.tracker.store.shelves import Fixed, Records, Shelf


class MemoryContributions:
    """A ContributionStore that lives as long as its process."""

    def __init__(self) -> None:
        self._receipts: dict[tuple[str, str], ReceiptRecord] = {}
        self._timings: dict[tuple[str, str], TimingRecord] = {}
        self._ledger: list[LedgerRow] = []
        self._live: dict[tuple[str, int], int] = {}
        self._live_days: dict[tuple[str, int], int] = {}

    async def receipt(self, node_id: str, request_id: str) -> ReceiptRecord | None:
        return self._receipts.get((node_id, request_id))

    async def receipts_of_token(self, jti: str) -> int:
        return sum(receipt.jti == jti for receipt in self._receipts.values())

    async def receipts_of_node(self, node_id: str, *, since: int) -> Receipts:
        states = [
            receipt.state
            for receipt in self._receipts.values()
            if receipt.node_id == node_id and receipt.received_at >= since
        ]
        return Receipts(len(states), states.count("disputed"))

    async def put_receipts(
        self,
        receipts: Sequence[ReceiptRecord],
        timings: Sequence[TimingRecord],
        entries: Sequence[Entry],
    ) -> None:
        for receipt in receipts:
            self._receipts[receipt.node_id, receipt.request_id] = receipt
        for timing in timings:
            self._timings[timing.node_id, timing.request_id] = timing
        self.append(entries)

    async def unsettled(self, *, before: int, limit: int) -> list[ReceiptRecord]:
        found = [
            receipt
            for receipt in self._receipts.values()
            if not receipt.settled and receipt.received_at < before
        ]
        return sorted(found, key=_age)[:limit]

    async def ledger(self, *, after: int, limit: int) -> list[LedgerRow]:
        return self._ledger[after + 1 : after + 1 + limit]

    async def ledger_tip(self) -> tuple[int, bytes]:
        return len(self._ledger), self._ledger[-1].hash if self._ledger else GENESIS

    async def add_live(self, *, hour: int, scarcities: Mapping[str, int]) -> None:
        for node_id, scarcity_milli in scarcities.items():
            self._live.setdefault((node_id, hour), scarcity_milli)

    async def live_hours(self, *, day: int) -> list[LiveHours]:
        found: dict[str, list[int]] = defaultdict(list)
        for (node_id, hour), scarcity_milli in self._live.items():
            if hour // 24 == day:
                found[node_id].append(scarcity_milli)
        return [
            LiveHours(node_id, len(seen), sum(seen) // len(seen))
            for node_id, seen in sorted(found.items())
        ]

    async def live_days(self, node_id: str, *, since: int) -> dict[int, int]:
        days = {day: hours for (rig, day), hours in self._live_days.items() if rig == node_id}
        for day, hours in Counter(hour // 24 for rig, hour in self._live if rig == node_id).items():
            days[day] = max(hours, days.get(day, 0))
        return {day: days[day] for day in sorted(days) if day >= since}

    async def first_live_day(self) -> int | None:
        return min((hour // 24 for _, hour in self._live), default=None)

    async def close_day(self, *, day: int, entries: Sequence[Entry]) -> None:
        self.append(entries)
        counted = Counter((node_id, hour // 24) for node_id, hour in self._live)
        for key, hours in counted.items():
            if key[1] <= day:
                self._live_days[key] = max(hours, self._live_days.get(key, 0))
        first = day - LIVE_DAYS_KEPT
        self._live_days = {key: each for key, each in self._live_days.items() if key[1] > first}
        self._live = {key: milli for key, milli in self._live.items() if key[1] // 24 > day}

    async def prune(self, *, before: int, held: Collection[str] = ()) -> int:
        receipts = {
            key: each
            for key, each in self._receipts.items()
            if not each.settled
            or each.received_at >= before
            or each.user_id in held
            or each.node_id in held
        }
        timings = {
            key: each
            for key, each in self._timings.items()
            if each.shared_at >= before or each.account in held or each.node_id in held
        }
        pruned = len(self._receipts) - len(receipts) + len(self._timings) - len(timings)
        self._receipts, self._timings = receipts, timings
        return pruned

    async def timings(self, *, node_id: str | None, since: int) -> list[TimingRecord]:
        return [
            timing
            for timing in self._timings.values()
            if timing.shared_at >= since and node_id in (None, timing.node_id)
        ]

    def shelves(self) -> dict[str, Shelf]:
        """Its tables, for export and deletion."""
        return {
            "receipts": Records(lambda: self._receipts, {"receipt": "signed"}),
            "timings": Records(lambda: self._timings),
            "ledger": Fixed(lambda: ((each.position, each._asdict()) for each in self._ledger)),
            "live_hours": Fixed(
                lambda: (
                    ((node_id, hour), {"node_id": node_id, "hour": hour, "scarcity_milli": milli})
                    for (node_id, hour), milli in self._live.items()
                ),
                delete=lambda key: self._live.pop(key),
            ),
            "live_days": Fixed(
                lambda: (
                    ((node_id, day), {"node_id": node_id, "day": day, "hours": hours})
                    for (node_id, day), hours in self._live_days.items()
                ),
                delete=lambda key: self._live_days.pop(key),
            ),
        }

    def append(self, entries: Sequence[Entry]) -> None:
        """For the shelves beside this one: what they store and what counts are one step."""
        for entry in entries:
            previous = self._ledger[-1].hash if self._ledger else GENESIS
            row = LedgerRow(len(self._ledger), canonical(entry), entry_hash(previous, entry))
            self._ledger.append(row)


def _age(receipt: ReceiptRecord) -> tuple[int, str, str]:
    return receipt.received_at, receipt.node_id, receipt.request_id
