"""Remembers the proofs that were used, so that none is used twice, at a tracker or at a rig."""

from collections import OrderedDict
from typing import Final

from luckrig.protocol.errors import PeerError
from luckrig.protocol.proofs import PROOF_WINDOW_SECONDS, Proof

MAX_PROOFS: Final = 100_000
"""About 15 MB when full; that many proofs in two minutes is an attack, and newcomers wait."""


class ProofCache:
    """Proof ids of the last window. Bounded: when full, new proofs are refused, not forgotten."""

    def __init__(self, *, max_proofs: int = MAX_PROOFS) -> None:
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._max_proofs = max_proofs

    def use(self, proof: Proof, *, now: float) -> None:
        """Note a proof. Raises PeerError when it was used before, or when too many are noted."""
        self._forget(now)
        name = (proof.key.thumbprint, proof.jti)
        if name in self._seen:
            raise PeerError("proof_invalid", "This DPoP proof was used before. Make a new one.")
        if len(self._seen) >= self._max_proofs:
            raise PeerError(
                "rate_limited", "Too many signed requests. Try again.", retry_after_seconds=60
            )
        # A proof counts from iat - window to iat + window, so it must be kept twice the window.
        self._seen[name] = now + 2 * PROOF_WINDOW_SECONDS

    def _forget(self, now: float) -> None:
        while self._seen:
            name, until = next(iter(self._seen.items()))
            if until > now:
                return
            del self._seen[name]
