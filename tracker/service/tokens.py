"""Signs access tokens for users who prove their key."""

import hashlib
import hmac
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PublicKey
from luckrig.protocol.tokens import (
    MAX_BEARER_TTL_SECONDS,
    MAX_BOUND_TTL_SECONDS,
    OWNER_PRIORITY,
    Claims,
    Confirmation,
    Limits,
    Tier,
    issue,
)
from luckrig.protocol.wire import TokenReply, TokenRequest
from luckrig.tracker.domain.quotas import Use, use
from luckrig.tracker.domain.records import NodeRecord, TokenRecord
from luckrig.tracker.domain.views import base_url
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.keyset import TrackerKeys
from luckrig.tracker.service.users import UserService
from luckrig.tracker.store.interface import Store

_PSEUDONYM_BYTES: Final = 24
_MAX_GIVEN: Final = 1000
"""Tokens that are looked through for the one that ends last: more than a user gets in an hour."""


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What the users of one tier may have. limits: in each token."""

    limits: Limits
    tokens_per_hour: int


class TokenService:
    """Issues tokens.

    tokens_per_hour_prefix: for all users of one network together. revoked: what rigs are told, node
    id → subs. random_bytes: a source of secret random bytes, such as os.urandom.
    """

    def __init__(
        self,
        store: Store,
        keys: TrackerKeys,
        bans: BanService,
        users: UserService,
        *,
        allowances: Mapping[Tier, Allowance],
        ttl_seconds: int,
        tokens_per_hour_prefix: int,
        is_about: Callable[[str, str], Awaitable[bool]],
        revoked: Callable[[], Awaitable[Mapping[str, Sequence[str]]]],
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._keys = keys
        self._bans = bans
        self._users = users
        self._allowances = allowances
        self._ttl_seconds = ttl_seconds
        self._tokens_per_hour_prefix = tokens_per_hour_prefix
        self._is_about = is_about
        self._revoked = revoked
        self._clock = clock
        self._random_bytes = random_bytes

    async def issue(
        self, request: TokenRequest, key: PublicKey, *, prefix: str | None
    ) -> TokenReply:
        """A token for one rig, for the user whose key signed the request; stored before it is sent.

        prefix: the network that asks, None when it isn't limited. A ban or a hand-over that comes
        while this waits for the store finds the token there and revokes it. Raises PeerError:
        banned, key_replaced, registration_required, node_not_found, node_offline, rate_limited.
        """
        now = self._clock()
        user_id = derive_id("u1", key)
        await self._bans.check_network(prefix)
        await self._bans.check(user_id)
        await self._users.check(user_id)
        node = await self._answering_node(request.node_id)
        await self._check_called_back(user_id, node.node_id)
        if request.note_id is not None and not await self._is_about(request.note_id, node.node_id):
            raise PeerError("invalid_request", "There is no such note about it.", param="note_id")
        expires_at = int(now) + self._lifetime(request)
        user = await self._users.admitted(user_id, prefix=prefix)
        is_owner = user.account == await self._users.account_of(node.descriptor.owner_id)
        if node.health.status == "paused" and not is_owner:
            raise _offline(node)
        tier = await self._users.tier_of(user_id)
        claims = Claims(
            iss=self._keys.root_id,
            aud=request.node_id,
            sub=self.pseudonym(user_id, request.node_id),
            iat=int(now),
            exp=expires_at,
            jti=b64url_encode(self._random_bytes(16)),
            tier=tier,
            lim=self._limits(tier, is_owner=is_owner),
            cnf=Confirmation(jkt=key.thumbprint) if request.bound else None,
        )
        record = TokenRecord(
            jti=claims.jti,
            user_id=user_id,
            node_id=claims.aud,
            sub=claims.sub,
            issued_at=claims.iat,
            expires_at=claims.exp,
            requests=claims.lim.requests,
            note_id=request.note_id,
        )
        uses = self._uses(user.account, tier, prefix, now)
        await self._store.add_token(record, uses=uses, now=now)
        return TokenReply(
            token=issue(claims, key=self._keys.signing.signer(now=now)),
            token_type="Bearer" if claims.cnf is None else "DPoP",
            expires_at=claims.exp,
            node_id=claims.aud,
            base_url=base_url(node.descriptor),
            models=[offer.model for offer in node.descriptor.offers],
            tier=claims.tier,
            limits=claims.lim,
        )

    def pseudonym(self, user_id: str, node_id: str) -> str:
        """The `sub` of a user at one node: two nodes can't find out that they share a user."""
        text = f"{user_id}|{node_id}".encode("ascii")
        digest = hmac.digest(self._keys.pairwise, text, hashlib.sha256)
        return b64url_encode(digest[:_PSEUDONYM_BYTES])

    async def _answering_node(self, node_id: str) -> NodeRecord:
        node = await self._store.node(node_id)
        if node is None or node_id in await self._bans.closed_nodes():
            raise PeerError("node_not_found", "No rig with that id is on this tracker's map.")
        if node.health.status == "unknown":
            raise PeerError(
                "node_offline",
                "This rig hasn't proven its address to the tracker yet. Try again in a moment.",
                retry_after_seconds=5,
            )
        if node.health.status == "unavailable":
            raise _offline(node)
        return node

    async def _check_called_back(self, user_id: str, node_id: str) -> None:
        """A rig that must refuse a user's old tokens refuses new ones, too: it knows one name."""
        if self.pseudonym(user_id, node_id) not in (await self._revoked()).get(node_id, ()):
            return
        now = self._clock()
        given = await self._store.tokens_given([user_id], limit=_MAX_GIVEN)
        until = max((each.expires_at for each in given if each.node_id == node_id), default=now)
        raise PeerError(
            "rate_limited",
            "Your earlier tokens for this rig were called back. It takes you again when the last of"
            " them has ended; until then, pick another rig.",
            retry_after_seconds=max(1, math.ceil(until - now)),
        )

    def _limits(self, tier: Tier, *, is_owner: bool) -> Limits:
        """The owner of the rig goes first there, with what a contributor may."""
        if not is_owner:
            return self._allowances[tier].limits
        limits = self._allowances["contributor"].limits
        return msgspec.structs.replace(limits, priority=OWNER_PRIORITY)

    def _uses(self, account: str, tier: Tier, prefix: str | None, now: float) -> list[Use]:
        """What one token counts against. By account: a new key has no new quota."""
        secret = self._keys.pairwise
        limit = self._allowances[tier].tokens_per_hour
        uses = [use("tokens", account, limit=limit, now=now, secret=secret)]
        if prefix is not None:
            limit = self._tokens_per_hour_prefix
            uses.append(use("prefix-tokens", prefix, limit=limit, now=now, secret=secret))
        return uses

    def _lifetime(self, request: TokenRequest) -> int:
        if not request.bound and (request.ttl_seconds or 0) > MAX_BEARER_TTL_SECONDS:
            raise PeerError(
                "invalid_request",
                f"A token that isn't bound lives {MAX_BEARER_TTL_SECONDS} seconds at most.",
                param="ttl_seconds",
            )
        longest = MAX_BOUND_TTL_SECONDS if request.bound else self._ttl_seconds
        return min(request.ttl_seconds or longest, longest)


def _offline(node: NodeRecord) -> PeerError:
    return PeerError(
        "node_offline",
        f"This rig is {node.health.status} now. Pick another, or try again later.",
        retry_after_seconds=30,
    )
