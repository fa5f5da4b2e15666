"""Who asks: a bearer token that the tracker signed for this rig."""

from dataclasses import dataclass

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.tokens import TokenVerifier
from luckrig.protocol.errors import PeerError, TokenForged


@dataclass(frozen=True)
class Authenticate:
    """Fills in the claims. Raises PeerError token_missing, TokenExpired or TokenForged."""

    verifier: TokenVerifier

    async def __call__(self, exchange: Exchange) -> None:
        """Check the Authorization header."""
        header = exchange.headers.get(b"authorization", b"")
        scheme, _, credentials = header.partition(b" ")
        if scheme.lower() != b"bearer" or not credentials.strip():
            raise PeerError(
                "token_missing",
                "Send a token for this rig as `Authorization: Bearer …`; the tracker issues them.",
            )
        try:
            token = credentials.strip().decode("ascii")
        except UnicodeDecodeError as error:
            raise TokenForged from error
        exchange.claims = self.verifier.verify(token)
