"""`luckrig admin`: what an operator asks for is signed, printed, and refused when it is wrong."""

import json

import msgspec
import pytest

from luckrig.cli.home import Home, id_of
from luckrig.protocol.proofs import verify_proof
from luckrig.protocol.wire import BanReply, InviteReply, LiftReply
from tests.cli.conftest import Luckrig
from tests.client.fake_tracker import FakeTracker, Reply

USER_ID, NODE_ID = "u1" + "a" * 32, "n1" + "a" * 32


@pytest.fixture
def operator(home: Home, tracker: FakeTracker) -> str:
    """The id of the operator whose key is at home; the tracker does what it is told."""
    operator_id = id_of("user", home.load_or_create("user"))
    banned = BanReply(
        subject=USER_ID, reason="spam", created_at=1, expires_at=None, decided_by=operator_id
    )
    tracker.lies(Reply([msgspec.json.encode(banned)]), path="/api/v1/admin/bans")
    return operator_id


def pardons(tracker: FakeTracker, *, was_banned: bool) -> None:
    reply = LiftReply(subject=USER_ID, was_banned=was_banned)
    tracker.lies(Reply([msgspec.json.encode(reply)]), path="/api/v1/admin/bans/lift")


def test_ban_is_signed_with_the_users_key(
    luckrig: Luckrig, tracker: FakeTracker, home: Home, operator: str
) -> None:
    result = luckrig("admin", "ban", USER_ID, "--reason", "spam")
    assert (result.code, result.out) == (0, f"Banned {USER_ID} for good.\n")
    request = tracker.seen[-1]
    assert json.loads(request.body) == {"subject": USER_ID, "reason": "spam", "expires_at": None}
    proof = verify_proof(
        request.headers["dpop"],
        method="POST",
        urls=[f"{tracker.origin}/api/v1/admin/bans"],
        now=tracker.clock(),
    )
    proof.check_body(request.body)
    assert proof.key == home.load("user").public


def test_days_become_an_end(luckrig: Luckrig, tracker: FakeTracker, operator: str) -> None:
    before = int(tracker.clock())
    result = luckrig("admin", "ban", NODE_ID, "--reason", "x", "--days", "3")
    assert "for 3 days" in result.out
    expires_at = json.loads(tracker.seen[-1].body)["expires_at"]
    assert before + 3 * 86_400 <= expires_at <= int(tracker.clock()) + 3 * 86_400


def test_json_is_the_trackers_reply(luckrig: Luckrig, tracker: FakeTracker, operator: str) -> None:
    document = json.loads(luckrig("admin", "ban", USER_ID, "--reason", "spam", "--json").out)
    assert document["decided_by"] == operator
    pardons(tracker, was_banned=True)
    document = json.loads(luckrig("admin", "lift", USER_ID, "--json").out)
    assert document == {"subject": USER_ID, "was_banned": True}


@pytest.mark.parametrize(
    ("was_banned", "said"),
    [(True, f"Lifted the ban of {USER_ID}.\n"), (False, f"{USER_ID} wasn't banned.\n")],
)
def test_lift_says_whether_there_was_a_ban(
    was_banned: bool, said: str, luckrig: Luckrig, tracker: FakeTracker, operator: str
) -> None:
    pardons(tracker, was_banned=was_banned)
    assert luckrig("admin", "lift", USER_ID).out == said
    assert json.loads(tracker.seen[-1].body) == {"subject": USER_ID}


@pytest.mark.parametrize("subject", ["alice", "u1abc", "r1" + "a" * 32, USER_ID + "a", "../x"])
def test_wrong_ids_never_leave_the_machine(
    subject: str, luckrig: Luckrig, tracker: FakeTracker, operator: str
) -> None:
    for arguments in (("ban", subject, "--reason", "x"), ("lift", subject)):
        result = luckrig("admin", *arguments)
        assert result.code == 1
        assert "whole id" in result.err
    assert tracker.seen == []


@pytest.mark.parametrize(
    "options",
    [(), ("--reason", ""), ("--reason", "x" * 281), ("--reason", "x", "--days", "0")],
)
def test_wrong_options_are_refused(
    options: tuple[str, ...], luckrig: Luckrig, tracker: FakeTracker, operator: str
) -> None:
    assert luckrig("admin", "ban", USER_ID, *options).code == 2
    assert tracker.seen == []


def test_no_key_is_made_for_somebody_who_has_none(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    result = luckrig("admin", "lift", USER_ID)
    assert result.code == 1
    assert "no key 'user'" in result.err
    assert home.names() == []


def test_refusal_of_the_tracker_is_shown(
    luckrig: Luckrig, tracker: FakeTracker, operator: str
) -> None:
    error = {"message": "Only operators.", "type": "permission_error", "param": None}
    body = msgspec.json.encode({"error": error | {"code": "operators_only"}})
    tracker.lies(Reply([body], status=403), path="/api/v1/admin")
    result = luckrig("admin", "ban", USER_ID, "--reason", "x")
    assert (result.code, result.err) == (1, "error: Only operators.\n")


def test_invite_prints_its_code_and_nothing_else(
    luckrig: Luckrig, tracker: FakeTracker, operator: str
) -> None:
    reply = InviteReply(code="a-code-of-22-characters", uses=3, expires_at=1_900_000_000)
    tracker.lies(Reply([msgspec.json.encode(reply)]), path="/api/v1/admin/invites")
    result = luckrig("admin", "invite", "--uses", "3", "--days", "2")
    assert (result.code, result.out) == (0, "a-code-of-22-characters\n")
    assert json.loads(tracker.seen[-1].body) == {"uses": 3, "days": 2}
    document = json.loads(luckrig("admin", "invite", "--json").out)
    assert document == {"code": reply.code, "uses": 3, "expires_at": reply.expires_at}
    assert luckrig("admin", "invite", "--uses", "0").code == 2
