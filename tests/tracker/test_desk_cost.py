"""What lists and the console cost with many reports and decisions, in queries and rows."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from luckrig.protocol.errors import PeerError
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.case_desk import CaseDesk
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.service.subjects import Subjects
from luckrig.tracker.store.database import Database
from luckrig.tracker.store.interface import Store
from luckrig.tracker.store.memory import MemoryStore
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.cases import OPERATOR, make_decision, make_report
from tests.tracker.factories import NOW
from tests.tracker.trackers import KEYS

REPORTS = 10_000
FILL_CASES = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO cases
    SELECT printf('more-%04d', i), 'note', printf('note-%016d', i), 'terms', 1, 1, :now, :now + i,
           CASE WHEN i % 2 THEN :now END
    FROM n
"""
FILL_REPORTS = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
    INSERT INTO reports
    SELECT printf('more-%05d', i), 'case-0001', printf('more-%05d', i), subject_kind, subject_id,
           category, reason, evidence, name, email, NULL, language, reporter_id, trusted,
           received_at + i, due_at
    FROM n, reports
"""


def now() -> float:
    return NOW


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """One case with 10,001 reports, 2,500 others that are open, 2,500 that are closed."""
    path = tmp_path / "t.db"
    store = await open_store(path)
    await store.cases.add_report(replace(make_report(), claim=None), uses=[], now=NOW, events=[])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(FILL_CASES, {"now": NOW})
        connection.execute(FILL_REPORTS)
        connection.commit()
    yield store
    await store.aclose()


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, int]]:
    """Every query to the database: its text, values, and how many rows it gave."""
    seen: list[tuple[str, Any, int]] = []
    read = Database.read

    async def counted(self: Database, sql: str, values: Any) -> list[Any]:
        rows = await read(self, sql, values)
        seen.append((sql, values, len(rows)))
        return rows

    monkeypatch.setattr(Database, "read", counted)
    return seen


def scans(path: Path, sql: str, values: Any) -> list[str]:
    """The tables that a query reads whole."""
    with closing(sqlite3.connect(path)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        whole = re.compile("SCAN (cases|reports|decisions|appeals)")
        return [row[3] for row in plan if whole.fullmatch(row[3])]


async def test_the_console_reads_a_page_and_no_table(
    store: Store, queries: list[tuple[str, Any, int]], tmp_path: Path
) -> None:
    operators = Operators(frozenset({OPERATOR}))
    desk = CaseDesk(store, KEYS, Subjects(store, clock=now), operators, clock=now)
    page = await desk.page(after=None, appealed=False, asked_by=OPERATOR)
    assert (page.open, len(page.cases)) == (2501, 20)
    assert len(queries) <= 4, "not one for each case"
    following = await desk.page(after=page.next, appealed=False, asked_by=OPERATOR)
    assert len(following.cases) == 20
    before = len(queries)
    detail = await desk.case("case-0001", asked_by=OPERATOR)
    assert len(detail.reports) == 20
    assert len(queries) - before <= 12
    assert sum(rows for *_, rows in queries) <= 150
    assert [scans(tmp_path / "t.db", sql, values) for sql, values, _ in queries] == [
        [] for _ in queries
    ]


async def test_lists_sort_decisions_once_until_one_changes(
    store: Store, queries: list[tuple[str, Any, int]]
) -> None:
    """A thousand decisions in force: each list, token and relayed request asks for them."""
    for number in range(1, 1001):
        target = f"203.{number // 250}.{number % 250}.0/24" if number % 2 else f"n1{number:032}"
        await store.cases.put_decision(make_decision(number, target=target), events=[])
    bans = BanService(store, clock=now)
    banned = await bans.banned_nodes()
    assert len(banned) == 500
    queries.clear()
    for _ in range(3):
        await bans.check_network("198.51.100.0/24")
        assert await bans.banned_nodes() is banned
    assert queries == []
    await store.cases.put_decision(make_decision(2000, target="n1" + "z" * 32), events=[])
    assert len(await bans.banned_nodes()) == 501


async def test_what_is_held_is_the_same_in_memory() -> None:
    store = MemoryStore()
    await store.cases.put_decision(make_decision(1, target="203.0.113.0/24"), events=[])
    bans = BanService(store, clock=now)
    await bans.check_network("198.51.100.0/24")
    with pytest.raises(PeerError, match="This network is banned"):
        await bans.check_network("203.0.113.0/24")
