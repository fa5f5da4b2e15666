"""Receipts, ledger and scores at the tracker: from what people sign to what all can check."""

import json
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from luckrig.protocol.descriptor_log import LEDGER_HEAD_TYPE, verify_head
from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.receipts import Measured, Receipt, countersign, sign_receipt
from luckrig.tracker.domain import ledger as entries
from luckrig.tracker.domain.accounts import ledger_account
from luckrig.tracker.domain.ledger import Entry, decode_entry, verify_chain
from luckrig.tracker.domain.score import score
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.ledger import Ledger
from luckrig.tracker.service.receipts import COUNTERSIGN_SECONDS, ReceiptService
from luckrig.tracker.service.uptime import UptimeRecorder
from luckrig.tracker.store.interface import Store, StoreError
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.factories import NOW, make_health, make_node, node_key, owner_key, seeded
from tests.tracker.trackers import KEYS, URL, Tracker, running_tracker

DAY = 86_400
OPERATOR, USER, STRANGER = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
OPERATOR_ID, USER_ID = derive_id("u1", OPERATOR.public), derive_id("u1", USER.public)
RIG = make_node(1)


def account(key: PrivateKey) -> str:
    """A user's name in this tracker's ledger."""
    return ledger_account(derive_id("u1", key.public), secret=KEYS.pairwise)


@dataclass
class World:
    """A tracker, and people who use it."""

    tracker: Tracker
    requests: Any = field(default_factory=count)

    async def jti(self, *, rig: int = 1, key: PrivateKey = USER) -> str:
        """The id of a fresh token."""
        body = json.dumps({"node_id": make_node(rig).node_id}).encode()
        answer = await self.tracker.ask_token(body, key=key)
        assert answer.status_code == 200, answer.text
        payload = answer.json()["token"].split(".")[1]
        return str(json.loads(b64url_decode(payload))["jti"])

    def receipt(self, jti: str, *, rig: int = 1, **changes: Any) -> str:
        """A receipt as rig number `rig` signs it."""
        receipt = Receipt(
            iss=make_node(rig).node_id,
            jti=jti,
            req=f"request-{next(self.requests):08}",
            iat=int(self.tracker.clock.now),
            model="qwen3:8b",
            prompt_tokens=300,
            completion_tokens=1000,
            streamed=True,
            finish="stop",
            queue_ms=0.5,
            ttft_ms=80.0,
            generation_ms=20_000.0,
        )
        return sign_receipt(msgspec.structs.replace(receipt, **changes), node_key=node_key(rig))

    def opinion(
        self,
        receipt: str,
        *,
        agrees: bool = True,
        key: PrivateKey = USER,
        measured: Measured | None = None,
    ) -> str:
        """What a user says to it."""
        now = self.tracker.clock.now
        return countersign(receipt, agrees=agrees, user_key=key, now=now, measured=measured)

    async def submit(self, *signed: tuple[str, str | None]) -> list[dict[str, Any]]:
        """Send (receipt, countersignature) pairs; what became of each."""
        receipts = [{"receipt": receipt, "countersignature": other} for receipt, other in signed]
        answer = await self.tracker.http.post("/api/v1/receipts", json={"receipts": receipts})
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        assert len(results) == len(signed)
        return results

    async def serve(self, *, rig: int = 1, key: PrivateKey = USER, **changes: Any) -> None:
        """A request that both sides sign."""
        receipt = self.receipt(await self.jti(rig=rig, key=key), rig=rig, **changes)
        ((result),) = await self.submit((receipt, self.opinion(receipt, key=key)))
        assert result["state"] == "two-sided", result

    async def ledger(self, *, limit: int = 1000) -> list[Entry]:
        """The exported ledger, after checking its chain up to the signed head."""
        found: list[Entry] = []
        hashes: list[bytes] = []
        while True:
            params = {"after": len(found) - 1, "limit": limit}
            page = (await self.tracker.http.get("/api/v1/ledger", params=params)).content
            lines = json.loads(page)["entries"]
            if not lines:
                break
            raw = msgspec.json.decode(page, type=dict[str, msgspec.Raw])["entries"]
            for line in msgspec.json.decode(raw, type=list[dict[str, msgspec.Raw]]):
                found.append(decode_entry(bytes(line["entry"])))
            hashes += [b64url_decode(line["hash"]) for line in lines]
        assert verify_chain(found, hashes) is None
        signer = KEYS.signing.signer(now=NOW).public
        head = verify_head(
            json.loads(page)["head"],
            keys={signer.thumbprint: signer},
            issuer=KEYS.root_id,
            now=self.tracker.clock.now,
            typ=LEDGER_HEAD_TYPE,
        )
        assert head.size == len(found)
        if hashes:
            assert b64url_decode(head.hash) == hashes[-1]
        return found

    async def score(self, key: PrivateKey) -> dict[str, Any]:
        """What the tracker says of somebody's score."""
        proof = make_proof(
            key=key,
            method="GET",
            url=f"{URL}/api/v1/me/score",
            body=b"",
            now=self.tracker.clock.now,
            jti=f"score-{next(self.requests):020}",
        )
        answer = await self.tracker.http.get("/api/v1/me/score", headers={"DPoP": proof})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def anchor(self, key: PrivateKey, *, by: PrivateKey = OPERATOR) -> int:
        """An operator says they know somebody; the answer's status."""
        body = json.dumps({"user_id": derive_id("u1", key.public), "trusted": True}).encode()
        return (await self.tracker.ask("/api/v1/admin/anchors", body, key=by)).status_code

    async def live(self, *rigs: int, hours: int = 24) -> None:
        """Rigs answer for hours on end; time goes on with them."""
        clock = self.tracker.clock

        async def rare() -> dict[str, float]:
            return {make_node(rig).node_id: 0.5 for rig in rigs}

        recorder = UptimeRecorder(self.tracker.store, scarcity_of=rare, clock=clock)
        for _ in range(hours):
            await recorder.note({make_node(rig).node_id: make_health() for rig in rigs})
            clock.now += 3600


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    operators = frozenset({OPERATOR_ID})
    async with running_tracker(store, operators=operators, tokens_per_hour=10_000) as tracker:
        for seed in (1, 2, 3):
            assert (await tracker.publish(make_node(seed))).status_code == 200
        tracker.clock.now = NOW // DAY * DAY + 60
        yield World(tracker)


def kinds(found: Sequence[Entry]) -> list[str]:
    return [type(entry).__name__ for entry in found]


async def test_a_receipt_becomes_two_sided_once(world: World) -> None:
    """First the rig's word alone, then the user's; and then nothing changes it."""
    receipt = world.receipt(await world.jti())
    for _ in range(2):
        assert (await world.submit((receipt, None)))[0]["state"] == "one-sided"
        assert await world.ledger() == []
    yes, no = world.opinion(receipt), world.opinion(receipt, agrees=False)
    for word in (yes, no, yes, None):
        assert (await world.submit((receipt, word)))[0]["state"] == "two-sided"
        assert kinds(await world.ledger()) == ["NodeListed", "Receipt"]


async def test_a_disputed_receipt_stays_visible_and_counts_nothing(world: World) -> None:
    receipt = world.receipt(await world.jti())
    word = world.opinion(receipt, agrees=False)
    assert (await world.submit((receipt, word), (receipt, None)))[1]["state"] == "disputed"
    assert (await world.submit((receipt, world.opinion(receipt))))[0]["state"] == "disputed"
    world.tracker.clock.now += 3 * DAY
    await world.score(USER)
    assert await world.ledger() == []


async def test_what_is_wrong_is_refused_and_harms_nothing_else(world: World) -> None:
    """One bad receipt in a batch, of every kind; the good one beside it is taken."""
    jti, strangers = await world.jti(), await world.jti(key=STRANGER)
    good = world.receipt(jti)
    other = world.receipt(jti)
    bad: list[tuple[str, str | None, str]] = [
        (good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"), None, "signature_invalid"),
        ("x", None, "signature_invalid"),
        (world.receipt("a-token-of-nobody"), None, "token_not_found"),
        (world.receipt(jti, rig=2), None, "token_not_found"),
        (world.receipt(jti, iat=NOW - 2 * DAY), None, "token_not_found"),
        (world.receipt(jti, iat=int(world.tracker.clock.now) + 61), None, "signature_invalid"),
        (other, world.opinion(good), "signature_invalid"),
        (other, world.opinion(other, key=STRANGER), "signature_invalid"),
        (other, other, "signature_invalid"),
        (world.receipt(strangers), world.opinion(good, key=STRANGER), "signature_invalid"),
    ]
    for receipt, word, code in bad:
        refused, taken = await world.submit((receipt, word), (good, None))
        assert (refused["refused"], refused["state"]) == (code, None)
        assert refused["message"]
        assert taken["state"] == "one-sided"
    assert await world.ledger() == []


async def test_a_request_has_one_receipt(world: World) -> None:
    jti = await world.jti()
    first, second = (
        world.receipt(jti, req="one-and-the-same-id", iat=NOW // DAY * DAY + n) for n in (1, 2)
    )
    results = await world.submit((first, None), (second, None), (first, world.opinion(first)))
    assert [result["refused"] for result in results] == [None, "receipt_conflict", None]
    assert (await world.submit((second, world.opinion(second))))[0]["refused"] == "receipt_conflict"


async def test_a_rig_cant_invent_more_requests_than_its_token_allows(world: World) -> None:
    jti = await world.jti()
    for allowed in (60, 60, 0):
        results = await world.submit(*((world.receipt(jti), None) for _ in range(60)))
        assert sum(result["state"] == "one-sided" for result in results) == allowed
    assert results[0]["refused"] == "receipt_conflict"


async def test_receipts_of_the_banned_are_refused(world: World) -> None:
    receipt = world.receipt(await world.jti())
    for subject in (USER_ID, RIG.node_id):
        await world.tracker.decide("ban", subject, key=OPERATOR)
        assert (await world.submit((receipt, None)))[0]["refused"] == "banned"
        await world.tracker.lift(subject, key=OPERATOR)
    assert (await world.submit((receipt, None)))[0]["state"] == "one-sided"


def settling(world: World) -> ReceiptService:
    """What the tracker's loop does, over the same store and clock."""

    async def account_of(user_id: str) -> str:
        return ledger_account(user_id, secret=KEYS.pairwise)

    async def promote(accounts: Collection[str]) -> None:
        assert not accounts

    async def author_of(note_id: str) -> str | None:
        return note_id

    store, clock = world.tracker.store, world.tracker.clock
    bans = BanService(store, clock=clock)
    ledger = Ledger(store, KEYS, account_of=account_of, promote=promote, clock=clock)
    return ReceiptService(
        store, bans, ledger, author_of=author_of, secret=KEYS.pairwise, clock=clock
    )


async def test_a_receipt_that_nobody_countersigns_counts_as_one_sided_after_a_day(
    world: World,
) -> None:
    receipt = world.receipt(await world.jti())
    await world.submit((receipt, None))
    service = settling(world)
    assert await service.settle() == 0
    world.tracker.clock.now += COUNTERSIGN_SECONDS + 1
    assert await service.settle() == 1
    assert await service.settle() == 0
    found = [entry for entry in await world.ledger() if isinstance(entry, entries.Receipt)]
    assert [entry.two_sided for entry in found] == [False]


async def test_the_ledger_names_nobody(world: World) -> None:
    """No user id, token id, request id or time of day."""
    jti = await world.jti()
    receipt = world.receipt(jti, req="request-that-is-mine")
    await world.submit((receipt, world.opinion(receipt)))
    await world.anchor(USER)
    text = (await world.tracker.http.get("/api/v1/ledger")).text
    owner_id = RIG.descriptor.owner_id
    for secret in (USER_ID, OPERATOR_ID, owner_id, jti, "request-that-is-mine"):
        assert secret not in text
    assert account(USER) in text
    assert account(owner_key(1)) in text
    times = [entry.at for entry in await world.ledger() if isinstance(entry, entries.Receipt)]
    assert [time % DAY for time in times] == [0]


async def test_only_operators_anchor(world: World) -> None:
    assert await world.anchor(USER, by=STRANGER) == 403
    assert await world.ledger() == []
    assert await world.anchor(USER) == 200
    assert kinds(await world.ledger()) == ["Anchored"]


async def test_a_score_counts_whole_days(world: World) -> None:
    await world.anchor(USER)
    await world.live(1, hours=20)
    await world.serve()
    before = await world.score(owner_key(1))
    assert (before["total"], before["terms"]) == (0, [])
    assert before["pending"] == 2  # its rig came onto the map, and was used
    world.tracker.clock.now += DAY
    after = await world.score(owner_key(1))
    assert after["total"] > 0
    assert after["pending"] == 0
    assert after["account"] == account(owner_key(1))
    assert after["as_of"] == (int(world.tracker.clock.now) // DAY) * DAY - 1
    assert {term["axis"] for term in after["terms"]} >= {"existence", "usage"}


async def test_who_contributes_before_registering_is_a_contributor_the_day_after(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luckrig.tracker.service.ledger.CONTRIBUTOR_AT", 500)
    await world.anchor(USER)
    for _ in range(10):
        await world.live(1)
        await world.serve()
    owner = owner_key(1)
    world.tracker.clock.now += DAY
    assert (await world.score(owner))["total"] >= 500
    body = json.dumps({"node_id": make_node(2).node_id}).encode()
    assert (await world.tracker.ask_token(body, key=owner)).json()["tier"] == "limited"
    world.tracker.clock.now += DAY
    await world.score(STRANGER)  # whoever asks first closes the day before
    assert (await world.tracker.ask_token(body, key=owner)).json()["tier"] == "contributor"


async def assert_score_is_recomputed(world: World, keys: Sequence[PrivateKey]) -> None:
    """What the tracker says equals what anybody computes from the export, to the last digit."""
    replies = [await world.score(key) for key in keys]  # first: asking closes the days before
    exported = await world.ledger(limit=7)
    for key, said in zip(keys, replies, strict=True):
        own = score(exported, account(key), now=said["as_of"])
        assert said["total"] == own.total
        assert said["terms"] == [
            {"axis": term.axis, "what": term.what, "amount": term.amount} for term in own.terms
        ]


@pytest.mark.parametrize("seed", range(3))
async def test_scores_are_those_of_the_exported_ledger(world: World, seed: int) -> None:
    """A random fortnight: read a day at a time, and by others at once."""
    rng = seeded(f"fortnight {seed}")
    people = [USER, STRANGER, owner_key(1), owner_key(2), owner_key(3)]
    await world.anchor(USER)
    for _ in range(14):
        for _ in range(rng.randint(0, 3)):
            rig, key = rng.randint(1, 3), rng.choice(people)
            await world.serve(rig=rig, key=key, completion_tokens=rng.randint(0, 5000))
        if rng.random() < 0.2:
            await world.anchor(rng.choice(people))
        await world.live(*rng.sample([1, 2, 3], rng.randint(0, 3)), hours=rng.randint(1, 20))
        world.tracker.clock.now += rng.choice([0, 3600, DAY, 3 * DAY])
        if rng.random() < 0.5:
            await assert_score_is_recomputed(world, people)
    world.tracker.clock.now += DAY
    await assert_score_is_recomputed(world, people)
    assert any([(await world.score(key))["total"] for key in people])


async def test_one_changed_byte_in_the_chain_is_found(world: World) -> None:
    await world.serve()
    await world.serve(rig=2)
    exported = await world.ledger()
    rows = await world.tracker.store.contributions.ledger(after=-1, limit=100)
    hashes = [row.hash for row in rows]
    for index, entry in enumerate(exported):
        if isinstance(entry, entries.Receipt):
            changed = list(exported)
            changed[index] = msgspec.structs.replace(entry, tokens=entry.tokens + 1)
            assert verify_chain(changed, hashes) == index


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    said: list[dict[str, Any]] = []
    clock_at = NOW // DAY * DAY + 60
    for start in range(3):
        store = await open_store(path)
        async with running_tracker(store, operators=frozenset({OPERATOR_ID})) as tracker:
            tracker.clock.now = clock_at
            world = World(tracker, count(start * 1000))
            if start == 0:
                await tracker.publish(RIG)
                await world.anchor(USER)
                await world.live(1, hours=10)
                await world.serve()
                clock_at = tracker.clock.now + DAY  # the day ends while nobody runs
            else:
                said.append(await world.score(owner_key(1)))
                await assert_score_is_recomputed(world, [owner_key(1), USER])
        await store.aclose()
    assert said[0] == said[1]
    assert said[0]["total"] > 0


async def test_the_ledger_is_read_again_when_nobody_knows_what_was_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store failed after it wrote; the next score is right all the same."""
    contributions = world.tracker.store.contributions
    put = contributions.put_receipts

    async def write_and_fail(*args: Any) -> None:
        await put(*args)
        raise StoreError("the disk went away")

    await world.anchor(USER)
    receipt = world.receipt(await world.jti())
    body = {"receipts": [{"receipt": receipt, "countersignature": world.opinion(receipt)}]}
    with monkeypatch.context() as patch:
        patch.setattr(contributions, "put_receipts", write_and_fail)
        with pytest.raises(StoreError):
            await world.tracker.http.post("/api/v1/receipts", json=body)
    await world.live(1, hours=10)
    world.tracker.clock.now += DAY
    await assert_score_is_recomputed(world, [owner_key(1), USER])
    assert (await world.score(owner_key(1)))["total"] > 0


async def timings(world: World, **params: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        await world.tracker.http.get("/api/v1/timings", params=params)
    ).json()["timings"]
    return found


async def test_timings_are_shared_only_with_a_measurement_of_a_stream(world: World) -> None:
    """Not without one, not for what wasn't streamed, and not what can't be true."""
    measured = Measured(ttft_ms=100.0, generation_ms=10_000.0)
    jti = await world.jti()
    for changes, numbers in (
        ({}, None),
        ({"streamed": False}, measured),
        ({"completion_tokens": 1}, measured),
        ({}, Measured(ttft_ms=1.0, generation_ms=10_000.0)),  # before the rig's own first token
        ({}, Measured(ttft_ms=100.0, generation_ms=0.0)),
    ):
        receipt = world.receipt(jti, **changes)
        await world.submit((receipt, world.opinion(receipt, measured=numbers)))
    disputed = world.receipt(jti)
    await world.submit((disputed, world.opinion(disputed, agrees=False, measured=measured)))
    assert await timings(world) == []
    shared = world.receipt(jti)
    await world.submit((shared, world.opinion(shared, measured=measured)))
    assert await timings(world, node=make_node(2).node_id) == []
    (found,) = await timings(world, node=RIG.node_id)
    assert found["tokens_per_second"]["p50"] == 99.9
    assert (found["users"], found["streams"], found["prompt_tokens_from"]) == (1, 1, 256)
    assert sum(isinstance(entry, entries.TimingShared) for entry in await world.ledger()) == 1


@pytest.mark.parametrize("query", ["after=-2", "limit=0", "limit=1001", "after=x", "before=1"])
async def test_bad_ledger_queries_are_refused(world: World, query: str) -> None:
    answer = await world.tracker.http.get(f"/api/v1/ledger?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


async def test_a_score_needs_a_proof_of_its_own(world: World) -> None:
    answer = await world.tracker.http.get("/api/v1/me/score")
    assert answer.status_code == 401


async def test_receipts_and_timings_are_kept_for_a_while_and_the_ledger_for_good(
    world: World,
) -> None:
    """What isn't settled yet stays; so does what is young."""
    jti = await world.jti()
    shared = world.receipt(jti)
    measured = Measured(ttft_ms=100.0, generation_ms=10_000.0)
    await world.submit((shared, world.opinion(shared, measured=measured)))
    await world.submit((world.receipt(jti), None))
    contributions, now = world.tracker.store.contributions, int(world.tracker.clock.now)
    ledger = await world.ledger()
    assert await contributions.prune(before=now) == 0
    assert await contributions.prune(before=now + 1) == 2
    assert await contributions.receipts_of_token(jti) == 1
    assert await timings(world) == []
    assert await world.ledger() == ledger
