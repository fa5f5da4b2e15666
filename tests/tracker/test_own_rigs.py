"""/me's buttons: an owner pauses a rig from a browser, and somebody calls their tokens back."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import msgspec
import pytest

from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.revocations import verify_revocations
from luckrig.protocol.wire import NodeHealth, QueueView
from luckrig.protocol.wishes import Wish, verify_wish
from luckrig.tracker.domain.receipts import ReceiptRecord
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.service.wishes import WishProber, WishService
from tests.tracker.browsers import SAME_ORIGIN, signed_in, text_of
from tests.tracker.factories import NOW, make_health, make_node, owner_key
from tests.tracker.trackers import KEYS, FakeProber, Tracker, healthy, running_tracker

OWNER, GUEST = owner_key(1), PrivateKey(b"g" * 32)
RIG, OTHER_RIG = make_node(1), make_node(2)
SIGNERS = {KEYS.signing.signer(now=NOW).public.thumbprint: KEYS.signing.signer(now=NOW).public}


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker with two rigs of two owners."""
    async with running_tracker() as running:
        for node in (RIG, OTHER_RIG):
            assert (await running.publish(node)).status_code == 200
        yield running


async def told(tracker: Tracker, node: NodeRecord = RIG) -> Wish | None:
    """What the rig hears, as it would check it."""
    text = (await tracker.http.get(f"/api/v1/revocations/{node.node_id}")).json()["wish"]
    if text is None:
        return None
    return verify_wish(
        text, keys=SIGNERS, issuer=KEYS.root_id, audience=node.node_id, now=tracker.clock.now
    )


async def token(tracker: Tracker, key: PrivateKey, node: NodeRecord = RIG) -> httpx2.Response:
    """Ask for one."""
    return await tracker.ask_token(json.dumps({"node_id": node.node_id}).encode(), key=key)


async def banned_subs(tracker: Tracker, node: NodeRecord) -> list[str]:
    """Whom the rig must refuse."""
    tracker.clock.now += 2  # a list is remembered for a second
    text = (await tracker.http.get(f"/api/v1/revocations/{node.node_id}")).json()["revocations"]
    return verify_revocations(
        text, keys=SIGNERS, issuer=KEYS.root_id, audience=node.node_id, min_seq=0,
        now=tracker.clock.now,
    ).subs  # fmt: skip


async def test_an_owner_pauses_a_rig_and_lets_it_go_on(tracker: Tracker) -> None:
    me = await signed_in(tracker, OWNER)
    assert await told(tracker) is None
    assert (await token(tracker, GUEST)).status_code == 200
    reply = await me.send("/me/rigs", node_id=RIG.node_id, wish="pause")
    assert (reply.status_code, reply.headers["location"]) == (303, f"/me#r-{RIG.node_id}")
    tracker.clock.now += 2
    assert await told(tracker) == Wish(iss=KEYS.root_id, aud=RIG.node_id, paused=True, at=NOW)
    assert await told(tracker, OTHER_RIG) is None
    shown = (await tracker.http.get(f"/api/v1/nodes/{RIG.node_id}")).json()["node"]
    assert shown["status"] == "paused"
    refused = await token(tracker, GUEST)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "node_offline")
    assert (await token(tracker, OWNER)).status_code == 200, "the owner's own requests pass"
    text = text_of(await me.open("/me"))
    assert "You paused it here" in text and "hasn’t confirmed it yet" in text
    confirmed = replace(make_health("paused"), wish_at=NOW)
    await tracker.store.put_health({RIG.node_id: confirmed})
    text = text_of(await me.open("/me"))
    assert "You paused it here" in text and "hasn’t confirmed" not in text
    await me.send("/me/rigs", node_id=RIG.node_id, wish="resume")
    tracker.clock.now += 2
    wish = await told(tracker)
    assert wish is not None and not wish.paused and wish.at > NOW
    assert "You resumed it here" in text_of(await me.open("/me"))


async def test_only_its_owner_wishes_for_a_rig(tracker: Tracker) -> None:
    me = await signed_in(tracker, OWNER)
    other = await me.send("/me/rigs", node_id=OTHER_RIG.node_id, wish="pause")
    assert other.status_code == 404
    for fields in ({}, {"node_id": "n1x", "wish": "pause"}, {"node_id": RIG.node_id, "wish": "x"}):
        assert (await me.send("/me/rigs", **fields)).status_code == 400
    forged = {"node_id": RIG.node_id, "wish": "pause", "csrf": "x" * 43}
    for path in ("/me/rigs", "/me/tokens"):
        reply = await me.http.post(path, data=forged, headers=SAME_ORIGIN)
        assert reply.status_code == 403
        cross = {"sec-fetch-site": "cross-site"}
        reply = await me.http.post(path, data={**forged, "csrf": me.csrf}, headers=cross)
        assert reply.status_code == 403
        assert (await tracker.http.post(path, data=forged)).status_code == 401
    assert await tracker.store.wishes() == []


async def test_the_map_shows_a_wish_until_the_rig_was_told_otherwise(tracker: Tracker) -> None:
    me = await signed_in(tracker, OWNER)
    await me.send("/me/rigs", node_id=RIG.node_id, wish="pause")
    wishes = WishService(tracker.store, clock=tracker.clock, on_wish=lambda _: None)

    async def seen(**changes: object) -> str:
        prober = FakeProber({RIG.node_id: msgspec.structs.replace(healthy(RIG), **changes)})
        health = await WishProber(prober, wishes).probe(RIG)
        assert health is not None
        return health.status

    assert await seen() == "paused", "a rig that is too old to know of wishes"
    assert await seen(wish_at=NOW - 1) == "paused", "it hasn't heard yet"
    assert await seen(wish_at=NOW + 1) == "available", "its owner was there, since"
    assert await seen(status="unavailable") == "unavailable"
    assert await WishProber(FakeProber(), wishes).probe(RIG) is None
    by_hand = replace(make_health("paused"), wish_at=NOW + 1)
    await tracker.store.put_health({RIG.node_id: by_hand})
    text = text_of(await me.open("/me"))
    assert "Closed by the rig itself" in text and "You paused it here" not in text
    await me.send("/me/rigs", node_id=RIG.node_id, wish="resume")
    (wish,) = await tracker.store.wishes()
    assert wish.at == NOW + 2, "above what was said at the rig"


async def test_called_back_tokens_are_refused_everywhere_and_every_browser_is_out(
    tracker: Tracker,
) -> None:
    me = await signed_in(tracker, GUEST)
    other_browser = await signed_in(tracker, GUEST)
    assert (await token(tracker, GUEST)).status_code == 200
    assert (await token(tracker, OWNER)).status_code == 200
    page = await me.open("/me")
    assert "valid" in text_of(page)
    reply = await me.send("/me/tokens")
    assert reply.status_code == 303
    assert me.cookie is None
    assert (await other_browser.http.get("/me")).status_code == 401
    assert len(await banned_subs(tracker, RIG)) == 1, "the owner's token is nobody else's matter"
    refused = await token(tracker, GUEST)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    assert 800 < int(refused.headers["retry-after"]) <= 900
    assert (await token(tracker, GUEST, OTHER_RIG)).status_code == 200, "never had one there"
    back = await signed_in(tracker, GUEST)
    assert "called back" in text_of(await back.open("/me"))
    tracker.clock.now += 900
    assert await banned_subs(tracker, RIG) == []
    assert (await token(tracker, GUEST)).status_code == 200


async def test_receipts_are_counted_by_day_and_week(tracker: Tracker) -> None:
    for number, (age, state) in enumerate(
        [
            (0, "one-sided"),
            (3_600, "disputed"),
            (86_401, "two-sided"),
            (7 * 86_400 + 1, "two-sided"),
        ]
    ):
        record = ReceiptRecord(
            node_id=RIG.node_id, request_id=f"request-{number}", jti="j", user_id="u1",
            signed="x", countersignature=None, state=state, received_at=NOW - age,  # type: ignore[arg-type]
        )  # fmt: skip
        await tracker.store.contributions.put_receipts([record], [], [])
    text = text_of(await (await signed_in(tracker, OWNER)).open("/me"))
    assert "2 in 24 hours, 3 in 7 days" in text
    assert "1 disputed by its user in 7 days" in text


async def test_without_a_session_there_are_two_ways_in(tracker: Tracker) -> None:
    reply = await tracker.http.get("/me?lang=ja")
    assert reply.status_code == 401
    assert "サインイン" in reply.text and "luckrig login" in reply.text
    assert reply.headers["vary"] == "Accept-Language"
    assert "set-cookie" not in reply.headers


async def test_the_language_stays(tracker: Tracker) -> None:
    me = await signed_in(tracker, OWNER, at="/me?lang=ja")
    reply = await me.http.post(
        "/me/rigs?lang=ja",
        data={"csrf": me.csrf, "node_id": RIG.node_id, "wish": "pause"},
        headers=SAME_ORIGIN,
    )
    assert reply.headers["location"] == f"/me?lang=ja#r-{RIG.node_id}"
    assert "ここで一時停止しました" in text_of(await me.open("/me?lang=ja"))


def test_a_heartbeat_of_another_age_still_fits() -> None:
    queue = QueueView(active=0, waiting=0, max_active=1)
    old = NodeHealth(node_id=RIG.node_id, status="available", queue=queue)
    assert b"wish_at" not in msgspec.json.encode(old)
