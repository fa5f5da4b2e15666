"""Decisions: made by operators, one by one, with a reason. Nothing here ever decides by itself."""

import logging
from collections.abc import Callable
from dataclasses import replace

from luckrig.protocol.desk import (
    AnswerRequest,
    DecisionRequest,
    DecisionView,
    HoldRequest,
    LiftRequest,
    UndoRequest,
)
from luckrig.protocol.errors import PeerError
from luckrig.protocol.reports import ACTIONS, MIN_HOLD_DAYS, check_target
from luckrig.protocol.text import check_note
from luckrig.tracker.domain.audit_log import AuditEntry, AuditEvent, text_hash
from luckrig.tracker.domain.cases import (
    DAY_SECONDS,
    CaseRecord,
    DecisionRecord,
    HoldRecord,
    case_of_decision,
)
from luckrig.tracker.service.notices import decision_view
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.service.subjects import Subjects
from luckrig.tracker.store.interface import Store

_log = logging.getLogger(__name__)


class DecisionService:
    """on_change: called after something was held or let go."""

    def __init__(
        self,
        store: Store,
        subjects: Subjects,
        operators: Operators,
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str],
        on_change: Callable[[], None],
    ) -> None:
        self._store = store
        self._subjects = subjects
        self._operators = operators
        self._clock = clock
        self._new_id = new_id
        self._on_change = on_change

    async def decide(self, request: DecisionRequest, *, asked_by: str) -> DecisionView:
        """Decide a case, or about a target that nobody reported: then a case is made of it.

        asked_by: the user id whose key or session it is. Without a case, an open one about the
        target is decided. A later decision about the same target takes an earlier one's place,
        until it ends. Raises PeerError operators_only, case_not_found, unsafe_text,
        invalid_request for an action that the target doesn't take.
        """
        self._operators.check(asked_by)
        _check_reason(request.reason)
        check_note(request.rule, field="rule")
        target_id = check_target(request.target_kind, request.target_id)
        if request.target_kind == "user":
            target_id = await self._store.users.latest_id(target_id)
        _check_action(request)
        now = int(self._clock())
        case = await self._case_about(request, target_id)
        opening = None
        if case is None and request.target_kind != "network":
            opening = case_of_decision(
                self._new_id(), request.target_kind, target_id, request.ground, now=now
            )
        decided = case or opening
        decision = DecisionRecord(
            decision_id=self._new_id(),
            case_id=None if decided is None else decided.case_id,
            target_kind=request.target_kind,
            target_id=target_id,
            action=request.action,
            category=None if case is None else case.category,
            ground=request.ground,
            rule=request.rule,
            reason=request.reason,
            decided_by=asked_by,
            decided_at=now,
            expires_at=None if request.days is None else now + request.days * DAY_SECONDS,
        )
        event = self._event(
            "decided",
            decision.decision_id,
            asked_by,
            f"{request.action} {target_id}",
            request.reason,
        )
        await self._store.cases.put_decision(decision, opening=opening, events=[event])
        self._on_change()
        _log.warning("%s decided: %s, %s", asked_by, request.action, decision.decision_id)
        return decision_view(decision)

    async def undo(self, request: UndoRequest, *, asked_by: str) -> DecisionView:
        """Take a decision back. Raises PeerError operators_only, case_not_found, decision_conflict,
        unsafe_text."""
        self._operators.check(asked_by)
        decision = await self._decision(request.decision_id)
        return await self._undo(decision, request.reason, asked_by)

    async def lift(self, request: LiftRequest, *, asked_by: str) -> DecisionView:
        """Take back what holds a target now. Raises PeerError as undo does."""
        self._operators.check(asked_by)
        target_id = request.target_id
        if "/" in target_id:
            target_id = check_target("network", target_id)
        holding = await self._store.cases.holding(now=self._clock())
        # The newest first; who is limited may have another key since.
        for each in reversed(await self._store.users.all_ids(target_id)):
            if each in holding:
                return await self._undo(holding[each], request.reason, asked_by)
        raise PeerError("decision_conflict", "No decision holds this now.")

    async def hold(self, request: HoldRequest, *, asked_by: str) -> None:
        """Set or end a legal hold: what a case is about stays, whatever anybody deletes.

        Raises PeerError operators_only, case_not_found, unsafe_text, invalid_request for one that
        is shorter than a year.
        """
        self._operators.check(asked_by)
        _check_reason(request.reason)
        case = await self._case(request.case_id)
        now = int(self._clock())
        if request.days == 0:
            event = self._event("released", case.case_id, asked_by, "", request.reason)
            if not await self._store.cases.release_hold(case.case_id, events=[event]):
                raise PeerError("decision_conflict", "There is no hold on this case.")
            return
        if request.days < MIN_HOLD_DAYS:
            text = f"A hold lasts {MIN_HOLD_DAYS} days at least: that's what the law asks for."
            raise PeerError("invalid_request", text, param="days")
        targets = await self._subjects.targets(case)
        hold = HoldRecord(
            case_id=case.case_id,
            subjects=tuple(dict.fromkeys([case.subject_id, *(each.id for each in targets)])),
            by=asked_by,
            reason=request.reason,
            since=now,
            until=now + request.days * DAY_SECONDS,
        )
        event = self._event("held", case.case_id, asked_by, str(hold.until), request.reason)
        await self._store.cases.put_hold(hold, events=[event])

    async def answer(self, request: AnswerRequest, *, asked_by: str) -> str:
        """Answer an appeal; return its case's id.

        Overturning undoes the decision, unless it was the reporter who wanted more: then decide
        anew. Whoever decided doesn't answer, unless the tracker has no other operator. Raises
        PeerError operators_only, case_not_found, decision_conflict, unsafe_text.
        """
        self._operators.check(asked_by)
        _check_reason(request.answer)
        appeal = await self._store.cases.appeal(request.appeal_id)
        if appeal is None:
            raise _not_found("appeal")
        decision = await self._decision(appeal.decision_id)
        if decision.case_id is None:
            raise _not_found("case")
        same_reviewer = decision.decided_by == asked_by
        if same_reviewer and not self._operators.is_alone:
            raise PeerError(
                "decision_conflict", "You decided this yourself: another operator has to answer."
            )
        now = int(self._clock())
        answered = replace(
            appeal,
            upheld=request.uphold,
            answered_by=asked_by,
            answered_at=now,
            answer=request.answer,
            same_reviewer=same_reviewer,
        )
        ends = not request.uphold and (appeal.by == "affected" or decision.action == "dismiss")
        undone = _undone(decision, asked_by, now, request.answer) if ends else None
        verdict = "upheld" if request.uphold else "overturned"
        event = self._event(
            "answered",
            appeal.appeal_id,
            asked_by,
            f"{verdict} {decision.decision_id}",
            request.answer,
        )
        if not await self._store.cases.answer_appeal(answered, undone=undone, events=[event]):
            raise PeerError("decision_conflict", "This appeal was answered already.")
        self._on_change()
        return decision.case_id

    async def _undo(self, decision: DecisionRecord, reason: str, asked_by: str) -> DecisionView:
        _check_reason(reason)
        undone = _undone(decision, asked_by, int(self._clock()), reason)
        event = self._event("undone", decision.decision_id, asked_by, "", reason)
        if not await self._store.cases.undo_decision(undone, events=[event]):
            raise PeerError("decision_conflict", "This decision was taken back already.")
        self._on_change()
        _log.warning("%s took back: %s, %s", asked_by, decision.action, decision.decision_id)
        return decision_view(undone)

    async def _case_about(self, request: DecisionRequest, target_id: str) -> CaseRecord | None:
        """The case that is decided: the one that is named, else an open one about the target."""
        if request.case_id is not None:
            return await self._case(request.case_id)
        kind = request.target_kind
        if kind == "network":
            return None
        newest = await self._store.cases.cases_about(kind, target_id, limit=1)
        return newest[0] if newest and newest[0].closed_at is None else None

    async def _decision(self, decision_id: str) -> DecisionRecord:
        decision = await self._store.cases.decision(decision_id)
        if decision is None:
            raise _not_found("decision")
        return decision

    async def _case(self, case_id: str) -> CaseRecord:
        case = await self._store.cases.case(case_id)
        if case is None:
            raise _not_found("case")
        return case

    def _event(
        self, event: AuditEvent, subject: str, by: str, detail: str, text: str
    ) -> AuditEntry:
        return AuditEntry(
            at=int(self._clock()),
            by=by,
            event=event,
            subject=subject,
            detail=detail,
            text_hash=text_hash(text),
        )


def _undone(decision: DecisionRecord, by: str, at: int, reason: str) -> DecisionRecord:
    return replace(decision, undone_at=at, undone_by=by, undone_reason=reason)


def _check_action(request: DecisionRequest) -> None:
    allowed = ACTIONS[request.target_kind]
    if request.action == "dismiss":
        if request.case_id is None:
            raise PeerError("invalid_request", "Only a case can be dismissed.", param="case_id")
    elif request.action not in allowed:
        text = f"What can be done to a {request.target_kind}: {', '.join(allowed)}."
        raise PeerError("invalid_request", text, param="action")
    if (request.action == "suspend") != (request.days is not None):
        raise PeerError("invalid_request", "A suspension, and no other, has days.", param="days")


def _check_reason(reason: str) -> None:
    check_note(reason, field="reason")
    if not reason.strip():
        raise PeerError(
            "invalid_request", "Give a reason; the affected one reads it.", param="reason"
        )


def _not_found(what: str) -> PeerError:
    return PeerError("case_not_found", f"There is no such {what} on this tracker.")
