"""Both stores keep the contract about cases; the file remembers all of it and shows any change."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from luckrig.protocol.ledger_chain import AUDIT_DOMAIN, check_chain
from luckrig.tracker.store.case_stores import AuditRow
from luckrig.tracker.store.interface import Store, StoreError
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.cases import (
    RIG,
    USER,
    answered,
    event,
    make_appeal,
    make_decision,
    make_hold,
    make_report,
    make_session,
    undone,
)
from tests.tracker.cases_contract import (
    CasesContract,
    decide,
    report,
    reports_use,
    subjects_in_audit,
)
from tests.tracker.factories import NOW


class TestCases(CasesContract):
    """Both kinds of store: conftest.py."""


async def test_restart_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    store = await open_store(path)
    await report(store, make_report())
    kept, gone = make_decision(1, seconds=50), make_decision(2, target=RIG)
    for decision in (kept, gone):
        await decide(store, decision)
    await store.cases.undo_decision(undone(gone), events=[])
    hold = make_hold("case-0001", RIG)
    await store.cases.put_hold(hold, events=[])
    await store.sessions.put_session(make_session())
    await store.aclose()
    store = await open_store(path)
    assert await store.cases.holding(now=NOW) == {USER: kept}
    assert await store.cases.holding(now=NOW + 50) == {}
    assert await store.cases.holds(now=NOW) == [hold]
    assert await store.sessions.session("cookie-0001") == make_session()
    await store.cases.log([event("read", "after")])
    assert await subjects_in_audit(store) == ["decision-0001", "decision-0002", "after"]
    await store.aclose()


def rows_of(path: Path) -> list[str]:
    """All that the database holds."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


Write = Callable[[Store], Awaitable[object]]
WRITES: Final[Mapping[str, Write]] = {
    "add_report": lambda store: report(store, make_report(3), reports_use(1), events=[event()]),
    "put_decision": lambda store: decide(store, make_decision(2, case_id="case-0001")),
    "undo": lambda store: store.cases.undo_decision(undone(make_decision(1)), events=[event()]),
    "put_appeal": lambda store: store.cases.put_appeal(
        make_appeal(2, appellant="report-0001"), events=[event()]
    ),
    "answer": lambda store: store.cases.answer_appeal(
        answered(make_appeal(), upheld=False), undone=undone(make_decision(1)), events=[event()]
    ),
    "hold": lambda store: store.cases.put_hold(make_hold(), events=[event()]),
}
STEPS: Final = {
    "add_report": ("quotas", "cases", "reports", "audit"),
    "put_decision": ("cases", "decisions", "audit"),
    "undo": ("decisions", "audit"),
    "put_appeal": ("appeals", "audit"),
    "answer": ("appeals", "decisions", "audit"),
    "hold": ("holds", "audit"),
}


@pytest.mark.parametrize(
    ("write", "table"), [(write, table) for write, tables in STEPS.items() for table in tables]
)
async def test_a_write_that_fails_half_way_never_happened(
    tmp_path: Path, write: str, table: str
) -> None:
    """Also not in memory, and not in the counters: afterwards it can be done."""
    path = tmp_path / "tracker.db"
    store = await open_store(path)
    await report(store, make_report())
    await decide(store, make_decision(1))
    await store.cases.put_appeal(make_appeal(), events=[])
    held = await store.cases.holding(now=NOW)
    before = rows_of(path)
    with closing(sqlite3.connect(path)) as other:
        for verb in ("INSERT", "UPDATE"):
            other.execute(
                f"CREATE TRIGGER full_{verb} BEFORE {verb} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        with pytest.raises(StoreError, match="full"):
            await WRITES[write](store)
        other.executescript("DROP TRIGGER full_INSERT; DROP TRIGGER full_UPDATE;")
    assert rows_of(path) == before
    assert await store.cases.holding(now=NOW) == held
    assert await store.cases.holds(now=NOW) == []
    await WRITES[write](store)
    assert rows_of(path) != before
    await store.aclose()


def check_rows(rows: Sequence[AuditRow]) -> tuple[int, bytes]:
    return check_chain(rows, domain=AUDIT_DOMAIN)


def one_byte_off(content: bytes) -> Iterator[bytes]:
    for place, byte in enumerate(content):
        yield content[:place] + bytes([byte ^ 1]) + content[place + 1 :]


def corrupt(path: Path, change: str) -> None:
    """Change the audit log as somebody could who may write to the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.executescript("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_cut;")
        assert other.execute(change).rowcount == 1


async def five_lines(path: Path) -> None:
    store = await open_store(path)
    await store.cases.log([event("read", f"case-{n}") for n in range(5)])
    await store.aclose()


@pytest.mark.parametrize("change", ["UPDATE audit SET position = 9", "DELETE FROM audit"])
async def test_the_database_itself_refuses_to_change_the_audit_log(
    tmp_path: Path, change: str
) -> None:
    path = tmp_path / "tracker.db"
    await five_lines(path)
    with closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.Error, match="appended"):
        other.execute(change)


async def test_one_changed_byte_anywhere_in_the_audit_log_is_found(tmp_path: Path) -> None:
    """Every byte of a line, of every line, and of every hash; whoever had the tip before sees a
    chain that was made anew or cut, too."""
    path = tmp_path / "tracker.db"
    await five_lines(path)
    store = await open_store(path)
    whole = await store.cases.audit(after=-1, limit=99)
    tip = await store.cases.audit_tip()
    await store.aclose()
    assert check_rows(whole) == tip
    for place, row in enumerate(whole):
        for changed in (
            *(row._replace(entry=each) for each in one_byte_off(row.entry)),
            *(row._replace(hash=each) for each in one_byte_off(row.hash)),
        ):
            with pytest.raises(ValueError, match=f"line {place} "):
                check_rows([*whole[:place], changed, *whole[place + 1 :]])
    assert check_rows(whole[:-1]) != tip
    with pytest.raises(ValueError, match="line 2"):
        check_rows([*whole[:2], *whole[3:]])


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET entry = CAST(replace(entry, 'case-2', 'case-7') AS BLOB)"
        " WHERE position = 2",
        "UPDATE audit SET hash = zeroblob(32) WHERE position = 2",
        "DELETE FROM audit WHERE position = 2",
    ],
)
async def test_a_change_in_the_file_is_found(tmp_path: Path, change: str) -> None:
    path = tmp_path / "tracker.db"
    await five_lines(path)
    corrupt(path, change)
    store = await open_store(path)
    rows = await store.cases.audit(after=-1, limit=99)
    await store.aclose()
    with pytest.raises(ValueError, match="line 2"):
        check_rows(rows)
