"""Requests that act for somebody: the body, and whose key signed it with a DPoP proof."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from starlette.requests import Request

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PublicKey
from luckrig.protocol.proofs import verify_proof
from luckrig.protocol.replays import ProofCache
from luckrig.tracker.routes.http import read_json_body
from luckrig.tracker.routes.operations import Parameter

MAX_SIGNED_BODY_BYTES: Final = 4096

PROOF: Final = Parameter(
    name="DPoP",
    where="header",
    schema={"type": "string"},
    description="Proof over this very request, made with the user's key.",
    required=True,
)
PROOF_IF_ANY: Final = replace(PROOF, required=False)


class Signed(NamedTuple):
    """A request that somebody signed: its body, and their key."""

    body: bytes
    key: PublicKey

    @property
    def user_id(self) -> str:
        """The u1… id of whoever signed."""
        return derive_id("u1", self.key)


class SignedRequests:
    """Reads them. One for the whole tracker: a proof counts once, whichever route it is for."""

    def __init__(self, *, public_url: str, clock: Callable[[], float]) -> None:
        self._public_url = public_url
        self._clock = clock
        self._proofs = ProofCache()

    async def read(self, request: Request, *, max_bytes: int = MAX_SIGNED_BODY_BYTES) -> Signed:
        """The body and whose it is.

        Raises PeerError unsupported_media_type, body_too_large; proof_invalid, of a replayed
        proof too; rate_limited when too many proofs are noted.
        """
        body = await read_json_body(request, max_bytes=max_bytes)
        return Signed(body, self._check(request, body))

    def user_of(self, request: Request) -> str:
        """The u1… id of whoever signed a request without a body.

        Raises PeerError proof_invalid, rate_limited.
        """
        return derive_id("u1", self._check(request, b""))

    def _check(self, request: Request, body: bytes) -> PublicKey:
        proofs = request.headers.getlist("dpop")
        if len(proofs) != 1:
            raise PeerError("proof_invalid", "Send exactly one DPoP header: see docs/PROTOCOL.md.")
        now = self._clock()
        proof = verify_proof(
            proofs[0],
            method=request.method,
            urls=(f"{self._public_url}{request.url.path}",),
            now=now,
        )
        proof.check_body(body)
        self._proofs.use(proof, now=now)
        return proof.key
