"""Both stores keep the contract, and agree with each other after any history."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from luckrig.protocol.descriptor_log import LogEntry
from luckrig.protocol.errors import PeerError
from luckrig.protocol.wire import NodeStatus
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.store.interface import Store, StoreError
from luckrig.tracker.store.memory import MemoryStore
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.factories import NOW, make_decision, make_health, make_node, make_token, seeded
from tests.tracker.store_contract import StoreContract, put, whole_log


class TestStore(StoreContract):
    """Both kinds of store: conftest.py."""


async def random_step(store: Store, rng: Random, step: int) -> object:
    """Do the next thing that `rng` says; return what came back, errors included."""
    seed, seq = rng.randint(1, 5), rng.randint(1, 6)
    statuses: list[NodeStatus] = ["available", "paused"]
    try:
        match rng.choice(
            ["put", "put", "health", "token", "count", "prune", "ban", "lift", "revoked"]
        ):
            case "put":
                endpoints = [f"https://{rng.randint(1, 2)}.example"]
                node = make_node(seed, seq=seq, endpoints=endpoints, listed_at=NOW + step)
                return await put(store, node)
            case "health":
                health = make_health(rng.choice(statuses), seen_at=NOW + step)
                await store.put_health({make_node(n).node_id: health for n in (seed, seed + 1)})
            case "token":
                await store.add_token(
                    make_token(rng.randint(1, 30), user=seed, issued_at=NOW + step)
                )
            case "count":
                user_id = make_token(user=seed).user_id
                return await store.tokens_of(user_id, since=NOW + step // 2)
            case "ban":
                user_id = make_token(user=seed).user_id
                seconds = rng.choice([None, step + 5])
                ban = make_decision(user_id, number=step, seconds=seconds)
                await store.cases.put_decision(ban, events=[])
            case "lift":
                user_id = make_token(user=seed).user_id
                held = (await store.cases.holding(now=NOW + step)).get(user_id)
                if held is not None:
                    undone = replace(held, undone_at=NOW + step)
                    return await store.cases.undo_decision(undone, events=[])
            case "revoked":
                return await store.revoked(now=NOW + step)
            case _:
                return await store.prune_tokens(now=NOW + 900 + step // 3)
    except (PeerError, StoreError) as error:
        return type(error)
    return None


async def everything(store: Store) -> tuple[list[NodeRecord], list[list[bytes]], list[LogEntry]]:
    nodes = sorted(await store.nodes(), key=lambda node: node.node_id)
    histories = [await store.history(node.node_id) for node in nodes]
    return nodes, histories, await whole_log(store)


@pytest.mark.parametrize("seed", range(5))
async def test_stores_agree_after_any_history(tmp_path: Path, seed: int) -> None:
    """The same steps on both, with the database closed and opened now and then."""
    memory, sqlite = MemoryStore(), await open_store(tmp_path / "tracker.db")
    for step in range(60):
        expected = await random_step(memory, seeded(f"{seed} {step}"), step)
        assert await random_step(sqlite, seeded(f"{seed} {step}"), step) == expected
        if step % 20 == 19:
            await sqlite.aclose()
            sqlite = await open_store(tmp_path / "tracker.db")
        assert await everything(sqlite) == await everything(memory)
    await sqlite.aclose()


async def test_what_a_cancelled_write_left_is_what_the_next_start_finds(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "tracker.db")
    tasks = [asyncio.create_task(put(store, make_node(seed))) for seed in range(1, 30)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await store.history("")  # waits for the write that nobody waits for any more
    shown = await everything(store)
    await store.aclose()
    reopened = await open_store(tmp_path / "tracker.db")
    assert await everything(reopened) == shown
    await reopened.aclose()


async def test_a_write_that_fails_half_way_never_happened(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    store = await open_store(path)
    await put(store, make_node(1))
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON nodes BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.raises(StoreError, match=r"tracker\.db failed: full"):
        await put(store, make_node(2))
    assert await store.nodes() == [make_node(1)]
    assert await store.history(make_node(2).node_id) == []
    assert [entry.node_id for entry in await whole_log(store)] == [make_node(1).node_id]
    await store.aclose()


@pytest.mark.parametrize(
    "change", ["UPDATE descriptor_log SET seq = 9", "DELETE FROM descriptor_log"]
)
async def test_the_database_itself_refuses_to_change_the_log(tmp_path: Path, change: str) -> None:
    """Against our own mistakes: an operator can drop the trigger, but the chain then tells."""
    path = tmp_path / "tracker.db"
    store = await open_store(path)
    await put(store, make_node())
    await store.aclose()
    with closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.Error, match="appended"):
        other.execute(change)


def modes_in(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_only_its_owner_reads_the_database(tmp_path: Path) -> None:
    """Also the files beside it, which hold the same rows."""
    store = await open_store(tmp_path / "tracker.db")
    await put(store, make_node())
    modes = modes_in(tmp_path)
    await store.aclose()
    assert modes == {"tracker.db": 0o600, "tracker.db-wal": 0o600, "tracker.db-shm": 0o600}


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        await open_store(path)
    with pytest.raises(StoreError, match="No such file or directory"):
        await open_store(tmp_path / "nowhere" / "tracker.db")


async def test_a_stored_descriptor_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    store = await open_store(path)
    await put(store, make_node())
    await store.aclose()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE descriptors SET signed = x'7b7d'")
    with pytest.raises(StoreError, match=f"{make_node().node_id}.*can't be read"):
        await open_store(path)
