"""Bans: decided by operators, one by one, with a reason. Nothing here ever bans by itself."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from luckrig.protocol.errors import PeerError
from luckrig.protocol.text import check_note
from luckrig.protocol.wire import BanReply, BanRequest, LiftReply, LiftRequest
from luckrig.tracker.domain.records import BanRecord
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.store.interface import Store

_log = logging.getLogger(__name__)


class BanService:
    """on_change: called after a ban was put or lifted."""

    def __init__(
        self,
        store: Store,
        *,
        operators: Operators,
        clock: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        self._store = store
        self._operators = operators
        self._clock = clock
        self._on_change = on_change

    async def ban(self, request: BanRequest, *, asked_by: str) -> BanReply:
        """Ban a user or a rig; a new decision takes the place of an earlier one.

        asked_by: the user id whose key signed the request. Raises PeerError operators_only,
        unsafe_text for a reason that deceives, invalid_request for an empty one and for a ban that
        is over already.
        """
        self._operators.check(asked_by)
        check_note(request.reason, field="reason")
        if not request.reason.strip():
            raise PeerError("invalid_request", "reason is empty.", param="reason")
        now = int(self._clock())
        if request.expires_at is not None and request.expires_at <= now:
            raise PeerError("invalid_request", "expires_at has passed.", param="expires_at")
        # A user who handed their key over meanwhile is banned under the new one.
        subject = await self._store.users.latest_id(request.subject)
        ban = BanRecord(
            subject_kind="node" if subject.startswith("n1") else "user",
            subject_id=subject,
            reason=request.reason,
            created_at=now,
            expires_at=request.expires_at,
            decided_by=asked_by,
        )
        await self._store.put_ban(ban)
        self._on_change()
        _log.warning("%s banned %s until %s", asked_by, ban.subject_id, ban.expires_at)
        return BanReply(
            subject=ban.subject_id,
            reason=ban.reason,
            created_at=ban.created_at,
            expires_at=ban.expires_at,
            decided_by=ban.decided_by,
        )

    async def lift(self, request: LiftRequest, *, asked_by: str) -> LiftReply:
        """End a ban. Raises PeerError operators_only."""
        self._operators.check(asked_by)
        subject = await self._store.users.latest_id(request.subject)
        was_banned = await self._store.lift_ban(subject)
        self._on_change()
        _log.warning("%s lifted the ban of %s", asked_by, subject)
        return LiftReply(subject=subject, was_banned=was_banned)

    async def banned_users(self) -> set[str]:
        """The users who are banned now."""
        bans = await self._store.bans(now=int(self._clock()))
        return {ban.subject_id for ban in bans if ban.subject_kind == "user"}

    async def banned_nodes(self) -> set[str]:
        """The rigs that nobody may see or use now."""
        bans = await self._store.bans(now=int(self._clock()))
        return {ban.subject_id for ban in bans if ban.subject_kind == "node"}

    async def check(self, subject_id: str) -> None:
        """Raise PeerError banned, with the reason and the end, if the subject is banned now."""
        refusal = await self.refusal(subject_id)
        if refusal is not None:
            raise refusal

    async def refusal(self, subject_id: str) -> PeerError | None:
        """What a banned subject is told; None for one that isn't banned now."""
        for ban in await self._store.bans(now=int(self._clock())):
            if ban.subject_id == subject_id:
                return _refusal(ban)
        return None


def _refusal(ban: BanRecord) -> PeerError:
    until = "for good"
    if ban.expires_at is not None:
        until = f"until {datetime.fromtimestamp(ban.expires_at, UTC):%Y-%m-%d %H:%M} UTC"
    who = "rig" if ban.subject_kind == "node" else "key"
    return PeerError("banned", f"This {who} is banned {until}. The operator's reason: {ban.reason}")
