"""`luckrig admin`: what an operator asks for is signed, printed, and refused when it is wrong."""

import json
from typing import Any

import msgspec
import pytest

from luckrig.cli.home import Home
from luckrig.protocol.proofs import verify_proof
from luckrig.protocol.wire import InviteReply
from tests.cli.conftest import Luckrig
from tests.cli.operated import IDS, NOTE_ID, Operated
from tests.client.fake_tracker import FakeTracker, Reply

USER_ID, NODE_ID = "u1" + "a" * 32, "n1" + "a" * 32
SENDER = ("--name", "Kim Example", "--email", "kim@example.org", "--yes")
WRONG = ("--category", "terms", "--reason", "It is a toaster.", *SENDER)


def the_case(operated: Operated) -> Any:
    """The only open case."""
    (case,) = json.loads(operated("operator", "admin", "cases", "--json").out)["cases"]
    return case


def reported(operated: Operated, subject: str) -> str:
    """Report that; the id of its case."""
    result = operated("visitor", "report", subject, *WRONG)
    assert result.code == 0, result.err
    case_id: str = the_case(operated)["case_id"]
    return case_id


def statements(operated: Operated, who: str = "owner") -> Any:
    """What was decided about somebody, the newest first."""
    return json.loads(operated(who, "status", "--json").out)["decisions"]


def test_a_decision_is_signed_with_the_operators_key(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    home.load_or_create("user")
    luckrig("admin", "ban", USER_ID, "--reason", "spam")
    request = tracker.seen[-1]
    assert json.loads(request.body) == {
        "case_id": None,
        "target_kind": "user",
        "target_id": USER_ID,
        "action": "ban",
        "ground": "terms",
        "rule": "",
        "reason": "spam",
        "days": None,
    }
    proof = verify_proof(
        request.headers["dpop"],
        method="POST",
        urls=[f"{tracker.origin}/api/v1/admin/decisions"],
        now=tracker.clock(),
    )
    proof.check_body(request.body)
    assert proof.key == home.load("user").public


def test_ban_and_lift(operated: Operated) -> None:
    result = operated("operator", "admin", "ban", IDS["owner"], "--reason", "spam")
    assert (result.code, result.out) == (0, f"User {IDS['owner']}: banned for good.\n")
    assert "undo it: luckrig admin undo " in result.err
    assert statements(operated)[0]["reason"] == "spam"
    result = operated("operator", "admin", "lift", IDS["owner"], "--reason", "A slip.")
    assert result.out == f"Taken back: user {IDS['owner']} is no longer banned.\n"
    assert statements(operated)[0]["undone_reason"] == "A slip."
    result = operated("operator", "admin", "lift", IDS["owner"], "--reason", "Again.")
    assert (result.code, result.err) == (1, "error: No decision holds this now.\n")


def test_a_suspension_has_days_and_nothing_else_does(operated: Operated) -> None:
    suspend = ("admin", "suspend", IDS["owner"], "--reason", "spam")
    result = operated("operator", *suspend, "--days", "7", "--rule", "no spam")
    assert result.out.startswith(f"User {IDS['owner']}: suspended until 20")
    (found,) = statements(operated)
    assert found["expires_at"] == found["decided_at"] + 7 * 86_400
    assert found["rule"] == "no spam"
    assert operated("operator", *suspend).code == 2
    assert operated("operator", *suspend, "--days", "0").code == 2
    case_id = reported(operated, operated.rig_id)
    decide = ("admin", "decide", case_id, "ban", "--reason", "x", "--days", "3")
    assert "--days goes with suspend" in operated("operator", *decide).err


@pytest.mark.parametrize(
    ("action", "target", "said"),
    [
        ("limit", IDS["visitor"], "limited"),
        ("ban", "203.0.113.7", "Network 203.0.113.0/24: banned for good"),
        ("ban", "2001:db8::/48", "Network 2001:db8::/48: banned for good"),
        ("hide", NOTE_ID, f"Note {NOTE_ID}: hidden"),
    ],
)
def test_every_kind_of_target_is_told_by_its_shape(
    operated: Operated, action: str, target: str, said: str
) -> None:
    operated.write_note("Undervolt it.")
    result = operated("operator", "admin", action, target, "--reason", "x")
    assert result.code == 0, result.err
    assert said in result.out
    assert operated("operator", "admin", "lift", target, "--reason", "x").code == 0


@pytest.mark.parametrize(
    ("action", "target"),
    [
        ("hide", USER_ID),
        ("ban", NOTE_ID),
        ("limit", "203.0.113.0/24"),
        ("ban", "10.0.0.0/8"),
        ("ban", "alice"),
        ("ban", "u1abc"),
        ("ban", "u1" + "a" * 31),
        ("ban", USER_ID + "a"),
        ("ban", "../x"),
        ("ban", f"{NODE_ID}/request-id-of-16"),
        ("lift", "alice"),
    ],
)
def test_wrong_targets_never_leave_the_machine(
    action: str, target: str, luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    home.load_or_create("user")
    result = luckrig("admin", action, target, "--reason", "x")
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert tracker.seen == []


@pytest.mark.parametrize(
    "options", [(), ("--reason", ""), ("--reason", "  "), ("--reason", "x" * 1001)]
)
def test_nobody_decides_without_a_reason(
    options: tuple[str, ...], luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    home.load_or_create("user")
    for command in (
        ("ban", USER_ID),
        ("lift", USER_ID),
        ("undo", "decision-00000001"),
        ("dismiss", "case-00000000001"),
        ("answer", "appeal-000000001", "uphold"),
        ("hold", "case-00000000001"),
    ):
        result = luckrig("admin", *command, *options)
        assert result.code == 2, command
        assert "--reason" in result.err
    assert tracker.seen == []


def test_no_key_is_made_for_somebody_who_has_none(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    for command in (("lift", USER_ID, "--reason", "x"), ("cases",), ("audit",)):
        result = luckrig("admin", *command)
        assert result.code == 1
        assert "no key 'user'" in result.err
    assert home.names() == []


def test_nobody_else_gets_in(operated: Operated) -> None:
    for command in (
        ("cases",),
        ("case", "case-00000000001"),
        ("ban", USER_ID, "--reason", "x"),
        ("audit", "verify"),
    ):
        result = operated("visitor", "admin", *command)
        assert (result.code, result.out) == (1, "")
        assert "Only this tracker's operators" in result.err
        error = json.loads(operated("visitor", "admin", *command, "--json").out)["error"]
        assert error["code"] == "operators_only"


def test_cases_are_listed_the_gravest_first(operated: Operated) -> None:
    assert "No case is open." in operated("operator", "admin", "cases").out
    operated("visitor", "report", operated.rig_id, *WRONG)
    threat = ("--category", "threat", "--reason", "He says so.", *SENDER)
    operated("visitor", "report", IDS["owner"], *threat)
    lines = operated("operator", "admin", "cases").out.splitlines()
    assert lines[2].split()[1:] == ["user", IDS["owner"][:10], "threat", "in", "2", "d", "1"]
    assert lines[3].split()[1:] == ["rig", operated.rig_id[:10], "terms", "in", "6", "d", "1"]
    assert "2 open, 0 with an appeal." in lines[-1]


def test_cases_are_read_over_all_pages(operated: Operated) -> None:
    """Twenty on a page."""
    for number in range(23):
        subject = f"{operated.rig_id}/request-{number:012}"
        assert operated("visitor", "report", subject, *WRONG).code == 0
    found = json.loads(operated("operator", "admin", "cases", "--json").out)
    assert (len(found["cases"]), found["open"]) == (23, 23)
    assert len({case["case_id"] for case in found["cases"]}) == 23
    found = json.loads(operated("operator", "admin", "cases", "--limit", "21", "--json").out)
    assert len(found["cases"]) == 21


def test_a_case_shows_all_there_is_to_decide_it_by(operated: Operated) -> None:
    operated.publish(name="toaster", note="Honest.", seq=2)
    case_id = reported(operated, operated.rig_id)
    out = operated("operator", "admin", "case", case_id).out
    for part in (
        f"Case {case_id}: rig {operated.rig_id}",
        "severity 1 of 7",
        "Honest.",
        f"owner     user {IDS['owner']}",
        "Kim Example <kim@example.org>",
        "It is a toaster.",
    ):
        assert part in out
    assert "no such case" in operated("operator", "admin", "case", "case-00000000001").err
    result = operated("operator", "admin", "case", "../../health")
    assert (result.code, "The id of a case" in result.err) == (1, True)


def test_decide_acts_on_the_reported_or_on_whoever_is_named(operated: Operated) -> None:
    case_id = reported(operated, operated.rig_id)
    limit = ("admin", "decide", case_id, "limit", "--reason", "Odd.")
    assert operated("operator", *limit).out == f"Rig {operated.rig_id}: limited.\n"
    assert json.loads(operated("operator", "admin", "case", case_id, "--json").out)["case"][
        "closed_at"
    ]
    ban = ("admin", "decide", case_id, "ban", "--target", IDS["owner"], "--reason", "Odd.")
    result = operated("operator", *ban, "--ground", "law", "--json")
    assert json.loads(result.out)["case_id"] == case_id
    assert [(each["action"], each["ground"]) for each in statements(operated)] == [
        ("ban", "law"),
        ("limit", "terms"),
    ]


def test_a_reply_is_nobodys_target(operated: Operated) -> None:
    case_id = reported(operated, f"{operated.rig_id}/request-id-of-16")
    result = operated("operator", "admin", "decide", case_id, "ban", "--reason", "x")
    assert (result.code, result.out) == (1, "")
    assert f"--target: rig {operated.rig_id}; owner {IDS['owner']}" in result.err
    result = operated("operator", "admin", "dismiss", case_id, "--reason", "Nothing wrong.")
    assert (result.code, result.out) == (0, f"Dismissed case {case_id}.\n")
    assert statements(operated) == []


def test_an_appeal_is_answered_by_another_operator(operated: Operated) -> None:
    case_id = reported(operated, operated.rig_id)
    operated("operator", "admin", "ban", operated.rig_id, "--case", case_id, "--reason", "x")
    (decision,) = statements(operated)
    operated("owner", "appeal", decision["decision_id"], "--text", "It is real.")
    assert "1 appeal" in operated("second", "admin", "cases", "--appealed").out
    detail = json.loads(operated("second", "admin", "case", case_id, "--json").out)
    answer = ("admin", "answer", detail["appeals"][0]["appeal_id"], "overturn", "--reason", "True.")
    assert "another operator" in operated("operator", *answer).err
    assert operated("second", *answer).out == "Answered: the decision is taken back.\n"
    (decision,) = statements(operated)
    assert (decision["undone_reason"], decision["appeal"]["upheld"]) == ("True.", False)
    assert "answered already" in operated("second", *answer).err


def test_undo_takes_one_decision_back(operated: Operated) -> None:
    operated("operator", "admin", "limit", IDS["owner"], "--reason", "x")
    (decision,) = statements(operated)
    undo = ("admin", "undo", decision["decision_id"], "--reason", "A slip.")
    assert "is no longer limited." in operated("operator", *undo).out
    assert "taken back already" in operated("operator", *undo).err
    result = operated("operator", "admin", "undo", "not an id", "--reason", "x")
    assert "The id of a decision has" in result.err


def test_a_hold_lasts_a_year_at_least(operated: Operated) -> None:
    case_id = reported(operated, operated.rig_id)
    hold = ("admin", "hold", case_id, "--reason", "2258A.")
    assert operated("operator", *hold, "--days", "30").code == 2
    assert f"Case {case_id} is held until 20" in operated("operator", *hold).out
    out = operated("operator", "admin", "case", case_id).out
    assert "2258A." in out
    assert operated.rig_id in out
    release = ("admin", "release", case_id, "--reason", "Over.")
    assert operated("operator", *release).out == f"Case {case_id} is no longer held.\n"
    assert "no hold" in operated("operator", *release).err


def test_refusal_of_the_tracker_is_shown(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    home.load_or_create("user")
    error = {"message": "Only operators.", "type": "permission_error", "param": None}
    body = msgspec.json.encode({"error": error | {"code": "operators_only"}})
    tracker.lies(Reply([body], status=403), path="/api/v1/admin")
    result = luckrig("admin", "ban", USER_ID, "--reason", "x")
    assert (result.code, result.err) == (1, "error: Only operators.\n")


def test_invite_prints_its_code_and_nothing_else(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    home.load_or_create("user")
    reply = InviteReply(code="a-code-of-22-characters", uses=3, expires_at=1_900_000_000)
    tracker.lies(Reply([msgspec.json.encode(reply)]), path="/api/v1/admin/invites")
    result = luckrig("admin", "invite", "--uses", "3", "--days", "2")
    assert (result.code, result.out) == (0, "a-code-of-22-characters\n")
    assert json.loads(tracker.seen[-1].body) == {"uses": 3, "days": 2}
    document = json.loads(luckrig("admin", "invite", "--json").out)
    assert document == {"code": reply.code, "uses": 3, "expires_at": reply.expires_at}
    assert luckrig("admin", "invite", "--uses", "0").code == 2
