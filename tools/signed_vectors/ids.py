"""Keys and the ids that are derived from them."""

import hashlib

from luckrig.protocol.ids import derive_id
from signed_vectors.given import key


def ids() -> list[dict[str, str]]:
    return [
        {
            "seed": hashlib.sha256(f"luckrig test key: {name}".encode()).hexdigest(),
            "public": key(name).public.raw.hex(),
            "thumbprint": key(name).public.thumbprint,
            "node_id": derive_id("n1", key(name).public),
            "user_id": derive_id("u1", key(name).public),
            "root_id": derive_id("r1", key(name).public),
        }
        for name in ("root", "signing", "node", "owner", "stranger")
    ]
