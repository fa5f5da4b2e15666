"""Receipts that the user countersigned, on their way to the tracker: in batches, as best it can.

Nothing waits for them. What the tracker doesn't take after some tries is dropped; the rig hands its
own copy in anyway, one-sided then.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from luckrig.client.receipts import Witnessed, answer_receipt
from luckrig.client.tracker import TrackerClient
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import MAX_RECEIPTS_AT_ONCE, ReceiptsRequest, SignedReceipt

MAX_WAITING: Final = 512
LINGER_SECONDS: Final = 5.0
"""For others to come along."""
MAX_TRIES: Final = 5
LONGEST_PAUSE_SECONDS: Final = 60.0
LAST_SECONDS: Final = 3.0
"""For what still waits when it closes."""

_log = logging.getLogger(__name__)


class ReceiptBox:
    """clock: Unix seconds. Run run() beside it, and close() it in the end."""

    def __init__(
        self,
        tracker: TrackerClient,
        user_key: PrivateKey,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._tracker = tracker
        self._user_key = user_key
        self._clock = clock
        self._sleep = sleep
        self._waiting: deque[SignedReceipt] = deque(maxlen=MAX_WAITING)
        self._came = asyncio.Event()
        self.sent = asyncio.Event()
        """Set each time that the tracker took some."""

    def put(self, receipt: str, witnessed: Witnessed) -> None:
        """Countersign a rig's receipt and hand it in later. What no rig signed is left out."""
        try:
            answered = answer_receipt(
                receipt, witnessed, user_key=self._user_key, now=self._clock()
            )
        except PeerError as error:
            _log.warning("a rig sent a receipt that isn't one: %s", error.code)
            return
        self._waiting.append(answered)
        self._came.set()

    async def run(self) -> None:
        """Hand in what comes, until it is cancelled."""
        tries = 0
        while True:
            await self._came.wait()
            await self._sleep(min(LINGER_SECONDS * 2**tries, LONGEST_PAUSE_SECONDS))
            if await self._send():
                tries = 0
            elif (tries := tries + 1) >= MAX_TRIES:
                _log.warning("%d receipts were given up", len(self._waiting))
                self._waiting.clear()
                tries = 0
            if not self._waiting:
                self._came.clear()

    async def close(self) -> None:
        """One last try."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                while self._waiting and await self._send():
                    pass

    async def _send(self) -> bool:
        """Hand in a batch; return whether the tracker took it."""
        batch = list(self._waiting)[:MAX_RECEIPTS_AT_ONCE]
        try:
            reply = await self._tracker.send_receipts(ReceiptsRequest(receipts=batch))
        except LuckrigError as error:
            _log.info("receipts wait: %s", error.code)
            return False
        taken = set(map(id, batch))
        while self._waiting and id(self._waiting[0]) in taken:  # some may have been pushed out
            self._waiting.popleft()
        refused = sorted({each.refused for each in reply.results if each.refused is not None})
        if refused:
            _log.info("the tracker refused receipts: %s", ", ".join(map(_known, refused)))
        self.sent.set()
        return True


def _known(code: str) -> str:
    """A tracker's word, fit for a log."""
    return code if code.isidentifier() and len(code) < 40 else "unknown"
