"""Makes tests/vectors/*.json: what ids, tokens and signed documents must look like, byte for byte.

Run it by hand, `python tools/make_vectors.py`, when the protocol changes on purpose. The tests
compare against the committed files, so a change made by accident shows. All seeds are fixed.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.descriptor import (
    EngineInfo,
    Hardware,
    NodeDescriptor,
    Offer,
    Policy,
    sign_descriptor,
)
from luckrig.protocol.descriptor_log import EMPTY_LOG, HEAD_TYPE, LogTip, make_head, next_entry
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.endpoint_proof import (
    ENDPOINT_PROOF_TYPE,
    EndpointProof,
    sign_endpoint_proof,
)
from luckrig.protocol.handover import NEW_TYPE, OLD_TYPE, sign_handover
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.keyset import Keyset, sign_keyset
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.receipts import (
    OPINION_TYPE,
    RECEIPT_TYPE,
    Measured,
    Receipt,
    countersign,
    sign_receipt,
)
from luckrig.protocol.revocations import Revocations, sign_revocations
from luckrig.protocol.schedule import Schedule, parse_windows
from luckrig.protocol.tokens import Claims, Confirmation, Limits, issue

OUT = Path(__file__).resolve().parent.parent / "tests" / "vectors"
NOW = 1_800_000_000
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def key(name: str) -> PrivateKey:
    """A key that everybody can make again."""
    return PrivateKey(hashlib.sha256(f"luckrig test key: {name}".encode()).digest())


ROOT, SIGNING, NODE, OWNER, STRANGER = map(key, ("root", "signing", "node", "owner", "stranger"))
GOOD = Claims(
    iss=derive_id("r1", ROOT.public),
    aud=derive_id("n1", NODE.public),
    sub="subject-0123456789abcdef",
    iat=NOW - 10,
    exp=NOW + 290,
    jti="token-0123456789abcdef",
    tier="limited",
    lim=Limits(requests=120, output_tokens=1024, concurrency=2, priority=0),
)
HEADER = {"alg": "Ed25519", "kid": SIGNING.public.thumbprint, "typ": "lr-at+jwt"}


def compact(header: Any, payload: bytes, signer: PrivateKey = SIGNING) -> str:
    """A JWS with any header (a dict, or raw bytes) and any payload, honestly signed."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    signed = f"{b64url_encode(raw)}.{b64url_encode(payload)}"
    return f"{signed}.{b64url_encode(signer.sign(signed.encode()))}"


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


def malleated(signature: bytes) -> bytes:
    """S + L verifies under the bare equation; RFC 8032 demands that it is refused."""
    s = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    return signature[:32] + s.to_bytes(32, "little")


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


def descriptors() -> dict[str, Any]:
    descriptor = NodeDescriptor(
        node_id=GOOD.aud,
        owner_id=derive_id("u1", OWNER.public),
        seq=NOW * 1000,
        created_at=NOW,
        name="Attic 4090",
        note="Undervolted to 320 W.\nOpen at night.",
        endpoints=["https://rig.example"],
        engine=EngineInfo(kind="llama-server", version="b7000"),
        hardware=Hardware(
            gpu="NVIDIA GeForce RTX 4090",
            vram_bytes=24 << 30,
            cpu="AMD Ryzen 9 7950X",
            ram_bytes=64 << 30,
        ),
        offers=[
            Offer(
                model="qwen3:8b",
                family="qwen3",
                parameters=8_190_000_000,
                quantization="Q4_K_M",
                context_length=32_768,
                capabilities=["chat", "completion", "tools"],
            )
        ],
        policy=Policy(max_active=2, max_queue=32),
    )
    signed = sign_descriptor(descriptor, node_key=NODE, owner_key=OWNER)
    windows = parse_windows(["weekdays 22:00-07:00", "sat,sun 00:00-24:00"])
    schedule = Schedule(windows=windows, timezone="Europe/Berlin")
    policy = msgspec.structs.replace(descriptor.policy, schedule=schedule)
    at_night = msgspec.structs.replace(descriptor, policy=policy)
    return {
        "node_seed": NODE.seed.hex(),
        "owner_seed": OWNER.seed.hex(),
        "descriptor": msgspec.to_builtins(descriptor),
        "signed": signed.decode(),
        "descriptor_with_schedule": msgspec.to_builtins(at_night),
        "signed_with_schedule": sign_descriptor(at_night, node_key=NODE, owner_key=OWNER).decode(),
    }


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


def main() -> None:
    assert jws.ALGORITHM == "Ed25519"  # noqa: S101 -- the vectors name it
    OUT.mkdir(exist_ok=True)
    vectors = {
        "ids": ids(),
        "tokens": tokens(),
        "descriptors": descriptors(),
        "revocations": revocations(),
        "log": log(),
        "receipts": receipts(),
        "handover": handover(),
        "endpoint_proof": endpoint_proof(),
    }
    for name, made in vectors.items():
        text = json.dumps(made, indent=1, ensure_ascii=True) + "\n"
        (OUT / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"tests/vectors/{name}.json")


if __name__ == "__main__":
    main()
