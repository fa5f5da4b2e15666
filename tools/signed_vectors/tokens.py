"""Access tokens, and all that passes for one."""

import hmac
import json
from collections.abc import Callable
from typing import Any

import msgspec

from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keyset import Keyset, sign_keyset
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.tokens import Confirmation, issue
from signed_vectors.given import (
    GOOD,
    HEADER,
    NODE,
    NOW,
    OWNER,
    ROOT,
    SIGNING,
    STRANGER,
    compact,
    malleated,
)


def with_header(**changes: Any) -> str:
    header = {name: value for name, value in (HEADER | changes).items() if value is not None}
    return compact(header, msgspec.json.encode(GOOD))


def with_claims(**changes: Any) -> str:
    claims = json.loads(msgspec.json.encode(GOOD)) | changes
    kept = {name: value for name, value in claims.items() if value != "ABSENT"}
    return compact(HEADER, json.dumps(kept).encode())


def with_hmac(secret: bytes) -> str:
    signed = b64url_encode(json.dumps(HEADER | {"alg": "HS256"}).encode())
    signed += "." + b64url_encode(msgspec.json.encode(GOOD))
    return f"{signed}.{b64url_encode(hmac.digest(secret, signed.encode(), 'sha256'))}"


def with_signature(change: Callable[[bytes], bytes]) -> str:
    head, payload, signature = issue(GOOD, key=SIGNING).split(".")
    return f"{head}.{payload}.{b64url_encode(change(b64url_decode(signature)))}"


def doubled(text: bytes) -> str:
    good = msgspec.json.encode(GOOD)
    return compact(HEADER, good[:-1] + b"," + text + b"}")


def negative_tokens() -> dict[str, str]:
    """Name -> a token that must be refused."""
    token = issue(GOOD, key=SIGNING)
    head, payload, signature = token.split(".")
    none = b64url_encode(json.dumps(HEADER | {"alg": "none"}).encode())
    keyset = Keyset(iss=GOOD.iss, seq=1, iat=NOW, exp=NOW + 60, keys=[SIGNING.public.jwk])
    proof = make_proof(
        key=OWNER, method="POST", url="https://t.example/x", body=b"", now=NOW, jti="j" * 22
    )
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    odd = last[last.index(signature[-1]) ^ 1]
    lim = json.loads(msgspec.json.encode(GOOD.lim))
    return {
        "alg none, no signature": f"{none}.{payload}.",
        "alg none, old signature": f"{none}.{payload}.{signature}",
        "alg None": with_header(alg="None"),
        "HS256 with the raw public key": with_hmac(SIGNING.public.raw),
        "HS256 with the public JWK": with_hmac(msgspec.json.encode(SIGNING.public.jwk)),
        "HS256 with the kid": with_hmac(SIGNING.public.thumbprint.encode()),
        "alg EdDSA": with_header(alg="EdDSA"),
        "alg ES256": with_header(alg="ES256"),
        "alg in lower case": with_header(alg="ed25519"),
        "alg missing": with_header(alg=None),
        "alg a list": with_header(alg=["Ed25519"]),
        "typ JWT": with_header(typ="JWT"),
        "typ of a keyset": with_header(typ="lr-keyset+jwt"),
        "typ missing": with_header(typ=None),
        "typ with another case": with_header(typ="LR-AT+JWT"),
        "kid missing": with_header(kid=None),
        "kid unknown": with_header(kid="A" * 43),
        "kid a number": with_header(kid=1),
        "kid a path": with_header(kid="../../etc/passwd"),
        "crit": with_header(crit=["exp"]),
        "jku": with_header(jku="https://evil.example/keys"),
        "jwk of a stranger": compact(
            HEADER | {"jwk": msgspec.to_builtins(STRANGER.public.jwk)},
            msgspec.json.encode(GOOD),
            STRANGER,
        ),
        "x5u": with_header(x5u="https://evil.example/cert"),
        "b64 false": with_header(b64=False),
        "alg twice in the header": compact(
            b'{"alg":"none","alg":"Ed25519","kid":"%s","typ":"lr-at+jwt"}' % HEADER["kid"].encode(),
            msgspec.json.encode(GOOD),
        ),
        "header not JSON": compact(b"header", msgspec.json.encode(GOOD)),
        "header a list": compact(b"[]", msgspec.json.encode(GOOD)),
        "signed by a stranger": compact(HEADER, msgspec.json.encode(GOOD), STRANGER),
        "signed by the root": compact(HEADER, msgspec.json.encode(GOOD), ROOT),
        "signed by the node": compact(HEADER, msgspec.json.encode(GOOD), NODE),
        "signature cut": with_signature(lambda raw: raw[:-1]),
        "signature longer": with_signature(lambda raw: raw + b"\0"),
        "signature empty": f"{head}.{payload}.",
        "signature zero": with_signature(lambda raw: bytes(64)),
        "signature malleated": with_signature(malleated),
        "signature of another token": f"{head}.{payload}.{with_claims(jti='x' * 22).split('.')[2]}",
        "base64 padded": token + "==",
        "base64 with another last character": token[:-1] + odd,
        "base64 of the standard alphabet": f"{head}.{payload}.+/{signature[2:]}",
        "space inside": token.replace(".", ". ", 1),
        "newline after": token + "\n",
        "NUL after": token + "\0",
        "not ASCII": token[:-1] + "é",
        "four parts": token + "." + signature,
        "two parts": f"{head}.{payload}",
        "five parts": f"{head}.{payload}.{signature}.{payload}.{signature}",
        "empty": "",
        "two dots": "..",
        "larger than any token": compact(HEADER, b" " * 4096 + msgspec.json.encode(GOOD)),
        "iss of another tracker": with_claims(iss=derive_id("r1", STRANGER.public)),
        "iss missing": with_claims(iss="ABSENT"),
        "aud of another node": with_claims(aud=derive_id("n1", STRANGER.public)),
        "aud a list": with_claims(aud=[GOOD.aud]),
        "aud with a newline": with_claims(aud=GOOD.aud + "\n"),
        "aud missing": with_claims(aud="ABSENT"),
        "sub missing": with_claims(sub="ABSENT"),
        "sub too short": with_claims(sub="me"),
        "exp missing": with_claims(exp="ABSENT"),
        "exp a string": with_claims(exp=str(GOOD.exp)),
        "exp a fraction": with_claims(exp=GOOD.exp + 0.5),
        "exp true": with_claims(exp=True),
        "exp beyond a bearer's life": with_claims(exp=GOOD.iat + 901),
        "exp beyond a bound token's life": with_claims(
            exp=GOOD.iat + 3601, cnf={"jkt": OWNER.public.thumbprint}
        ),
        "exp before iat": with_claims(iat=NOW, exp=NOW),
        "exp huge": with_claims(exp=10**400),
        "iat in the future": with_claims(iat=NOW + 31, exp=NOW + 60),
        "iat negative": with_claims(iat=-1),
        "tier unknown": with_claims(tier="operator"),
        "lim missing": with_claims(lim="ABSENT"),
        "lim with nothing allowed": with_claims(lim=lim | {"output_tokens": 0}),
        "lim without bound": with_claims(lim=lim | {"output_tokens": 10**9}),
        "lim with an unknown field": with_claims(lim=lim | {"free": True}),
        "cnf empty": with_claims(cnf={}),
        "unknown claim": with_claims(admin=True),
        "exp twice": doubled(b'"exp":%d' % (NOW + 600)),
        "exp twice, once escaped": doubled(b'"\\u0065xp":%d' % (NOW + 600)),
        "claims a list": compact(HEADER, b"[]"),
        "claims NaN": doubled(b'"x":NaN'),
        "claims empty": compact(HEADER, b""),
        "claims after claims": compact(HEADER, msgspec.json.encode(GOOD) * 2),
        "a keyset": sign_keyset(keyset, root=ROOT),
        "a proof": proof,
    }


def tokens() -> dict[str, Any]:
    bound = msgspec.structs.replace(GOOD, cnf=Confirmation(jkt=OWNER.public.thumbprint))
    expired = msgspec.structs.replace(GOOD, iat=NOW - 900, exp=NOW)
    return {
        "now": NOW,
        "issuer": GOOD.iss,
        "audience": GOOD.aud,
        "signing_seed": SIGNING.seed.hex(),
        "good": {
            "bearer": {"claims": msgspec.to_builtins(GOOD), "token": issue(GOOD, key=SIGNING)},
            "bound": {"claims": msgspec.to_builtins(bound), "token": issue(bound, key=SIGNING)},
        },
        "expired": issue(expired, key=SIGNING),
        "refused": negative_tokens(),
    }
