"""What a stored receipt is, and how a second word on the same request changes it.

| stored              | a new word comes             | becomes                             |
|---------------------|------------------------------|-------------------------------------|
| nothing             | the rig's receipt alone      | one-sided                           |
| nothing, one-sided  | with the user's signature    | two-sided; disputed if they say so  |
| anything            | the same receipt again       | what it was                         |
| two-sided, disputed | another opinion              | what it was: the first one counts   |
| anything            | another receipt, same request| refused: a request has one receipt  |
"""

from dataclasses import dataclass, replace

from luckrig.protocol.errors import PeerError
from luckrig.protocol.receipts import Opinion, Receipt
from luckrig.protocol.wire import ReceiptState


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiptRecord:
    """One request's receipt.

    signed: as its rig signed it; countersignature: as the user signed theirs, or None. user_id:
    whose token paid. settled: it is in the ledger, or never will be. received_at: Unix seconds of
    its first arrival.
    """

    node_id: str
    request_id: str
    jti: str
    user_id: str
    signed: str
    countersignature: str | None
    state: ReceiptState
    received_at: int
    settled: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TimingRecord:
    """Numbers of one stream that a user shared. account: their name in the ledger.

    ttft_ms: as the user saw it. tokens_per_second: from the first token they saw to the last.
    """

    node_id: str
    request_id: str
    account: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    ttft_ms: float
    tokens_per_second: float
    shared_at: int


def opinion_state(opinion: Opinion | None) -> ReceiptState:
    """The state of a receipt about which its user says that, or nothing."""
    if opinion is None:
        return "one-sided"
    return "two-sided" if opinion.agrees else "disputed"


def merge(stored: ReceiptRecord | None, new: ReceiptRecord) -> ReceiptRecord:
    """The record after a new word; the table is in the module's docstring.

    Returns `stored` itself when nothing changes. Raises PeerError receipt_conflict.
    """
    if stored is None:
        return new
    if stored.signed != new.signed:
        raise PeerError(
            "receipt_conflict",
            "This rig has signed another receipt for the same request; the first one counts.",
        )
    if stored.state != "one-sided" or new.state == "one-sided":
        return stored
    return replace(stored, state=new.state, countersignature=new.countersignature)


def shared_timing(
    receipt: Receipt, opinion: Opinion | None, *, account: str, now: int
) -> TimingRecord | None:
    """The timing that a user shares with an opinion, if it says anything: streams only.

    None for what isn't streamed, has fewer than two tokens, or claims a first token before the rig
    could have sent one.
    """
    if opinion is None or opinion.measured is None or not opinion.agrees or not receipt.streamed:
        return None
    measured = opinion.measured
    if receipt.completion_tokens < 2 or measured.generation_ms <= 0:
        return None
    if receipt.ttft_ms is None or measured.ttft_ms < receipt.ttft_ms:
        return None
    return TimingRecord(
        node_id=receipt.iss,
        request_id=receipt.req,
        account=account,
        model=receipt.model,
        prompt_tokens=receipt.prompt_tokens,
        completion_tokens=receipt.completion_tokens,
        ttft_ms=measured.ttft_ms,
        tokens_per_second=(receipt.completion_tokens - 1) / (measured.generation_ms / 1000),
        shared_at=now,
    )
