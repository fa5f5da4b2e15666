"""Export and deletion over the stores in memory: the twin of sqlite_people.py."""

from collections.abc import Collection, Mapping, Sequence

from luckrig.protocol.account import Cell
from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.domain.erasing import (
    Own,
    Row,
    Standing,
    all_held,
    in_force,
    is_mine,
    shown,
    verdict,
)
from luckrig.tracker.domain.stored_data import TABLES
from luckrig.tracker.store.case_stores import CaseStore, Person, exported
from luckrig.tracker.store.directory import Directory
from luckrig.tracker.store.shelves import Shelf


class MemoryPeople:
    """A PeopleStore over these shelves: table → its rows."""

    def __init__(
        self, shelves: Mapping[str, Shelf], directory: Directory, cases: CaseStore
    ) -> None:
        self._shelves = shelves
        self._directory = directory
        self._cases = cases

    async def export(self, person: Person) -> dict[str, list[dict[str, Cell]]]:
        own = self._own(person)
        return {
            table.name: [
                exported(shown(table, row, own))
                for row in self.rows(table.name)
                if is_mine(table, row, own)
            ]
            for table in TABLES.values()
        }

    async def erase(
        self, person: Person, *, held: Collection[str], events: Sequence[AuditEntry], now: int
    ) -> dict[str, int]:
        own = self._own(person)
        standing = await self._standing(person, all_held(held, own), now)
        counts: dict[str, int] = {}
        for table in TABLES.values():
            counts[table.name] = 0
            if not table.rules:
                continue
            shelf = self._shelves[table.name]
            for key, row in list(shelf.rows()):
                becomes = verdict(table, row, own, standing)
                if becomes is None:
                    continue
                counts[table.name] += 1
                if becomes == "delete":
                    shelf.delete(key)
                else:
                    shelf.change(key, becomes)
        await self._cases.log(events)
        return counts

    async def prune(self, *, now: int) -> int:
        old = self._directory.left_over(await self._cases.holding(now=now))
        self._directory.forget(users=(), handovers=old, keep_ids=False)
        return len(old)

    def rows(self, table: str) -> list[Row]:
        """All rows of a table, whosever they are."""
        return [row for _, row in self._shelves[table].rows()]

    def _column(self, table: str, column: str, by: str, ids: Collection[str]) -> frozenset[str]:
        return frozenset(str(row[column]) for row in self.rows(table) if row[by] in ids)

    def _own(self, person: Person) -> Own:
        notes = self._column("notes", "note_id", "author_id", person.user_ids)
        return Own(
            users=person.user_ids,
            nodes=person.node_ids,
            account=person.account,
            notes=notes,
            lost_notes=notes | self._column("notes", "note_id", "node_id", person.node_ids),
            replies=frozenset(
                str(row["subject_id"])
                for row in self.rows("cases")
                if row["subject_kind"] == "reply"
                and str(row["subject_id"]).partition("/")[0] in person.node_ids
            ),
            reports=self._column("reports", "report_id", "reporter_id", person.user_ids),
        )

    async def _standing(self, person: Person, held: frozenset[str], now: int) -> Standing:
        held_cases = {hold.case_id for hold in await self._cases.holds(now=now)}
        decisions = {str(row["decision_id"]): row for row in self.rows("decisions")}
        appealed = {
            str(row["decision_id"]) for row in self.rows("appeals") if row["answered_at"] is None
        }
        open_cases = {str(row["case_id"]) for row in self.rows("cases") if row["closed_at"] is None}
        live = {
            str(row["case_id"])
            for decision_id, row in decisions.items()
            if decision_id in appealed or in_force(row, now)
        }
        in_held = {
            decision_id for decision_id, row in decisions.items() if row["case_id"] in held_cases
        }
        return Standing(
            now=now,
            held=held | held_cases | in_held,
            open_cases=open_cases,
            live_cases=open_cases | live,
            appealed=appealed,
            banned=not person.user_ids.isdisjoint(await self._cases.holding(now=now)),
        )
