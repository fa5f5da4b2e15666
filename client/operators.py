"""What a tracker is asked by its operators. Everything here raises LuckrigError operators_only."""

import re
from typing import Final

from luckrig.client.tracker import TrackerClient
from luckrig.protocol.desk import (
    AnswerRequest,
    CaseDetail,
    CasePage,
    DecisionRequest,
    DecisionView,
    HoldRequest,
    LiftRequest,
    UndoRequest,
)
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import is_node_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import check_target

_OPAQUE: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


def check_opaque(text: str, *, what: str) -> str:
    """The id of a case, a decision or an appeal. Raises LuckrigError invalid_request."""
    if _OPAQUE.fullmatch(text) is None:
        raise LuckrigError(
            "invalid_request", f"The id of {what} has 16 to 64 characters A-Z a-z 0-9 - _."
        )
    return text


async def cases(
    client: TrackerClient,
    *,
    operator_key: PrivateKey,
    after: str | None = None,
    appealed: bool = False,
) -> CasePage:
    """One page of the open cases, or of those with an appeal that nobody has answered.

    after: `next` of the page before.
    """
    params = {} if after is None else {"after": after}
    if appealed:
        params["appealed"] = "1"
    return await client.transport.get_signed(
        "/api/v1/admin/cases", CasePage, key=operator_key, params=params
    )


async def case(client: TrackerClient, case_id: str, *, operator_key: PrivateKey) -> CaseDetail:
    """One case. Raises LuckrigError case_not_found."""
    path = f"/api/v1/admin/cases/{check_opaque(case_id, what='a case')}"
    return await client.transport.get_signed(path, CaseDetail, key=operator_key)


async def decide(
    client: TrackerClient, decision: DecisionRequest, *, operator_key: PrivateKey
) -> DecisionView:
    """Decide. Raises LuckrigError case_not_found, decision_conflict, invalid_request."""
    check_target(decision.target_kind, decision.target_id)
    return await client.transport.post_signed(
        "/api/v1/admin/decisions", decision, DecisionView, key=operator_key
    )


async def undo(
    client: TrackerClient, decision_id: str, *, reason: str, operator_key: PrivateKey
) -> DecisionView:
    """Take a decision back. Raises LuckrigError case_not_found, decision_conflict."""
    check_opaque(decision_id, what="a decision")
    request = UndoRequest(decision_id=decision_id, reason=reason)
    return await client.transport.post_signed(
        "/api/v1/admin/undo", request, DecisionView, key=operator_key
    )


async def lift(
    client: TrackerClient, target_id: str, *, reason: str, operator_key: PrivateKey
) -> DecisionView:
    """Take back whatever decision holds a target now. Raises LuckrigError case_not_found."""
    request = LiftRequest(target_id=target_id, reason=reason)
    return await client.transport.post_signed(
        "/api/v1/admin/lift", request, DecisionView, key=operator_key
    )


async def answer(
    client: TrackerClient, appeal_id: str, *, uphold: bool, text: str, operator_key: PrivateKey
) -> CaseDetail:
    """Answer an appeal. uphold: the decision stands; otherwise it is undone.

    Raises LuckrigError case_not_found, decision_conflict, appeal_refused.
    """
    check_opaque(appeal_id, what="an appeal")
    request = AnswerRequest(appeal_id=appeal_id, uphold=uphold, answer=text)
    return await client.transport.post_signed(
        "/api/v1/admin/answers", request, CaseDetail, key=operator_key
    )


async def hold(
    client: TrackerClient, case_id: str, *, days: int, reason: str, operator_key: PrivateKey
) -> CaseDetail:
    """Keep what a case is about for so many days from now; 0 ends the hold."""
    check_opaque(case_id, what="a case")
    request = HoldRequest(case_id=case_id, days=days, reason=reason)
    return await client.transport.post_signed(
        "/api/v1/admin/holds", request, CaseDetail, key=operator_key
    )


async def ban(
    client: TrackerClient, target_id: str, *, reason: str, operator_key: PrivateKey
) -> DecisionView:
    """Ban a user (u1…) or a rig (n1…) that nobody reported."""
    request = DecisionRequest(
        target_kind="node" if is_node_id(target_id) else "user",
        target_id=target_id,
        action="ban",
        reason=reason,
    )
    return await decide(client, request, operator_key=operator_key)
