"""Shows the descriptor log and signs where it ends."""

from collections.abc import Callable
from typing import Final

from luckrig.protocol.descriptor_log import EMPTY_LOG, HEAD_TYPE, LogTip
from luckrig.protocol.wire import LogPage
from luckrig.tracker.service.keyset import TrackerKeys
from luckrig.tracker.store.interface import Store

RESIGN_AFTER_SECONDS: Final = 3600
"""An unchanged log keeps its head this long, so that clients' copies stay valid."""


class LogService:
    """Pages of the log, each with a signed head that covers them."""

    def __init__(self, store: Store, keys: TrackerKeys, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._head: tuple[LogTip, float, str] = (EMPTY_LOG, float("-inf"), "")

    async def page(self, *, after: int, limit: int) -> LogPage:
        """Entries with an index above `after`, `limit` at most."""
        entries = await self._store.log(after=after, limit=limit)
        # Read after the entries: it covers them, whatever was listed in between.
        return LogPage(entries=entries, head=self._sign(await self._store.log_head()))

    def _sign(self, tip: LogTip) -> str:
        now = self._clock()
        signed_tip, signed_at, head = self._head
        if tip != signed_tip or now - signed_at >= RESIGN_AFTER_SECONDS:
            head = self._keys.sign_head(tip, typ=HEAD_TYPE, now=now)
            self._head = (tip, now, head)
        return head
