"""Checks access tokens offline, and what each token allows.

The Ed25519 check costs about 90 µs, half of a short request, so a token that was checked once is
remembered until it expires or the keys change.
"""

from collections.abc import Callable, Mapping
from typing import Final

from luckrig.protocol.errors import LuckrigError, TokenExpired
from luckrig.protocol.keys import PublicKey
from luckrig.protocol.tokens import Claims, check_lifetime, verify

MAX_REMEMBERED: Final = 20_000


class TokenVerifier:
    """Holds the tracker's current keys. issuer: the tracker's root id; node_id: this rig."""

    def __init__(self, *, issuer: str, node_id: str, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._node_id = node_id
        self._clock = clock
        self._keys: Mapping[str, PublicKey] = {}
        self._keys_expire_at = 0.0
        self._checked: dict[str, Claims] = {}

    @property
    def keys(self) -> Mapping[str, PublicKey]:
        """kid → key: what the tracker may sign with."""
        return self._keys

    def replace_keys(self, keys: Mapping[str, PublicKey], *, expires_at: float) -> None:
        """Trust these keys, and no others, until expires_at (Unix seconds)."""
        if keys != self._keys:
            self._checked.clear()
        self._keys = keys
        self._keys_expire_at = expires_at

    def verify(self, token: str) -> Claims:
        """The claims of a token for this rig.

        Raises TokenExpired or TokenForged, and keyset_unavailable while there are no valid keys.
        """
        now = self._clock()
        if now >= self._keys_expire_at:
            raise LuckrigError(
                "keyset_unavailable",
                "This rig hasn't got its tracker's keys yet. Try again soon.",
                retry_after_seconds=5,
            )
        claims = self._checked.get(token)
        if claims is None:
            claims = verify(
                token, keys=self._keys, issuer=self._issuer, audience=self._node_id, now=now
            )
            self._remember(token, claims)
        else:
            self._check_again(token, claims, now)
        return claims

    def _check_again(self, token: str, claims: Claims, now: float) -> None:
        try:
            check_lifetime(claims, now=now)
        except TokenExpired:
            del self._checked[token]
            raise

    def _remember(self, token: str, claims: Claims) -> None:
        if len(self._checked) >= MAX_REMEMBERED:
            del self._checked[next(iter(self._checked))]  # the oldest; at worst it is checked again
        self._checked[token] = claims


class TokenUsage:
    """Holds tokens to their `lim`: requests over a token's life, requests of a user at once."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._requests: dict[str, tuple[int, int]] = {}  # jti -> (requests so far, exp)
        self._running: dict[str, int] = {}  # sub -> requests waiting or running
        self._sweep_at = 1024

    def begin(self, claims: Claims) -> None:
        """Count one request; whoever returns from here owes one end(). Raises rate_limited."""
        used, _ = self._requests.get(claims.jti, (0, 0))
        if used >= claims.lim.requests:
            raise _limited(f"This token's {claims.lim.requests} requests are used up.", 60)
        running = self._running.get(claims.sub, 0)
        if running >= claims.lim.concurrency:
            raise _limited(f"At most {claims.lim.concurrency} requests of yours at once here.", 2)
        self._requests[claims.jti] = (used + 1, claims.exp)
        self._running[claims.sub] = running + 1
        if len(self._requests) > self._sweep_at:
            self._sweep()

    def end(self, claims: Claims) -> None:
        """The request is over, however it ended."""
        running = self._running.pop(claims.sub)
        if running > 1:
            self._running[claims.sub] = running - 1

    def _sweep(self) -> None:
        now = self._clock()
        self._requests = {jti: use for jti, use in self._requests.items() if use[1] > now}
        # Doubling keeps the cost of sweeping a constant part of each request's.
        self._sweep_at = max(1024, 2 * len(self._requests))


def _limited(why: str, retry_after_seconds: int) -> LuckrigError:
    return LuckrigError("rate_limited", why, retry_after_seconds=retry_after_seconds)
