"""Remembers what may be used once, such as proofs, at a tracker or at a rig."""

from collections import OrderedDict
from typing import Final

from luckrig.protocol.errors import PeerError
from luckrig.protocol.proofs import PROOF_WINDOW_SECONDS, Proof

MAX_PROOFS: Final = 100_000
"""About 15 MB when full; that many proofs in two minutes is an attack, and newcomers wait."""

Name = bytes | tuple[str, str]


class ReplayCache:
    """Names of what was used. Bounded: when full, new ones are refused, not forgotten.

    window_seconds: how far the time in what is used may be from the clock, before or after.
    max_names: how many are kept at once.
    """

    def __init__(self, *, window_seconds: float, max_names: int) -> None:
        # What is used counts from its time - window to its time + window: twice the window.
        self._keep_seconds = 2 * window_seconds
        self._max_names = max_names
        self._seen: OrderedDict[Name, float] = OrderedDict()

    def use(self, name: Name, *, now: float) -> bool:
        """Note it; False when it was used before. Raises PeerError rate_limited when full."""
        self._forget(now)
        if name in self._seen:
            return False
        if len(self._seen) >= self._max_names:
            raise PeerError(
                "rate_limited",
                "Too many signed requests. Try again.",
                retry_after_seconds=60,
            )
        self._seen[name] = now + self._keep_seconds
        return True

    def _forget(self, now: float) -> None:
        while self._seen:
            name, until = next(iter(self._seen.items()))
            if until >= now:
                return
            del self._seen[name]


class ProofCache:
    """Proof ids of the last window."""

    def __init__(self, *, max_proofs: int = MAX_PROOFS) -> None:
        self._used = ReplayCache(window_seconds=PROOF_WINDOW_SECONDS, max_names=max_proofs)

    def use(self, proof: Proof, *, now: float) -> None:
        """Note a proof. Raises PeerError when it was used before, or when too many are noted."""
        if not self._used.use((proof.key.thumbprint, proof.jti), now=now):
            raise PeerError("proof_invalid", "This DPoP proof was used before. Make a new one.")
