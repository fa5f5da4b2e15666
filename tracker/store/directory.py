"""Who is who, held in memory by every store: each token asks for it."""

from collections.abc import Collection, Container, Iterable
from dataclasses import replace

from luckrig.tracker.domain.records import (
    HandoverRecord,
    UserRecord,
    handover_conflict,
    key_replaced,
)


class Directory:
    """Users and hand-overs. Changed after the change is on the disk, where there is one."""

    def __init__(
        self, users: Iterable[UserRecord] = (), handovers: Iterable[HandoverRecord] = ()
    ) -> None:
        self.users = {user.user_id: user for user in users}
        self.by_account = {user.account: user.user_id for user in self.users.values()}
        self.handovers = {each.old_user_id: each for each in handovers}
        self.before = {each.new_user_id: each.old_user_id for each in self.handovers.values()}

    def put(self, user: UserRecord) -> None:
        """Add a user, or set what is known of them."""
        self.users[user.user_id] = user
        self.by_account[user.account] = user.user_id

    def registered(self, user_id: str) -> UserRecord | None:
        """The user, if they are registered. Raises PeerError key_replaced."""
        if user_id in self.handovers:
            raise key_replaced()
        return self.users.get(user_id)

    def promotable(self, accounts: Collection[str], *, now: int) -> list[UserRecord]:
        """The users of those accounts who aren't contributors yet, as contributors."""
        found = [self.users[self.by_account[name]] for name in accounts if name in self.by_account]
        return [
            replace(user, contributor_since=now) for user in found if user.contributor_since is None
        ]

    def stored(self, handover: HandoverRecord) -> HandoverRecord | None:
        """The same hand-over, if it was made. Raises PeerError key_replaced, handover_conflict."""
        old, new = handover.old_user_id, handover.new_user_id
        found = self.handovers.get(old)
        if found is not None and found.new_user_id == new:
            return found
        if found is not None:
            raise key_replaced()
        if old == new or new in self.users or new in self.handovers or new in self.before:
            raise handover_conflict()
        return None

    def move(self, handover: HandoverRecord) -> None:
        """Apply a hand-over."""
        self.handovers[handover.old_user_id] = handover
        self.before[handover.new_user_id] = handover.old_user_id
        user = self.users.pop(handover.old_user_id, None)
        if user is not None:
            self.put(replace(user, user_id=handover.new_user_id))

    def first_id(self, user_id: str) -> str:
        """The first key of the chain."""
        while user_id in self.before:
            user_id = self.before[user_id]
        return user_id

    def all_ids(self, user_id: str) -> list[str]:
        """Every key of the chain, the first one first."""
        chain = [self.first_id(user_id)]
        while (handover := self.handovers.get(chain[-1])) is not None:
            chain.append(handover.new_user_id)
        return chain

    def forget(self, *, users: Iterable[str], handovers: Iterable[str], keep_ids: bool) -> None:
        """Forget users, and the hand-overs of these old keys; keep_ids: only what they signed."""
        for user_id in users:
            user = self.users.pop(user_id, None)
            if user is not None:
                self.by_account.pop(user.account, None)
        for old in handovers:
            handover = self.handovers.pop(old)
            if keep_ids:
                self.handovers[old] = replace(handover, signed="")
            else:
                self.before.pop(handover.new_user_id, None)

    def left_over(self, held: Container[str]) -> list[str]:
        """Old keys in hand-overs of deleted accounts none of whose keys is held any more."""
        return [
            old
            for old, handover in self.handovers.items()
            if not handover.signed and not any(each in held for each in self.all_ids(old))
        ]

    def latest_id(self, user_id: str) -> str:
        """The last key of the chain."""
        while user_id in self.handovers:
            user_id = self.handovers[user_id].new_user_id
        return user_id
