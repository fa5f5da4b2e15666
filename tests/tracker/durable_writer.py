"""A tracker to be killed: writes for ever and says what was acknowledged, one line each.

    python -m tests.tracker.durable_writer <database> <first rig>

| line                      | meaning                                      |
|---------------------------|----------------------------------------------|
| node <rig> <seq>          | the rig's descriptor with that seq is stored |
| health <rig> <checked_at> | the rig's health of that time is stored      |
| token <number>            | user <number>'s token is stored              |
"""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from luckrig.tracker.store.interface import Store
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.factories import NOW, make_health, make_node, make_token

SEQS_PER_RIG = 3


def acknowledge(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def write_rigs(store: Store, first: int) -> None:
    for rig in count(first):
        for seq in range(1, SEQS_PER_RIG + 1):
            node = make_node(rig, seq=seq)
            await store.put_descriptor(node.descriptor, node.signed, now=NOW)
            acknowledge(f"node {rig} {seq}")
            await store.put_health({node.node_id: make_health(seen_at=NOW + seq)})
            acknowledge(f"health {rig} {NOW + seq}")


async def write_tokens(store: Store, first: int) -> None:
    for number in count(first):
        await store.add_token(make_token(number, user=number))
        acknowledge(f"token {number}")


async def main(path: Path, first: int) -> None:
    store = await open_store(path)
    async with asyncio.TaskGroup() as group:
        group.create_task(write_rigs(store, first))
        group.create_task(write_tokens(store, first))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
