"""What a tracker found out about a rig by itself, next to what the rig claims."""

from typing import Literal

import msgspec

ReachProblem = Literal["address", "plain_http", "connect", "tls", "answer", "proof", "limited"]
"""Why a tracker doesn't list an endpoint as reachable; docs/PROTOCOL.md has the table."""


class ReachView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a rig has proven that it answers at its endpoint.

    proven_at: Unix seconds of the last proof that this tracker saw since it started; None for none.
    problem: what stands in the way now, None for nothing. message: the same for its owner.
    """

    proven: bool
    proven_at: int | None
    problem: ReachProblem | None
    message: str | None


AuditField = Literal[
    "quantization", "parameters", "context_length", "weights", "context_memory", "speed"
]
Verdict = Literal["consistent", "unknown", "contradicts"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One claim about one offered model, and what says otherwise, or doesn't.

    claimed, evidence: sentences for people; they may quote what the owner wrote.
    """

    model: str
    field: AuditField
    verdict: Verdict
    claimed: str
    evidence: str
