"""Vectors of a rig's signed list of keys."""

from collections.abc import Iterator

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.subtext.hpke import SealingPrivateKey
from luckrig.protocol.subtext.keyring import SEALING_TYPE, PublishedKey, sign_sealing_keys
from subtext_vectors.given import HYBRID, NODE, NODE_ID, NOW, STRANGER, X25519, Part, Vector


def sealing() -> Part:
    """Signed lists of keys."""
    both = [PublishedKey(HYBRID.public, NOW + 86_400), PublishedKey(X25519.public, NOW + 86_400)]
    old = [PublishedKey(X25519.public, NOW), PublishedKey(X25519.public, NOW + 7 * 86_400 + 1)]
    lists = [("one of each kem", both), ("x25519 alone", both[1:]), ("none is good now", old)]
    good = [
        {
            "name": name,
            "sealing": sign_sealing_keys(keys, node_key=NODE, now=NOW - 60),
            "node_id": NODE_ID,
            "now": NOW,
            "keys": [] if keys is old else [published_json(each) for each in keys],
        }
        for name, keys in lists
    ]
    good.append({**good[0], "name": "a minute from the future", "now": NOW - 120})
    refused = [
        {"name": name, "sealing": text, "node_id": NODE_ID, "now": NOW, "code": "signature_invalid"}
        for name, text in sealing_refused(both)
    ]
    return {"good": good, "refused": refused}


def published_json(key: PublishedKey) -> Vector:
    return {
        "kem": key.key.kem,
        "key_hex": key.key.raw.hex(),
        "key_id_hex": key.key.key_id.hex(),
        "expires_at": key.expires_at,
    }


def sealing_refused(both: list[PublishedKey]) -> Iterator[tuple[str, str]]:
    text = sign_sealing_keys(both, node_key=NODE, now=NOW)
    head, payload, signature = text.split(".")
    theirs = sign_sealing_keys(both, node_key=STRANGER, now=NOW)
    yield "a stranger's", theirs
    yield "a stranger's in the rig's name", signed({"iss": NODE_ID}, signer=STRANGER)
    yield "a stranger's signature", f"{head}.{payload}.{theirs.split('.')[2]}"
    yield "another rig's id", signed({"iss": derive_id("n1", STRANGER.public)})
    yield "two minutes from the future", signed({"iat": NOW + 120})
    yield "no keys", signed({"keys": []})
    yield "nine keys", signed({"keys": [claim(X25519)] * 9})
    yield "an unknown kem", signed({"keys": [claim(X25519) | {"kem": "rot13"}]})
    yield "an unknown claim", signed({"extra": 1})
    yield "a key too short", signed({"keys": [claim(X25519) | {"key": b64url_encode(bytes(31))}]})
    yield (
        "a point of small order",
        signed({"keys": [claim(X25519) | {"key": b64url_encode(bytes(32))}]}),
    )
    yield "a key of the other kem", signed({"keys": [claim(X25519) | {"kem": "mlkem768-x25519"}]})
    yield "another document's type", signed({}, typ="lr-endpoint+jwt")
    yield "padded base64", f"{head}.{payload}.{signature}=="
    yield "no signature", f"{head}.{payload}."
    yield "claims given twice", doubled(b64url_decode(payload))


def claim(key: SealingPrivateKey) -> Vector:
    raw = b64url_encode(key.public.raw)
    return {"kem": key.public.kem, "key": raw, "exp": NOW + 86_400}


def signed(changes: Vector, *, signer: PrivateKey = NODE, typ: str = SEALING_TYPE) -> str:
    claims = {"iss": derive_id("n1", signer.public), "iat": NOW, "keys": [claim(X25519)]} | changes
    return jws.sign_with_jwk(msgspec.json.encode(claims), typ=typ, key=signer)


def doubled(payload: bytes) -> str:
    twice = payload[:-1] + b',"iat":1}'
    return jws.sign_with_jwk(twice, typ=SEALING_TYPE, key=NODE)
