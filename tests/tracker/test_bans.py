"""Bans at the tracker: who may decide them, what they stop, and the list that each rig gets."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from luckrig.protocol.errors import CODES
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.revocations import Revocations, verify_revocations
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.memory import MemoryStore
from luckrig.tracker.store.sqlite import open_store
from tests.tracker.factories import NOW, make_ban, make_health, make_node
from tests.tracker.trackers import KEYS, Tracker, running_tracker

SIGNING = KEYS.signing.signer(now=NOW)

OPERATOR, USER, OTHER = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
OPERATOR_ID, USER_ID, OTHER_ID = (derive_id("u1", key.public) for key in (OPERATOR, USER, OTHER))
RIG, SECOND = make_node(1), make_node(2)
BANS, LIFT = "/api/v1/admin/bans", "/api/v1/admin/bans/lift"


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker with two rigs and an operator."""
    async with running_tracker(operators=frozenset({OPERATOR_ID})) as running:
        for node in (RIG, SECOND):
            assert (await running.publish(node)).status_code == 200
        yield running


async def ban(
    tracker: Tracker, subject: str, *, key: PrivateKey = OPERATOR, **fields: Any
) -> httpx2.Response:
    """Ask for a ban. fields: of the body."""
    body = json.dumps({"subject": subject, "reason": "spam"} | fields).encode()
    return await tracker.ask(BANS, body, key=key)


async def lift(tracker: Tracker, subject: str, *, key: PrivateKey = OPERATOR) -> httpx2.Response:
    """Ask for a pardon."""
    return await tracker.ask(LIFT, json.dumps({"subject": subject}).encode(), key=key)


async def token(tracker: Tracker, node_id: str = RIG.node_id, key: PrivateKey = USER) -> Any:
    """Ask for a token."""
    return await tracker.ask_token(json.dumps({"node_id": node_id}).encode(), key=key)


async def revoked(tracker: Tracker, node_id: str = RIG.node_id, *, min_seq: int = 0) -> Revocations:
    """A rig's list, checked as the rig does it."""
    reply = (await tracker.http.get(f"/api/v1/revocations/{node_id}")).json()
    return verify_revocations(
        reply["revocations"],
        keys={SIGNING.public.thumbprint: SIGNING.public},
        issuer=KEYS.root_id,
        audience=node_id,
        min_seq=min_seq,
        now=tracker.clock.now,
    )


def error_of(response: httpx2.Response) -> tuple[int, str]:
    """Status and code."""
    error = response.json()["error"]
    assert CODES[error["code"]].status == response.status_code
    return response.status_code, error["code"]


# Who may decide


async def test_ban_says_what_was_decided_by_whom(tracker: Tracker) -> None:
    reply = (await ban(tracker, USER_ID, expires_at=NOW + 60)).json()
    assert reply == {
        "subject": USER_ID,
        "reason": "spam",
        "created_at": NOW,
        "expires_at": NOW + 60,
        "decided_by": OPERATOR_ID,
    }
    assert (await lift(tracker, USER_ID)).json() == {"subject": USER_ID, "was_banned": True}
    assert (await lift(tracker, USER_ID)).json() == {"subject": USER_ID, "was_banned": False}


async def test_nobody_but_an_operator_decides(tracker: Tracker) -> None:
    for key in (USER, SIGNING, KEYS.root):
        assert error_of(await ban(tracker, OTHER_ID, key=key)) == (403, "operators_only")
        assert error_of(await lift(tracker, OTHER_ID, key=key)) == (403, "operators_only")
    assert (await token(tracker, key=OTHER)).status_code == 200
    async with running_tracker() as nobodys:
        assert error_of(await ban(nobodys, OTHER_ID)) == (403, "operators_only")


async def test_decision_counts_once_and_only_as_it_was_signed(tracker: Tracker) -> None:
    first = await ban(tracker, USER_ID)
    proof, body = first.request.headers["dpop"], first.request.content
    await lift(tracker, USER_ID)
    for path, sent in ((BANS, body), (LIFT, body), (BANS, body + b" "), ("/api/v1/tokens", body)):
        replayed = await tracker.ask(path, sent, key=OPERATOR, proof=proof)
        assert error_of(replayed) == (401, "proof_invalid")
    unsigned = await tracker.http.post(
        BANS, content=body, headers={"content-type": "application/json"}
    )
    assert error_of(unsigned) == (401, "proof_invalid")
    assert (await token(tracker)).status_code == 200


async def test_proof_is_used_up_by_a_request_that_fails(tracker: Tracker) -> None:
    failed = await token(tracker, "n1" + "a" * 32)
    proof, body = failed.request.headers["dpop"], failed.request.content
    again = await tracker.ask("/api/v1/tokens", body, key=USER, proof=proof)
    assert error_of(again) == (401, "proof_invalid")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"subject": "u1"}, "invalid_request"),
        ({"subject": "r1" + "a" * 32}, "invalid_request"),
        ({"subject": USER_ID + "a"}, "invalid_request"),
        ({"subject": USER_ID + "\n"}, "invalid_request"),
        ({"subject": USER_ID.upper()}, "invalid_request"),
        ({"subject": [USER_ID]}, "invalid_request"),
        ({"reason": ""}, "invalid_request"),
        ({"reason": None}, "invalid_request"),
        ({"reason": "x" * 281}, "invalid_request"),
        ({"reason": "evil\u202etxt"}, "unsafe_text"),
        ({"reason": " \n\t"}, "invalid_request"),
        ({"expires_at": NOW}, "invalid_request"),
        ({"expires_at": -1}, "invalid_request"),
        ({"expires_at": 253_402_300_800}, "invalid_request"),
        ({"expires_at": "soon"}, "invalid_request"),
        ({"days": 3}, "invalid_request"),
    ],
)
async def test_decisions_that_make_no_sense_are_refused(
    fields: dict[str, Any], code: str, tracker: Tracker
) -> None:
    subject = fields.pop("subject", USER_ID)
    assert error_of(await ban(tracker, subject, **fields)) == (400, code)
    assert (await token(tracker)).status_code == 200


async def test_reason_is_mandatory(tracker: Tracker) -> None:
    body = json.dumps({"subject": USER_ID}).encode()
    assert error_of(await tracker.ask(BANS, body, key=OPERATOR)) == (400, "invalid_request")


# What a ban stops


async def test_banned_user_gets_no_token_and_reads_why(tracker: Tracker) -> None:
    await ban(tracker, USER_ID, reason="Flooded three rigs.", expires_at=NOW + 86_400)
    refused = await token(tracker)
    assert error_of(refused) == (403, "banned")
    assert refused.json()["error"]["type"] == "permission_error"
    message = refused.json()["error"]["message"]
    assert "Flooded three rigs." in message
    assert "until 2027-01-16 08:00 UTC" in message
    assert (await token(tracker, key=OTHER)).status_code == 200
    await ban(tracker, USER_ID, expires_at=None)
    assert "for good" in (await token(tracker)).json()["error"]["message"]


@pytest.mark.parametrize("expires_at", [NOW + 60, 253_402_300_799])
async def test_ban_ends_by_itself_or_by_a_pardon(tracker: Tracker, expires_at: int) -> None:
    for subject in (USER_ID, RIG.node_id):
        await ban(tracker, subject, expires_at=expires_at)
    assert (await token(tracker)).status_code == 403
    if expires_at == NOW + 60:
        tracker.clock.now += 60
    else:
        await lift(tracker, USER_ID)
        await lift(tracker, RIG.node_id)
    assert (await token(tracker)).status_code == 200
    assert (await tracker.http.get("/api/v1/nodes")).json()["total"] == 2


async def test_banned_rig_is_nowhere(tracker: Tracker) -> None:
    for node in (RIG, SECOND):
        await tracker.store.put_health({node.node_id: make_health()})
    path = f"/api/v1/nodes/{RIG.node_id}"
    scarcity = (await tracker.http.get(path)).json()["node"]["scarcity"]
    await ban(tracker, RIG.node_id)
    page = (await tracker.http.get("/api/v1/nodes")).json()
    assert [node["id"] for node in page["nodes"]] == [SECOND.node_id]
    assert page["total"] == 1
    assert page["nodes"][0]["scarcity"] > scarcity  # it was one of two alike, and is the only one
    assert error_of(await tracker.http.get(path)) == (404, "node_not_found")
    assert (await tracker.http.get(f"/nodes/{RIG.node_id}")).status_code == 404
    assert RIG.node_id not in (await tracker.http.get("/")).text
    health = (await tracker.http.get("/health")).json()
    assert (health["nodes"], health["available"]) == (1, 1)
    assert error_of(await token(tracker)) == (404, "node_not_found")
    newer = make_node(1, seq=2, name="renamed")
    assert error_of(await tracker.publish(newer)) == (403, "banned")
    assert (await token(tracker, SECOND.node_id)).status_code == 200


async def test_map_is_right_when_one_rig_goes_as_another_comes(tracker: Tracker) -> None:
    """Scarcity is kept for a while: the number of rigs alone doesn't say whether it still fits."""
    await tracker.http.get("/api/v1/nodes")
    await ban(tracker, RIG.node_id)
    await tracker.publish(make_node(3))
    page = (await tracker.http.get("/api/v1/nodes")).json()
    assert {node["id"] for node in page["nodes"]} == {SECOND.node_id, make_node(3).node_id}


async def test_bans_outlive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    for expected in ([], [make_ban(USER_ID)]):
        store = await open_store(path)
        assert await store.bans(now=NOW) == expected
        await store.put_ban(make_ban(USER_ID))
        await store.aclose()


# The list that each rig gets


async def test_list_names_the_pseudonym_while_ban_and_token_last(tracker: Tracker) -> None:
    subs: dict[str, str] = {}
    for node in (RIG, SECOND):
        await token(tracker, node.node_id)
        subs[node.node_id] = await _sub_of(tracker, node.node_id)
    await token(tracker, key=OTHER)
    assert (await revoked(tracker)).subs == []
    await ban(tracker, USER_ID)
    for node_id, sub in subs.items():
        assert (await revoked(tracker, node_id)).subs == [sub]
    assert subs[RIG.node_id] != subs[SECOND.node_id]
    await lift(tracker, USER_ID)
    assert (await revoked(tracker)).subs == []
    await ban(tracker, USER_ID)
    tracker.clock.now += 900
    assert (await revoked(tracker)).subs == []


async def test_later_lists_have_higher_numbers(tracker: Tracker) -> None:
    await token(tracker)
    first = await revoked(tracker)
    await ban(tracker, USER_ID)
    second = await revoked(tracker)
    tracker.clock.now += 30
    third = await revoked(tracker)
    assert first.seq < second.seq < third.seq
    assert third.exp == third.iat + 60


async def test_unchanged_list_is_not_sent_again(tracker: Tracker) -> None:
    path = f"/api/v1/revocations/{RIG.node_id}"
    first = await tracker.http.get(path)
    etag = {"if-none-match": first.headers["etag"]}
    tracker.clock.now += 9
    assert (await tracker.http.get(path, headers=etag)).status_code == 304
    tracker.clock.now += 1
    assert (await tracker.http.get(path, headers=etag)).status_code == 200


async def test_rig_that_is_not_listed_yet_has_an_empty_list(tracker: Tracker) -> None:
    assert (await revoked(tracker, make_node(7).node_id)).subs == []


@pytest.mark.parametrize("node_id", ["n1", USER_ID, "n1" + "A" * 32, "x"])
async def test_lists_are_for_rigs_only(tracker: Tracker, node_id: str) -> None:
    response = await tracker.http.get(f"/api/v1/revocations/{node_id}")
    assert error_of(response) == (404, "node_not_found")


# Settings


def test_operators_are_ids_with_commas_between() -> None:
    environ = {"LUCKRIG_TRACKER_OPERATORS": f"{OPERATOR_ID}, {USER_ID},"}
    assert TrackerSettings.from_env(environ).operators == {OPERATOR_ID, USER_ID}
    assert TrackerSettings.from_env({}).operators == frozenset()
    for wrong in ("me", RIG.node_id, f"{OPERATOR_ID} {USER_ID}"):
        with pytest.raises(ValueError, match="LUCKRIG_TRACKER_OPERATORS"):
            TrackerSettings.from_env({"LUCKRIG_TRACKER_OPERATORS": wrong})


async def _sub_of(tracker: Tracker, node_id: str) -> str:
    """The user's pseudonym at that rig, as the store remembers it."""
    assert isinstance(tracker.store, MemoryStore)
    await tracker.store.put_ban(make_ban(USER_ID))
    found = await tracker.store.revoked(now=NOW)
    await tracker.store.lift_ban(USER_ID)
    return next(sub for node, sub in found if node == node_id)
