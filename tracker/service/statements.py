"""Statements of reasons: what operators decided about somebody, for them to read and to appeal."""

from luckrig.protocol.errors import PeerError
from luckrig.protocol.reports import AppealText, DecisionNotice, StatementsReply
from luckrig.tracker.domain.cases import AppealRecord
from luckrig.tracker.service.appeals import Appeals
from luckrig.tracker.service.notices import notice
from luckrig.tracker.service.owners import rigs_of
from luckrig.tracker.service.users import UserService
from luckrig.tracker.store.interface import Store


class StatementService:
    """For whoever holds a key, banned or not: the banned have to be able to read why."""

    def __init__(self, store: Store, users: UserService, appeals: Appeals) -> None:
        self._store = store
        self._users = users
        self._appeals = appeals

    async def about(self, user_id: str) -> StatementsReply:
        """The decisions about a user, their rigs and notes, the newest first.

        Raises PeerError key_replaced: whoever has an old key may be a thief.
        """
        await self._users.check(user_id)
        decisions = [
            each
            for each in await self._store.cases.decisions_about(await self._own(user_id))
            if each.action != "dismiss"  # nobody was affected
        ]
        appeals = await self._affected([each.decision_id for each in decisions])
        return StatementsReply(decisions=[notice(each, appeals) for each in decisions])

    async def appeal(self, appeal: AppealText, *, user_id: str) -> DecisionNotice:
        """Appeal a decision about oneself; once, whichever of one's keys it is.

        Raises PeerError appeal_refused, decision_conflict, key_replaced, invalid_request for a
        counter-notice that lacks what the law asks for.
        """
        await self._users.check(user_id)
        decision = await self._store.cases.decision(appeal.decision_id)
        if decision is None or decision.target_id not in await self._own(user_id):
            raise PeerError("appeal_refused", "This decision isn't about you.")
        counter = appeal.counter_notice
        if counter is not None:
            if decision.category != "copyright":
                raise PeerError("appeal_refused", "Only a copyright decision takes one.")
            if not (counter.mistaken and counter.consent):
                raise PeerError(
                    "invalid_request", "The law asks for both statements.", param="counter_notice"
                )
        appellant = await self._store.users.first_id(user_id)
        await self._appeals.put(appeal, decision, by="affected", appellant=appellant)
        return notice(decision, await self._affected([decision.decision_id]))

    async def _affected(self, decision_ids: list[str]) -> list[AppealRecord]:
        appeals = await self._store.cases.appeals_of(decision_ids)
        return [each for each in appeals if each.by == "affected"]

    async def _own(self, user_id: str) -> set[str]:
        """All ids that are this user's: keys, rigs, notes."""
        user_ids = set(await self._store.users.all_ids(user_id))
        rigs = {node.node_id for node in await rigs_of(self._store, user_ids)}
        return user_ids | rigs | set(await self._store.notes.notes_by(user_ids))
