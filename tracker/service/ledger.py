"""Writes the contribution ledger, one writer at a time, and keeps the scores that follow from it.

A day is closed when it is over: the hours that rigs were live in it become entries, and its
dealings count. From then on nothing is added to it. So the scores are those of the end of the last
whole day, each entry is read once, and an entry costs the same however many rigs there are.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from luckrig.protocol.descriptor_log import LEDGER_HEAD_TYPE, LogTip
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.wire import LedgerLine, LedgerPage
from luckrig.tracker.domain.dealings import LedgerReader
from luckrig.tracker.domain.ledger import (
    SECONDS_PER_DAY,
    Entry,
    NodeListed,
    Uptime,
    day_of,
    decode_entry,
)
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.score import CONTRIBUTOR_AT, Score, account_score
from luckrig.tracker.service.keyset import TrackerKeys
from luckrig.tracker.store.interface import LedgerRow, Store

LOAD_AT_ONCE: Final = 10_000
"""Entries read in one go at the start; about 4 MB."""

AccountOf = Callable[[str], Awaitable[str]]
"""A user id's name in the ledger."""


class Draft:
    """Entries that are about to be stored. at: the time they bear, the start of the open day."""

    def __init__(self, ledger: "Ledger", day: int) -> None:
        self._ledger = ledger
        self.at = day * SECONDS_PER_DAY
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """One more."""
        self.entries.append(entry)

    async def list_rig(self, node: NodeRecord) -> str:
        """The account of the rig's owner; the rig's own entry goes before the first about it."""
        owner = await self._ledger.account_of(node.descriptor.owner_id)
        if self._ledger.is_new(node.node_id, self.entries):
            self.add(NodeListed(node_id=node.node_id, owner_id=owner, at=self.at))
        return owner


class Ledger:
    """account_of: user id → account. promote: told which accounts have become contributors."""

    def __init__(
        self,
        store: Store,
        keys: TrackerKeys,
        *,
        account_of: AccountOf,
        promote: Callable[[Collection[str]], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._keys = keys
        self.account_of = account_of
        self._promote = promote
        self._clock = clock
        self._lock = asyncio.Lock()
        self._forget()

    @asynccontextmanager
    async def draft(self) -> AsyncGenerator[Draft, None]:
        """A draft for whoever stores its entries before the block ends.

        When the block fails nobody knows what was stored, so all is read again the next time.
        """
        async with self._lock:
            await self._catch_up()
            draft = Draft(self, max(self._today(), self._closed + 1))
            try:
                yield draft
            except BaseException:
                self._forget()
                raise
            self._take(draft.entries)

    async def score(self, user_id: str) -> tuple[Score, int, int]:
        """(a user's score, as of when in Unix seconds, how many later entries name them)."""
        account = await self.account_of(user_id)
        async with self._lock:
            await self._catch_up()
        read = self._reader.accounts.get(account)
        score = Score(user_id=account) if read is None else account_score(account, read)
        waiting = (entry for entries in self._open.values() for entry in entries)
        pending = sum(account in msgspec.structs.astuple(entry) for entry in waiting)
        return score, self._today() * SECONDS_PER_DAY - 1, pending

    async def close_days(self) -> None:
        """Close the days that are over, and promote whom they made contributors."""
        async with self._lock:
            await self._catch_up()

    async def page(self, *, after: int, limit: int) -> LedgerPage:
        """Entries with a position above `after`, `limit` at most, and a signed head over them."""
        rows = await self._store.contributions.ledger(after=after, limit=limit)
        size, last_hash = await self._store.contributions.ledger_tip()
        tip = LogTip(size, b64url_encode(last_hash))
        head = self._keys.sign_head(tip, typ=LEDGER_HEAD_TYPE, now=self._clock())
        return LedgerPage(entries=[_line(row) for row in rows], head=head)

    def is_new(self, node_id: str, drafted: Collection[Entry]) -> bool:
        """Whether neither the ledger nor a draft has the rig's own entry."""
        listed = any(isinstance(each, NodeListed) and each.node_id == node_id for each in drafted)
        return not listed and node_id not in self._listed

    def _today(self) -> int:
        return int(self._clock()) // SECONDS_PER_DAY

    def _forget(self) -> None:
        self._loaded = False
        self._reader = LedgerReader()
        self._closed = -1
        self._caught_up_on = -1
        self._open: dict[int, list[Entry]] = defaultdict(list)
        self._listed: set[str] = set()
        self._contributors: set[str] = set()

    def _take(self, entries: Collection[Entry]) -> None:
        for entry in entries:
            self._open[day_of(entry)].append(entry)
            if isinstance(entry, NodeListed):
                self._listed.add(entry.node_id)

    async def _catch_up(self) -> None:
        if not self._loaded:
            await self._load()
        today = self._today()
        if self._caught_up_on == today:
            return
        changed: set[str] = set()
        while (day := await self._next_over(today)) is not None:
            changed |= await self._close(day)
        self._caught_up_on = today
        self._contributors.update(name for name in changed if self._is_contributor(name))
        if self._contributors:
            # All of them each time: who registers after having contributed isn't in `changed`.
            await self._promote(self._contributors)

    async def _close(self, day: int) -> set[str]:
        """Close a day; return the accounts whose scores may have changed."""
        entries = await self._presence(day) if day > self._closed else []
        await self._store.contributions.close_day(day=day, entries=entries)
        if day <= self._closed:  # a clock went back: nothing is added to what was read
            return set()
        self._take(entries)
        self._closed = day
        # In a thread: after a long rest, a start reads years of entries.
        return await asyncio.to_thread(self._reader.read_day, day, self._open.pop(day, []))

    async def _load(self) -> None:
        self._forget()
        after = -1
        while rows := await self._store.contributions.ledger(after=after, limit=LOAD_AT_ONCE):
            self._take([decode_entry(row.entry) for row in rows])
            after = rows[-1].position
        self._loaded = True

    async def _next_over(self, today: int) -> int | None:
        """The earliest day that is over and not closed, if something happened on it."""
        days = {day for day, entries in self._open.items() if entries}
        live = await self._store.contributions.first_live_day()
        if live is not None:
            days.add(live)
        return min((day for day in days if day < today), default=None)

    async def _presence(self, day: int) -> list[Entry]:
        """A day's uptimes, each rig's own entry before its first."""
        draft = Draft(self, day)
        for node_id, hours, scarcity_milli in await self._store.contributions.live_hours(day=day):
            node = await self._store.node(node_id)
            if node is None:
                continue
            draft.add(
                Uptime(
                    node_id=node_id,
                    owner_id=await draft.list_rig(node),
                    day=day,
                    live_hours=hours,
                    scarcity_milli=scarcity_milli,
                )
            )
        return draft.entries

    def _is_contributor(self, account: str) -> bool:
        read = self._reader.accounts.get(account)
        return read is not None and account_score(account, read).total >= CONTRIBUTOR_AT


def _line(row: LedgerRow) -> LedgerLine:
    return LedgerLine(
        position=row.position, entry=msgspec.Raw(row.entry), hash=b64url_encode(row.hash)
    )
