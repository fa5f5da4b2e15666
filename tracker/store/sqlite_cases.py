"""The CaseStore in SQLite, put together, and what the retention job empties in it."""

import json
from collections.abc import Collection
from typing import Final

from luckrig.protocol.ids import ID_CHARS
from luckrig.tracker.domain.cases import HoldRecord
from luckrig.tracker.store.case_rows import decision_of, hold_of
from luckrig.tracker.store.counters import Counters
from luckrig.tracker.store.database import Database
from luckrig.tracker.store.in_force import InForce
from luckrig.tracker.store.sqlite_audit import SqliteAudit
from luckrig.tracker.store.sqlite_decisions import SELECT_STANDING, SqliteDecisions
from luckrig.tracker.store.sqlite_reports import SELECT_HOLDS, SqliteReports

_HELD_IDS: Final = "(SELECT value FROM json_each(:held))"
_IS_HELD: Final = f"""
    SELECT case_id FROM holds WHERE until > :now
    UNION
    SELECT case_id FROM cases
    WHERE subject_id IN {_HELD_IDS} OR substr(subject_id, 1, {ID_CHARS}) IN {_HELD_IDS}
    UNION
    SELECT case_id FROM decisions WHERE case_id IS NOT NULL AND target_id IN {_HELD_IDS}
"""  # noqa: S608 -- the constant above; a reply's id begins with its rig's
_DECISION_IS_HELD: Final = f"""
    SELECT decision_id FROM decisions WHERE case_id IN ({_IS_HELD})
"""  # noqa: S608 -- the constant above
_EMPTY_REPORTS: Final = f"""
    UPDATE reports
    SET reason = NULL, evidence = NULL, name = NULL, email = NULL, claim = NULL, reporter_id = NULL
    WHERE received_at < :before AND case_id NOT IN ({_IS_HELD})
      AND case_id IN (SELECT case_id FROM cases WHERE closed_at IS NOT NULL)
      AND coalesce(reason, evidence, name, email, claim, reporter_id) IS NOT NULL
"""  # noqa: S608
_EMPTY_APPEALS: Final = f"""
    UPDATE appeals
    SET text = NULL, counter_notice = NULL,
        appellant = CASE by WHEN 'affected' THEN appeal_id ELSE appellant END
    WHERE received_at < :before AND answered_at IS NOT NULL
      AND decision_id NOT IN ({_DECISION_IS_HELD})
      AND (coalesce(text, counter_notice) IS NOT NULL
           OR (by = 'affected' AND appellant != appeal_id))
"""  # noqa: S608
_EMPTY_DECISIONS: Final = f"""
    UPDATE decisions
    SET target_id = '', reason = '', undone_reason = substr(undone_reason, 1, 0)
    WHERE coalesce(undone_at, CASE action WHEN 'dismiss' THEN decided_at ELSE expires_at END)
          < :before
      AND target_id != '' AND decision_id NOT IN ({_DECISION_IS_HELD})
      AND decision_id NOT IN (SELECT decision_id FROM appeals WHERE answered_at IS NULL)
"""  # noqa: S608
_EMPTY_CASES: Final = f"""
    UPDATE cases SET subject_id = ''
    WHERE closed_at < :before AND subject_id != '' AND case_id NOT IN ({_IS_HELD})
      AND NOT EXISTS (
          SELECT 1 FROM decisions
          WHERE decisions.case_id = cases.case_id AND decisions.target_id != ''
      )
"""  # noqa: S608
_EMPTY_SUBJECTS: Final = """
    UPDATE reports SET subject_id = ''
    WHERE subject_id != '' AND case_id IN (SELECT case_id FROM cases WHERE subject_id = '')
"""


class SqliteCases(SqliteReports, SqliteDecisions, SqliteAudit):
    """A CaseStore in the tracker's database. Made by open_cases."""

    def __init__(
        self,
        database: Database,
        counters: Counters,
        in_force: InForce,
        holds: dict[str, HoldRecord],
    ) -> None:
        SqliteReports.__init__(self, database, counters, holds)
        SqliteDecisions.__init__(self, database, in_force)
        SqliteAudit.__init__(self, database)

    async def anonymise(self, *, before: int, now: float, held: Collection[str] = ()) -> int:
        async def write() -> int:
            values = {"before": before, "now": now, "held": json.dumps(sorted(held))}
            emptied = 0
            async with self._database.transaction() as connection:
                for sql in (_EMPTY_REPORTS, _EMPTY_APPEALS, _EMPTY_DECISIONS):
                    emptied += (await connection.execute(sql, values)).rowcount
                emptied += (await connection.execute(_EMPTY_CASES, values)).rowcount
                await connection.execute(_EMPTY_SUBJECTS)
                await connection.execute("DELETE FROM holds WHERE until <= ?", (now,))
            self._forget_holds(now)
            return emptied

        return await self._database.write(write)


async def open_cases(database: Database, counters: Counters) -> SqliteCases:
    """The shelf, with what is in force and held. Raises StoreError."""
    standing = await database.read(SELECT_STANDING, ())
    holds = [hold_of(row) for row in await database.read(SELECT_HOLDS, ())]
    in_force = InForce(decision_of(row) for row in standing)
    return SqliteCases(database, counters, in_force, {hold.case_id: hold for hold in holds})
