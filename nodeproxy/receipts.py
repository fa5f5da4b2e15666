"""Signs a receipt for each request that was served, and hands it in at the tracker."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.timing import Meter, Timing
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.receipts import Finish, Receipt, ReceiptSigner
from luckrig.protocol.tokens import Claims
from luckrig.protocol.wire import (
    MAX_RECEIPTS_AT_ONCE,
    ReceiptsReply,
    ReceiptsRequest,
    SignedReceipt,
)

MAX_KEPT: Final = 10_000
"""Receipts that wait for the tracker, about 10 MB; then the oldest are lost."""
SEND_SECONDS: Final = 5.0
MAX_PAUSE_SECONDS: Final = 60.0
LAST_TRY_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class ReceiptDesk(Protocol):
    """Where receipts go: the tracker."""

    async def send_receipts(self, request: ReceiptsRequest) -> ReceiptsReply:
        """One result for each receipt. Raises LuckrigError when nobody knows what became of it."""
        ...


class ReceiptBook:
    """Signs receipts and keeps them until they are handed in. clock: Unix seconds.

    lost: receipts that nobody ever got, since the start.
    on_served: told whose request took how many tokens, prompt and reply. signed: receipts so far.
    A reply that was cut in the middle has one too, for what came of it: signed counts the rig's
    work, as its owner sees it, and Counters.served the replies that came to their end.
    """

    def __init__(
        self,
        *,
        node_id: str,
        node_key: PrivateKey,
        clock: Callable[[], float],
        on_served: Callable[[Claims, int], None] | None = None,
    ) -> None:
        self._node_id = node_id
        self._signer = ReceiptSigner(node_key)
        self._clock = clock
        self.on_served = on_served
        self._kept: deque[str] = deque(maxlen=MAX_KEPT)
        self.lost = 0
        self.signed = 0

    def limit(self, max_kept: int) -> None:
        """Keep no more than that; the oldest go."""
        self._kept = deque(self._kept, maxlen=max_kept)

    def __len__(self) -> int:
        return len(self._kept)

    def write(
        self, exchange: Exchange, timing: Timing, *, completion_tokens: int, finish: Finish
    ) -> str:
        """Sign what was served to an exchange, as far as it was measured, and keep it."""
        claims = exchange.known_claims
        receipt = Receipt(
            iss=self._node_id,
            jti=claims.jti,
            req=exchange.request_id,
            iat=int(self._clock()),
            model=exchange.known_call.model,
            prompt_tokens=timing.prompt_tokens or 0,
            completion_tokens=completion_tokens,
            streamed=timing.streamed,
            finish=finish,
            queue_ms=timing.queue_ms,
            ttft_ms=timing.ttft_ms,
            generation_ms=timing.generation_ms,
        )
        signed = self._signer.sign(receipt)
        self.signed += 1
        if self.on_served is not None:
            self.on_served(claims, receipt.prompt_tokens + receipt.completion_tokens)
        self.lost += len(self._kept) == self._kept.maxlen
        self._kept.append(signed)
        return signed

    def oldest(self) -> list[str]:
        """The next ones to hand in, at most as many as go at once."""
        return [self._kept[index] for index in range(min(len(self._kept), MAX_RECEIPTS_AT_ONCE))]

    def forget(self, handed_in: list[str]) -> None:
        """They are at the tracker, or it doesn't want them."""
        done = set(handed_in)
        while self._kept and self._kept[0] in done:
            self._kept.popleft()


class Served:
    """The one receipt of one exchange. Its close() is owed to Exchange.on_close."""

    def __init__(
        self, book: ReceiptBook, exchange: Exchange, meter: Meter, *, streamed: bool
    ) -> None:
        self._book = book
        self._exchange = exchange
        self._meter = meter
        self._streamed = streamed
        self._written = False

    def complete(self) -> tuple[Timing, str]:
        """The measurement and the receipt of a reply that came to its end."""
        return self._write(self._meter.finish)

    def close(self) -> None:
        """Whoever left in the middle has used what was generated until then."""
        if not self._written and self._meter.completion_tokens:
            self._write("cut")

    def _write(self, finish: Finish) -> tuple[Timing, str]:
        self._written = True
        timing = self._meter.timing(streamed=self._streamed)
        tokens = self._meter.completion_tokens
        receipt = self._book.write(self._exchange, timing, completion_tokens=tokens, finish=finish)
        return timing, receipt


class ReceiptSender:
    """Hands receipts in, every few seconds; while the tracker is away they wait."""

    def __init__(self, desk: ReceiptDesk, book: ReceiptBook) -> None:
        self._desk = desk
        self._book = book
        self._lost_before = 0

    async def flush(self) -> None:
        """Hand in all that are kept. Raises LuckrigError when the tracker can't be reached."""
        if lost := self._book.lost - self._lost_before:
            _log.warning("%d receipts were lost: too many waited", lost)
            self._lost_before = self._book.lost
        while batch := self._book.oldest():
            receipts = [SignedReceipt(receipt=receipt) for receipt in batch]
            reply = await self._desk.send_receipts(ReceiptsRequest(receipts=receipts))
            self._book.forget(batch)
            refused = sorted({result.refused for result in reply.results if result.refused})
            if refused:
                _log.warning("the tracker refused receipts: %s", ", ".join(refused))

    async def run(self) -> NoReturn:
        """Hand in until cancelled."""
        pause_seconds = SEND_SECONDS
        while True:
            await asyncio.sleep(pause_seconds)
            try:
                await self.flush()
                pause_seconds = SEND_SECONDS
            except LuckrigError as error:
                if pause_seconds == SEND_SECONDS:  # said once, not at every try
                    _log.warning("receipts wait for the tracker: %s", error.message)
                pause_seconds = min(2 * pause_seconds, MAX_PAUSE_SECONDS)

    async def last_try(self) -> None:
        """The rig stops: hand in what can be handed in at once."""
        try:
            async with asyncio.timeout(LAST_TRY_SECONDS):
                await self.flush()
        except (LuckrigError, TimeoutError):
            _log.warning("%d receipts were not handed in", len(self._book))
