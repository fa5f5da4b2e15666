"""Bans at the tracker: who may decide them, what they stop, and the list that each rig gets."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
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
from tests.tracker.factories import NOW, make_decision, make_health, make_node
from tests.tracker.trackers import KEYS, Tracker, running_tracker

SIGNING = KEYS.signing.signer(now=NOW)

OPERATOR, USER, OTHER = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
OPERATOR_ID, USER_ID, OTHER_ID = (derive_id("u1", key.public) for key in (OPERATOR, USER, OTHER))
RIG, SECOND = make_node(1), make_node(2)
DECIDE, LIFT = "/api/v1/admin/decisions", "/api/v1/admin/lift"


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
    action = "ban" if fields.get("days") is None else "suspend"
    return await tracker.decide(action, subject, key=key, **fields)


async def lift(tracker: Tracker, subject: str, *, key: PrivateKey = OPERATOR) -> httpx2.Response:
    """Ask for a pardon."""
    return await tracker.lift(subject, key=key)


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
    reply = (await ban(tracker, USER_ID, days=1, rule="No flooding.")).json()
    assert reply["decided_by"] == OPERATOR_ID
    notice = reply["notice"]
    assert (notice["target_id"], notice["action"], notice["reason"]) == (USER_ID, "suspend", "spam")
    assert (notice["ground"], notice["rule"]) == ("terms", "No flooding.")
    assert (notice["decided_at"], notice["expires_at"]) == (NOW, NOW + 86_400)
    assert notice["appeal_until"] == NOW + 180 * 86_400
    assert notice["automated"] is False
    assert (await lift(tracker, USER_ID)).json()["notice"]["undone_reason"] == "a mistake"
    assert error_of(await lift(tracker, USER_ID)) == (409, "decision_conflict")


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
    for path, sent in (
        (DECIDE, body),
        (LIFT, body),
        (DECIDE, body + b" "),
        ("/api/v1/tokens", body),
    ):
        replayed = await tracker.ask(path, sent, key=OPERATOR, proof=proof)
        assert error_of(replayed) == (401, "proof_invalid")
    unsigned = await tracker.http.post(
        DECIDE, content=body, headers={"content-type": "application/json"}
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
        ({"target_id": "u1"}, "invalid_request"),
        ({"target_id": "r1" + "a" * 32}, "invalid_request"),
        ({"target_id": USER_ID + "a"}, "invalid_request"),
        ({"target_id": USER_ID + "\n"}, "invalid_request"),
        ({"target_id": USER_ID.upper()}, "invalid_request"),
        ({"target_id": [USER_ID]}, "invalid_request"),
        ({"target_kind": "node"}, "invalid_request"),
        ({"target_kind": "network"}, "invalid_request"),
        ({"target_kind": "network", "target_id": "0.0.0.0/0"}, "invalid_request"),
        ({"target_kind": "note", "target_id": "n" * 16}, "invalid_request"),
        ({"action": "hide"}, "invalid_request"),
        ({"action": "dismiss"}, "invalid_request"),
        ({"action": "forgive"}, "invalid_request"),
        ({"action": "suspend"}, "invalid_request"),
        ({"case_id": "no-such-case-there"}, "case_not_found"),
        ({"reason": ""}, "invalid_request"),
        ({"reason": None}, "invalid_request"),
        ({"reason": "x" * 1001}, "invalid_request"),
        ({"reason": "evil\u202etxt"}, "unsafe_text"),
        ({"rule": "evil\u202etxt"}, "unsafe_text"),
        ({"reason": " \n\t"}, "invalid_request"),
        ({"days": 3}, "invalid_request"),
        ({"action": "suspend", "days": 0}, "invalid_request"),
        ({"action": "suspend", "days": 3651}, "invalid_request"),
        ({"action": "suspend", "days": "3"}, "invalid_request"),
        ({"automated": True}, "invalid_request"),
        ({"decided_by": OTHER_ID}, "invalid_request"),
    ],
)
async def test_decisions_that_make_no_sense_are_refused(
    fields: dict[str, Any], code: str, tracker: Tracker
) -> None:
    body = {"target_kind": "user", "target_id": USER_ID, "action": "ban", "reason": "spam"}
    refused = await tracker.ask(DECIDE, json.dumps(body | fields).encode(), key=OPERATOR)
    assert error_of(refused) == (CODES[code].status, code)
    assert (await token(tracker)).status_code == 200


async def test_reason_is_mandatory(tracker: Tracker) -> None:
    for path, body in (
        (DECIDE, {"target_kind": "user", "target_id": USER_ID, "action": "ban"}),
        (LIFT, {"target_id": USER_ID}),
    ):
        refused = await tracker.ask(path, json.dumps(body).encode(), key=OPERATOR)
        assert error_of(refused) == (400, "invalid_request")


# What a ban stops


async def test_banned_user_gets_no_token_and_reads_why(tracker: Tracker) -> None:
    await ban(tracker, USER_ID, reason="Flooded three rigs.", days=1)
    refused = await token(tracker)
    assert error_of(refused) == (403, "banned")
    assert refused.json()["error"]["type"] == "permission_error"
    message = refused.json()["error"]["message"]
    assert "Flooded three rigs." in message
    assert "until 2027-01-16 08:00 UTC" in message
    assert (await token(tracker, key=OTHER)).status_code == 200
    tracker.clock.now += 1
    await ban(tracker, USER_ID)
    assert "for good" in (await token(tracker)).json()["error"]["message"]


@pytest.mark.parametrize("days", [1, 3650])
async def test_ban_ends_by_itself_or_by_a_pardon(tracker: Tracker, days: int) -> None:
    for subject in (USER_ID, RIG.node_id):
        await ban(tracker, subject, days=days)
    assert (await token(tracker)).status_code == 403
    if days == 1:
        tracker.clock.now += 86_400
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
    path, ban = tmp_path / "tracker.db", make_decision(USER_ID)
    for expected in ({}, {USER_ID: ban}):
        store = await open_store(path)
        assert await store.cases.holding(now=NOW) == expected
        if not expected:
            await store.cases.put_decision(ban, events=[])
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
    ban = make_decision(USER_ID, number=len(node_id) + int(node_id == RIG.node_id))
    await tracker.store.cases.put_decision(ban, events=[])
    found = await tracker.store.revoked(now=NOW)
    undone = replace(ban, undone_at=NOW)
    assert await tracker.store.cases.undo_decision(undone, events=[])
    return next(sub for node, sub in found if node == node_id)
