"""Whose rigs are whose."""

from collections.abc import Collection

from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.store.interface import Store


async def rigs_of(store: Store, user_ids: Collection[str]) -> list[NodeRecord]:
    """The rigs that those keys put here, listed or not, in no particular order."""
    return [node for node in await store.nodes() if node.descriptor.owner_id in user_ids]
