"""Reports are the most hostile text there is: nothing of them steers an operator's terminal."""

import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from luckrig.cli.home import Home, id_of
from luckrig.protocol.account import AccountExport, EraseReply, LoginReply
from luckrig.protocol.desk import (
    CaseDetail,
    CasePage,
    CaseView,
    DecisionView,
    HoldView,
    ReportView,
    TargetChoice,
)
from luckrig.protocol.reports import (
    AppealView,
    CopyrightClaim,
    CounterNotice,
    DecisionNotice,
    ReportReply,
    ReportStatus,
    StatementsReply,
)
from luckrig.protocol.wire import ScoreReply
from tests.cli.conftest import AtKeyboard, Luckrig
from tests.cli.operated import Operated
from tests.cli.poison import POISON, poisoned
from tests.cli.test_output import assert_harmless
from tests.client.fake_tracker import FakeTracker, Reply
from tests.web.xss import XSS

SCRIPTS = "\n".join(XSS)
"""Nothing to a terminal; but rich has markup, links and emoji of its own."""
NODE_ID, USER_ID, TICKET = "n1" + "a" * 32, "u1" + "a" * 32, "t" * 43
CASE_ID, DECISION_ID, APPEAL_ID = "case-00000000001", "decision-00000001", "appeal-000000001"
SENT = ("--category", "terms", "--reason", POISON, "--name", POISON[:200], "--email", "a@b.example")

COUNTER = CounterNotice(
    name="n", address="a", phone="p", mistaken=True, consent=True, signature="s"
)
CLAIM = CopyrightClaim(work="w", address="a", phone="p", accurate=True, signature="s")
APPEAL = AppealView(
    appeal_id=APPEAL_ID,
    decision_id=DECISION_ID,
    by="affected",
    text="t",
    counter_notice=COUNTER,
    received_at=1,
    answered_at=2,
    upheld=True,
    answer="a",
    same_reviewer=True,
)
NOTICE = DecisionNotice(
    decision_id=DECISION_ID,
    target_kind="node",
    target_id=NODE_ID,
    action="suspend",
    category="terms",
    ground="law",
    rule="r",
    reason="r",
    automated=True,
    decided_at=1,
    expires_at=2**40,
    undone_at=3,
    undone_reason="u",
    appeal_until=2**40,
    appeal=APPEAL,
)
STANDING = msgspec.structs.replace(NOTICE, undone_at=None, undone_reason=None, appeal=None)
DECISION = DecisionView(notice=NOTICE, case_id=CASE_ID, decided_by=USER_ID, undone_by=USER_ID)
CASE = CaseView(
    case_id=CASE_ID,
    subject_kind="note",
    subject_id="s",
    category="child_safety",
    severity=7,
    reports=30,
    opened_at=1,
    due_at=2,
    closed_at=None,
    appeals=2,
    held=True,
)
REPORT = ReportView(
    report_id="r",
    category="copyright",
    reason="r",
    evidence="e",
    name="n",
    email="e",
    language="ja",
    copyright=CLAIM,
    reporter_id=USER_ID,
    trusted=True,
    received_at=1,
    due_at=2,
)
DETAIL = CaseDetail(
    case=CASE,
    excerpt="e",
    targets=[
        TargetChoice(kind="node", id="i", relation="subject", label="l", in_force=NOTICE),
        TargetChoice(kind="user", id="i", relation="owner", label="l"),
    ],
    reports=[REPORT],
    decisions=[DECISION],
    appeals=[APPEAL],
    hold=HoldView(by=USER_ID, reason="r", since=1, until=2, subjects=["s", "t"]),
    earlier=[CASE],
)
STATUS = ReportStatus(
    subject_kind="note",
    subject_id="s",
    category="terms",
    received_at=1,
    due_at=2,
    closed_at=3,
    decisions=[NOTICE, STANDING],
)
SCORE = ScoreReply(
    account=USER_ID, total=1, terms=[], tier="limited", contributor_at=1, as_of=1, pending=0
)


@dataclass(frozen=True)
class Try:
    """A command, and what the tracker answers to what it asks. fields: hostile ones, at least."""

    args: tuple[str, ...]
    answers: dict[str, msgspec.Struct]
    fields: int
    code: int = 0


REASON = ("--reason", "r")
TRIES = [
    Try(("status",), {"me/decisions": StatementsReply(decisions=[NOTICE, STANDING])}, 16),
    Try(("appeal", DECISION_ID, "--text", POISON), {"me/appeals": NOTICE}, 12),
    Try(("report", "status", TICKET), {"reports/": STATUS}, 16),
    Try(("report", "appeal", TICKET, "--text", POISON), {"reports/": STATUS}, 16),
    Try(
        ("admin", "cases"),
        {"admin/cases": CasePage(cases=[CASE], open=1, appealed=1, next=None)},
        2,
    ),
    Try(("admin", "case", CASE_ID), {"admin/cases": DETAIL}, 50),
    Try(("admin", "ban", NODE_ID, *REASON), {"admin/decisions": DECISION}, 10),
    Try(("admin", "undo", DECISION_ID, *REASON), {"admin/undo": DECISION}, 10),
    Try(("admin", "lift", NODE_ID, *REASON), {"admin/lift": DECISION}, 10),
    Try(("admin", "answer", APPEAL_ID, "overturn", *REASON), {"admin/answers": DETAIL}, 50),
    Try(("admin", "hold", CASE_ID, *REASON), {"admin/holds": DETAIL}, 50),
    Try(("admin", "release", CASE_ID, *REASON), {"admin/holds": DETAIL}, 50),
    Try(
        ("admin", "decide", CASE_ID, "ban", *REASON),
        {"admin/cases": DETAIL, "admin/decisions": DECISION},
        10,
        code=1,  # the case's target has no id that any target has
    ),
    Try(
        ("report", NODE_ID, *SENT, "--yes"),
        {
            "reports": ReportReply(
                ticket=TICKET, page="p", category="terms", received_at=1, due_at=2
            )
        },
        1,
        code=3,
    ),
    Try(("login",), {"sessions": LoginReply(url="u", expires_at=1)}, 1, code=3),
    Try(("login", "--operator", "--open"), {"sessions": LoginReply(url="u", expires_at=1)}, 1, 3),
    Try(
        ("account", "delete", "--yes-delete", USER_ID),
        {"me/erase": EraseReply(erased={"t": 1}, held=True)},
        0,
        code=1,
    ),
]


@pytest.mark.parametrize(("columns", "poison"), [("80", POISON), ("", POISON), ("", SCRIPTS)])
@pytest.mark.parametrize("tried", TRIES, ids=[" ".join(each.args[:2]) for each in TRIES])
def test_no_field_of_any_answer_steers_a_terminal(
    tried: Try,
    columns: str,
    poison: str,
    luckrig: Luckrig,
    tracker: FakeTracker,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home.load_or_create("user")
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    page = CasePage(cases=[CASE], open=1, appealed=1, next=None)
    for path, answer in {"me/score": SCORE, "admin/cases": page, **tried.answers}.items():
        body, count = poisoned(answer, poison)
        assert path not in tried.answers or count >= tried.fields
        tracker.lies(Reply([body]), path=f"/api/v1/{path}")
    for options in ((), ("--json",)):
        result = luckrig(*tried.args, *options)
        assert result.code == tried.code, result.err
        assert_harmless(result.out)
        assert_harmless(result.err)
        if options:
            json.loads(result.out)
        # No text looks like a line of ours: each of its lines stands beside its name.
        assert not any(
            line.startswith("  reason") and "faked" in line
            for line in (result.out + result.err).splitlines()
        )


def test_no_error_of_a_tracker_steers_a_terminal(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    home.load_or_create("user")
    body = msgspec.json.encode(
        {"error": {"code": POISON, "message": POISON, "type": POISON, "param": POISON}}
    )
    tracker.lies(Reply([body], status=403))
    for number, tried in enumerate(TRIES):
        result = luckrig(*tried.args, *["--json"] * (number % 2))
        assert result.code == 1
        assert_harmless(result.out + result.err)


def test_no_table_of_an_export_steers_a_terminal(
    luckrig: Luckrig, tracker: FakeTracker, home: Home, tmp_path: Path
) -> None:
    user_id = id_of("user", home.load_or_create("user"))
    exported = AccountExport(
        user_id=user_id, account=POISON, exported_at=1, tables={POISON: [{POISON: POISON}]}
    )
    tracker.lies(Reply([msgspec.json.encode(exported)]), path="/api/v1/me/export")
    for name, options in (("a", ()), ("b", ("--json",))):
        result = luckrig("account", "export", str(tmp_path / name), *options)
        assert result.code == 0
        assert_harmless(result.out + result.err + (tmp_path / name).read_text("utf-8"))
    erased = EraseReply(erased={POISON: 1}, held=True)
    tracker.lies(Reply([msgspec.json.encode(erased)]), path="/api/v1/me/erase")
    result = luckrig("account", "delete", "--yes-delete", user_id)
    assert result.code == 0
    assert_harmless(result.out + result.err)


def test_no_line_of_the_audit_log_steers_a_terminal(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    """White space between the words of JSON is none of a line's text, and isn't printed."""
    home.load_or_create("user")
    fields = {"at": 2**60, "by": POISON, "event": POISON, "subject": POISON, "detail": POISON}
    hostile = msgspec.json.encode(fields).replace(b'":', b'"\r\n:\r')
    tracker.audit.entries.append(hostile)
    tracker.audit.seal()
    for options in ((), ("--json",)):
        result = luckrig("admin", "audit", "show", *options)
        assert result.code == 0, result.err
        assert_harmless(result.out + result.err)


def test_a_report_is_previewed_harmlessly(operated: Operated, typed: AtKeyboard) -> None:
    """Whoever reports pastes what they saw."""
    typed("n")
    result = operated("visitor", "report", operated.rig_id, *SENT, "--evidence", POISON)
    assert result.code == 1
    assert "Nothing was sent" in result.err
    assert_harmless(result.out + result.err)


def test_hostile_reports_reach_the_operator_as_harmless_text(operated: Operated) -> None:
    """Through the real tracker, with all that it lets pass."""
    sent = operated("visitor", "report", operated.rig_id, *SENT, "--evidence", POISON, "--yes")
    assert sent.code == 0, sent.err
    (case,) = json.loads(operated("operator", "admin", "cases", "--json").out)["cases"]
    for options in ((), ("--json",)):
        shown = operated("operator", "admin", "case", case["case_id"], *options)
        assert shown.code == 0
        assert_harmless(shown.out + shown.err)
    detail = json.loads(shown.out)
    assert detail["reports"][0]["reason"] == POISON
    assert not any(
        line.startswith("  reason")
        for line in operated("operator", "admin", "case", case["case_id"]).out.splitlines()
    )
