"""Bring a database to the schema of this code, or leave it exactly as it was.

schema/0001_initial.sql makes version 1 of an empty file, schema/0002_….sql makes version 2 of
version 1, and so on; `PRAGMA user_version` says which one a file has. A migration is one
transaction, so it can't contain VACUUM or a switch of foreign keys. SQL can't hash, so migrations
may call the functions that _lend_functions lists; what they leave behind (triggers, views, indexes)
may not, for other connections don't have them.
"""

import os
import sqlite3
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from luckrig.protocol.descriptor_log import GENESIS_HASH, descriptor_hash, entry_hash
from luckrig.tracker.store.interface import StoreError


def load_migrations() -> list[str]:
    """The SQL of every version, version 1 first. Raises ValueError on a gap in the numbers."""
    folder = resources.files("luckrig.tracker.store") / "schema"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=_name)
    for version, file in enumerate(files, start=1):
        if not file.name.startswith(f"{version:04}_"):
            raise ValueError(f"schema/{file.name} should be version {version}")
    return [file.read_text(encoding="utf-8") for file in files]


def _name(file: Traversable) -> str:
    return file.name


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    """Run what the database at `path` lacks. connection: in autocommit mode, in no transaction.

    An existing database is first copied to `<path>.v<N>.bak`, N being its version. Raises
    StoreError when the database is newer than the code; nothing was changed then.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > len(migrations):
        raise StoreError(
            f"{path} has schema version {found}, and this luckrig knows versions up to "
            f"{len(migrations)}. Start the newer luckrig that wrote it, or restore a backup."
        )
    if 0 < found < len(migrations):
        _back_up(connection, path.with_name(f"{path.name}.v{found}.bak"))
    _lend_functions(connection)
    for version, sql in enumerate(migrations[found:], start=found + 1):
        with connection:  # commits at the end, rolls back on an error
            connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {version};")


def _lend_functions(connection: sqlite3.Connection) -> None:
    def log_entry_hash(
        previous: str, index: int, node_id: str, seq: int, digest: str, listed_at: int
    ) -> str:
        return entry_hash(
            previous,
            index=index,
            node_id=node_id,
            seq=seq,
            descriptor_hash=digest,
            listed_at=listed_at,
        )

    connection.create_function("log_genesis_hash", 0, lambda: GENESIS_HASH, deterministic=True)
    connection.create_function("log_descriptor_hash", 1, descriptor_hash, deterministic=True)
    connection.create_function("log_entry_hash", 6, log_entry_hash, deterministic=True)


def _back_up(connection: sqlite3.Connection, backup: Path) -> None:
    """Copy the database. A file with the backup's name is always whole: it is renamed last."""
    draft = backup.with_name(f"{backup.name}.draft")
    draft.unlink(missing_ok=True)
    file = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        connection.execute("VACUUM INTO ?", (str(draft),))  # into an empty file it may
        os.fsync(file)  # VACUUM INTO itself doesn't
    finally:
        os.close(file)
    draft.replace(backup)
