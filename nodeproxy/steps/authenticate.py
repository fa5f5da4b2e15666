"""Who asks: a token that the tracker signed for this rig, and the key it may be bound to."""

from collections.abc import Callable
from dataclasses import dataclass, field

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.revocations import Bans
from luckrig.nodeproxy.tokens import TokenVerifier
from luckrig.protocol.errors import PeerError, TokenForged
from luckrig.protocol.proofs import verify_proof
from luckrig.protocol.replays import ProofCache
from luckrig.protocol.tokens import Confirmation


@dataclass(frozen=True)
class Authenticate:
    """Fills in the claims, and the proof of a bound token.

    origins: where clients reach this rig. Raises PeerError token_missing or proof_invalid,
    TokenExpired, TokenForged, Banned.
    """

    verifier: TokenVerifier
    bans: Bans
    origins: frozenset[str]
    clock: Callable[[], float]
    used_proofs: ProofCache = field(default_factory=ProofCache)

    async def __call__(self, exchange: Exchange) -> None:
        """Check the Authorization header, and the DPoP header that a bound token needs.

        A bearer token that comes with a proof, or a bound one that comes without, is refused:
        whoever sends it isn't whom it was made for.
        """
        scheme, token = _credentials(exchange)
        claims = self.verifier.verify(token)
        if (claims.cnf is not None) != (scheme == b"dpop"):
            raise TokenForged
        if claims.cnf is not None:
            self._check_proof(exchange, token, claims.cnf)
        exchange.claims = claims
        self.bans.admit(exchange, claims.sub)

    def _check_proof(self, exchange: Exchange, token: str, bound_to: Confirmation) -> None:
        now = self.clock()
        proof = verify_proof(
            exchange.headers.get(b"dpop", b"").decode("latin-1"),
            method=exchange.method,
            urls=[origin + exchange.path for origin in self.origins],
            now=now,
            access_token=token,
        )
        if proof.key.thumbprint != bound_to.jkt:
            raise PeerError("proof_invalid", "The DPoP proof is of another key than the token's.")
        if exchange.method == "GET":
            proof.check_body(b"")
        self.used_proofs.use(proof, now=now)
        exchange.proof = proof


def _credentials(exchange: Exchange) -> tuple[bytes, str]:
    """(scheme in lower case, token)."""
    scheme, _, credentials = exchange.headers.get(b"authorization", b"").partition(b" ")
    scheme = scheme.lower()
    if scheme not in (b"bearer", b"dpop") or not credentials.strip():
        raise PeerError(
            "token_missing",
            "Send a token for this rig as `Authorization: Bearer …`; the tracker issues them.",
        )
    try:
        return scheme, credentials.strip().decode("ascii")
    except UnicodeDecodeError as error:
        raise TokenForged from error
