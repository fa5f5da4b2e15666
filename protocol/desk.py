"""What operators see and decide: their part of the tracker's JSON. reports.py has the words."""

from typing import Annotated, Literal

import msgspec

from luckrig.protocol.ids import UserId
from luckrig.protocol.reports import (
    MAX_SUSPENSION_DAYS,
    Action,
    AppealView,
    Category,
    CopyrightClaim,
    DecisionNotice,
    Ground,
    Language,
    Reason,
    ShortText,
    SubjectKind,
    TargetKind,
)
from luckrig.protocol.tokens import Opaque


class DecisionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's decision. case_id: None for one that nobody reported.

    days: of a suspension, None otherwise. reason: what the affected one reads.
    """

    case_id: Opaque | None = None
    target_kind: TargetKind
    target_id: Annotated[str, msgspec.Meta(max_length=100)]
    action: Action
    ground: Ground = "terms"
    rule: ShortText = ""
    reason: Reason
    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_SUSPENSION_DAYS)] | None = None


class UndoRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take a decision back."""

    decision_id: Opaque
    reason: Reason


class LiftRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take back whatever decision holds a target now."""

    target_id: Annotated[str, msgspec.Meta(max_length=100)]
    reason: Reason


class AnswerRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answer an appeal. uphold: the decision stands; otherwise it is undone."""

    appeal_id: Opaque
    uphold: bool
    answer: Reason


class HoldRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keep all that a case is about, whatever anybody deletes.

    days: from now, at least MIN_HOLD_DAYS; 0 ends the hold.
    """

    case_id: Opaque
    days: Annotated[int, msgspec.Meta(ge=0, le=MAX_SUSPENSION_DAYS)]
    reason: Reason


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as operators see it. decided_by: an operator's or trusted notifier's user id."""

    notice: DecisionNotice
    case_id: str | None
    decided_by: UserId
    undone_by: UserId | None = None


class ReportView(msgspec.Struct, frozen=True, kw_only=True):
    """A report as operators see it. reason, evidence, name, email: None once anonymised."""

    report_id: str
    category: Category
    reason: str | None
    evidence: str | None
    name: str | None
    email: str | None
    language: Language
    copyright: CopyrightClaim | None
    reporter_id: UserId | None
    trusted: bool
    received_at: int
    due_at: int


class HoldView(msgspec.Struct, frozen=True, kw_only=True):
    """A legal hold in force. subjects: the ids whose rows stay. until: Unix seconds."""

    by: UserId
    reason: str
    since: int
    until: int
    subjects: list[str]


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A case in the list. reports: how many joined it. appeals: how many are open."""

    case_id: str
    subject_kind: SubjectKind
    subject_id: str
    category: Category
    severity: int
    reports: int
    opened_at: int
    due_at: int
    closed_at: int | None
    appeals: int
    held: bool


class CasePage(msgspec.Struct, frozen=True, kw_only=True):
    """Cases, the most severe first and within that the most urgent. open, appealed: how many."""

    cases: list[CaseView]
    open: int
    appealed: int
    next: str | None


class TargetChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Who or what a decision in a case may act on, and how it is related to the subject.

    in_force: the decision that holds it now, if one does.
    """

    kind: TargetKind
    id: str
    relation: Literal["subject", "rig", "owner", "author", "user"]
    label: str
    in_force: DecisionNotice | None = None


class CaseDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A case with all there is to decide it by.

    excerpt: what the subject says of itself now (a note's text, a rig's name and note); None where
    it is gone. reports: the newest 20 at most. decisions: this case's, oldest first. earlier:
    closed cases about the same subject, newest first, 20 at most.
    """

    case: CaseView
    excerpt: str | None
    targets: list[TargetChoice]
    reports: list[ReportView]
    decisions: list[DecisionView]
    appeals: list[AppealView]
    hold: HoldView | None
    earlier: list[CaseView]


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log. entry: canonical JSON; hash: b64url, over it and all before it."""

    position: int
    entry: msgspec.Raw
    hash: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines in order, and a signed head over all of the log."""

    lines: list[AuditLine]
    head: str
