"""Signs access tokens for users who prove their key."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PublicKey
from luckrig.protocol.tokens import (
    MAX_BEARER_TTL_SECONDS,
    MAX_BOUND_TTL_SECONDS,
    Claims,
    Confirmation,
    Limits,
    issue,
)
from luckrig.protocol.wire import TokenReply, TokenRequest
from luckrig.tracker.domain.records import NodeRecord, TokenRecord
from luckrig.tracker.domain.views import base_url
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.keyset import TrackerKeys
from luckrig.tracker.store.interface import Store

_HOUR_SECONDS: Final = 3600
_PSEUDONYM_BYTES: Final = 24


class TokenService:
    """Issues tokens. random_bytes: a source of secret random bytes, such as os.urandom."""

    def __init__(
        self,
        store: Store,
        keys: TrackerKeys,
        bans: BanService,
        *,
        limited: Limits,
        ttl_seconds: int,
        tokens_per_hour: int,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._keys = keys
        self._bans = bans
        self._limited = limited
        self._ttl_seconds = ttl_seconds
        self._tokens_per_hour = tokens_per_hour
        self._clock = clock
        self._random_bytes = random_bytes
        self._quota = asyncio.Lock()

    async def issue(self, request: TokenRequest, key: PublicKey) -> TokenReply:
        """A token for one rig, for the user whose key signed the request; stored before it is sent.

        A ban that comes while this waits for the store finds the token there and revokes it.
        Raises PeerError: banned, node_not_found, node_offline, rate_limited.
        """
        now = self._clock()
        user_id = derive_id("u1", key)
        await self._bans.check(user_id)
        node = await self._usable_node(request.node_id)
        claims = self._claims(key, request, int(now))
        record = TokenRecord(
            jti=claims.jti,
            user_id=user_id,
            node_id=claims.aud,
            sub=claims.sub,
            issued_at=claims.iat,
            expires_at=claims.exp,
            requests=claims.lim.requests,
        )
        async with self._quota:  # counted and stored as one: two requests can't share a place
            await self._check_quota(user_id, now)
            await self._store.add_token(record)
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

    async def _usable_node(self, node_id: str) -> NodeRecord:
        node = await self._store.node(node_id)
        if node is None or node_id in await self._bans.banned_nodes():
            raise PeerError("node_not_found", "No rig with that id is on this tracker's map.")
        if node.health.status in ("unavailable", "paused"):
            raise PeerError(
                "node_offline",
                f"This rig is {node.health.status} now. Pick another, or try again later.",
                retry_after_seconds=30,
            )
        return node

    async def _check_quota(self, user_id: str, now: float) -> None:
        since = int(now) - _HOUR_SECONDS
        if await self._store.tokens_of(user_id, since=since) >= self._tokens_per_hour:
            raise PeerError(
                "rate_limited",
                f"At most {self._tokens_per_hour} tokens an hour. Reuse one until it expires.",
                retry_after_seconds=60,
            )

    def _claims(self, key: PublicKey, request: TokenRequest, now: int) -> Claims:
        if not request.bound and (request.ttl_seconds or 0) > MAX_BEARER_TTL_SECONDS:
            raise PeerError(
                "invalid_request",
                f"A token that isn't bound lives {MAX_BEARER_TTL_SECONDS} seconds at most.",
                param="ttl_seconds",
            )
        longest = MAX_BOUND_TTL_SECONDS if request.bound else self._ttl_seconds
        ttl = min(request.ttl_seconds or longest, longest)
        return Claims(
            iss=self._keys.root_id,
            aud=request.node_id,
            sub=self.pseudonym(derive_id("u1", key), request.node_id),
            iat=now,
            exp=now + ttl,
            jti=b64url_encode(self._random_bytes(16)),
            tier="limited",
            lim=self._limited,
            cnf=Confirmation(jkt=key.thumbprint) if request.bound else None,
        )
