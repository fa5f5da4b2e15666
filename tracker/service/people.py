"""Gives people all that is stored of them, and deletes it when they ask."""

import hashlib
import logging
from collections.abc import Callable, Collection

from luckrig.protocol.account import AccountExport, EraseReply, EraseRequest
from luckrig.protocol.errors import PeerError
from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.service.holds import held_ids
from luckrig.tracker.service.owners import rigs_of
from luckrig.tracker.service.users import UserService
from luckrig.tracker.store.case_stores import Person
from luckrig.tracker.store.interface import Store

_log = logging.getLogger(__name__)


class PeopleService:
    """For whoever holds a key, registered or not, banned or not.

    on_erased: told the ids of the rigs that went, after an account was deleted.
    """

    def __init__(
        self,
        store: Store,
        users: UserService,
        *,
        clock: Callable[[], float],
        on_erased: Callable[[Collection[str]], None],
    ) -> None:
        self._store = store
        self._users = users
        self._clock = clock
        self._on_erased = on_erased

    async def export(self, user_id: str) -> AccountExport:
        """All rows that are about a user, their earlier keys and their rigs.

        Raises PeerError key_replaced: today's key asks for all of them.
        """
        person = await self._person(user_id)
        return AccountExport(
            user_id=user_id,
            account=person.account,
            exported_at=int(self._clock()),
            tables=await self._store.people.export(person),
        )

    async def erase(self, request: EraseRequest, *, asked_by: str) -> EraseReply:
        """Delete a user's account, with their earlier keys and their rigs; again is no error.

        Afterwards the keys are strangers. What stays is in domain/stored_data.py. A rig that goes
        on running lists itself again: stop it first. Raises PeerError invalid_request unless the
        request names the key that signed it; key_replaced.
        """
        if request.user_id != asked_by:
            raise PeerError("invalid_request", "This isn't your user id.", param="user_id")
        person = await self._person(asked_by)
        now = int(self._clock())
        held = await held_ids(self._store, self._users, now=now)
        event = AuditEntry(
            at=now,
            by="",
            event="erased",
            subject=hashlib.sha256(asked_by.encode("ascii")).hexdigest(),
        )
        erased = await self._store.people.erase(person, held=held, events=[event], now=now)
        gone = [each for each in person.node_ids if await self._store.node(each) is None]
        self._on_erased(gone)
        _log.info("an account was deleted: %d rigs, %d rows", len(gone), sum(erased.values()))
        own = person.user_ids | person.node_ids
        return EraseReply(erased=erased, held=not own.isdisjoint(held))

    async def _person(self, user_id: str) -> Person:
        await self._users.check(user_id)
        user_ids = frozenset(await self._store.users.all_ids(user_id))
        return Person(
            user_ids=user_ids,
            node_ids=frozenset(each.node_id for each in await rigs_of(self._store, user_ids)),
            account=await self._users.account_of(user_id),
        )
