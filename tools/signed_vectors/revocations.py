"""Lists of banned users, and all that passes for one."""

import json
from typing import Any

import msgspec

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.ids import derive_id
from luckrig.protocol.revocations import Revocations, sign_revocations
from luckrig.protocol.tokens import issue
from signed_vectors.given import GOOD, HEADER, NODE, NOW, ROOT, SIGNING, STRANGER, compact

REVOKED = Revocations(
    iss=GOOD.iss, aud=GOOD.aud, seq=NOW * 1000, iat=NOW - 5, exp=NOW + 55, subs=[GOOD.sub]
)
REVOKED_HEADER = HEADER | {"typ": "lr-revocations+jwt"}


def with_revoked(**changes: Any) -> str:
    claims = json.loads(msgspec.json.encode(REVOKED)) | changes
    kept = {name: value for name, value in claims.items() if value != "ABSENT"}
    return compact(REVOKED_HEADER, json.dumps(kept).encode())


def negative_revocations() -> dict[str, str]:
    """Name -> a list of banned users that must be refused."""
    good = msgspec.json.encode(REVOKED)
    signed = sign_revocations(REVOKED, key=SIGNING)
    head, payload, signature = signed.split(".")
    none = b64url_encode(json.dumps(REVOKED_HEADER | {"alg": "none"}).encode())
    nobody = b64url_encode(msgspec.json.encode(msgspec.structs.replace(REVOKED, subs=[])))
    return {
        "alg none": f"{none}.{payload}.",
        "alg EdDSA": compact(REVOKED_HEADER | {"alg": "EdDSA"}, good),
        "typ of a token": compact(HEADER, good),
        "typ missing": compact({"alg": "Ed25519", "kid": HEADER["kid"]}, good),
        "kid unknown": compact(REVOKED_HEADER | {"kid": "A" * 43}, good),
        "jwk of a stranger": compact(
            REVOKED_HEADER | {"jwk": msgspec.to_builtins(STRANGER.public.jwk)}, good, STRANGER
        ),
        "signed by a stranger": compact(REVOKED_HEADER, good, STRANGER),
        "signed by the root": compact(REVOKED_HEADER, good, ROOT),
        "signed by the node": compact(REVOKED_HEADER, good, NODE),
        "a name taken off": f"{head}.{nobody}.{signature}",
        "signature zero": f"{head}.{payload}.{b64url_encode(bytes(64))}",
        "signature missing": f"{head}.{payload}.",
        "base64 padded": signed + "==",
        "two parts": f"{head}.{payload}",
        "empty": "",
        "not ASCII": signed[:-1] + "é",
        "a token": issue(GOOD, key=SIGNING),
        "a token's claims": compact(REVOKED_HEADER, msgspec.json.encode(GOOD)),
        "iss of another tracker": with_revoked(iss=derive_id("r1", STRANGER.public)),
        "iss missing": with_revoked(iss="ABSENT"),
        "aud of another node": with_revoked(aud=derive_id("n1", STRANGER.public)),
        "aud a list": with_revoked(aud=[REVOKED.aud]),
        "aud missing": with_revoked(aud="ABSENT"),
        "seq missing": with_revoked(seq="ABSENT"),
        "seq zero": with_revoked(seq=0),
        "seq a string": with_revoked(seq="1"),
        "iat in the future": with_revoked(iat=NOW + 31, exp=NOW + 90),
        "exp passed": with_revoked(iat=NOW - 60, exp=NOW),
        "exp before iat": with_revoked(iat=NOW + 20, exp=NOW + 10),
        "exp too far away": with_revoked(exp=REVOKED.iat + 61),
        "exp missing": with_revoked(exp="ABSENT"),
        "subs missing": with_revoked(subs="ABSENT"),
        "subs null": with_revoked(subs=None),
        "subs a string": with_revoked(subs=GOOD.sub),
        "sub too short": with_revoked(subs=["me"]),
        "sub a number": with_revoked(subs=[1]),
        "unknown claim": with_revoked(nodes=[]),
        "subs twice": compact(REVOKED_HEADER, good[:-1] + b',"subs":[]}'),
        "claims a list": compact(REVOKED_HEADER, b"[]"),
    }


def revocations() -> dict[str, Any]:
    return {
        "now": NOW,
        "issuer": REVOKED.iss,
        "audience": REVOKED.aud,
        "signing_seed": SIGNING.seed.hex(),
        "claims": msgspec.to_builtins(REVOKED),
        "signed": sign_revocations(REVOKED, key=SIGNING),
        "refused": negative_revocations(),
    }
