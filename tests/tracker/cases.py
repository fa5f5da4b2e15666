"""Reports, decisions and appeals for tests, as the stores keep them."""

from dataclasses import replace

from luckrig.protocol.ids import derive_id
from luckrig.protocol.reports import Action, Category, SubjectKind, TargetKind
from luckrig.tracker.domain.audit_log import AuditEntry, AuditEvent
from luckrig.tracker.domain.cases import (
    AppealRecord,
    DecisionRecord,
    HoldRecord,
    ReportRecord,
    SessionRecord,
    due_at,
)
from tests.tracker.factories import NOW, node_key

RIG = derive_id("n1", node_key(1).public)
USER, OPERATOR = "u1" + "a" * 32, "u1" + "o" * 32


def make_report(
    number: int = 1,
    *,
    kind: SubjectKind = "node",
    subject: str = RIG,
    category: Category = "terms",
    at: int = NOW,
    reporter: str | None = None,
) -> ReportRecord:
    """Report `number`, with a text in every field; it would open case `number`."""
    return ReportRecord(
        report_id=f"report-{number:04}",
        case_id=f"case-{number:04}",
        ticket_hash=f"ticket-{number:04}",
        subject_kind=kind,
        subject_id=subject,
        category=category,
        reason=f"why {number} 理由",
        evidence="request 1",
        name="Ada Example",
        email="ada@example.org",
        claim='{"work":"a poem"}',
        language="ja",
        reporter_id=reporter,
        trusted=False,
        received_at=at,
        due_at=due_at(category, at),
    )


def make_decision(
    number: int = 1,
    *,
    target: str = USER,
    action: Action = "ban",
    case_id: str | None = None,
    at: int = NOW,
    seconds: int | None = None,
    automated: bool = False,
) -> DecisionRecord:
    """Decision `number`. seconds: how long it holds, None for good."""
    kinds: dict[str, TargetKind] = {"n1": "node", "u1": "user"}
    kind = kinds.get(target[:2], "network" if "/" in target else "note")
    return DecisionRecord(
        decision_id=f"decision-{number:04}",
        case_id=case_id,
        target_kind=kind,
        target_id=target,
        action=action,
        category="terms",
        ground="terms",
        rule="2",
        reason=f"because {number}",
        decided_by=OPERATOR,
        decided_at=at,
        expires_at=None if seconds is None else at + seconds,
        automated=automated,
    )


def undone(decision: DecisionRecord, *, at: int = NOW + 5) -> DecisionRecord:
    """The same, taken back."""
    return replace(decision, undone_at=at, undone_by=OPERATOR, undone_reason="a mistake")


def make_appeal(
    number: int = 1,
    *,
    decision_id: str = "decision-0001",
    appellant: str = USER,
    at: int = NOW,
) -> AppealRecord:
    """Appeal `number`, by the affected one, or by the reporter whose report's id it is."""
    return AppealRecord(
        appeal_id=f"appeal-{number:04}",
        decision_id=decision_id,
        by="affected" if appellant.startswith("u1") else "reporter",
        appellant=appellant,
        text=f"wrong {number}",
        counter_notice='{"name":"Ada"}',
        received_at=at,
    )


def answered(appeal: AppealRecord, *, upheld: bool, at: int = NOW + 5) -> AppealRecord:
    """The same with an operator's answer."""
    return replace(
        appeal, upheld=upheld, answered_by=OPERATOR, answered_at=at, answer="so it is",
        same_reviewer=True,
    )  # fmt: skip


def make_hold(case_id: str = "case-0001", *subjects: str, until: int = NOW + 100) -> HoldRecord:
    """A hold of that case and of these ids."""
    return HoldRecord(
        case_id=case_id, subjects=subjects, by=OPERATOR, reason="court", since=NOW, until=until
    )


def make_session(number: int = 1, *, user: str = USER, expires_at: int = NOW + 60) -> SessionRecord:
    """Browser `number`."""
    return SessionRecord(
        token_hash=f"cookie-{number:04}",
        user_id=user,
        created_at=NOW,
        used_at=NOW,
        expires_at=expires_at,
    )


def event(name: AuditEvent = "decided", subject: str = "it", *, at: int = NOW) -> AuditEntry:
    """A line for the audit log."""
    return AuditEntry(at=at, by=OPERATOR, event=name, subject=subject)
