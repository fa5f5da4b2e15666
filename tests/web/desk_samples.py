"""Every page behind a sign-in, in each state that changes its shape, with any text in it."""

from collections.abc import Iterator

import msgspec

from luckrig.protocol.desk import (
    AuditLine,
    CaseDetail,
    CasePage,
    CaseView,
    DecisionView,
    HoldView,
    ReportView,
    TargetChoice,
)
from luckrig.protocol.reports import (
    CATEGORIES,
    AppealView,
    Category,
    CopyrightClaim,
    CounterNotice,
    DecisionNotice,
)
from luckrig.protocol.telemetry import Telemetry
from luckrig.protocol.wire import QueueView, ScoreReply
from luckrig.web.me_pages import (
    GonePage,
    LoginPage,
    MePage,
    OwnRig,
    OwnScore,
    OwnToken,
    SignInPage,
)
from luckrig.web.operator_pages import (
    AuditLogPage,
    CaseFile,
    DecidePage,
    DeskPage,
    Problem,
    Viewer,
    choice_value,
)
from luckrig.web.pages import Page, Site
from luckrig.web.score_chart import ScoreLine
from tests.web.rigs import NOW, SITE, make_id

RIG_ID, USER_ID, OTHER_ID = make_id("n1", "rig"), make_id("u1", "user"), make_id("u1", "other")
DAY = 86_400
OPERATOR = Viewer(user_id=OTHER_ID, csrf="c" * 43, is_operator=True)
USER = Viewer(user_id=USER_ID, csrf="d" * 43, is_operator=False)


def case(category: Category = "terms", **changes: object) -> CaseView:
    """A case about the rig, due in a day."""
    view = CaseView(
        case_id="case-of-the-rig1",
        subject_kind="node",
        subject_id=RIG_ID,
        category=category,
        severity=CATEGORIES[category].severity,
        reports=3,
        opened_at=NOW - DAY,
        due_at=NOW + DAY,
        closed_at=None,
        appeals=0,
        held=False,
    )
    return msgspec.structs.replace(view, **changes)


def notice(text: str = "It says so.", **changes: object) -> DecisionNotice:
    """A ban of the rig."""
    made = DecisionNotice(
        decision_id="decision-number1",
        target_kind="node",
        target_id=RIG_ID,
        action="ban",
        category="terms",
        ground="terms",
        rule=text[:200],
        reason=text,
        automated=False,
        decided_at=NOW - DAY,
        appeal_until=NOW + 179 * DAY,
    )
    return msgspec.structs.replace(made, **changes)


def appeal(text: str = "No.", **changes: object) -> AppealView:
    """An open appeal with a counter-notice."""
    counter = CounterNotice(
        name=text, address=text, phone=text, mistaken=True, consent=True, signature=text
    )
    made = AppealView(
        appeal_id="appeal-of-owner1",
        decision_id="decision-number1",
        by="affected",
        text=text,
        counter_notice=counter,
        received_at=NOW - 60,
    )
    return msgspec.structs.replace(made, **changes)


def answered(text: str) -> AppealView:
    """The same, answered."""
    changes = {"answered_at": NOW, "answer": text, "upheld": False, "same_reviewer": True}
    return appeal(text, **changes)


def report(text: str, number: int = 1) -> ReportView:
    """A copyright notice."""
    claim = CopyrightClaim(work=text, address=text, phone=text, accurate=True, signature=text)
    return ReportView(
        report_id=f"report-{number}",
        category="copyright",
        reason=text,
        evidence=text,
        name=text,
        email=text,
        language="ja",
        copyright=claim,
        reporter_id=USER_ID,
        trusted=True,
        received_at=NOW - DAY,
        due_at=NOW + DAY,
    )


def detail(text: str = "Words.") -> CaseDetail:
    """A case in which everything has happened."""
    old = msgspec.structs.replace(
        report(text, 2), reason=None, evidence=None, name=None, email=None, copyright=None
    )
    undone = notice(
        text, decision_id="decision-number2", undone_at=NOW, undone_reason=text, automated=True
    )
    return CaseDetail(
        case=case("copyright", appeals=1, held=True, closed_at=NOW - 60),
        excerpt=text,
        targets=[
            TargetChoice(
                kind="node", id=RIG_ID, relation="subject", label=text, in_force=notice(text)
            ),
            TargetChoice(kind="user", id=USER_ID, relation="owner", label=""),
        ],
        reports=[report(text), old],
        decisions=[
            DecisionView(notice=notice(text), case_id="case-of-the-rig1", decided_by=OTHER_ID),
            DecisionView(
                notice=undone, case_id="case-of-the-rig1", decided_by=USER_ID, undone_by=OTHER_ID
            ),
        ],
        appeals=[
            appeal(text),
            msgspec.structs.replace(
                answered(text), appeal_id="appeal-of-owner2", decision_id="decision-number2"
            ),
        ],
        hold=HoldView(by=OTHER_ID, reason=text, since=NOW, until=NOW + 400 * DAY, subjects=[]),
        earlier=[case(closed_at=NOW - 9 * DAY, case_id="case-of-the-rig0")],
    )


def fresh() -> CaseDetail:
    """A case that was just opened."""
    target = TargetChoice(kind="user", id=USER_ID, relation="subject", label="")
    return CaseDetail(
        case=case("child_safety", subject_kind="user", subject_id=USER_ID, due_at=NOW - 7200),
        excerpt=None,
        targets=[target],
        reports=[report("First.")],
        decisions=[],
        appeals=[],
        hold=None,
        earlier=[],
    )


CAPS = {
    "existence": 5_000,
    "scarcity": 25_000,
    "usage": 40_000,
    "discovery": 15_000,
    "notes": 15_000,
}
WORTH = {
    "rig": {"day": 50, "rare": 500},
    "used": {"pair": 2_000},
    "rare": {"each": 500, "from": 300},
    "notes": {"selected": 500, "reproduced": 1_000, "pair": 1_500},
    "timings": {"each": 100, "cap": 2_000},
    "reproduce": {"each": 500, "cap": 4_000},
}


def score(*lines: ScoreLine, **changes: object) -> OwnScore:
    """Of these terms."""
    reply = ScoreReply(
        account=OTHER_ID,
        total=sum(line.amount for line in lines),
        terms=[],
        tier="limited",
        contributor_at=5000,
        as_of=NOW,
        pending=0,
    )
    reply = msgspec.structs.replace(reply, **changes)
    return OwnScore(reply=reply, lines=lines, caps=CAPS, worth=WORTH)


def every_term() -> tuple[ScoreLine, ...]:
    """Olga's score of docs/CONTRIBUTION.md, and what she hasn't."""
    return (
        ScoreLine(axis="existence", kind="days", amount=2_000, n=40),
        ScoreLine(axis="scarcity", kind="hours", amount=5_000, n=240_000),
        ScoreLine(axis="scarcity", kind="unmatched", amount=-4_925),
        ScoreLine(axis="usage", kind="gift", amount=600, who=USER_ID),
        ScoreLine(axis="usage", kind="gift", amount=100, who=OTHER_ID),
        ScoreLine(axis="discovery", kind="gift", amount=375, who=USER_ID),
        ScoreLine(axis="notes", kind="gift", amount=1_000, who=USER_ID),
        ScoreLine(axis="notes", kind="timings", amount=100, n=1),
        ScoreLine(axis="notes", kind="reproduced", amount=500, n=1),
        ScoreLine(axis="notes", kind="cap", amount=-1, n=9_000),
    )


def audit_line(position: int, text: str = "") -> AuditLine:
    """A line of the audit log."""
    entry = {"at": NOW, "by": OTHER_ID, "event": "decided", "subject": text, "detail": text}
    return AuditLine(
        position=position, entry=msgspec.Raw(msgspec.json.encode(entry)), hash="h" * 43
    )


def sample_pages(text: str = "Words.", site: Site = SITE) -> Iterator[tuple[str, Page]]:
    """Name and page; `text` stands wherever strangers or operators write."""
    problem = Problem("invalid_request", text)
    draft = {
        "what": choice_value("ban", "node", RIG_ID), "days": text, "rule": text, "reason": text,
    }  # fmt: skip
    listed = CasePage(
        cases=[
            *(case(category, case_id=f"case-{category:0<11}"[:16]) for category in CATEGORIES),
            case(subject_kind="reply", subject_id=f"{RIG_ID}/request-number-1", due_at=NOW - DAY),
            case(appeals=2, held=True, closed_at=NOW - 60, case_id="case-of-appeals1"),
        ],
        open=9,
        appealed=1,
        next="case-of-appeals1",
    )
    empty = CasePage(cases=[], open=0, appealed=0, next=None)
    yield "sign in", SignInPage(site=site)
    yield "login", LoginPage(site=site, code="a" * 43, user_id=USER_ID)
    yield "cases", DeskPage(site=site, viewer=OPERATOR, cases=listed, after="case-of-appeals1")
    yield "no cases", DeskPage(site=site, viewer=OPERATOR, cases=empty)
    yield "no appeals", DeskPage(site=site, viewer=OPERATOR, cases=empty, appealed=True)
    yield "no more cases", DeskPage(site=site, viewer=OPERATOR, cases=empty, after="x")
    yield "case", CaseFile(site=site, viewer=OPERATOR, detail=detail(text))
    yield "case alone", CaseFile(site=site, viewer=OPERATOR, detail=detail(text), is_alone=True)
    yield "fresh case", CaseFile(site=site, viewer=OPERATOR, detail=fresh())
    yield (
        "case problem",
        CaseFile(site=site, viewer=OPERATOR, detail=detail(text), problem=problem, draft=draft),
    )
    yield (
        "decide",
        DecidePage(
            site=site,
            viewer=OPERATOR,
            problem=problem,
            draft={**draft, "action": "ban", "target_id": text},
        ),
    )
    yield "decided", DecidePage(site=site, viewer=OPERATOR, done="decided")
    lines = [audit_line(number, text) for number in range(10, 15)]
    yield "audit", AuditLogPage(site=site, viewer=OPERATOR, lines=lines, size=40, limit=5)
    yield "empty audit", AuditLogPage(site=site, viewer=OPERATOR, lines=[], size=0, limit=5)
    statements = [
        notice(text, category="copyright"),
        notice(text, decision_id="decision-number3", target_kind="user", target_id=USER_ID,
               action="suspend", expires_at=NOW + DAY, appeal=appeal(text)),
        notice(text, decision_id="decision-number4", undone_at=NOW, undone_reason=text,
               appeal=answered(text)),
        notice(text, decision_id="decision-number5", appeal_until=NOW - 1, target_kind="note",
               target_id="note-of-a-stranger", action="hide"),
    ]  # fmt: skip
    rigs = [
        OwnRig(
            node_id=RIG_ID,
            name=text,
            status="busy",
            is_listed=True,
            note=text,
            last_seen_at=NOW - 4,
            queue=QueueView(active=2, waiting=1, max_active=2),
            day=41,
            week=310,
            disputed=1,
            said=Telemetry(status="busy", served=402, failed=3, error_share=0.02),
        ),
        OwnRig(
            node_id=make_id("n1", "b"),
            name=text,
            status="paused",
            is_listed=True,
            last_seen_at=NOW - 9,
            wish_paused=True,
            wish_at=NOW - 60,
        ),
        OwnRig(node_id=make_id("n1", "c"), name=text, status="paused", is_listed=True),
        OwnRig(
            node_id=make_id("n1", "d"),
            name=text,
            status="paused",
            is_listed=False,
            wish_paused=False,
            wish_at=NOW - 2,
        ),
    ]
    tokens = [
        OwnToken(
            node_id=RIG_ID, name=text, issued_at=NOW - 60, expires_at=NOW + 840, state="running"
        ),
        OwnToken(
            node_id=OTHER_ID, name=None, issued_at=NOW - 7_200, expires_at=NOW - 3_600,
            state="ended",
        ),
        OwnToken(
            node_id=RIG_ID, name=text, issued_at=NOW - 900, expires_at=NOW, state="revoked"
        ),
    ]  # fmt: skip
    yield (
        "me",
        MePage(
            site=site, viewer=USER, score=score(*every_term(), pending=3), statements=statements,
            rigs=rigs, tokens=tokens, problem=text,
            draft={"decision_id": "decision-number1", "text": text, "name": text, "address": text,
                   "phone": text, "signature": text, "mistaken": "true"},
        ),
    )  # fmt: skip
    known = score(*every_term(), tier="contributor", total=61_000)
    yield "me, known", MePage(site=site, viewer=USER, score=known, statements=[], rigs=[])
    yield "me, new", MePage(site=site, viewer=OPERATOR, score=score(), statements=[], rigs=[])
    yield "gone", GonePage(site=site, erased={"users": 1, "tokens": 0}, held=True)
