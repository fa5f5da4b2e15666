"""Takes receipts in: checks who signed them, stores each once, and writes what counts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from luckrig.protocol.errors import PeerError
from luckrig.protocol.names import gpu_key, model_key
from luckrig.protocol.receipts import (
    Opinion,
    Receipt,
    verify_countersignature,
    verify_receipt,
)
from luckrig.protocol.wire import ReceiptResult, ReceiptsReply, ReceiptsRequest, SignedReceipt
from luckrig.tracker.domain import ledger as entries
from luckrig.tracker.domain.accounts import hidden_request
from luckrig.tracker.domain.receipts import (
    ReceiptRecord,
    TimingRecord,
    merge,
    opinion_state,
    shared_timing,
)
from luckrig.tracker.domain.records import NodeRecord, TokenRecord
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.ledger import Draft, Ledger
from luckrig.tracker.store.interface import Store

COUNTERSIGN_SECONDS: Final = 86_400
"""How long a user has to countersign; then the receipt counts as one-sided for good."""
SETTLE_AT_ONCE: Final = 500
LATE_SECONDS: Final = 3600
"""A stream may go on after its token expired."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """A receipt whose signatures hold."""

    receipt: Receipt
    opinion: Opinion | None
    token: TokenRecord
    node: NodeRecord
    record: ReceiptRecord


class ReceiptService:
    """author_of: a note's author, by the note's id. secret: keeps request ids out of the ledger."""

    def __init__(
        self,
        store: Store,
        bans: BanService,
        ledger: Ledger,
        *,
        author_of: Callable[[str], Awaitable[str | None]],
        secret: bytes,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._bans = bans
        self._ledger = ledger
        self._author_of = author_of
        self._secret = secret
        self._clock = clock

    async def submit(self, request: ReceiptsRequest) -> ReceiptsReply:
        """Store what is true; say of each what became of it. One refusal doesn't harm the others.

        When this returns, what was taken is on the disk.
        """
        checked = [await self._check(each) for each in request.receipts]
        results: list[ReceiptResult] = []
        async with self._ledger.draft() as draft:
            records: dict[tuple[str, str], ReceiptRecord] = {}
            timings: list[TimingRecord] = []
            for each in checked:
                if isinstance(each, _Checked):
                    results.append(await self._take(each, draft, records, timings))
                else:
                    results.append(ReceiptResult(refused=each.code, message=each.message))
            if records:
                await self._store.contributions.put_receipts(
                    list(records.values()), timings, draft.entries
                )
        return ReceiptsReply(results=results)

    async def settle(self) -> int:
        """Let receipts count as one-sided whose users had their time; return how many."""
        before = int(self._clock()) - COUNTERSIGN_SECONDS
        async with self._ledger.draft() as draft:
            late = await self._store.contributions.unsettled(before=before, limit=SETTLE_AT_ONCE)
            for record in late:
                node = await self._store.node(record.node_id)
                if node is not None:
                    receipt = verify_receipt(record.signed, now=self._clock())
                    await self._enter(draft, record, receipt, node)
            settled = [replace(record, settled=True) for record in late]
            if settled:
                await self._store.contributions.put_receipts(settled, [], draft.entries)
        return len(settled)

    async def _check(self, signed: SignedReceipt) -> _Checked | PeerError:
        now = self._clock()
        try:
            receipt = verify_receipt(signed.receipt, now=now)
            token = await self._token_of(receipt)
            await self._bans.check(receipt.iss)
            await self._bans.check(token.user_id)
            opinion = None
            if signed.countersignature is not None:
                opinion = _opinion(signed.countersignature, signed.receipt, token, now)
            node = await self._store.node(receipt.iss)
            if node is None:
                raise PeerError("node_not_found", "This rig isn't on this tracker's map.")
        except PeerError as error:
            return error
        record = ReceiptRecord(
            node_id=receipt.iss,
            request_id=receipt.req,
            jti=receipt.jti,
            user_id=token.user_id,
            signed=signed.receipt,
            countersignature=signed.countersignature,
            state=opinion_state(opinion),
            received_at=int(now),
        )
        return _Checked(receipt, opinion, token, node, record)

    async def _token_of(self, receipt: Receipt) -> TokenRecord:
        token = await self._store.token(receipt.jti)
        if (
            token is None
            or not token.user_id  # the account was deleted
            or token.node_id != receipt.iss
            or not token.issued_at - 60 <= receipt.iat <= token.expires_at + LATE_SECONDS
        ):
            raise PeerError(
                "token_not_found",
                "This tracker issued no such token for that rig and time, or it is over a day old.",
            )
        return token

    async def _take(
        self,
        checked: _Checked,
        draft: Draft,
        records: dict[tuple[str, str], ReceiptRecord],
        timings: list[TimingRecord],
    ) -> ReceiptResult:
        """Merge one receipt into what is stored; fills in draft, records and timings."""
        record = checked.record
        key = (record.node_id, record.request_id)
        stored = records.get(key) or await self._store.contributions.receipt(*key)
        try:
            if stored is None:
                await self._check_count(checked.token, records)
            merged = merge(stored, record)
        except PeerError as error:
            return ReceiptResult(refused=error.code, message=error.message)
        if merged is stored:
            return ReceiptResult(state=merged.state)
        if merged.state == "two-sided" and not merged.settled:
            await self._enter(draft, merged, checked.receipt, checked.node)
            await self._enter_deeds(draft, checked, timings)
        records[key] = replace(merged, settled=merged.settled or merged.state != "one-sided")
        return ReceiptResult(state=merged.state)

    async def _check_count(
        self, token: TokenRecord, records: dict[tuple[str, str], ReceiptRecord]
    ) -> None:
        stored = await self._store.contributions.receipts_of_token(token.jti)
        new = sum(record.jti == token.jti for record in records.values())
        if stored + new >= token.requests:
            raise PeerError(
                "receipt_conflict", f"This token was good for {token.requests} requests only."
            )

    async def _enter(
        self, draft: Draft, record: ReceiptRecord, receipt: Receipt, node: NodeRecord
    ) -> None:
        owner = await draft.list_rig(node)
        draft.add(
            entries.Receipt(
                request_id=hidden_request(record.node_id, record.request_id, secret=self._secret),
                node_id=record.node_id,
                owner_id=owner,
                user_id=await self._ledger.account_of(record.user_id),
                gpu_key=gpu_key(node.descriptor.hardware.gpu),
                model_key=model_key(receipt.model),
                tokens=receipt.completion_tokens,
                two_sided=record.state == "two-sided",
                at=draft.at,
            )
        )

    async def _enter_deeds(
        self, draft: Draft, checked: _Checked, timings: list[TimingRecord]
    ) -> None:
        """What a two-sided receipt proves besides: a note that led here, a timing to share."""
        user = await self._ledger.account_of(checked.token.user_id)
        timing = shared_timing(
            checked.receipt, checked.opinion, account=user, now=int(self._clock())
        )
        if timing is not None:
            timings.append(timing)
            draft.add(entries.TimingShared(user_id=user, node_id=checked.receipt.iss, at=draft.at))
        if checked.token.note_id is None:
            return
        author_id = await self._author_of(checked.token.note_id)
        if author_id is not None:
            draft.add(
                entries.NoteSelected(
                    node_id=checked.receipt.iss,
                    author_id=await self._ledger.account_of(author_id),
                    by_user_id=user,
                    at=draft.at,
                )
            )


def _opinion(text: str, receipt: str, token: TokenRecord, now: float) -> Opinion:
    user_id, opinion = verify_countersignature(text, receipt=receipt, now=now)
    if user_id != token.user_id:
        raise PeerError(
            "signature_invalid", "The countersignature isn't by the user whose token was used."
        )
    return opinion
