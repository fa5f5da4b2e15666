"""Users, hand-overs and invites in memory: the twin of sqlite_users.py."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace

from luckrig.tracker.domain.quotas import Use
from luckrig.tracker.domain.records import (
    HandoverRecord,
    InviteRecord,
    UserRecord,
    invite_refused,
)
from luckrig.tracker.store.counters import Counters
from luckrig.tracker.store.directory import Directory
from luckrig.tracker.store.interface import StoreError
from luckrig.tracker.store.shelves import Fixed, Records, Shelf


class MemoryUsers:
    """A UserStore that lives as long as its process."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.directory = Directory()
        self._invites: dict[str, InviteRecord] = {}

    async def user(self, user_id: str) -> UserRecord | None:
        return self.directory.users.get(user_id)

    async def register(
        self, user: UserRecord, *, invite_hash: str | None, uses: Sequence[Use], now: float
    ) -> UserRecord:
        found = self.directory.registered(user.user_id)
        if found is not None:
            return found
        invite = None if invite_hash is None else self._invites.get(invite_hash)
        if invite_hash is not None and (
            invite is None or invite.uses_left == 0 or invite.expires_at <= now
        ):
            raise invite_refused()
        self._counters.take(uses, now=now)
        if invite is not None:
            self._invites[invite.code_hash] = replace(invite, uses_left=invite.uses_left - 1)
        self.directory.put(user)
        return user

    async def promote(self, accounts: Collection[str], *, now: int) -> int:
        promoted = self.directory.promotable(accounts, now=now)
        for user in promoted:
            self.directory.put(user)
        return len(promoted)

    async def hand_over(
        self, handover: HandoverRecord, *, uses: Sequence[Use], now: float
    ) -> HandoverRecord:
        stored = self.directory.stored(handover)
        if stored is not None:
            return stored
        self._counters.take(uses, now=now)
        self.directory.move(handover)
        return handover

    async def handover(self, old_user_id: str) -> HandoverRecord | None:
        return self.directory.handovers.get(old_user_id)

    async def first_id(self, user_id: str) -> str:
        return self.directory.first_id(user_id)

    async def latest_id(self, user_id: str) -> str:
        return self.directory.latest_id(user_id)

    async def all_ids(self, user_id: str) -> list[str]:
        return self.directory.all_ids(user_id)

    async def put_invite(self, invite: InviteRecord) -> None:
        if invite.code_hash in self._invites:
            raise StoreError("This invite is stored already.")
        self._invites[invite.code_hash] = invite

    async def prune(self, *, now: int) -> int:
        self._invites = {
            code_hash: invite
            for code_hash, invite in self._invites.items()
            if invite.uses_left > 0 and invite.expires_at > now
        }
        return self._counters.prune(now=now)

    def is_replaced(self, user_id: str) -> bool:
        """Whether that key gave way to another one."""
        return user_id in self.directory.handovers

    def shelves(self) -> dict[str, Shelf]:
        """Its tables, for export and deletion."""
        return {
            "users": Fixed(
                lambda: ((key, asdict(user)) for key, user in self.directory.users.items()),
                delete=lambda key: self.directory.forget(users=[key], handovers=(), keep_ids=False),
            ),
            "handovers": _Handovers(self.directory),
            "invites": Records(lambda: self._invites),
        }


class _Handovers(Records[str]):
    """The directory knows each of them from both sides."""

    def __init__(self, directory: Directory) -> None:
        super().__init__(lambda: directory.handovers)
        self._directory = directory

    def delete(self, key: str) -> None:
        self._directory.forget(users=(), handovers=[key], keep_ids=False)
