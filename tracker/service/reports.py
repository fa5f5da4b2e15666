"""Reports: anybody may send one, and sees with its ticket what becomes of it."""

import hashlib
import hmac
import logging
from collections.abc import Callable, Collection
from typing import Final

import msgspec
from msgspec.structs import replace

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.reports import (
    AppealText,
    DecisionNotice,
    ReportReply,
    ReportRequest,
    ReportStatus,
    TargetKind,
    check_report,
)
from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.domain.cases import DecisionRecord, ReportRecord, due_at
from luckrig.tracker.domain.quotas import Use, use
from luckrig.tracker.service.appeals import Appeals
from luckrig.tracker.service.notices import notice
from luckrig.tracker.service.subjects import Subjects
from luckrig.tracker.store.interface import Store

_TICKET_LABEL: Final = b"luckrig report ticket v1|"
_REPORT_LABEL: Final = b"luckrig report id v1|"
_REPORT_ID_CHARS: Final = 32

_log = logging.getLogger(__name__)


class ReportService:
    """secret: the tracker's, 32 bytes. trusted: user ids of the trusted notifiers.

    per_hour: reports that are taken from one network. on_change: called when something was hidden.
    """

    def __init__(
        self,
        store: Store,
        subjects: Subjects,
        appeals: Appeals,
        *,
        secret: bytes,
        public_url: str,
        trusted: Collection[str],
        per_hour: int,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        on_change: Callable[[], None],
    ) -> None:
        self._store = store
        self._subjects = subjects
        self._appeals = appeals
        self._secret = secret
        self._public_url = public_url
        self._trusted = frozenset(trusted)
        self._per_hour = per_hour
        self._clock = clock
        self._new_id = new_id
        self._on_change = on_change

    async def report(
        self, request: ReportRequest, *, prefix: str | None, reporter_id: str | None
    ) -> ReportReply:
        """Store a report; the same form again gives the same receipt.

        prefix: the network it came from, None when it isn't limited. reporter_id: whose key signed
        it, if one did. Raises PeerError as check_report does; node_not_found, note_not_found,
        rate_limited.
        """
        ticket = self._ticket(request.form_id)
        known = await self._store.cases.report(_hash(ticket))
        if known is None:
            known = await self._store_new(request, ticket, prefix, reporter_id)
        return ReportReply(
            ticket=ticket,
            page=f"{self._public_url}/report/{ticket}",
            category=known.category,
            received_at=known.received_at,
            due_at=known.due_at,
        )

    async def status(self, ticket: str) -> ReportStatus:
        """What has become of a report. Raises PeerError report_not_found.

        Of decisions about others than the subject, or the rig of a reply, the target_id is "".
        """
        report = await self._find(ticket)
        case = await self._store.cases.case(report.case_id)
        decisions = await self._store.cases.decisions_of(report.case_id)
        own = [
            each
            for each in await self._store.cases.appeals_of([d.decision_id for d in decisions])
            if (each.by, each.appellant) == ("reporter", report.report_id)
        ]
        return ReportStatus(
            subject_kind=report.subject_kind,
            subject_id=report.subject_id,
            category=report.category,
            received_at=report.received_at,
            due_at=report.due_at,
            closed_at=None if case is None else case.closed_at,
            decisions=[_for_reporter(notice(each, own), report) for each in decisions],
        )

    async def appeal(self, ticket: str, appeal: AppealText) -> ReportStatus:
        """Appeal a decision about what one reported; once for each decision.

        Raises PeerError report_not_found, appeal_refused, decision_conflict.
        """
        report = await self._find(ticket)
        decision = await self._store.cases.decision(appeal.decision_id)
        if decision is None or decision.case_id != report.case_id or decision.automated:
            raise PeerError("appeal_refused", "This decision isn't about what you reported.")
        if appeal.counter_notice is not None:
            raise PeerError("appeal_refused", "A counter-notice is for whoever was affected.")
        await self._appeals.put(appeal, decision, by="reporter", appellant=report.report_id)
        return await self.status(ticket)

    async def _store_new(
        self, request: ReportRequest, ticket: str, prefix: str | None, reporter_id: str | None
    ) -> ReportRecord:
        check_report(request)
        subject_id = await self._subjects.known(request.subject_kind, request.subject_id)
        now = self._clock()
        trusted = reporter_id in self._trusted
        claim = request.copyright
        report = ReportRecord(
            report_id=_report_id(request.form_id),
            case_id=self._new_id(),
            ticket_hash=_hash(ticket),
            subject_kind=request.subject_kind,
            subject_id=subject_id,
            category=request.category,
            reason=request.reason,
            evidence=request.evidence,
            name=request.name,
            email=request.email,
            claim=None if claim is None else msgspec.json.encode(claim).decode(),
            language=request.language,
            reporter_id=reporter_id,
            trusted=trusted,
            received_at=int(now),
            due_at=due_at(request.category, int(now)),
        )
        event = AuditEntry(
            at=int(now), by="", event="reported", subject=report.case_id, detail=request.category
        )
        uses = [] if trusted else self._uses(prefix, now)
        case = await self._store.cases.add_report(report, uses=uses, now=now, events=[event])
        _log.info("a report of %s joined case %s", report.category, case.case_id)
        if trusted and report.category == "child_safety" and case.closed_at is None:
            await self._hide(report, case.case_id)
        return report

    async def _hide(self, report: ReportRecord, case_id: str) -> None:
        """On a trusted notifier's word, until an operator has decided. Never a ban."""
        kind: TargetKind = "note" if report.subject_kind == "note" else "node"
        target_id = report.subject_id.partition("/")[0]
        if report.subject_kind == "user" or report.reporter_id is None:
            return
        decision = DecisionRecord(
            decision_id=self._new_id(),
            case_id=case_id,
            target_kind=kind,
            target_id=target_id,
            action="hide",
            category=report.category,
            ground="law",
            rule="",
            reason="A trusted notifier reported this; it is hidden until an operator has decided.",
            decided_by=report.reporter_id,
            decided_at=report.received_at,
            automated=True,
        )
        event = AuditEntry(
            at=report.received_at,
            by=report.reporter_id,
            event="hidden",
            subject=decision.decision_id,
            detail=target_id,
        )
        if await self._store.cases.put_decision(decision, events=[event]):
            self._on_change()
            _log.warning("hidden on a trusted notifier's word: %s", decision.decision_id)

    async def _find(self, ticket: str) -> ReportRecord:
        report = await self._store.cases.report(_hash(ticket))
        if report is None:
            raise PeerError("report_not_found", "No report has this ticket. Check its address.")
        return report

    def _uses(self, prefix: str | None, now: float) -> list[Use]:
        if prefix is None:
            return []
        return [use("reports", prefix, limit=self._per_hour, now=now, secret=self._secret)]

    def _ticket(self, form_id: str) -> str:
        """Made of the form's id, so that the same form leads to the same page. 256 bits."""
        digest = hmac.digest(self._secret, _TICKET_LABEL + form_id.encode(), hashlib.sha256)
        return b64url_encode(digest)


def _for_reporter(shown: DecisionNotice, report: ReportRecord) -> DecisionNotice:
    """The same, without the id of whoever stands behind what was reported."""
    if shown.target_id == report.subject_id.partition("/")[0]:
        return shown
    return replace(shown, target_id="")


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket.encode("utf-8", "replace")).hexdigest()


def _report_id(form_id: str) -> str:
    return hashlib.sha256(_REPORT_LABEL + form_id.encode()).hexdigest()[:_REPORT_ID_CHARS]
