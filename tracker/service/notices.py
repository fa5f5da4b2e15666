"""From records of cases to what people are shown of them."""

from collections.abc import Iterable

import msgspec

from luckrig.protocol.desk import CaseView, DecisionView, HoldView, ReportView
from luckrig.protocol.reports import AppealView, CopyrightClaim, CounterNotice, DecisionNotice
from luckrig.tracker.domain.cases import (
    AppealRecord,
    CaseRecord,
    DecisionRecord,
    HoldRecord,
    ReportRecord,
)


def appeal_view(appeal: AppealRecord) -> AppealView:
    """An appeal as both sides and operators see it."""
    counter = appeal.counter_notice
    return AppealView(
        appeal_id=appeal.appeal_id,
        decision_id=appeal.decision_id,
        by=appeal.by,
        text=appeal.text,
        counter_notice=None
        if counter is None
        else msgspec.json.decode(counter, type=CounterNotice),
        received_at=appeal.received_at,
        answered_at=appeal.answered_at,
        upheld=appeal.upheld,
        answer=appeal.answer,
        same_reviewer=appeal.same_reviewer,
    )


def notice(decision: DecisionRecord, appeals: Iterable[AppealRecord] = ()) -> DecisionNotice:
    """A statement of reasons. appeals: those that its reader may see; the last one is shown."""
    shown = [each for each in appeals if each.decision_id == decision.decision_id]
    return DecisionNotice(
        decision_id=decision.decision_id,
        target_kind=decision.target_kind,
        target_id=decision.target_id,
        action=decision.action,
        category=decision.category,
        ground=decision.ground,
        rule=decision.rule,
        reason=decision.reason,
        automated=decision.automated,
        decided_at=decision.decided_at,
        expires_at=decision.expires_at,
        undone_at=decision.undone_at,
        undone_reason=decision.undone_reason,
        appeal_until=decision.appeal_until,
        appeal=appeal_view(shown[-1]) if shown else None,
    )


def decision_view(decision: DecisionRecord) -> DecisionView:
    """A decision as operators see it."""
    return DecisionView(
        notice=notice(decision),
        case_id=decision.case_id,
        decided_by=decision.decided_by,
        undone_by=decision.undone_by,
    )


def report_view(report: ReportRecord) -> ReportView:
    """A report as operators see it."""
    claim = report.claim
    return ReportView(
        report_id=report.report_id,
        category=report.category,
        reason=report.reason,
        evidence=report.evidence,
        name=report.name,
        email=report.email,
        language=report.language,
        copyright=None if claim is None else msgspec.json.decode(claim, type=CopyrightClaim),
        reporter_id=report.reporter_id,
        trusted=report.trusted,
        received_at=report.received_at,
        due_at=report.due_at,
    )


def case_view(case: CaseRecord, *, appeals: int, held: bool) -> CaseView:
    """A case in the list. appeals: how many nobody has answered."""
    return CaseView(
        case_id=case.case_id,
        subject_kind=case.subject_kind,
        subject_id=case.subject_id,
        category=case.category,
        severity=case.severity,
        reports=case.reports,
        opened_at=case.opened_at,
        due_at=case.due_at,
        closed_at=case.closed_at,
        appeals=appeals,
        held=held,
    )


def hold_view(hold: HoldRecord) -> HoldView:
    """A hold as operators see it."""
    return HoldView(
        by=hold.by,
        reason=hold.reason,
        since=hold.since,
        until=hold.until,
        subjects=list(hold.subjects),
    )
