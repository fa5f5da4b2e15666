"""Who may have tokens: registration, invites, tiers, and what becomes of a key that is replaced."""

import hashlib
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from luckrig.protocol import work
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.handover import verify_handover
from luckrig.protocol.tokens import Tier
from luckrig.protocol.wire import (
    HandoverReply,
    InviteReply,
    InviteRequest,
    RegistrationInfo,
    RegistrationMode,
    RegistrationReply,
    RegistrationRequest,
)
from luckrig.tracker.domain.accounts import ledger_account
from luckrig.tracker.domain.quotas import Use, use
from luckrig.tracker.domain.records import (
    HandoverRecord,
    InviteRecord,
    UserRecord,
    invite_refused,
    key_replaced,
)
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.keyset import TrackerKeys
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.store.interface import Store

DAY_SECONDS: Final = 86_400
_CODE_BYTES: Final = 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RegistrationRules:
    """mode: who may register. work_bits: of proof of work. per_day: new keys of one network."""

    mode: RegistrationMode
    work_bits: int
    per_day: int


class UserService:
    """on_change: called after a key was replaced."""

    def __init__(
        self,
        store: Store,
        keys: TrackerKeys,
        bans: BanService,
        operators: Operators,
        *,
        rules: RegistrationRules,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        on_change: Callable[[], None],
    ) -> None:
        self._store = store
        self._keys = keys
        self._bans = bans
        self._operators = operators
        self._rules = rules
        self._clock = clock
        self._random_bytes = random_bytes
        self._on_change = on_change

    async def check(self, user_id: str) -> None:
        """Raises PeerError key_replaced if that key gave way to another one."""
        await check_key(self._store, user_id)

    async def account_of(self, user_id: str) -> str:
        """The user's name in the ledger, registered or not; the same for all keys of a chain."""
        first = await self._store.users.first_id(user_id)
        return ledger_account(first, secret=self._keys.pairwise)

    async def tier_of(self, user_id: str) -> Tier:
        """What that key's user is here; whoever isn't registered is limited, as is whom an operator
        has limited."""
        user = await self._store.users.user(user_id)
        if user is None or user.contributor_since is None:
            return "limited"
        limited = await self._bans.limited_users()  # by the key that they had then
        keys = await self._store.users.all_ids(user_id) if limited else ()
        return "contributor" if limited.isdisjoint(keys) else "limited"

    async def promote(self, accounts: Collection[str]) -> None:
        """Make contributors, for good, of the users with those names in the ledger."""
        promoted = await self._store.users.promote(accounts, now=int(self._clock()))
        if promoted:
            _log.info("%d users became contributors", promoted)

    async def admitted(self, user_id: str, *, prefix: str | None) -> UserRecord:
        """The user who may have a token; registered here and now where that costs nothing.

        prefix: the network that the request came from, None when it isn't limited. Raises
        PeerError key_replaced, registration_required, rate_limited.
        """
        await self.check(user_id)
        user = await self._store.users.user(user_id)
        if user is not None:
            return user
        if self._rules.mode == "open" and self._rules.work_bits == 0:
            return await self._store_new(user_id, prefix, invite_hash=None)
        raise PeerError("registration_required", self._what_to_do())

    def info(self) -> RegistrationInfo:
        """What a new key has to bring."""
        return RegistrationInfo(mode=self._rules.mode, work_bits=self._rules.work_bits)

    async def register(
        self, request: RegistrationRequest, *, user_id: str, prefix: str | None
    ) -> RegistrationReply:
        """Register a key; one that is registered already gets the same answer, for nothing.

        Raises PeerError banned, key_replaced, registration_required, rate_limited.
        """
        await self._bans.check_network(prefix)
        await self._bans.check(user_id)
        await self.check(user_id)
        user = await self._store.users.user(user_id)
        if user is None:
            invite_hash = self._check_terms(request, user_id)
            user = await self._store_new(user_id, prefix, invite_hash=invite_hash)
        return RegistrationReply(user_id=user.user_id, tier=await self.tier_of(user.user_id))

    async def invite(self, request: InviteRequest, *, asked_by: str) -> InviteReply:
        """Make an invite; its code is known to the one who gets this answer, and to nobody else.

        Raises PeerError operators_only.
        """
        self._operators.check(asked_by)
        now = int(self._clock())
        code = b64url_encode(self._random_bytes(_CODE_BYTES))
        invite = InviteRecord(
            code_hash=_code_hash(code),
            made_by=asked_by,
            made_at=now,
            expires_at=now + request.days * DAY_SECONDS,
            uses_left=request.uses,
        )
        await self._store.users.put_invite(invite)
        _log.info("%s made an invite for %d keys", asked_by, request.uses)
        return InviteReply(code=code, uses=request.uses, expires_at=invite.expires_at)

    async def hand_over(self, body: bytes, *, prefix: str | None) -> HandoverReply:
        """Replace a key by another one. body: signed by both, hostile.

        Raises PeerError as verify_handover does, banned, key_replaced, handover_conflict,
        invalid_request for one that wasn't signed just now, rate_limited.
        """
        handover = verify_handover(body, root_id=self._keys.root_id)
        now = self._clock()
        known = await self._store.users.handover(handover.old)
        if known is None or known.new_user_id != handover.new:
            for user_id in (handover.old, handover.new):
                await self._bans.check(user_id)
            handover.check_fresh(now)
        record = HandoverRecord(
            old_user_id=handover.old,
            new_user_id=handover.new,
            signed=body.decode("utf-8"),
            received_at=int(now),
        )
        stored = await self._store.users.hand_over(record, uses=self._registration(prefix), now=now)
        self._on_change()
        return HandoverReply(
            old=stored.old_user_id, new=stored.new_user_id, received_at=stored.received_at
        )

    async def _store_new(
        self, user_id: str, prefix: str | None, *, invite_hash: str | None
    ) -> UserRecord:
        now = self._clock()
        user = UserRecord(
            user_id=user_id, account=await self.account_of(user_id), registered_at=int(now)
        )
        return await self._store.users.register(
            user, invite_hash=invite_hash, uses=self._registration(prefix), now=now
        )

    def _registration(self, prefix: str | None) -> list[Use]:
        if prefix is None:
            return []
        return [
            use(
                "registrations",
                prefix,
                limit=self._rules.per_day,
                now=self._clock(),
                secret=self._keys.pairwise,
            )
        ]

    def _check_terms(self, request: RegistrationRequest, user_id: str) -> str | None:
        """The hash of the invite that is to be used, if one is."""
        bits = self._rules.work_bits
        if self._rules.mode == "closed":
            raise PeerError("registration_required", self._what_to_do())
        if bits and not work.check(
            request.work or "", root_id=self._keys.root_id, user_id=user_id, bits=bits
        ):
            raise PeerError(
                "registration_required",
                f"This tracker asks for {bits} bits of proof of work. `luckrig token` does it.",
                param="work",
            )
        if self._rules.mode == "open":
            return None
        if request.invite is None:
            raise invite_refused()
        return _code_hash(request.invite)

    def _what_to_do(self) -> str:
        return {
            "open": "This tracker doesn't know your key. `luckrig token` registers it by itself.",
            "invite": "This tracker takes new keys with an invite: luckrig token --invite CODE."
            " Its operator makes them.",
            "closed": "This tracker takes no new keys. Pick another tracker, or ask its operator.",
        }[self._rules.mode]


async def check_key(store: Store, user_id: str) -> None:
    """Raises PeerError key_replaced if that key gave way to another one."""
    if await store.users.handover(user_id) is not None:
        raise key_replaced()


def _code_hash(code: str) -> str:
    return hashlib.sha256(b"luckrig invite v1|" + code.encode()).hexdigest()
