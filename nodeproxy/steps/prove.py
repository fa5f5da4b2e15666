"""Proves to a tracker that this rig answers at the endpoint it lists: protocol/endpoint_proof.py.

Anybody may ask, so this is a signing oracle, for one narrow type of document: the asker chooses 32
bytes, and everything else is this rig's own. What that is worth to a stranger: nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from luckrig.nodeproxy.exchange import Exchange
from luckrig.protocol.endpoint_proof import (
    PROOF_PATH,
    EndpointProof,
    EndpointProofReply,
    is_nonce,
    sign_endpoint_proof,
)
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey

PROOFS_PER_SECOND: Final = 50
"""A signature takes 30 µs, so a flood of questions costs 2 ms of CPU a second. A bound as low as
the tracker's need, once a day, would let anybody keep the tracker from its proof."""


@dataclass
class Allowance:
    """A bucket that refills at `per_second` and holds a second's worth."""

    per_second: float
    monotonic: Callable[[], float]
    _left: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._at = self.per_second, self.monotonic()

    def take(self) -> bool:
        """Whether there was one left."""
        now = self.monotonic()
        self._left = min(self.per_second, self._left + (now - self._at) * self.per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(frozen=True)
class ProveEndpoint:
    """GET /luckrig/proof/{nonce}.

    endpoints: those of the rig's descriptor, letter for letter; without any there is nothing to
    prove. root_id: of the tracker that the rig follows. Raises PeerError not_found for what isn't
    a nonce, rate_limited.
    """

    endpoints: Sequence[str]
    root_id: str
    node_key: PrivateKey
    allowance: Allowance
    clock: Callable[[], float]

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the exchange."""
        nonce = exchange.path[len(PROOF_PATH) :]
        if not self.endpoints or not is_nonce(nonce):
            raise PeerError("not_found", "A proof is of 32 bytes of base64url, by a direct rig.")
        if not self.allowance.take():
            raise PeerError("rate_limited", "Too many proofs; ask later.", retry_after_seconds=1)
        proof = EndpointProof(
            iss=derive_id("n1", self.node_key.public),
            aud=self.root_id,
            nonce=nonce,
            endpoint=self._asked(exchange),
            iat=int(self.clock()),
        )
        signed = sign_endpoint_proof(proof, node_key=self.node_key)
        exchange.send_json(msgspec.json.encode(EndpointProofReply(proof=signed)))

    def _asked(self, exchange: Exchange) -> str:
        """The endpoint that Host names. A reverse proxy may have put its own there: the first."""
        host = exchange.headers.get(b"host", b"").decode("latin-1").lower()
        named = (each for each in self.endpoints if each.lower().partition("://")[2] == host)
        return next(named, self.endpoints[0])
