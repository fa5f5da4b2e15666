"""Deletes what is too old. How long what is kept, and why: domain/stored_data.py."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NoReturn

from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.domain.stored_data import (
    RECEIPTS_KEPT_SECONDS,
    REPORTS_KEPT_SECONDS,
    TOKENS_KEPT_SECONDS,
)
from luckrig.tracker.service.holds import held_ids
from luckrig.tracker.service.users import UserService
from luckrig.tracker.store.interface import Store, StoreError

EVERY_SECONDS: Final = 3600

_log = logging.getLogger(__name__)


class RetentionService:
    """One pass over every table that doesn't keep its rows for good."""

    def __init__(self, store: Store, users: UserService, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._users = users
        self._clock = clock

    async def run(self) -> NoReturn:
        """Tidy up every hour until cancelled."""
        while True:
            try:
                await self.tidy()
            except StoreError as error:
                _log.error("what is too old was not deleted: %s", error)
            await asyncio.sleep(EVERY_SECONDS)

    async def tidy(self) -> None:
        """Delete or empty what has had its time and isn't under a legal hold. Raises StoreError."""
        store, now = self._store, int(self._clock())
        held = await held_ids(store, self._users, now=now)
        await store.prune_tokens(now=now - TOKENS_KEPT_SECONDS, held=held)
        await store.contributions.prune(before=now - RECEIPTS_KEPT_SECONDS, held=held)
        await store.users.prune(now=now)
        await store.sessions.prune_sessions(now=now)
        await store.people.prune(now=now)
        emptied = await store.cases.anonymise(before=now - REPORTS_KEPT_SECONDS, now=now, held=held)
        if emptied:
            event = AuditEntry(at=now, by="", event="anonymised", subject="", detail=str(emptied))
            await store.cases.log([event])
