"""What these vectors are made of: keys, a token's claims, documents with any header."""

import hashlib
import json
from typing import Any

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.tokens import Claims, Limits

NOW = 1_800_000_000
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def key(name: str) -> PrivateKey:
    """A key that everybody can make again."""
    return PrivateKey(hashlib.sha256(f"luckrig test key: {name}".encode()).digest())


ROOT, SIGNING, NODE, OWNER, STRANGER = map(key, ("root", "signing", "node", "owner", "stranger"))
GOOD = Claims(
    iss=derive_id("r1", ROOT.public),
    aud=derive_id("n1", NODE.public),
    sub="subject-0123456789abcdef",
    iat=NOW - 10,
    exp=NOW + 290,
    jti="token-0123456789abcdef",
    tier="limited",
    lim=Limits(requests=120, output_tokens=1024, concurrency=2, priority=0),
)
HEADER = {"alg": "Ed25519", "kid": SIGNING.public.thumbprint, "typ": "lr-at+jwt"}


def compact(header: Any, payload: bytes, signer: PrivateKey = SIGNING) -> str:
    """A JWS with any header (a dict, or raw bytes) and any payload, honestly signed."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    signed = f"{b64url_encode(raw)}.{b64url_encode(payload)}"
    return f"{signed}.{b64url_encode(signer.sign(signed.encode()))}"


def malleated(signature: bytes) -> bytes:
    """S + L verifies under the bare equation; RFC 8032 demands that it is refused."""
    s = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    return signature[:32] + s.to_bytes(32, "little")
