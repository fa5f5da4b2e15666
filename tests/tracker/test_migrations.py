"""Upgrades of the database: whole or not at all, and never without a way back."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from luckrig.protocol.descriptor_log import descriptor_hash
from luckrig.tracker.domain.ledger import Uptime, canonical
from luckrig.tracker.store.interface import StoreError
from luckrig.tracker.store.migrations import load_migrations, migrate
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.cases import make_appeal
from tests.tracker.factories import NOW, make_node, make_token
from tests.tracker.store_contract import put, whole_log

FIRST = "CREATE TABLE rigs (name TEXT NOT NULL) STRICT;"
SECOND = "ALTER TABLE rigs ADD COLUMN gpu TEXT; UPDATE rigs SET gpu = 'P40';"
THIRD = "CREATE TABLE notes (text TEXT) STRICT;"
BROKEN = "ALTER TABLE rigs ADD COLUMN gpu TEXT; UPDATE nothing SET gpu = 'P40';"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tracker.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def version_of(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def rows_of(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM rigs").fetchall()


def start_with_version_1(connection: sqlite3.Connection, path: Path) -> None:
    migrate(connection, path, [FIRST])
    connection.execute("INSERT INTO rigs VALUES ('attic')")


def test_a_new_database_gets_every_version_and_no_backup(
    connection: sqlite3.Connection, path: Path
) -> None:
    migrate(connection, path, [FIRST, SECOND, THIRD])
    assert version_of(connection) == 3
    assert [file.name for file in path.parent.iterdir()] == ["tracker.db"]


def test_an_older_database_is_copied_then_upgraded(
    connection: sqlite3.Connection, path: Path
) -> None:
    start_with_version_1(connection, path)
    migrate(connection, path, [FIRST, SECOND, THIRD])
    assert version_of(connection) == 3
    assert rows_of(path) == [("attic", "P40")]
    backup = path.with_name("tracker.db.v1.bak")
    assert rows_of(backup) == [("attic",)]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert {file.name for file in path.parent.iterdir()} == {path.name, backup.name}


def test_a_current_database_is_left_alone(connection: sqlite3.Connection, path: Path) -> None:
    start_with_version_1(connection, path)
    migrate(connection, path, [FIRST])
    assert [file.name for file in path.parent.iterdir()] == ["tracker.db"]


def test_a_backup_replaces_an_old_one_and_what_a_crash_left(
    connection: sqlite3.Connection, path: Path
) -> None:
    """As after going back to a backup, running on, and upgrading again."""
    backup = path.with_name("tracker.db.v1.bak")
    backup.write_bytes(b"the backup of an earlier upgrade")
    path.with_name("tracker.db.v1.bak.draft").write_bytes(b"half a ba")
    start_with_version_1(connection, path)
    migrate(connection, path, [FIRST, SECOND])
    assert rows_of(backup) == [("attic",)]
    assert {file.name for file in path.parent.iterdir()} == {path.name, backup.name}


def test_a_newer_database_is_refused_untouched(connection: sqlite3.Connection, path: Path) -> None:
    start_with_version_1(connection, path)
    migrate(connection, path, [FIRST, SECOND])
    path.with_name("tracker.db.v1.bak").unlink()
    with pytest.raises(StoreError, match=r"schema version 2.*knows versions up to 1"):
        migrate(connection, path, [FIRST])
    assert version_of(connection) == 2
    assert [file.name for file in path.parent.iterdir()] == ["tracker.db"]


def test_a_migration_that_fails_leaves_the_version_before(
    connection: sqlite3.Connection, path: Path
) -> None:
    start_with_version_1(connection, path)
    with pytest.raises(sqlite3.Error):
        migrate(connection, path, [FIRST, SECOND.replace("gpu", "cpu"), BROKEN])
    assert version_of(connection) == 2
    assert rows_of(path) == [("attic", "P40")]
    migrate(connection, path, [FIRST, SECOND.replace("gpu", "cpu"), THIRD])
    assert version_of(connection) == 3


CRASH = """
import os, signal, sqlite3, sys
from pathlib import Path
from luckrig.tracker.store.migrations import migrate
path, *migrations = sys.argv[1:]
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.create_function("crash", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
migrate(connection, Path(path), migrations)
"""


def test_a_crash_inside_a_migration_leaves_the_version_before(
    connection: sqlite3.Connection, path: Path
) -> None:
    start_with_version_1(connection, path)
    crashing = SECOND + "SELECT crash();" + THIRD
    child = subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, "-c", CRASH, path, FIRST, crashing], check=False, env=os.environ
    )
    assert child.returncode == -signal.SIGKILL
    assert version_of(connection) == 1
    assert rows_of(path) == rows_of(path.with_name("tracker.db.v1.bak")) == [("attic",)]
    migrate(connection, path, [FIRST, SECOND])
    assert rows_of(path) == [("attic", "P40")]


async def test_a_store_has_the_newest_version(path: Path) -> None:
    await (await open_store(path)).aclose()
    with closing(sqlite3.connect(path)) as connection:
        assert version_of(connection) == len(load_migrations()) >= 1


async def test_a_store_refuses_a_newer_database(path: Path) -> None:
    await (await open_store(path)).aclose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="schema version 99"):
        await open_store(path)


async def test_what_was_listed_before_there_was_a_log_is_in_it(
    connection: sqlite3.Connection, path: Path
) -> None:
    """In the order it came, which the clock of that time needn't show; then it goes on."""
    migrate(connection, path, load_migrations()[:1])
    nodes = [make_node(seed, seq=seq) for seed, seq in ((2, 1), (1, 1), (2, 4), (3, 9), (1, 2))]
    for number, node in enumerate(nodes):
        connection.execute(
            "INSERT INTO descriptors VALUES (?, ?, ?, ?)",
            (node.node_id, node.descriptor.seq, node.signed, NOW - number % 2),
        )
    connection.execute(
        "INSERT INTO nodes (node_id, seq, listed_at, status, misses)"
        " SELECT node_id, max(seq), published_at, 'unknown', 0 FROM descriptors GROUP BY node_id"
    )
    connection.close()
    store = await open_store(path)
    await put(store, make_node(4, listed_at=NOW + 9))
    entries = await whole_log(store)
    await store.aclose()
    assert [(entry.node_id, entry.seq, entry.descriptor_hash) for entry in entries] == [
        (node.node_id, node.descriptor.seq, descriptor_hash(node.signed))
        for node in (*nodes, make_node(4))
    ]
    assert [entry.listed_at - NOW for entry in entries] == [0, -1, 0, -1, 0, 9]


async def test_bans_become_decisions_that_hold(connection: sqlite3.Connection, path: Path) -> None:
    """Each with a case, so that it can be appealed; what had expired doesn't come back."""
    migrate(connection, path, load_migrations()[:6])
    user, rig, free = "u1" + "a" * 32, make_node().node_id, "u1" + "b" * 32
    for subject, expires_at in ((user, None), (rig, NOW + 100), (free, NOW - 1)):
        kind = "node" if subject.startswith("n1") else "user"
        connection.execute(
            "INSERT INTO bans VALUES (?, ?, ?, ?, ?, ?)",
            (subject, kind, "spam 迷惑", NOW - 9, expires_at, "u1" + "o" * 32),
        )
    token = replace(make_token(), user_id=user)
    row = (token.jti, user, token.node_id, token.sub, token.issued_at, token.expires_at, 9, None)
    connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    store = await open_store(path)
    held = await store.cases.holding(now=NOW)
    assert {target: (each.action, each.expires_at) for target, each in held.items()} == {
        user: ("ban", None),
        rig: ("suspend", NOW + 100),
    }
    assert set(await store.cases.holding(now=NOW + 100)) == {user}
    assert await store.revoked(now=NOW) == {(token.node_id, token.sub)}
    ban = held[user]
    assert (ban.reason, ban.decided_at, ban.target_kind) == ("spam 迷惑", NOW - 9, "user")
    assert not ban.automated
    assert ban.case_id is not None
    case = await store.cases.case(ban.case_id)
    assert case is not None
    assert (case.subject_id, case.closed_at, case.reports) == (user, NOW - 9, 0)
    assert await store.cases.put_appeal(make_appeal(decision_id=ban.decision_id), events=[])
    assert await store.cases.open_cases(after=None, limit=9, appealed=True) == [case]
    await store.aclose()


async def test_days_of_the_ledger_are_a_rigs_past(
    connection: sqlite3.Connection, path: Path
) -> None:
    """A tracker that gets the table shows at once what it knows; of rigs that are gone, nothing."""
    migrate(connection, path, load_migrations()[:7])
    node, gone, day = make_node(), make_node(2), NOW // 86_400
    for position, (rig, hours) in enumerate(((node, 5), (gone, 24), (node, 0))):
        entry = Uptime(
            node_id=rig.node_id,
            owner_id="u1" + "a" * 32,
            day=day + position,
            live_hours=hours,
            scarcity_milli=500,
        )
        row = (position, canonical(entry), b"")
        connection.execute("INSERT INTO ledger VALUES (?, ?, ?)", row)
    connection.execute(
        "INSERT INTO descriptors VALUES (?, ?, ?, ?)", (node.node_id, 1, node.signed, NOW)
    )
    connection.execute(
        "INSERT INTO nodes (node_id, seq, listed_at, status, misses)"
        " VALUES (?, 1, 1, 'unknown', 0)",
        (node.node_id,),
    )
    connection.close()
    store = await open_store(path)
    days = [await store.contributions.live_days(rig.node_id, since=0) for rig in (node, gone)]
    await store.aclose()
    assert days == [{day: 5}, {}]
