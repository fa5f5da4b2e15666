"""Vectors of sealed requests."""

from collections.abc import Iterator

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.subtext.hpke import SEED_BYTES, SealingPrivateKey
from luckrig.protocol.subtext.request import (
    Binding,
    Inner,
    open_request,
    seal_request,
)
from subtext_vectors.given import (
    BINDING,
    CHAT,
    HYBRID,
    NODE_ID,
    NOW,
    SECRET,
    STRANGER,
    X25519,
    Part,
    Vector,
    stretched,
)
from tests.protocol.subtext import hpke_by_hand


def plaintext(inner: Inner, *, sealed_at: int = NOW, secret: bytes = SECRET) -> bytes:
    """As request.py's table has it."""
    path = inner.path.encode("ascii")
    fixed = sealed_at.to_bytes(8, "big") + secret + bytes((len(path),)) + path
    filled = fixed + len(inner.body).to_bytes(4, "big") + inner.body
    return filled + bytes(-len(filled) % 1024)


def sealed_x25519(text: bytes, *, binding: Binding = BINDING, name: str = "ephemeral") -> bytes:
    public = X25519.public
    info = binding.info(public.key_id)
    sealed = hpke_by_hand.seal(text, public=public.raw, ephemeral=stretched(name), info=info)
    return public.key_id + sealed


def requests(before: dict[str, str]) -> Part:
    """Sealed requests. before: payloads that are in the file already, by name."""
    long = Inner("/v1/responses", b"x" * 1500)
    exact = Inner("/v1/embeddings", b"x" * (1024 - 8 - 32 - 1 - 14 - 4))
    inners = {
        "a chat": CHAT,
        "two steps": long,
        "no padding": exact,
        "one byte more": Inner(exact.path, exact.body + b"x"),
        "no body": Inner("/v1/models", b""),
    }
    good = [request_json(name, X25519, inner, before) for name, inner in inners.items()]
    good += [
        request_json(f"{name}, hybrid", HYBRID, inners[name], before) for name in list(inners)[:2]
    ]
    refused = [
        {
            "name": name,
            "kem": "x25519",
            "seed_hex": stretched("sealing").hex(),
            "node_id": binding.node_id,
            "token": binding.token,
            "now": now,
            "payload_hex": payload.hex(),
            "code": code,
        }
        for name, payload, binding, now, code in requests_refused()
    ]
    return {"good": good, "refused": refused}


def request_json(name: str, key: SealingPrivateKey, inner: Inner, before: dict[str, str]) -> Vector:
    text = plaintext(inner)
    kem = key.public.kem
    made = sealed_x25519(text) if kem == "x25519" else kept(key, inner, before.get(name, ""))
    ephemeral = {"ephemeral_hex": stretched("ephemeral").hex()} if kem == "x25519" else {}
    opened = open_request(made, key=key, binding=BINDING, now=NOW)
    assert opened.inner == inner and opened.secret == SECRET  # noqa: S101 -- a script
    return {
        "name": name,
        "kem": kem,
        "seed_hex": stretched("sealing", SEED_BYTES[kem]).hex(),
        "key_hex": key.public.raw.hex(),
        "key_id_hex": key.public.key_id.hex(),
        "node_id": BINDING.node_id,
        "token": BINDING.token,
        "now": NOW,
        "info_hex": BINDING.info(key.public.key_id).hex(),
        "secret_hex": SECRET.hex(),
        "path": inner.path,
        "body": inner.body.decode("utf-8"),
        "plaintext_hex": text.hex(),
        **ephemeral,
        "encapsulation_hex": opened.encapsulation.hex(),
        "payload_hex": made.hex(),
    }


def kept(key: SealingPrivateKey, inner: Inner, payload_hex: str) -> bytes:
    """What the file holds if it opens to that, else a new one."""
    payload = bytes.fromhex(payload_hex)
    try:
        if open_request(payload, key=key, binding=BINDING, now=NOW).inner == inner:
            return payload
    except PeerError:
        pass
    sealed = seal_request(inner, key=key.public, binding=BINDING, secret=SECRET, now=NOW)
    return sealed.payload


def requests_refused() -> Iterator[tuple[str, bytes, Binding, int, str]]:
    text = plaintext(CHAT)
    good = sealed_x25519(text)
    for name, binding in {
        "another rig": Binding(derive_id("n1", STRANGER.public), BINDING.token),
        "another token": Binding(NODE_ID, "header.claims.another"),
    }.items():
        yield name, good, binding, NOW, "sealed_invalid"
    for name, seconds in {"121 s old": 121, "121 s from the future": -121}.items():
        yield name, good, BINDING, NOW + seconds, "sealed_stale"
    for name, payload in broken_payloads(good, text).items():
        yield name, payload, BINDING, NOW, "sealed_invalid"


def broken_payloads(good: bytes, text: bytes) -> dict[str, bytes]:
    def flipped(at: int) -> bytes:
        return good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :]

    body_at = 8 + 32 + 1 + len(CHAT.path)
    lying = text[:body_at] + (2**32 - 1).to_bytes(4, "big") + text[body_at + 4 :]
    return {
        "nothing": b"",
        "a key id alone": good[:8],
        "the last byte is missing": good[:-1],
        "a byte too many": good + b"\0",
        "a bit of the key id": flipped(0),
        "a bit of the encapsulation": flipped(8),
        "the encapsulation's unused bit": good[:39] + bytes((good[39] ^ 0x80,)) + good[40:],
        "an encapsulation of small order": good[:8] + bytes(32) + good[40:],
        "a bit of the ciphertext": flipped(40),
        "a bit of the tag": flipped(len(good) - 1),
        "plaintext of no length": sealed_x25519(b""),
        "plaintext out of step": sealed_x25519(text + b"\0"),
        "padding that isn't zeros": sealed_x25519(text[:-1] + b"\1"),
        "a step of padding too many": sealed_x25519(text + bytes(1024)),
        "a body longer than there is": sealed_x25519(lying),
        "a path that isn't ASCII": sealed_x25519(text[:41] + b"\xff" + text[42:]),
        "a path over the body": sealed_x25519(text[:40] + b"\xff" + text[41:]),
    }
