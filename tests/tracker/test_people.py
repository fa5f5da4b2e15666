"""People get all that is stored of them, and nobody else's; what they delete is gone; what has had
its time goes by itself."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from luckrig.protocol.account import Cell, EraseReply, EraseRequest
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.domain.stored_data import TABLES
from luckrig.tracker.store.interface import Store
from luckrig.tracker.store.memory import MemoryStore
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.cases import make_decision, make_hold, undone
from tests.tracker.factories import NOW, make_node
from tests.tracker.lives import ADA, BOB, COMMON_RIG, OPERATORS, Lives, Somebody, marks_in
from tests.tracker.trackers import running_tracker

HOUR, DAY = 3600, 86_400
STAYS = {"descriptor_log.node_id", "ledger.entry", "audit.entry"}


@pytest.fixture
async def lives(store: Store, tmp_path: Path) -> AsyncIterator[Lives]:
    async with running_tracker(store, operators=OPERATORS) as tracker:
        lives = Lives(tracker, tmp_path / "t.db")
        await lives.fill()
        yield lives


async def export(lives: Lives, one: Somebody) -> dict[str, list[dict[str, Cell]]]:
    return (await lives.people.export(one.user_id)).tables


async def erase(lives: Lives, one: Somebody) -> EraseReply:
    return await lives.people.erase(EraseRequest(user_id=one.user_id), asked_by=one.user_id)


async def test_every_table_and_column_of_the_database_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    await (await open_store(path)).aclose()
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not name.startswith("sqlite_")
        ]
        found = {
            table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for table in tables
        }
    listed = {table.name: [each.name for each in table.columns] for table in TABLES.values()}
    assert {name: sorted(columns) for name, columns in found.items()} == {
        name: sorted(columns) for name, columns in listed.items()
    }


def test_every_rule_names_columns_that_hold_ids() -> None:
    for table in TABLES.values():
        by = {*table.mine, *(name for rule in table.rules for name in rule.by)}
        by |= {each.shown_with for each in table.columns if each.shown_with is not None}
        assert all(table.column(name).names is not None for name in by), table.name
        for rule in table.rules:
            assert all(table.column(name) for name in rule.empties or {}), table.name


async def test_every_table_has_rows(lives: Lives) -> None:
    """Or else the other tests would show nothing."""
    assert {name for name, count in lives.counts().items() if count == 0} == set()


async def test_export_holds_all_of_a_persons_rows_and_no_one_elses(lives: Lives) -> None:
    for one, other in ((ADA, BOB), (BOB, ADA)):
        tables = await export(lives, one)
        assert {name: len(rows) for name, rows in tables.items() if rows} == {
            "nodes": 1,
            "descriptors": 1,
            "descriptor_log": 1,
            "live_hours": 1,
            "live_days": 1,
            "owner_wishes": 1,
            "users": 1,
            "handovers": 1,
            "invites": 1,
            "sessions": 1,
            "tokens": 3,
            "receipts": 4,
            "timings": 3,
            "notes": 2,
            "reproductions": 1,
            "reports": 1,
            "decisions": 2,
            "appeals": 2,
        }
        assert set(tables) == set(TABLES)
        text = json.dumps(tables)
        private = other.marks - {other.rig, other.note}  # these two are public
        opened = [value for rows in tables.values() for row in rows for value in row.values()]
        assert not [mark for mark in private if mark in text]
        assert not [value for value in opened if marks_in(value, private)]


async def test_deleting_leaves_nothing_but_what_is_said_to_stay(lives: Lives) -> None:
    before = await export(lives, BOB)
    assert len(lives.columns_with(ADA.marks)) > 20
    reply = await erase(lives, ADA)
    assert not reply.held
    assert {name: count for name, count in reply.erased.items() if count} == {
        "nodes": 1, "descriptors": 1, "live_hours": 1, "live_days": 1, "owner_wishes": 1,
        "users": 1, "handovers": 1, "invites": 1, "sessions": 1, "tokens": 4, "receipts": 4,
        "timings": 3, "notes": 3, "reproductions": 2, "cases": 2, "reports": 2, "decisions": 2,
        "appeals": 2,
    }  # fmt: skip
    assert lives.columns_with(ADA.marks) == STAYS
    assert lives.erased_rigs == [ADA.rig]
    assert await lives.store.node(ADA.rig) is None
    assert await lives.store.history(ADA.rig) == []
    lost = {"tokens": 1, "receipts": 1, "timings": 2, "notes": 1, "reproductions": 1}
    after = await export(lives, BOB)
    assert {name: len(rows) - len(after[name]) for name, rows in before.items()} == {
        name: lost.get(name, 0) for name in TABLES
    }
    listed = (await lives.tracker.http.get("/api/v1/nodes")).json()["nodes"]
    assert {node["id"] for node in listed} == {BOB.rig, COMMON_RIG.node_id}


async def test_deleting_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    store = await open_store(path)
    async with running_tracker(store, operators=OPERATORS) as tracker:
        lives = Lives(tracker, path)
        await lives.fill()
        await erase(lives, ADA)
    await store.aclose()
    store = await open_store(path)
    assert await store.node(ADA.rig) is None
    assert await store.users.user(ADA.user_id) is None
    assert await store.users.handover(ADA.old_id) is None
    assert await store.users.user(BOB.user_id) is not None
    await store.aclose()


async def test_stores_agree_on_exports_and_deletion(tmp_path: Path) -> None:
    found: list[object] = []
    for store in (MemoryStore(), await open_store(tmp_path / "t.db")):
        async with running_tracker(store, operators=OPERATORS) as tracker:
            lives = Lives(tracker, tmp_path / "t.db")
            await lives.fill()
            exports = [await export(lives, one) for one in (ADA, BOB)]
            erased = (await erase(lives, ADA)).erased
            left = {
                name: sorted(json.dumps(row, default=bytes.hex, sort_keys=True) for row in rows)
                for name, rows in lives.rows().items()
            }
        found.append((exports, erased, left, await export(lives, BOB)))
        await store.aclose()
    assert found[0] == found[1]


async def test_deleting_twice_is_fine(lives: Lives) -> None:
    await erase(lives, ADA)
    before = lives.counts()
    assert sum((await erase(lives, ADA)).erased.values()) == 0
    before["audit"] += 1
    assert lives.counts() == before
    assert not any((await export(lives, ADA)).values())


async def test_only_todays_key_asks_and_for_itself_only(lives: Lives) -> None:
    with pytest.raises(PeerError) as refused:
        await lives.people.erase(EraseRequest(user_id=ADA.user_id), asked_by=BOB.user_id)
    assert (refused.value.code, refused.value.param) == ("invalid_request", "user_id")
    with pytest.raises(PeerError, match="handed over"):
        await lives.people.export(ADA.old_id)
    with pytest.raises(PeerError, match="handed over"):
        await lives.people.erase(EraseRequest(user_id=ADA.old_id), asked_by=ADA.old_id)
    assert await lives.store.users.user(ADA.user_id) is not None


async def test_what_still_runs_is_called_back(lives: Lives) -> None:
    """Until it expires; the rig's owner gets no receipt for it any more."""
    mine = {(row["node_id"], row["sub"]) for row in (await export(lives, ADA))["tokens"]}
    before = await lives.store.revoked(now=NOW)
    await erase(lives, ADA)
    called_back = await lives.store.revoked(now=NOW)
    assert mine <= called_back
    theirs = {(row["node_id"], row["sub"]) for row in (await export(lives, BOB))["tokens"]
              if row["user_id"] == BOB.user_id}  # fmt: skip
    assert not theirs & called_back
    assert before <= called_back
    assert await lives.store.revoked(now=NOW + HOUR) == set()


async def test_deletion_is_in_the_audit_log_without_a_name(lives: Lives) -> None:
    await erase(lives, ADA)
    entry = json.loads((await lives.store.cases.audit(after=-1, limit=999))[-1].entry)
    assert (entry["event"], entry["by"]) == ("erased", "")
    assert len(entry["subject"]) == 64
    assert not marks_in(json.dumps(entry), ADA.marks)


async def test_nobody_shakes_off_a_ban(lives: Lives) -> None:
    """With neither key, while it stands; afterwards the hand-over goes, too."""
    await lives.decide("ban", ADA.user_id)
    await lives.decide("ban", ADA.rig)
    await erase(lives, ADA)
    body = json.dumps({"node_id": COMMON_RIG.node_id}).encode()
    refusals = [
        (await lives.tracker.ask_token(body, key=key)).json()["error"]["code"]
        for key in (ADA.key, ADA.old_key)
    ]
    assert refusals == ["banned", "key_replaced"]
    again = await lives.tracker.publish(make_node(ADA.number))
    assert again.json()["error"]["code"] == "banned"
    held = await lives.store.cases.holding(now=NOW)
    assert {ADA.user_id, ADA.rig} <= set(held)
    await lives.retention.tidy()
    assert lives.columns_with({ADA.old_id}) == {"handovers.old_user_id"}
    assert {row["signed"] for row in lives.rows()["handovers"]} >= {""}
    for decision in held.values():
        await lives.store.cases.undo_decision(undone(decision, at=NOW), events=[])
    await lives.retention.tidy()
    assert lives.columns_with({ADA.old_id}) == set()
    lives.tracker.clock.now += 3600  # a rig that must refuse old tokens takes no new ones
    for key in (ADA.key, ADA.old_key):
        assert (await lives.tracker.ask_token(body, key=key)).status_code == 200


async def test_an_open_case_keeps_the_report_until_it_is_decided(lives: Lives) -> None:
    await lives.report(ADA.key, "node", COMMON_RIG.node_id)
    await lives.report(BOB.key, "user", ADA.user_id)
    await erase(lives, ADA)
    case = (await lives.store.cases.cases_about("node", COMMON_RIG.node_id, limit=1))[0]
    (report,) = await lives.store.cases.reports_of(case.case_id, limit=9)
    assert (report.reporter_id, report.name) == (ADA.user_id, "A Name")
    assert lives.columns_with(ADA.marks) - STAYS == {
        "reports.reporter_id", "reports.subject_id", "cases.subject_id",
    }  # fmt: skip
    await lives.decide("dismiss", COMMON_RIG.node_id, case_id=case.case_id)
    await erase(lives, ADA)
    assert lives.columns_with(ADA.marks) - STAYS == {"reports.subject_id", "cases.subject_id"}


async def test_a_legal_hold_beats_deletion(lives: Lives) -> None:
    await lives.report(BOB.key, "user", ADA.user_id, category="child_safety")
    case = (await lives.store.cases.cases_about("user", ADA.user_id, limit=1))[0]
    hold = make_hold(case.case_id, ADA.user_id, until=NOW + 400 * DAY)
    await lives.store.cases.put_hold(hold, events=[])
    before = await export(lives, ADA)
    reply = await erase(lives, ADA)
    assert reply.held
    assert await export(lives, ADA) == before
    await lives.store.cases.release_hold(case.case_id, events=[])
    assert not (await erase(lives, ADA)).held
    assert await lives.store.node(ADA.rig) is None


async def test_a_held_rig_stays_and_its_owners_other_rows_go(lives: Lives) -> None:
    case = (await lives.store.cases.cases_about("node", ADA.rig, limit=1))[0]
    hold = make_hold(case.case_id, ADA.rig, until=NOW + 400 * DAY)
    await lives.store.cases.put_hold(hold, events=[])
    assert (await erase(lives, ADA)).held
    assert await lives.store.node(ADA.rig) is not None
    assert lives.erased_rigs == []
    assert await lives.store.users.user(ADA.user_id) is None
    assert "sessions.user_id" not in lives.columns_with(ADA.marks)


async def test_the_retention_job_keeps_what_the_list_says(lives: Lives) -> None:
    """Every table, as the clock moves; the last person's rows are under a hold of 500 days."""
    start = lives.counts()
    await lives.retention.tidy()
    assert lives.counts() == start

    async def gone_after(seconds: int) -> dict[str, int]:
        lives.tracker.clock.now = NOW + seconds
        before = lives.counts()
        await lives.retention.tidy()
        left = lives.counts()
        return {name: before[name] - left[name] for name in TABLES if before[name] != left[name]}

    held = {"tokens": 1, "receipts": 1}
    assert await gone_after(12 * HOUR - 1) == {"quotas": start["quotas"]}
    assert await gone_after(12 * HOUR) == {"sessions": 2}
    assert await gone_after(DAY) == {"invites": 2}
    assert await gone_after(DAY + HOUR) == {"tokens": start["tokens"] - held["tokens"]}
    assert await gone_after(90 * DAY) == {}
    assert await gone_after(90 * DAY + 1) == {
        "receipts": start["receipts"] - held["receipts"], "timings": start["timings"],
    }  # fmt: skip
    assert await gone_after(365 * DAY) == {}
    assert await lives.store.cases.decisions_about([ADA.user_id]) != []
    assert await gone_after(365 * DAY + 1) == {"audit": -1}
    assert lives.columns_with({ADA.user_id}) & {"decisions.target_id", "appeals.appellant"} == set()
    rows = lives.rows()["reports"]
    assert [row["name"] for row in rows] == [None, None, "A Name"]
    assert {row["reason"] for row in lives.rows()["decisions"]} == {""}
    assert await gone_after(500 * DAY) == {"holds": 1, "tokens": 1, "receipts": 1}
    never = set(TABLES) - {
        "quotas", "sessions", "invites", "tokens", "receipts", "timings", "holds", "audit",
    }  # fmt: skip
    assert {name: lives.counts()[name] for name in never} == {name: start[name] for name in never}


async def test_retention_empties_a_closed_case_when_nothing_in_it_holds(lives: Lives) -> None:
    ban = make_decision(77, target=ADA.user_id, seconds=2 * 365 * DAY)
    await lives.store.cases.put_decision(ban, events=[AuditEntry(
        at=NOW, by="", event="decided", subject=ban.decision_id)])  # fmt: skip
    for years, target in ((2, ADA.user_id), (3, ADA.user_id), (4, "")):
        lives.tracker.clock.now = NOW + years * 365 * DAY
        await lives.retention.tidy()
        stored = await lives.store.cases.decision(ban.decision_id)
        assert stored == replace(ban, target_id=target, reason=ban.reason if target else "")
    assert derive_id("u1", ADA.key.public) == ADA.user_id
