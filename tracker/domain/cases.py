"""Reports, cases, decisions, appeals and holds as they are remembered, and the rules about them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from luckrig.protocol.reports import (
    APPEAL_DAYS,
    CATEGORIES,
    Action,
    Category,
    Ground,
    Language,
    SubjectKind,
    TargetKind,
)

DAY_SECONDS: Final = 86_400
ENDS_ACCESS: Final[frozenset[Action]] = frozenset(("suspend", "ban"))


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportRecord:
    """One report. Times are Unix seconds.

    report_id: a hash of its form's id. ticket_hash: SHA-256 of the ticket, hex. claim: a
    CopyrightClaim as JSON. reporter_id: whose key signed it, if one did. trusted: whether that was
    a trusted notifier's. reason, evidence, name, email, claim, reporter_id: None once anonymised.
    """

    report_id: str
    case_id: str
    ticket_hash: str
    subject_kind: SubjectKind
    subject_id: str
    category: Category
    reason: str | None
    evidence: str | None
    name: str | None
    email: str | None
    claim: str | None
    language: Language
    reporter_id: str | None
    trusted: bool
    received_at: int
    due_at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseRecord:
    """All reports about one subject until a decision closes it. Times are Unix seconds.

    category, severity, due_at: of the gravest, and of the most urgent report. closed_at: None while
    it is open.
    """

    case_id: str
    subject_kind: SubjectKind
    subject_id: str
    category: Category
    severity: int
    reports: int
    opened_at: int
    due_at: int
    closed_at: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionRecord:
    """What an operator decided, or a trusted notifier's word hid until one does (automated).

    expires_at: None for good. undone_by: whoever took it back; None while it stands. case_id: None
    for a network, which no case is about. category: None where nobody had reported anything.
    """

    decision_id: str
    case_id: str | None
    target_kind: TargetKind
    target_id: str
    action: Action
    category: Category | None
    ground: Ground
    rule: str
    reason: str
    decided_by: str
    decided_at: int
    expires_at: int | None = None
    automated: bool = False
    undone_at: int | None = None
    undone_by: str | None = None
    undone_reason: str | None = None

    def in_force(self, now: float) -> bool:
        """Whether it holds its target at `now`. A dismissal holds nothing."""
        return (
            self.action != "dismiss"
            and self.undone_at is None
            and (self.expires_at is None or now < self.expires_at)
        )

    @property
    def bans(self) -> bool:
        """Whether its target stays out while it is in force."""
        return self.action in ENDS_ACCESS

    def yields_to(self, held: "DecisionRecord | None", case: "CaseRecord | None") -> bool:
        """Whether it, automated, comes too late, with that case and what holds its target now.

        A person has decided the case meanwhile, or what holds the target is as strong: a hidden
        rig's tunnel stays open, so nothing is hidden in the place of a ban.
        """
        if not self.automated:
            return False
        decided = case is not None and case.closed_at is not None
        return decided or (held is not None and held.action != "limit")

    def ended_by(self, decision: "DecisionRecord") -> "DecisionRecord":
        """This one, taken back because a person decided meanwhile."""
        return replace(
            self,
            undone_at=decision.decided_at,
            undone_by=decision.decided_by,
            undone_reason="An operator has decided.",
        )

    @property
    def appeal_until(self) -> int:
        """The last second in which it may be appealed."""
        return self.decided_at + APPEAL_DAYS * DAY_SECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class AppealRecord:
    """One side's appeal against a decision; each side has one.

    appellant: the affected one's user id, or the report's id. counter_notice: as JSON. upheld,
    answered_by, answered_at, answer: None while it is open.
    """

    appeal_id: str
    decision_id: str
    by: Literal["affected", "reporter"]
    appellant: str
    text: str | None
    counter_notice: str | None
    received_at: int
    upheld: bool | None = None
    answered_by: str | None = None
    answered_at: int | None = None
    answer: str | None = None
    same_reviewer: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldRecord:
    """A legal hold: the case's rows, and those of the subjects, stay until then. One for a case."""

    case_id: str
    subjects: tuple[str, ...]
    by: str
    reason: str
    since: int
    until: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRecord:
    """A browser in which somebody is signed in. token_hash: SHA-256 of its cookie, hex."""

    token_hash: str
    user_id: str
    created_at: int
    used_at: int
    expires_at: int


def open_case(case_id: str, report: ReportRecord) -> CaseRecord:
    """The case that a report opens."""
    return CaseRecord(
        case_id=case_id,
        subject_kind=report.subject_kind,
        subject_id=report.subject_id,
        category=report.category,
        severity=CATEGORIES[report.category].severity,
        reports=1,
        opened_at=report.received_at,
        due_at=report.due_at,
    )


def case_of_decision(
    case_id: str, kind: SubjectKind, subject_id: str, ground: Ground, *, now: int
) -> CaseRecord:
    """The case of a decision that nobody had asked for, so that it can be appealed like any.

    It is closed from the start, and so never in the way of one that a report opens meanwhile.
    """
    category: Category = "illegal" if ground == "law" else "terms"
    return CaseRecord(
        case_id=case_id,
        subject_kind=kind,
        subject_id=subject_id,
        category=category,
        severity=CATEGORIES[category].severity,
        reports=0,
        opened_at=now,
        due_at=now,
        closed_at=now,
    )


def join_case(case: CaseRecord, report: ReportRecord) -> CaseRecord:
    """The case after one more report about its subject."""
    severity = CATEGORIES[report.category].severity
    graver = severity > case.severity
    return replace(
        case,
        category=report.category if graver else case.category,
        severity=max(severity, case.severity),
        reports=case.reports + 1,
        due_at=min(case.due_at, report.due_at),
    )


def due_at(category: Category, received_at: int) -> int:
    """When a report should have been decided, Unix seconds."""
    return received_at + CATEGORIES[category].hours * 3600


def holding(decisions: Iterable[DecisionRecord], *, now: float) -> dict[str, DecisionRecord]:
    """target id → the decision that holds it at `now`: the last one of those in force.

    So undoing a decision brings back an earlier one that is still in force.
    """
    held: dict[str, DecisionRecord] = {}
    for decision in sorted(decisions, key=lambda each: (each.decided_at, each.decision_id)):
        if decision.in_force(now):
            held[decision.target_id] = decision
    return held


def urgency(case: CaseRecord) -> tuple[int, int, str]:
    """The order in which cases are decided: the gravest first, then the one that is due first."""
    return (-case.severity, case.due_at, case.case_id)


def anonymised_report(report: ReportRecord) -> ReportRecord:
    """What is left of a report when nothing may tell of people any more."""
    return replace(
        report, reason=None, evidence=None, name=None, email=None, claim=None, reporter_id=None
    )


def anonymised_appeal(appeal: AppealRecord) -> AppealRecord:
    """The same of an appeal. Its answer stays: it says why, and names nobody."""
    affected = appeal.by == "affected"
    return replace(
        appeal,
        text=None,
        counter_notice=None,
        appellant=appeal.appeal_id if affected else appeal.appellant,
    )


def anonymised_decision(decision: DecisionRecord) -> DecisionRecord:
    """The same of a decision that holds nothing any more: what was done and why, to nobody."""
    return replace(
        decision,
        target_id="",
        reason="",
        undone_reason=None if decision.undone_reason is None else "",
    )


def ended_at(decision: DecisionRecord) -> int | None:
    """When a decision stopped to hold its target, or will; None for one that holds for good."""
    if decision.undone_at is not None:
        return decision.undone_at
    return decision.decided_at if decision.action == "dismiss" else decision.expires_at
