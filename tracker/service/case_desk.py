"""What operators see: cases in the order to decide them, one case with all about it, the log."""

from collections.abc import Callable
from typing import Final

import msgspec

from luckrig.protocol.descriptor_log import AUDIT_HEAD_TYPE, LogTip
from luckrig.protocol.desk import AuditLine, AuditPage, CaseDetail, CasePage, CaseView
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.domain.cases import CaseRecord
from luckrig.tracker.service.keyset import TrackerKeys
from luckrig.tracker.service.notices import (
    appeal_view,
    case_view,
    decision_view,
    hold_view,
    report_view,
)
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.service.subjects import Subjects
from luckrig.tracker.store.interface import Store

PAGE_CASES: Final = 20
SHOWN_REPORTS: Final = 20
SHOWN_EARLIER: Final = 20


class CaseDesk:
    """Every method raises PeerError operators_only for anybody else. clock: Unix seconds."""

    def __init__(
        self,
        store: Store,
        keys: TrackerKeys,
        subjects: Subjects,
        operators: Operators,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._keys = keys
        self._subjects = subjects
        self._operators = operators
        self._clock = clock

    async def page(self, *, after: str | None, appealed: bool, asked_by: str) -> CasePage:
        """The cases to decide, or those to decide again. after: the last page's `next`.

        Raises PeerError case_not_found for a cursor that isn't ours.
        """
        self._operators.check(asked_by)
        last = None if after is None else await self._case(after)
        cases = await self._store.cases.open_cases(
            after=last, limit=PAGE_CASES + 1, appealed=appealed
        )
        counts = await self._store.cases.case_counts()
        return CasePage(
            cases=await self._views(cases[:PAGE_CASES]),
            open=counts.open,
            appealed=counts.appealed,
            next=cases[PAGE_CASES - 1].case_id if len(cases) > PAGE_CASES else None,
        )

    async def case(self, case_id: str, *, asked_by: str) -> CaseDetail:
        """One case. Looking at a child safety case is logged. Raises PeerError case_not_found."""
        self._operators.check(asked_by)
        case = await self._case(case_id)
        if case.category == "child_safety":
            await self._log_reading(case, asked_by)
        cases = self._store.cases
        decisions = await cases.decisions_of(case_id)
        appeals = await cases.appeals_of([each.decision_id for each in decisions])
        held = {hold.case_id: hold for hold in await cases.holds(now=self._clock())}
        about = await cases.cases_about(case.subject_kind, case.subject_id, limit=SHOWN_EARLIER + 1)
        earlier = [each for each in about if each.case_id != case_id and each.closed_at is not None]
        return CaseDetail(
            case=case_view(
                case,
                appeals=sum(each.answered_at is None for each in appeals),
                held=case_id in held,
            ),
            excerpt=await self._subjects.excerpt(case),
            targets=await self._subjects.targets(case),
            reports=[
                report_view(each) for each in await cases.reports_of(case_id, limit=SHOWN_REPORTS)
            ],
            decisions=[decision_view(each) for each in decisions],
            appeals=[appeal_view(each) for each in appeals],
            hold=hold_view(held[case_id]) if case_id in held else None,
            earlier=await self._views(earlier[:SHOWN_EARLIER]),
        )

    async def audit(self, *, after: int, limit: int, asked_by: str) -> AuditPage:
        """Lines of the audit log with a position above `after`, -1 for all, and a signed head."""
        self._operators.check(asked_by)
        rows = await self._store.cases.audit(after=after, limit=limit)
        size, last_hash = await self._store.cases.audit_tip()
        tip = LogTip(size, b64url_encode(last_hash))
        head = self._keys.sign_head(tip, typ=AUDIT_HEAD_TYPE, now=self._clock())
        lines = [
            AuditLine(
                position=row.position, entry=msgspec.Raw(row.entry), hash=b64url_encode(row.hash)
            )
            for row in rows
        ]
        return AuditPage(lines=lines, head=head)

    async def _views(self, cases: list[CaseRecord]) -> list[CaseView]:
        held = {hold.case_id for hold in await self._store.cases.holds(now=self._clock())}
        unanswered = await self._store.cases.unanswered([each.case_id for each in cases])
        return [
            case_view(each, appeals=unanswered.get(each.case_id, 0), held=each.case_id in held)
            for each in cases
        ]

    async def _case(self, case_id: str) -> CaseRecord:
        case = await self._store.cases.case(case_id)
        if case is None:
            raise PeerError("case_not_found", "There is no such case on this tracker.")
        return case

    async def _log_reading(self, case: CaseRecord, asked_by: str) -> None:
        event = AuditEntry(at=int(self._clock()), by=asked_by, event="read", subject=case.case_id)
        await self._store.cases.log([event])
