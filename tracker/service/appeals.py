"""Appeals: who may appeal until when, for both sides."""

from collections.abc import Callable
from typing import Literal

import msgspec

from luckrig.protocol.errors import PeerError
from luckrig.protocol.reports import AppealText
from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.domain.cases import AppealRecord, DecisionRecord
from luckrig.tracker.store.interface import Store


class Appeals:
    """Stores them. clock: Unix seconds."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id

    async def put(
        self,
        appeal: AppealText,
        decision: DecisionRecord,
        *,
        by: Literal["affected", "reporter"],
        appellant: str,
    ) -> AppealRecord:
        """Store an appeal by somebody who may see that decision.

        Raises PeerError appeal_refused after 180 days, decision_conflict when the decision was
        undone or that side has appealed before, invalid_request for a text without a word.
        """
        now = int(self._clock())
        if not appeal.text.strip():
            raise PeerError("invalid_request", "Say why the decision is wrong.", param="text")
        if now > decision.appeal_until:
            raise PeerError("appeal_refused", "The time for an appeal, 180 days, is over.")
        if decision.undone_at is not None:
            raise PeerError("decision_conflict", "This decision was taken back already.")
        counter = appeal.counter_notice
        record = AppealRecord(
            appeal_id=self._new_id(),
            decision_id=decision.decision_id,
            by=by,
            appellant=appellant,
            text=appeal.text,
            counter_notice=None if counter is None else msgspec.json.encode(counter).decode(),
            received_at=now,
        )
        event = AuditEntry(
            at=now,
            by="",
            event="appealed",
            subject=record.appeal_id,
            detail=decision.decision_id,
        )
        if not await self._store.cases.put_appeal(record, events=[event]):
            raise PeerError("decision_conflict", "You have appealed this decision already.")
        return record
