"""A rig's proof that it answers at its endpoint, and what passes for none."""

import json
from typing import Any

import msgspec

from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.endpoint_proof import ENDPOINT_PROOF_TYPE, EndpointProof, sign_endpoint_proof
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.receipts import RECEIPT_TYPE, Receipt, sign_receipt
from signed_vectors.given import GOOD, NODE, NOW, STRANGER, compact, malleated


def endpoint_proof() -> dict[str, Any]:
    """A rig's proof that it answers at its endpoint, and what passes for none."""
    proof = EndpointProof(
        iss=GOOD.aud,
        aud=GOOD.iss,
        nonce=b64url_encode(bytes(range(32))),
        endpoint="https://rig.example",
        iat=NOW,
    )
    claims = msgspec.to_builtins(proof)
    jwk = msgspec.to_builtins(NODE.public.jwk)
    header = {"alg": "Ed25519", "jwk": jwk, "typ": ENDPOINT_PROOF_TYPE}
    signed = sign_endpoint_proof(proof, node_key=NODE)
    head, payload, signature = signed.split(".")
    none = b64url_encode(json.dumps(header | {"alg": "none"}).encode())

    def forged(signer: PrivateKey = NODE, *, head: Any = header, **changes: Any) -> str:
        kept = {name: value for name, value in (claims | changes).items() if value != "ABSENT"}
        return compact(head, json.dumps(kept).encode(), signer)

    stranger = header | {"jwk": msgspec.to_builtins(STRANGER.public.jwk)}
    receipt = Receipt(
        iss=GOOD.aud,
        jti=GOOD.jti,
        req="request-0123456789",
        iat=NOW,
        model="qwen3:8b",
        prompt_tokens=1,
        completion_tokens=1,
        streamed=False,
        finish="stop",
        queue_ms=0,
    )
    return {
        "now": NOW,
        "node_seed": NODE.seed.hex(),
        "claims": claims,
        "signed": signed,
        "refused": {
            "signed by a stranger": forged(STRANGER),
            "a stranger's key": forged(STRANGER, head=stranger),
            "a stranger's rig": forged(
                STRANGER, head=stranger, iss=derive_id("n1", STRANGER.public)
            ),
            "alg none": f"{none}.{payload}.",
            "alg EdDSA": forged(head=header | {"alg": "EdDSA"}),
            "alg HS256": forged(head=header | {"alg": "HS256"}),
            "typ of a receipt": forged(head=header | {"typ": RECEIPT_TYPE}),
            "typ missing": forged(head={"alg": "Ed25519", "jwk": jwk}),
            "kid instead of the key": forged(
                head={"alg": "Ed25519", "kid": NODE.public.thumbprint, "typ": ENDPOINT_PROOF_TYPE}
            ),
            "crit": forged(head=header | {"crit": ["exp"]}),
            "signature zero": f"{head}.{payload}.{b64url_encode(bytes(64))}",
            "signature missing": f"{head}.{payload}.",
            "signature malleated": f"{head}.{payload}."
            + b64url_encode(malleated(b64url_decode(signature))),
            "padded": signed + "=",
            "a space after": signed + " ",
            "two parts": f"{head}.{payload}",
            "empty": "",
            "not ASCII": signed[:-1] + "é",
            "too long": compact(header, msgspec.json.encode(proof) + b" " * 1024, NODE),
            "iss another rig": forged(iss=derive_id("n1", STRANGER.public)),
            "iss missing": forged(iss="ABSENT"),
            "aud another tracker": forged(aud=derive_id("r1", STRANGER.public)),
            "aud missing": forged(aud="ABSENT"),
            "another nonce": forged(nonce=b64url_encode(bytes(32))),
            "nonce missing": forged(nonce="ABSENT"),
            "nonce too long": forged(nonce=proof.nonce + "A"),
            "nonce a number": forged(nonce=1),
            "endpoint another host": forged(endpoint="https://victim.example"),
            "endpoint with a port": forged(endpoint="https://rig.example:443"),
            "endpoint with a slash": forged(endpoint="https://rig.example/"),
            "endpoint in capitals": forged(endpoint="https://RIG.example"),
            "endpoint in plain http": forged(endpoint="http://rig.example"),
            "endpoint missing": forged(endpoint="ABSENT"),
            "iat a minute ago": forged(iat=NOW - 61),
            "iat in a minute": forged(iat=NOW + 61),
            "iat a string": forged(iat=str(NOW)),
            "iat missing": forged(iat="ABSENT"),
            "unknown claim": forged(admin=True),
            "nonce twice": compact(
                header, json.dumps(claims)[:-1].encode() + b',"nonce":"x"}', NODE
            ),
            "claims a list": compact(header, b"[]", NODE),
            "a receipt": sign_receipt(receipt, node_key=NODE),
            "a receipt's claims": compact(header, msgspec.json.encode(receipt), NODE),
        },
    }
