"""What every UserStore does, and what tokens have to do with it."""

import asyncio

import pytest

from luckrig.protocol.errors import PeerError
from luckrig.tracker.domain.quotas import Use, use
from luckrig.tracker.domain.records import HandoverRecord, InviteRecord, UserRecord
from luckrig.tracker.store.interface import Store, StoreError
from tests.tracker.factories import NOW, make_token

SECRET = b"pairwise" * 4


def user(letter: str, *, since: int | None = None) -> UserRecord:
    return UserRecord(
        user_id=uid(letter), account=f"u1account-{letter}", registered_at=NOW,
        contributor_since=since,
    )  # fmt: skip


def uid(letter: str) -> str:
    return "u1" + letter * 32


def handover(old: str, new: str, *, at: int = NOW) -> HandoverRecord:
    return HandoverRecord(
        old_user_id=uid(old), new_user_id=uid(new), signed=f"{old}{new}", received_at=at
    )


def invite(*, uses: int = 1, expires_at: int = NOW + 60) -> InviteRecord:
    return InviteRecord(
        code_hash="hash", made_by=uid("o"), made_at=NOW, expires_at=expires_at, uses_left=uses
    )


def hourly(limit: int, *, now: float = NOW) -> Use:
    return use("tokens", "somebody", limit=limit, now=now, secret=SECRET)


def daily(limit: int) -> Use:
    return use("registrations", "192.0.2.0/24", limit=limit, now=NOW, secret=SECRET)


async def register(
    store: Store, who: UserRecord, *uses: Use, code: str | None = None
) -> UserRecord:
    return await store.users.register(who, invite_hash=code, uses=uses, now=NOW)


class UsersContract:
    """Subclasses give the store."""

    async def test_user_is_remembered_once(self, store: Store) -> None:
        assert await store.users.user(uid("a")) is None
        assert await register(store, user("a"), daily(1)) == user("a")
        again = UserRecord(user_id=uid("a"), account="other", registered_at=NOW + 9)
        assert await register(store, again, daily(1)) == user("a")
        assert await store.users.user(uid("a")) == user("a")

    async def test_met_limit_changes_nothing(self, store: Store) -> None:
        await register(store, user("a"), daily(1))
        with pytest.raises(PeerError, match="limit") as refused:
            await register(store, user("b"), daily(1))
        assert refused.value.code == "rate_limited"
        assert refused.value.retry_after_seconds == daily(1).ends_at - NOW
        assert await store.users.user(uid("b")) is None
        await register(store, user("b"), daily(2))

    async def test_one_of_two_limits_met_counts_neither(self, store: Store) -> None:
        await store.add_token(make_token(1), uses=[hourly(2), daily(1)], now=NOW)
        with pytest.raises(PeerError):
            await store.add_token(make_token(2), uses=[hourly(2), daily(1)], now=NOW)
        await store.add_token(make_token(3), uses=[hourly(2)], now=NOW)
        with pytest.raises(PeerError):
            await store.add_token(make_token(4), uses=[hourly(2)], now=NOW)
        assert await store.token(make_token(4).jti) is None

    async def test_tokens_that_come_together_are_counted_one_by_one(self, store: Store) -> None:
        results = await asyncio.gather(
            *(store.add_token(make_token(n), uses=[hourly(5)], now=NOW) for n in range(20)),
            return_exceptions=True,
        )
        assert sum(result is None for result in results) == 5
        assert await store.tokens_of(make_token().user_id, since=0) == 5

    async def test_double_token_fails_alone_and_costs_nothing(self, store: Store) -> None:
        await store.add_token(make_token(1))
        results = await asyncio.gather(
            *(store.add_token(make_token(n), uses=[hourly(9)], now=NOW) for n in (1, 2, 3, 3)),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [
            StoreError, type(None), type(None), StoreError,
        ]  # fmt: skip
        for number in range(4, 11):
            await store.add_token(make_token(number), uses=[hourly(9)], now=NOW)
        with pytest.raises(PeerError):
            await store.add_token(make_token(11), uses=[hourly(9)], now=NOW)

    async def test_next_window_counts_from_nothing(self, store: Store) -> None:
        await store.add_token(make_token(1), uses=[hourly(1)], now=NOW)
        later = hourly(1, now=NOW + 3600)
        await store.add_token(make_token(2), uses=[later], now=NOW + 3600)
        assert await store.users.prune(now=NOW + 3599) == 0
        assert await store.users.prune(now=NOW + 3600) == 1
        with pytest.raises(PeerError):
            await store.add_token(make_token(3), uses=[later], now=NOW + 3600)

    async def test_contributors_are_made_once_and_for_good(self, store: Store) -> None:
        for letter in "ab":
            await register(store, user(letter))
        accounts = {user("a").account, "u1nobody"}
        assert await store.users.promote(accounts, now=NOW + 5) == 1
        assert await store.users.promote(accounts, now=NOW + 6) == 0
        assert await store.users.user(uid("a")) == user("a", since=NOW + 5)
        assert await store.users.user(uid("b")) == user("b")

    async def test_user_moves_to_the_new_key(self, store: Store) -> None:
        await register(store, user("a"))
        await store.users.promote([user("a").account], now=NOW)
        made = await store.users.hand_over(handover("a", "b"), uses=[daily(2)], now=NOW)
        assert made == handover("a", "b")
        replayed = await store.users.hand_over(
            handover("a", "b", at=NOW + 9), uses=[daily(1)], now=NOW
        )
        assert replayed == handover("a", "b")
        moved = await store.users.user(uid("b"))
        assert moved is not None
        assert (moved.account, moved.contributor_since) == (user("a").account, NOW)
        assert await store.users.user(uid("a")) is None
        assert await store.users.handover(uid("a")) == handover("a", "b")
        with pytest.raises(PeerError) as refused:
            await register(store, user("a"))
        assert refused.value.code == "key_replaced"
        assert await store.users.promote([user("a").account], now=NOW + 1) == 0
        await store.users.hand_over(handover("b", "c"), uses=[], now=NOW)
        assert await store.users.first_id(uid("c")) == uid("a")
        assert await store.users.latest_id(uid("a")) == uid("c")

    @pytest.mark.parametrize(
        ("old", "new", "code"),
        [
            ("a", "c", "key_replaced"),
            ("c", "b", "handover_conflict"),
            ("c", "a", "handover_conflict"),
            ("b", "a", "handover_conflict"),
            ("c", "d", "handover_conflict"),
            ("c", "c", "handover_conflict"),
        ],
    )
    async def test_key_that_is_or_was_somebody_takes_over_nothing(
        self, store: Store, old: str, new: str, code: str
    ) -> None:
        await store.users.hand_over(handover("a", "b"), uses=[], now=NOW)
        await register(store, user("d"))
        with pytest.raises(PeerError) as refused:
            await store.users.hand_over(handover(old, new), uses=[], now=NOW)
        assert refused.value.code == code

    async def test_tokens_of_a_replaced_key_are_revoked_until_they_expire(
        self, store: Store
    ) -> None:
        token = make_token(1)
        await store.add_token(token)
        await store.add_token(make_token(2, user=2))
        assert await store.revoked(now=NOW) == set()
        record = HandoverRecord(
            old_user_id=token.user_id, new_user_id=uid("b"), signed="", received_at=NOW
        )
        await store.users.hand_over(record, uses=[], now=NOW)
        assert await store.revoked(now=NOW) == {(token.node_id, token.sub)}
        assert await store.revoked(now=token.expires_at) == set()

    async def test_invite_is_good_for_its_uses_and_its_time(self, store: Store) -> None:
        for wrong in (None, invite(uses=1, expires_at=NOW)):
            if wrong is not None:
                await store.users.put_invite(wrong)
            with pytest.raises(PeerError, match="invite"):
                await register(store, user("a"), daily(1), code="hash")
        with pytest.raises(StoreError):
            await store.users.put_invite(invite())

    async def test_invite_is_used_up(self, store: Store) -> None:
        await store.users.put_invite(invite(uses=2))
        await register(store, user("a"), code="hash")
        await register(store, user("a"), code="hash")
        await register(store, user("b"), code="hash")
        with pytest.raises(PeerError, match="invite"):
            await register(store, user("c"), daily(1), code="hash")
        await register(store, user("c"), daily(1))

    async def test_invites_that_are_good_for_nothing_are_forgotten(self, store: Store) -> None:
        await store.users.put_invite(invite(expires_at=NOW + 60))
        await store.users.prune(now=NOW + 59)
        with pytest.raises(StoreError):
            await store.users.put_invite(invite())
        await store.users.prune(now=NOW + 60)
        await store.users.put_invite(invite())
        await register(store, user("a"), code="hash")
        await store.users.prune(now=NOW)
        await store.users.put_invite(invite())
