"""Reports, cases and decisions in memory: the twin of sqlite_cases.py."""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace

from luckrig.protocol.ledger_chain import GENESIS
from luckrig.protocol.reports import SubjectKind
from luckrig.tracker.domain.audit_log import AuditEntry, about_case
from luckrig.tracker.domain.cases import (
    AppealRecord,
    CaseRecord,
    DecisionRecord,
    HoldRecord,
    ReportRecord,
    anonymised_appeal,
    anonymised_decision,
    anonymised_report,
    ended_at,
    holding,
    join_case,
    open_case,
    urgency,
)
from luckrig.tracker.domain.quotas import Use
from luckrig.tracker.store.audit_chain import next_rows
from luckrig.tracker.store.case_rows import hold_row
from luckrig.tracker.store.case_stores import AuditRow, CaseCounts
from luckrig.tracker.store.counters import Counters
from luckrig.tracker.store.interface import StoreError
from luckrig.tracker.store.shelves import Fixed, Records, Shelf


class MemoryCases:
    """A CaseStore that lives as long as its process."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._cases: dict[str, CaseRecord] = {}
        self._reports: dict[str, ReportRecord] = {}
        self._tickets: dict[str, str] = {}
        self._decisions: dict[str, DecisionRecord] = {}
        self._appeals: dict[str, AppealRecord] = {}
        self._holds: dict[str, HoldRecord] = {}
        self._audit: list[AuditRow] = []

    async def add_report(
        self, report: ReportRecord, *, uses: Sequence[Use], now: float, events: Sequence[AuditEntry]
    ) -> CaseRecord:
        known = self._reports.get(report.report_id)
        if known is not None:
            return self._cases[known.case_id]
        self._counters.take(uses, now=now)
        case = self._open_about(report.subject_kind, report.subject_id)
        case = open_case(report.case_id, report) if case is None else join_case(case, report)
        self._cases[case.case_id] = case
        self._reports[report.report_id] = replace(report, case_id=case.case_id)
        self._tickets[report.ticket_hash] = report.report_id
        self._append(about_case(events, report.case_id, case.case_id))
        return case

    async def report(self, ticket_hash: str) -> ReportRecord | None:
        report_id = self._tickets.get(ticket_hash)
        return None if report_id is None else self._reports.get(report_id)

    async def reports_of(self, case_id: str, *, limit: int) -> list[ReportRecord]:
        reports = [each for each in self._reports.values() if each.case_id == case_id]
        return sorted(reports, key=lambda each: (-each.received_at, each.report_id))[:limit]

    async def case(self, case_id: str) -> CaseRecord | None:
        return self._cases.get(case_id)

    async def open_cases(
        self, *, after: CaseRecord | None, limit: int, appealed: bool = False
    ) -> list[CaseRecord]:
        chosen = (
            {self._decisions[each.decision_id].case_id for each in self._unanswered()}
            if appealed
            else {case.case_id for case in self._cases.values() if case.closed_at is None}
        )
        cases = sorted(
            (case for case in self._cases.values() if case.case_id in chosen), key=urgency
        )
        return [case for case in cases if after is None or urgency(case) > urgency(after)][:limit]

    async def cases_about(
        self, kind: SubjectKind, subject_id: str, *, limit: int
    ) -> list[CaseRecord]:
        cases = [
            case
            for case in self._cases.values()
            if (case.subject_kind, case.subject_id) == (kind, subject_id)
        ]
        cases.sort(key=lambda case: (case.opened_at, case.case_id), reverse=True)
        return cases[:limit]

    async def case_counts(self) -> CaseCounts:
        appealed = {self._decisions[each.decision_id].case_id for each in self._unanswered()}
        return CaseCounts(
            open=sum(case.closed_at is None for case in self._cases.values()),
            appealed=len(appealed - {None}),
        )

    async def put_decision(
        self,
        decision: DecisionRecord,
        *,
        opening: CaseRecord | None = None,
        events: Sequence[AuditEntry],
    ) -> bool:
        if decision.decision_id in self._decisions:
            raise StoreError("A decision with this id is stored already.")
        case = None if decision.case_id is None else self._cases.get(decision.case_id)
        held = holding(self._decisions.values(), now=decision.decided_at)
        if decision.yields_to(held.get(decision.target_id), case):
            return False
        if opening is not None:
            self._cases[opening.case_id] = opening
        self._decisions[decision.decision_id] = decision
        if case is not None and not decision.automated:
            if case.closed_at is None:
                self._cases[case.case_id] = replace(case, closed_at=decision.decided_at)
            for each in await self.decisions_of(case.case_id):
                if each.automated and each.undone_at is None:
                    self._decisions[each.decision_id] = each.ended_by(decision)
        self._append(events)
        return True

    async def undo_decision(self, undone: DecisionRecord, *, events: Sequence[AuditEntry]) -> bool:
        if self._decisions[undone.decision_id].undone_at is not None:
            return False
        self._decisions[undone.decision_id] = undone
        self._append(events)
        return True

    async def decision(self, decision_id: str) -> DecisionRecord | None:
        return self._decisions.get(decision_id)

    async def decisions_of(self, case_id: str) -> list[DecisionRecord]:
        return self._select(lambda each: each.case_id == case_id)

    async def decisions_about(self, target_ids: Collection[str]) -> list[DecisionRecord]:
        return self._select(lambda each: each.target_id in target_ids)[::-1]

    async def holding(self, *, now: float) -> Mapping[str, DecisionRecord]:
        return holding(self._decisions.values(), now=now)

    async def put_appeal(self, appeal: AppealRecord, *, events: Sequence[AuditEntry]) -> bool:
        side = (appeal.decision_id, appeal.by, appeal.appellant)
        if any((each.decision_id, each.by, each.appellant) == side for each in self._all_appeals()):
            return False
        self._appeals[appeal.appeal_id] = appeal
        self._append(events)
        return True

    async def appeal(self, appeal_id: str) -> AppealRecord | None:
        return self._appeals.get(appeal_id)

    async def appeals_of(self, decision_ids: Collection[str]) -> list[AppealRecord]:
        return [each for each in self._all_appeals() if each.decision_id in decision_ids]

    async def unanswered(self, case_ids: Collection[str]) -> Mapping[str, int]:
        found = (self._decisions[each.decision_id].case_id for each in self._unanswered())
        return Counter(each for each in found if each is not None and each in case_ids)

    async def answer_appeal(
        self,
        answered: AppealRecord,
        *,
        undone: DecisionRecord | None,
        events: Sequence[AuditEntry],
    ) -> bool:
        if self._appeals[answered.appeal_id].answered_at is not None:
            return False
        self._appeals[answered.appeal_id] = answered
        if undone is not None and self._decisions[undone.decision_id].undone_at is None:
            self._decisions[undone.decision_id] = undone
        self._append(events)
        return True

    async def put_hold(self, hold: HoldRecord, *, events: Sequence[AuditEntry]) -> None:
        self._holds[hold.case_id] = hold
        self._append(events)

    async def release_hold(self, case_id: str, *, events: Sequence[AuditEntry]) -> bool:
        if self._holds.pop(case_id, None) is None:
            return False
        self._append(events)
        return True

    async def holds(self, *, now: float) -> list[HoldRecord]:
        return [hold for hold in self._holds.values() if now < hold.until]

    async def log(self, events: Sequence[AuditEntry]) -> None:
        self._append(events)

    async def audit(self, *, after: int, limit: int) -> list[AuditRow]:
        return self._audit[after + 1 : after + 1 + limit]

    async def audit_tip(self) -> tuple[int, bytes]:
        return len(self._audit), self._audit[-1].hash if self._audit else GENESIS

    async def reports_between(self, since: int, until: int) -> list[ReportRecord]:
        reports = [each for each in self._reports.values() if since <= each.received_at < until]
        reports.sort(key=lambda each: (each.received_at, each.report_id))
        return [anonymised_report(each) for each in reports]

    async def decisions_between(self, since: int, until: int) -> list[DecisionRecord]:
        return self._select(lambda each: since <= each.decided_at < until)

    async def appeals_between(self, since: int, until: int) -> list[AppealRecord]:
        return [each for each in self._all_appeals() if since <= each.received_at < until]

    async def anonymise(self, *, before: int, now: float, held: Collection[str] = ()) -> int:
        self._holds = {key: each for key, each in self._holds.items() if now < each.until}
        held_cases = self._holds.keys() | self._cases_about(held)
        appealed = {appeal.decision_id for appeal in self._unanswered()}
        return (
            self._empty_reports(before, held_cases)
            + self._empty_appeals(before, held_cases)
            + self._empty_decisions(before, held_cases, appealed)
            + self._empty_cases(before, held_cases)
        )

    def shelves(self) -> dict[str, Shelf]:
        """Its tables, for export and deletion."""
        return {
            "cases": Records(lambda: self._cases),
            "reports": Records(lambda: self._reports),
            "decisions": Records(lambda: self._decisions),
            "appeals": Records(lambda: self._appeals),
            "holds": Fixed(
                lambda: ((key, dict(hold_row(each))) for key, each in self._holds.items())
            ),
            "audit": Fixed(lambda: ((each.position, each._asdict()) for each in self._audit)),
        }

    def _empty_reports(self, before: int, held: Container[str]) -> int:
        old = [
            report
            for report in self._reports.values()
            if report.received_at < before
            and report != anonymised_report(report)
            and self._cases[report.case_id].closed_at is not None
            and report.case_id not in held
        ]
        self._reports.update({each.report_id: anonymised_report(each) for each in old})
        return len(old)

    def _empty_appeals(self, before: int, held: Container[str | None]) -> int:
        old = [
            appeal
            for appeal in self._appeals.values()
            if appeal.received_at < before
            and appeal.answered_at is not None
            and appeal != anonymised_appeal(appeal)
            and self._decisions[appeal.decision_id].case_id not in held
        ]
        self._appeals.update({each.appeal_id: anonymised_appeal(each) for each in old})
        return len(old)

    def _empty_decisions(
        self, before: int, held: Container[str | None], appealed: Container[str]
    ) -> int:
        old = [
            decision
            for decision in self._decisions.values()
            if (ended := ended_at(decision)) is not None
            and ended < before
            and decision.target_id
            and decision.decision_id not in appealed
            and decision.case_id not in held
        ]
        self._decisions.update({each.decision_id: anonymised_decision(each) for each in old})
        return len(old)

    def _empty_cases(self, before: int, held: Container[str]) -> int:
        """Cases all of whose decisions are emptied."""
        alive = {each.case_id for each in self._decisions.values() if each.target_id}
        old = [
            case
            for case in self._cases.values()
            if case.closed_at is not None
            and case.closed_at < before
            and case.subject_id
            and case.case_id not in alive
            and case.case_id not in held
        ]
        self._cases.update({each.case_id: replace(each, subject_id="") for each in old})
        for report in self._reports.values():
            if not self._cases[report.case_id].subject_id:
                self._reports[report.report_id] = replace(report, subject_id="")
        return len(old)

    def _cases_about(self, ids: Collection[str]) -> set[str]:
        """The cases about those, and those in which something was decided about them."""
        return {
            case.case_id
            for case in self._cases.values()
            if case.subject_id in ids or case.subject_id.partition("/")[0] in ids
        } | {
            each.case_id
            for each in self._decisions.values()
            if each.case_id is not None and each.target_id in ids
        }

    def _open_about(self, kind: SubjectKind, subject_id: str) -> CaseRecord | None:
        return next(
            (
                case
                for case in self._cases.values()
                if (case.subject_kind, case.subject_id, case.closed_at) == (kind, subject_id, None)
            ),
            None,
        )

    def _select(self, wanted: Callable[[DecisionRecord], bool]) -> list[DecisionRecord]:
        chosen = [each for each in self._decisions.values() if wanted(each)]
        return sorted(chosen, key=lambda each: (each.decided_at, each.decision_id))

    def _all_appeals(self) -> list[AppealRecord]:
        return sorted(self._appeals.values(), key=lambda each: (each.received_at, each.appeal_id))

    def _unanswered(self) -> list[AppealRecord]:
        return [each for each in self._appeals.values() if each.answered_at is None]

    def _append(self, events: Iterable[AuditEntry]) -> None:
        tip = self._audit[-1].hash if self._audit else GENESIS
        self._audit += next_rows(events, size=len(self._audit), tip=tip)
