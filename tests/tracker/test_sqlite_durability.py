"""kill -9 at any moment loses nothing that was acknowledged."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from luckrig.protocol.descriptor_log import LogEntry, descriptor_hash
from luckrig.tracker.store.interface import Store
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.factories import NOW, make_node, make_token, seeded
from tests.tracker.store_contract import whole_log

ROOT = Path(__file__).parents[2]
ROUNDS = 5
MAX_ACKS_BEFORE_KILL = 60


def acknowledged_before_kill(path: Path, first: int, rng: Random) -> list[list[str]]:
    """Start a writer, kill it after a random acknowledgement, return all it acknowledged."""
    command = [sys.executable, "-m", "tests.tracker.durable_writer", str(path), str(first)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE) as child:  # noqa: S603
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(rng.randint(1, MAX_ACKS_BEFORE_KILL))]
        child.kill()
        lines += child.stdout.readlines()
    return [line.decode().split() for line in lines]


async def check(store: Store, acknowledged: list[list[str]]) -> None:
    for kind, *numbers in acknowledged:
        match kind, list(map(int, numbers)):
            case "node", [rig, seq]:
                history = await store.history(make_node(rig).node_id)
                assert history[:seq] == [make_node(rig, seq=n).signed for n in range(1, seq + 1)]
            case "health", [rig, checked_at]:
                node = await store.node(make_node(rig).node_id)
                assert node is not None
                assert (node.health.checked_at or 0) >= checked_at
            case "token", [number]:
                assert await store.tokens_of(make_token(user=number).user_id, since=0) == 1
            case _:
                pytest.fail(f"unknown line {kind}")


async def check_is_whole(store: Store) -> None:
    """What was stored without being acknowledged is whole, too."""
    for node in await store.nodes():
        rig = int(node.descriptor.name.removeprefix("rig "))
        expected = make_node(rig, seq=node.descriptor.seq)
        assert (node.descriptor, node.signed) == (expected.descriptor, expected.signed)
        assert node.listed_at == NOW


async def check_log(store: Store, before: list[LogEntry]) -> list[LogEntry]:
    """The log is a chain, goes on from where it was, and holds just what the history holds."""
    entries = await whole_log(store)
    assert entries[: len(before)] == before
    hashes: dict[str, list[str]] = {node.node_id: [] for node in await store.nodes()}
    for entry in entries:
        hashes[entry.node_id].append(entry.descriptor_hash)
    for node_id, logged in hashes.items():
        assert logged == [descriptor_hash(signed) for signed in await store.history(node_id)]
    return entries


@pytest.mark.parametrize("seed", range(4))
async def test_acknowledged_writes_survive_kill_9(tmp_path: Path, seed: int) -> None:
    """Each round runs on the database that the kill before left behind."""
    path, rng = tmp_path / "tracker.db", seeded(seed)
    acknowledged: list[list[str]] = []
    logged: list[LogEntry] = []
    for round_number in range(ROUNDS):
        first = 1 + 1000 * round_number
        acknowledged += acknowledged_before_kill(path, first, rng)
        store = await open_store(path)
        await check(store, acknowledged)
        await check_is_whole(store)
        logged = await check_log(store, logged)
        await store.aclose()
    assert len(acknowledged) >= ROUNDS
