"""What a legal hold holds: a person's rows are named by more ids than the hold itself names."""

from luckrig.tracker.service.owners import rigs_of
from luckrig.tracker.service.users import UserService
from luckrig.tracker.store.interface import Store


async def held_ids(store: Store, users: UserService, *, now: float) -> frozenset[str]:
    """The ids whose rows stay at `now`: those under a hold, and with a user all keys and rigs that
    are theirs, and their name in the ledger."""
    held: set[str] = set()
    for hold in await store.cases.holds(now=now):
        held.update(hold.subjects)
    for user_id in [each for each in held if each.startswith("u1")]:
        held.update(await store.users.all_ids(user_id))
        held.add(await users.account_of(user_id))
    held.update([node.node_id for node in await rigs_of(store, held)])
    return frozenset(held)
