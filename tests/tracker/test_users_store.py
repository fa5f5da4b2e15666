"""Both stores keep the users' contract; the file remembers all of it."""

from pathlib import Path

import pytest

from luckrig.protocol.errors import PeerError
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.factories import NOW, make_token
from tests.tracker.users_contract import UsersContract, daily, handover, hourly, register, uid, user


class TestUsers(UsersContract):
    """Both kinds of store: conftest.py."""


async def test_restart_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    store = await open_store(path)
    await register(store, user("a"), daily(2))
    await register(store, user("b"), daily(2))
    await store.users.promote([user("a").account], now=NOW)
    await store.users.hand_over(handover("a", "c"), uses=[], now=NOW)
    for number in (1, 2):
        await store.add_token(make_token(number), uses=[hourly(2)], now=NOW)
    await store.aclose()
    store = await open_store(path)
    assert await store.users.first_id(uid("c")) == uid("a")
    promoted = await store.users.user(uid("c"))
    assert promoted is not None
    assert promoted.contributor_since == NOW
    with pytest.raises(PeerError, match="tokens of this hour"):
        await store.add_token(make_token(3), uses=[hourly(2)], now=NOW)
    with pytest.raises(PeerError, match="new keys"):
        await register(store, user("d"), daily(2))
    await store.aclose()
