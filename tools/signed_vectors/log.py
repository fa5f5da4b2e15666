"""The hash-chained log of descriptors, and its signed head."""

import json
from typing import Any

import msgspec

from luckrig.protocol.descriptor_log import EMPTY_LOG, HEAD_TYPE, LogTip, make_head, next_entry
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.tokens import issue
from signed_vectors.descriptors import descriptors
from signed_vectors.given import GOOD, HEADER, NOW, ROOT, SIGNING, STRANGER, compact, key


def log() -> dict[str, Any]:
    signed = descriptors()["signed"].encode()
    tip, entries = EMPTY_LOG, []
    for number, name in enumerate(("node", "stranger", "node")):
        node_id = derive_id("n1", key(name).public)
        entry = next_entry(
            tip, node_id=node_id, seq=NOW * 1000 + number, signed=signed, listed_at=NOW + number
        )
        entries.append(msgspec.to_builtins(entry))
        tip = LogTip(entry.index, entry.hash)
    header = HEADER | {"typ": HEAD_TYPE}
    claims = {"iss": GOOD.iss, "size": tip.size, "hash": tip.hash, "iat": NOW}
    jwk = msgspec.to_builtins(SIGNING.public.jwk)

    def forged(signer: PrivateKey = SIGNING, *, head: Any = header, **changes: Any) -> str:
        kept = {name: value for name, value in (claims | changes).items() if value != "ABSENT"}
        return compact(head, json.dumps(kept).encode(), signer)

    return {
        "now": NOW,
        "issuer": GOOD.iss,
        "signing_seed": SIGNING.seed.hex(),
        "genesis": EMPTY_LOG.hash,
        "signed": signed.decode(),
        "entries": entries,
        "head": make_head(tip, issuer=GOOD.iss, key=SIGNING, now=NOW),
        "refused": {
            "signed by a stranger": forged(STRANGER),
            "signed by the root": forged(ROOT),
            "kid unknown": forged(head=header | {"kid": "A" * 43}),
            "jwk instead of kid": forged(head={"alg": "Ed25519", "jwk": jwk, "typ": HEAD_TYPE}),
            "alg none": forged(head=header | {"alg": "none"}),
            "typ of a token": forged(head=HEADER),
            "iss of another tracker": forged(iss=derive_id("r1", STRANGER.public)),
            "iss missing": forged(iss="ABSENT"),
            "size missing": forged(size="ABSENT"),
            "size negative": forged(size=-1),
            "size a string": forged(size="3"),
            "hash too short": forged(hash=tip.hash[:-1]),
            "hash with a newline": forged(hash=tip.hash + "\n"),
            "iat in the future": forged(iat=NOW + 31),
            "iat more than a day ago": forged(iat=NOW - 86_401),
            "unknown claim": forged(fork=True),
            "a token": issue(GOOD, key=SIGNING),
            "empty": "",
        },
    }
