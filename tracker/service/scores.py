"""What people see of the ledger: their score, the anchors, the timings that were shared."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from luckrig.protocol.tokens import Tier
from luckrig.protocol.wire import (
    AnchorReply,
    AnchorRequest,
    ScoreReply,
    ScoreTerm,
    TimingsReply,
)
from luckrig.tracker.domain.ledger import SECONDS_PER_DAY, Anchored
from luckrig.tracker.domain.score import CONTRIBUTOR_AT, Score
from luckrig.tracker.domain.timings import summarise
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.ledger import Ledger
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.store.interface import Store

TIMINGS_SECONDS: Final = 90 * SECONDS_PER_DAY
"""Older timings say little about today's engine and driver."""

_log = logging.getLogger(__name__)


class ScoreService:
    """tier_of: a user's tier, by user id."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        operators: Operators,
        bans: BanService,
        *,
        tier_of: Callable[[str], Awaitable[Tier]],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._operators = operators
        self._bans = bans
        self._tier_of = tier_of
        self._clock = clock

    async def score(self, user_id: str) -> ScoreReply:
        """A user's score, every term of it."""
        reply, _ = await self.explained(user_id)
        return reply

    async def explained(self, user_id: str) -> tuple[ScoreReply, Score]:
        """The same, and its terms as something to make sentences of in any language."""
        score, as_of, pending = await self._ledger.score(user_id)
        reply = ScoreReply(
            account=score.user_id,
            total=score.total,
            terms=[
                ScoreTerm(axis=term.axis, what=term.what, amount=term.amount)
                for term in score.terms
            ],
            tier=await self._tier_of(user_id),
            contributor_at=CONTRIBUTOR_AT,
            as_of=as_of,
            pending=pending,
        )
        return reply, score

    async def anchor(self, request: AnchorRequest, *, asked_by: str) -> AnchorReply:
        """Enter an operator's word about a user. Raises PeerError operators_only."""
        self._operators.check(asked_by)
        account = await self._ledger.account_of(request.user_id)
        async with self._ledger.draft() as draft:
            draft.add(Anchored(user_id=account, trusted=request.trusted, at=int(self._clock())))
            await self._store.contributions.put_receipts([], [], draft.entries)
        _log.warning("%s anchored %s: %s", asked_by, request.user_id, request.trusted)
        return AnchorReply(user_id=request.user_id, account=account, trusted=request.trusted)

    async def timings(self, *, node_id: str | None) -> TimingsReply:
        """What users shared in the last TIMINGS_SECONDS, of one rig or of all that are listed.

        Nothing of a rig that nobody may see now.
        """
        since = int(self._clock()) - TIMINGS_SECONDS
        shared = await self._store.contributions.timings(node_id=node_id, since=since)
        unseen = await self._bans.closed_nodes()
        if node_id is None:  # a limited rig is on no list
            unseen = await self._bans.unlisted_nodes()
        seen = [each for each in shared if each.node_id not in unseen]
        return TimingsReply(timings=summarise(seen))
