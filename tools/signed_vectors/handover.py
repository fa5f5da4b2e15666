"""One identity handed over to another, and what passes for it."""

import json
from typing import Any

import msgspec

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.handover import NEW_TYPE, OLD_TYPE, sign_handover
from luckrig.protocol.ids import derive_id
from signed_vectors.given import GOOD, HEADER, NOW, OWNER, SIGNING, STRANGER, compact

HANDOVER = {
    "iss": GOOD.iss,
    "old": derive_id("u1", OWNER.public),
    "new": derive_id("u1", STRANGER.public),
    "iat": NOW,
}
HANDOVER_SIGNERS = ((OLD_TYPE, OWNER), (NEW_TYPE, STRANGER))


def handed_over(
    signers: Any = HANDOVER_SIGNERS, *, payload: bytes = b"", header: Any = None, **changes: Any
) -> str:
    """A hand-over with any claims, signed by anybody. header: changes to both headers."""
    claims = {name: value for name, value in (HANDOVER | changes).items() if value != "ABSENT"}
    payload = payload or json.dumps(claims).encode()
    signatures: list[dict[str, str]] = []
    for typ, signer in signers:
        jwk = msgspec.to_builtins(signer.public.jwk)
        made = compact({"alg": "Ed25519", "jwk": jwk, "typ": typ} | (header or {}), payload, signer)
        protected, _, signature = made.split(".")
        signatures.append({"protected": protected, "signature": signature})
    return json.dumps({"payload": b64url_encode(payload), "signatures": signatures})


def handover() -> dict[str, Any]:
    first, second = HANDOVER_SIGNERS
    wrong = json.loads(handed_over())
    wrong["signatures"][1]["signature"] = b64url_encode(bytes(64))
    swapped = json.loads(handed_over())
    swapped["payload"] = b64url_encode(json.dumps(HANDOVER | {"iat": NOW + 1}).encode())
    padded = json.loads(handed_over())
    padded["payload"] += "="
    signing = derive_id("u1", SIGNING.public)
    third = ((OLD_TYPE, STRANGER), (NEW_TYPE, SIGNING))
    return {
        "now": NOW,
        "root_id": GOOD.iss,
        "claims": HANDOVER,
        "good": {
            "as signed": sign_handover(root_id=GOOD.iss, old=OWNER, new=STRANGER, now=NOW).decode(),
            "with spaces": handed_over(),
            "back": handed_over(
                ((OLD_TYPE, STRANGER), (NEW_TYPE, OWNER)), old=HANDOVER["new"], new=HANDOVER["old"]
            ),
            "next": handed_over(third, old=HANDOVER["new"], new=signing),
        },
        "refused": {
            "signatures in the other order": handed_over((second, first)),
            "types in the other order": handed_over(((NEW_TYPE, OWNER), (OLD_TYPE, STRANGER))),
            "old key signs twice": handed_over((first, (NEW_TYPE, OWNER))),
            "new key signs twice": handed_over(((OLD_TYPE, STRANGER), second)),
            "same type twice": handed_over((first, (OLD_TYPE, STRANGER))),
            "one signature": handed_over((first,)),
            "three signatures": handed_over((first, second, second)),
            "no signature": handed_over(()),
            "signed by others": handed_over(third),
            "same key": handed_over((first, (NEW_TYPE, OWNER)), new=HANDOVER["old"]),
            "second signature zero": json.dumps(wrong),
            "another payload": json.dumps(swapped),
            "payload padded": json.dumps(padded),
            "alg none": handed_over(header={"alg": "none"}),
            "alg EdDSA": handed_over(header={"alg": "EdDSA"}),
            "crit": handed_over(header={"crit": ["b64"]}),
            "kid": handed_over(header={"kid": "A" * 43}),
            "iss of another tracker": handed_over(iss=derive_id("r1", STRANGER.public)),
            "iss missing": handed_over(iss="ABSENT"),
            "iat missing": handed_over(iat="ABSENT"),
            "iat a string": handed_over(iat=str(NOW)),
            "iat negative": handed_over(iat=-1),
            "old a rig": handed_over(old=GOOD.aud),
            "unknown claim": handed_over(account="mine"),
            "claims a list": handed_over(payload=b"[]"),
            "empty": "",
            "compact": compact(HEADER, json.dumps(HANDOVER).encode(), OWNER),
        },
    }
