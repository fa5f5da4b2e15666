"""What all vectors are made of: keys, ids and secrets that everybody can make again."""

import hashlib
from typing import Any, Final

from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.subtext.codec import Frame
from luckrig.protocol.subtext.hpke import SEED_BYTES, Kem, SealingPrivateKey
from luckrig.protocol.subtext.request import (
    Binding,
    Inner,
)

NOW: Final = 1_800_000_000
Vector = dict[str, Any]
Part = dict[str, list[Vector]]


def stretched(name: str, length: int = 32) -> bytes:
    """Bytes that everybody can make again."""
    return hashlib.shake_256(f"luckrig test key: {name}".encode()).digest(length)


def sealing_key(kem: Kem, name: str = "sealing") -> SealingPrivateKey:
    return SealingPrivateKey(kem, stretched(name, SEED_BYTES[kem]))


NODE, STRANGER = PrivateKey(stretched("node")), PrivateKey(stretched("stranger"))
NODE_ID: Final = derive_id("n1", NODE.public)
X25519: Final = sealing_key("x25519")
HYBRID: Final = sealing_key("mlkem768-x25519")
BINDING: Final = Binding(NODE_ID, "header.claims.signature")
SECRET: Final = stretched("reply secret")
ENCAPSULATION: Final = stretched("encapsulation")
NONCE: Final = stretched("reply nonce")
CHAT: Final = Inner(
    "/v1/chat/completions",
    '{"model":"tiny","messages":[{"role":"user","content":"潮はなぜ?"}],"stream":true}'.encode(),
)


def frames_json(frames: list[Frame]) -> list[Vector]:
    return [{"kind": each.kind, "payload_hex": each.payload.hex()} for each in frames]
