"""What every store promises. A store's test class inherits this and makes the `store` fixture."""

import asyncio
from dataclasses import replace

import pytest

from luckrig.protocol.descriptor_log import (
    EMPTY_LOG,
    LogEntry,
    LogTip,
    descriptor_hash,
    verify_chain,
)
from luckrig.protocol.errors import PeerError
from luckrig.tracker.domain.cases import DecisionRecord
from luckrig.tracker.domain.records import UNSEEN, NodeRecord, WishRecord
from luckrig.tracker.store.interface import LIVE_DAYS_KEPT, Store, StoreError
from tests.tracker.factories import NOW, make_decision, make_health, make_node, make_token, seeded


async def put(store: Store, node: NodeRecord) -> NodeRecord:
    return await store.put_descriptor(node.descriptor, node.signed, now=node.listed_at)


async def put_ban(store: Store, ban: DecisionRecord) -> None:
    await store.cases.put_decision(ban, events=[])


async def undo(store: Store, decision_id: str) -> None:
    decision = await store.cases.decision(decision_id)
    assert decision is not None
    undone = replace(decision, undone_at=NOW, undone_by="u1", undone_reason="a mistake")
    assert await store.cases.undo_decision(undone, events=[])


async def whole_log(store: Store) -> list[LogEntry]:
    """The store's log, after checking that it is a chain which ends at its head."""
    entries = await store.log(after=0, limit=100_000)
    assert verify_chain(entries) == await store.log_head()
    return entries


class StoreContract:
    """Behaviour of put_descriptor, node, nodes and history; the log; health, tokens."""

    async def test_an_empty_store_knows_nothing(self, store: Store) -> None:
        assert await store.node(make_node().node_id) is None
        assert await store.nodes() == []
        assert await store.history(make_node().node_id) == []
        assert await store.log(after=0, limit=10) == []
        assert await store.log_head() == EMPTY_LOG
        assert await store.tokens_of("u1", since=0) == 0
        assert await store.prune_tokens(now=NOW) == 0
        assert await store.revoked(now=NOW) == set()

    async def test_a_published_rig_comes_back_whole(self, store: Store) -> None:
        node = make_node(name="地下室", note="a\n\tb")
        assert await put(store, node) == node
        assert await store.node(node.node_id) == node
        assert await store.nodes() == [node]
        assert node.health == UNSEEN

    async def test_a_higher_seq_takes_its_place(self, store: Store) -> None:
        first, second = make_node(), make_node(seq=2, name="renamed", listed_at=NOW + 60)
        await put(store, first)
        assert await put(store, second) == replace(second, listed_at=NOW)
        assert await store.nodes() == [replace(second, listed_at=NOW)]
        assert await store.history(first.node_id) == [first.signed, second.signed]

    async def test_the_same_descriptor_again_changes_nothing(self, store: Store) -> None:
        node = make_node()
        await put(store, node)
        await store.put_health({node.node_id: make_health()})
        respaced = replace(node, signed=node.signed.replace(b'":', b'": '), listed_at=NOW + 60)
        for again in (node, respaced):
            assert await put(store, again) == replace(node, health=make_health())
        assert await store.history(node.node_id) == [node.signed]

    @pytest.mark.parametrize(
        "refused", [make_node(seq=1), make_node(seq=4), make_node(seq=5, name="other")]
    )
    async def test_an_older_or_different_descriptor_is_a_conflict(
        self, store: Store, refused: NodeRecord
    ) -> None:
        node = make_node(seq=5)
        await put(store, make_node(seq=1))
        await put(store, node)
        with pytest.raises(PeerError) as caught:
            await put(store, refused)
        assert (caught.value.code, caught.value.param) == ("descriptor_conflict", "seq")
        assert await store.node(node.node_id) == node
        assert len(await store.history(node.node_id)) == 2

    async def test_health_outlives_an_update(self, store: Store) -> None:
        node, renamed = make_node(), make_node(seq=2, name="renamed")
        await put(store, node)
        await store.put_health({node.node_id: make_health()})
        assert await put(store, renamed) == replace(renamed, health=make_health())

    async def test_nobody_has_seen_a_rig_that_moved(self, store: Store) -> None:
        node, moved = make_node(), make_node(seq=2, endpoints=["https://moved.example"])
        await put(store, node)
        await store.put_health({node.node_id: make_health()})
        assert (await put(store, moved)).health == UNSEEN

    async def test_of_descriptors_published_at_once_the_highest_seq_stays(
        self, store: Store
    ) -> None:
        nodes = [make_node(seq=seq) for seq in range(1, 21)]
        seeded(7).shuffle(nodes)
        results = await asyncio.gather(
            *(put(store, node) for node in nodes), return_exceptions=True
        )
        accepted = [result for result in results if isinstance(result, NodeRecord)]
        assert {getattr(result, "code", None) for result in results if result not in accepted} == {
            "descriptor_conflict"
        }
        assert await store.nodes() == [make_node(seq=20)]
        assert await store.history(nodes[0].node_id) == [
            node.signed for node in sorted(accepted, key=lambda node: node.descriptor.seq)
        ]

    async def test_the_list_of_rigs_is_the_callers(self, store: Store) -> None:
        await put(store, make_node())
        (await store.nodes()).clear()
        assert await store.nodes() == [make_node()]

    async def test_every_accepted_descriptor_is_logged_once(self, store: Store) -> None:
        accepted = [make_node(1, seq=2), make_node(2), make_node(1, seq=5, listed_at=NOW + 60)]
        for node in accepted:
            await put(store, node)
            await put(store, node)  # the same again
            with pytest.raises(PeerError):
                await put(store, make_node(1, seq=1))
        logged = [
            (entry.node_id, entry.seq, entry.descriptor_hash, entry.listed_at)
            for entry in await whole_log(store)
        ]
        assert logged == [
            (node.node_id, node.descriptor.seq, descriptor_hash(node.signed), node.listed_at)
            for node in accepted
        ]

    async def test_the_log_comes_in_pieces(self, store: Store) -> None:
        for seed in range(1, 8):
            await put(store, make_node(seed))
        entries = await whole_log(store)
        for after, limit in ((0, 1), (0, 7), (2, 3), (6, 9), (7, 9), (2**53, 9)):
            assert await store.log(after=after, limit=limit) == entries[after : after + limit]
        assert await store.log_head() == LogTip(7, entries[-1].hash)

    async def test_descriptors_published_at_once_make_one_chain(self, store: Store) -> None:
        nodes = [make_node(seed) for seed in range(1, 21)]
        await asyncio.gather(*(put(store, node) for node in nodes))
        assert {entry.node_id for entry in await whole_log(store)} == {n.node_id for n in nodes}

    async def test_health_is_set_for_many_rigs_at_once(self, store: Store) -> None:
        first, second, third = nodes = [make_node(seed) for seed in (1, 2, 3)]
        for node in nodes:
            await put(store, node)
        missed = replace(make_health("unavailable"), queue=None, misses=4)
        await store.put_health({first.node_id: make_health("busy"), second.node_id: missed})
        assert await store.node(first.node_id) == replace(first, health=make_health("busy"))
        assert await store.node(second.node_id) == replace(second, health=missed)
        assert await store.node(third.node_id) == third

    async def test_the_health_of_an_unknown_rig_is_skipped(self, store: Store) -> None:
        known, unknown = make_node(1), make_node(2)
        await put(store, known)
        await store.put_health(
            {unknown.node_id: make_health(), known.node_id: make_health("starting")}
        )
        assert await store.nodes() == [replace(known, health=make_health("starting"))]

    async def test_tokens_are_counted_by_user_and_time(self, store: Store) -> None:
        for number, seconds in enumerate((0, 10, 20), start=1):
            await store.add_token(make_token(number, issued_at=NOW + seconds))
        await store.add_token(make_token(4, user=2))
        user_id = make_token().user_id
        counts = [await store.tokens_of(user_id, since=NOW + n) for n in (0, 10, 11, 21)]
        assert counts == [3, 2, 1, 0]

    async def test_a_token_is_found_by_its_id(self, store: Store) -> None:
        token = replace(make_token(), requests=7, note_id="note-1")
        await store.add_token(token)
        assert await store.token(token.jti) == token
        assert await store.token("another-token-id") is None

    async def test_a_token_id_is_used_once(self, store: Store) -> None:
        await store.add_token(make_token(1))
        with pytest.raises(StoreError):
            await store.add_token(make_token(1, user=2))
        assert await store.tokens_of(make_token(user=2).user_id, since=0) == 0

    async def test_live_hours_of_closed_days_stay_as_numbers(self, store: Store) -> None:
        live, day = store.contributions, NOW // 86_400
        assert await live.live_days("n1", since=0) == {}
        for hour in (0, 1, 1, 23, 24, 50):
            await live.add_live(hour=day * 24 + hour, scarcities={"n1": 500})
        await live.add_live(hour=day * 24 + 2, scarcities={"n2": 500})
        expected = {day: 3, day + 1: 1, day + 2: 1}
        assert await live.live_days("n1", since=0) == expected
        await live.close_day(day=day + 1, entries=[])
        assert await live.live_hours(day=day) == []
        assert await live.live_days("n1", since=0) == expected
        assert await live.live_days("n1", since=day + 1) == {day + 1: 1, day + 2: 1}
        assert await live.live_days("n2", since=0) == {day: 1}
        # The clock went back, and the same day is closed again: nothing is added up.
        await live.add_live(hour=day * 24, scarcities={"n1": 500, "n3": 500})
        assert await live.live_days("n1", since=0) == expected
        await live.close_day(day=day, entries=[])
        assert await live.live_days("n1", since=0) == expected
        assert await live.live_days("n3", since=0) == {day: 1}
        await live.close_day(day=day + LIVE_DAYS_KEPT, entries=[])
        assert await live.live_days("n1", since=0) == {day + 1: 1, day + 2: 1}

    async def test_pruning_forgets_expired_tokens_only(self, store: Store) -> None:
        tokens = [make_token(number, issued_at=NOW + number) for number in (1, 2, 3)]
        for token in tokens:
            await store.add_token(token)
        assert await store.prune_tokens(now=tokens[1].expires_at) == 2
        assert await store.tokens_of(tokens[0].user_id, since=0) == 1
        assert await store.prune_tokens(now=tokens[1].expires_at) == 0

    async def test_tokens_are_revoked_while_they_and_the_ban_are_valid(self, store: Store) -> None:
        mine, later, other = (
            make_token(1),
            replace(make_token(2, issued_at=NOW + 100), node_id="n1" + "b" * 32, sub="s" * 16),
            make_token(3, user=2),
        )
        for token in (mine, later, other, make_token(4)):
            await store.add_token(token)
        first, second = (mine.node_id, mine.sub), (later.node_id, later.sub)
        assert await store.revoked(now=NOW) == set()
        await put_ban(store, make_decision(mine.user_id, seconds=950))
        assert await store.revoked(now=NOW) == {first, second}
        assert await store.revoked(now=mine.expires_at) == {second}
        assert await store.revoked(now=NOW + 950) == set()
        await put_ban(store, make_decision(mine.node_id, number=2))
        await put_ban(store, make_decision(mine.user_id, number=3))
        assert await store.revoked(now=NOW + 950) == {second}
        assert await store.revoked(now=later.expires_at) == set()
        await undo(store, "decision-0000003")
        assert await store.revoked(now=NOW) == {first, second}, "the earlier one holds again"
        await undo(store, "decision-0000001")
        assert await store.revoked(now=NOW) == set()

    async def test_a_user_has_their_tokens_listed_and_calls_them_back(self, store: Store) -> None:
        old, new, over, other = (
            make_token(1),
            replace(make_token(2, issued_at=NOW + 5), node_id="n1" + "b" * 32, sub="s" * 16),
            make_token(3, issued_at=NOW - 5000),
            make_token(4, user=2),
        )
        for token in (old, new, over, other):
            await store.add_token(token)
        users = {old.user_id, "u1" + "z" * 32}
        assert await store.tokens_given(users, limit=9) == [new, old, over]
        assert await store.tokens_given(users, limit=1) == [new]
        assert await store.tokens_given([], limit=9) == []
        assert await store.revoke_tokens(users, now=NOW + 6) == 2
        assert await store.revoke_tokens(users, now=NOW + 6) == 0
        back = {(each.node_id, each.sub) for each in (old, new)}
        assert await store.revoked(now=NOW + 6) == back
        assert await store.revoked(now=new.expires_at) == set()
        assert await store.token(old.jti) == replace(old, revoked=True)
        assert await store.token(other.jti) == other
        later = replace(make_token(5, issued_at=NOW + 7), node_id="n1" + "c" * 32)
        await store.add_token(later)
        assert await store.revoked(now=NOW + 7) == back, "what comes later is good"

    async def test_the_last_wish_of_an_owner_stays(self, store: Store) -> None:
        pause = WishRecord(node_id="n1" + "a" * 32, paused=True, at=NOW, by="u1")
        other = WishRecord(node_id="n1" + "b" * 32, paused=True, at=NOW, by="u2")
        assert await store.wishes() == []
        for wish in (pause, other, replace(pause, paused=False, at=NOW + 1)):
            await store.put_wish(wish)
        found = sorted(await store.wishes(), key=lambda wish: wish.node_id)
        assert found == [replace(pause, paused=False, at=NOW + 1), other]

    async def test_a_cancelled_write_happens_as_a_whole_or_not_at_all(self, store: Store) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(put(store, make_node(seed))) for seed in range(1, 30)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
        for node in map(make_node, range(1, 30)):
            stored = await store.node(node.node_id)
            assert stored in (None, node)
            assert await store.history(node.node_id) == ([] if stored is None else [node.signed])
        logged = {entry.node_id for entry in await whole_log(store)}
        assert logged == {node.node_id for node in await store.nodes()}
        assert {task.result().node_id for task in tasks if not task.cancelled()} <= {
            node.node_id for node in await store.nodes()
        }
