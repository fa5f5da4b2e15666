"""What a rig signs for each request, and what its user says of it."""

import json
from typing import Any

import msgspec

from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.receipts import (
    OPINION_TYPE,
    RECEIPT_TYPE,
    Measured,
    Receipt,
    countersign,
    sign_receipt,
)
from signed_vectors.given import GOOD, NODE, NOW, OWNER, STRANGER, compact


def receipts() -> dict[str, Any]:
    """Receipts and countersignatures, good and bad. `OWNER` is the user here."""
    served = Receipt(
        iss=derive_id("n1", NODE.public),
        jti=GOOD.jti,
        req="request-0123456789",
        iat=NOW,
        model="qwen3:8b",
        prompt_tokens=300,
        completion_tokens=1000,
        streamed=True,
        finish="stop",
        queue_ms=0.5,
        ttft_ms=80.25,
        generation_ms=20_000.0,
    )
    change = msgspec.structs.replace
    shortest = change(served, ttft_ms=None, generation_ms=None, streamed=False, finish="cut")
    good = [sign_receipt(each, node_key=NODE) for each in (served, shortest)]
    measured = Measured(ttft_ms=90.0, generation_ms=20_010.5)
    words = [
        countersign(good[0], agrees=agrees, user_key=OWNER, now=NOW, measured=numbers)
        for agrees, numbers in ((True, None), (False, None), (True, measured))
    ]
    header = {"alg": "Ed25519", "jwk": msgspec.to_builtins(NODE.public.jwk), "typ": RECEIPT_TYPE}
    claims = msgspec.to_builtins(served)

    def receipt(signer: PrivateKey = NODE, header: Any = header, **changes: Any) -> str:
        payload = {**claims, **changes}
        kept = {name: value for name, value in payload.items() if value is not ...}
        return compact(header, json.dumps(kept).encode(), signer)

    bad = {
        "another key signed": receipt(STRANGER),
        "another rig's key": receipt(
            STRANGER, header | {"jwk": msgspec.to_builtins(STRANGER.public.jwk)}
        ),
        "alg none": receipt(header=header | {"alg": "none"}),
        "alg EdDSA": receipt(header=header | {"alg": "EdDSA"}),
        "alg HS256": receipt(header=header | {"alg": "HS256"}),
        "a token's typ": receipt(header=header | {"typ": "lr-at+jwt"}),
        "a countersignature's typ": receipt(header=header | {"typ": OPINION_TYPE}),
        "a header too many": receipt(header=header | {"crit": []}),
        "a kid instead of the key": receipt(
            header={"alg": "Ed25519", "kid": NODE.public.thumbprint, "typ": RECEIPT_TYPE}
        ),
        "an unknown field": receipt(note="x"),
        "no token": receipt(jti=...),
        "no finish": receipt(finish=...),
        "an unknown finish": receipt(finish="because"),
        "tokens as a string": receipt(completion_tokens="1000"),
        "negative tokens": receipt(completion_tokens=-1),
        "too many tokens": receipt(completion_tokens=10_000_001),
        "half a token": receipt(prompt_tokens=0.5),
        "a negative time": receipt(ttft_ms=-1.0),
        "a time of more than a day": receipt(generation_ms=86_400_001.0),
        "not a number": compact(header, json.dumps(claims).replace("80.25", "NaN").encode(), NODE),
        "an id that is none": receipt(req="../../etc/passwd"),
        "a user as the rig": receipt(iss=derive_id("u1", NODE.public)),
        "no model": receipt(model=""),
        "made in the future": receipt(iat=NOW + 61),
        "too long": receipt(model="x" * 2048),
        "twice the same field": compact(
            header, (json.dumps(claims)[:-1] + ', "iat": 1}').encode(), NODE
        ),
        "white space": good[0] + " ",
        "two parts": good[0].rpartition(".")[0],
        "empty": "",
        "padded": good[0] + "=",
    }
    other = {
        "about another receipt": countersign(good[1], agrees=True, user_key=OWNER, now=NOW),
        "the receipt itself": good[0],
        "made in the future": countersign(good[0], agrees=True, user_key=OWNER, now=NOW + 61),
        "cut": words[0][:-2],
        "empty": "",
    }
    return {
        "now": NOW,
        "node_seed": NODE.seed.hex(),
        "user_seed": OWNER.seed.hex(),
        "good": [
            {"signed": text, "claims": msgspec.to_builtins(each)}
            for text, each in zip(good, (served, shortest), strict=True)
        ],
        "words": words,
        "bad_receipts": bad,
        "bad_words": other,
    }
