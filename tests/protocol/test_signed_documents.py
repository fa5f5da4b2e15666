"""Descriptors, keysets and proofs: signed by whom they should be, or refused."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from luckrig.protocol.descriptor import (
    MAX_DESCRIPTOR_BYTES,
    NodeDescriptor,
    sign_descriptor,
    verify_descriptor,
)
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.jws import sign_with_jwk
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.keyset import Keyset, sign_keyset, verify_keyset
from luckrig.protocol.proofs import Proof, make_proof, verify_proof
from luckrig.protocol.replays import ProofCache
from tests.vectors import load_vectors

VECTOR = load_vectors("descriptors")
NODE = PrivateKey(bytes.fromhex(VECTOR["node_seed"]))
OWNER = PrivateKey(bytes.fromhex(VECTOR["owner_seed"]))
STRANGER = PrivateKey(b"stranger's seed, 32 bytes long!!")
DESCRIPTOR = msgspec.convert(VECTOR["descriptor"], NodeDescriptor)
SIGNED: bytes = VECTOR["signed"].encode()
NOW = 1_800_000_000


def changed(**fields: Any) -> bytes:
    """The descriptor with other fields, honestly signed by node and owner."""
    return sign_descriptor(
        msgspec.structs.replace(DESCRIPTOR, **fields), node_key=NODE, owner_key=OWNER
    )


def tampered(change: Callable[[dict[str, Any]], None]) -> bytes:
    """The signed document with a change that nobody signed."""
    document = json.loads(SIGNED)
    change(document)
    return json.dumps(document).encode()


def resigned(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A payload that no struct would hold, honestly signed by node and owner."""
    payload = json.loads(msgspec.json.encode(DESCRIPTOR))
    change(payload)
    raw = json.dumps(payload).encode()
    signatures: list[dict[str, str]] = []
    for typ, key in (("lr-node+jws", NODE), ("lr-owner+jws", OWNER)):
        protected, _, signature = sign_with_jwk(raw, typ=typ, key=key).split(".")
        signatures.append({"protected": protected, "signature": signature})
    return json.dumps({"payload": b64url_encode(raw), "signatures": signatures}).encode()


def refused(body: bytes) -> PeerError:
    """The error that a descriptor is refused with."""
    with pytest.raises(PeerError) as caught:
        verify_descriptor(body)
    return caught.value


def test_descriptor_is_made_and_read_byte_for_byte() -> None:
    assert sign_descriptor(DESCRIPTOR, node_key=NODE, owner_key=OWNER) == SIGNED
    assert verify_descriptor(SIGNED) == DESCRIPTOR


def test_descriptor_with_opening_hours_is_made_and_read_byte_for_byte() -> None:
    signed = VECTOR["signed_with_schedule"].encode()
    descriptor = msgspec.convert(VECTOR["descriptor_with_schedule"], NodeDescriptor)
    assert descriptor.policy.schedule is not None
    assert sign_descriptor(descriptor, node_key=NODE, owner_key=OWNER) == signed
    assert verify_descriptor(signed) == descriptor
    assert b"schedule" not in b64url_decode(json.loads(SIGNED)["payload"])


BAD_HOURS: list[dict[str, Any]] = [
    {"timezone": "<b>"},
    {"timezone": ""},
    {"timezone": "A" * 65},
    {"windows": []},
    {"windows": [{"days": ["mon"], "opens": "10:00", "closes": "11:00"}] * 17},
    {"windows": [{"days": [], "opens": "10:00", "closes": "11:00"}]},
    {"windows": [{"days": ["mon", "mon"], "opens": "10:00", "closes": "11:00"}]},
    {"windows": [{"days": ["someday"], "opens": "10:00", "closes": "11:00"}]},
    {"windows": [{"days": ["mon"], "opens": "10:00", "closes": "10:00"}]},
    {"windows": [{"days": ["mon"], "opens": "24:00", "closes": "10:00"}]},
    {"windows": [{"days": ["mon"], "opens": "10:00\n", "closes": "11:00"}]},
    {"windows": [{"days": ["mon"], "opens": "9:00", "closes": "11:00"}]},
    {"closed": True},
]


@pytest.mark.parametrize("change", BAD_HOURS)
def test_opening_hours_have_bounds(change: dict[str, Any]) -> None:
    policy: dict[str, Any] = VECTOR["descriptor_with_schedule"]["policy"]
    schedule = policy["schedule"] | change
    body = resigned(lambda payload: payload.update(policy=policy | {"schedule": schedule}))
    assert refused(body).code == "invalid_request"


def test_descriptor_can_only_be_signed_with_its_own_keys() -> None:
    for node_key, owner_key in ((STRANGER, OWNER), (NODE, STRANGER), (OWNER, NODE)):
        with pytest.raises(ValueError, match="keys"):
            sign_descriptor(DESCRIPTOR, node_key=node_key, owner_key=owner_key)


def test_a_changed_byte_anywhere_is_refused() -> None:
    """Every byte of the document, the payload and its signatures."""
    for index in range(len(SIGNED)):
        body = bytearray(SIGNED)
        body[index] ^= 1
        with pytest.raises(PeerError):
            verify_descriptor(bytes(body))


def _swap(document: dict[str, Any]) -> None:
    document["signatures"].reverse()


def _twice(document: dict[str, Any]) -> None:
    document["signatures"] = [document["signatures"][0]] * 2


def _drop(document: dict[str, Any]) -> None:
    document["signatures"].pop()


def _add(document: dict[str, Any]) -> None:
    document["signatures"].append(document["signatures"][1])


def _extend(document: dict[str, Any]) -> None:
    document["header"] = {}


def _rename(document: dict[str, Any]) -> None:
    payload = json.loads(b64url_decode(document["payload"]))
    document["payload"] = b64url_encode(json.dumps(payload | {"name": "Mine now"}).encode())


@pytest.mark.parametrize("change", [_swap, _twice, _drop, _add, _extend, _rename])
def test_tampering_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    assert refused(tampered(change)).code in {"signature_invalid", "invalid_request"}


def test_a_stranger_cannot_speak_for_a_node() -> None:
    """Signed by a stranger's keys, with the ids of somebody else's node and owner."""
    payload = msgspec.json.encode(DESCRIPTOR)
    signatures: list[dict[str, str]] = []
    for typ in ("lr-node+jws", "lr-owner+jws"):
        protected, _, signature = sign_with_jwk(payload, typ=typ, key=STRANGER).split(".")
        signatures.append({"protected": protected, "signature": signature})
    body = json.dumps({"payload": b64url_encode(payload), "signatures": signatures}).encode()
    assert refused(body).code == "signature_invalid"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"name": ""}, "unsafe_text", "name"),
        ({"name": " padded"}, "unsafe_text", "name"),
        ({"name": "x" * 41}, "unsafe_text", "name"),
        ({"name": "evil\u202etxt.exe"}, "unsafe_text", "name"),
        ({"name": "zero\u200bwidth"}, "unsafe_text", "name"),
        ({"name": "line\nbreak"}, "unsafe_text", "name"),
        ({"name": "esc\x1b[2J"}, "unsafe_text", "name"),
        ({"name": "hidden\ufe01"}, "unsafe_text", "name"),
        ({"name": "hidden\U000e0150"}, "unsafe_text", "name"),
        ({"name": "tag\U000e0041"}, "unsafe_text", "name"),
        ({"name": "z\u0335\u0335\u0335algo"}, "unsafe_text", "name"),
        ({"name": "e\u0301 not composed"}, "unsafe_text", "name"),
        ({"name": "private \ue000"}, "unsafe_text", "name"),
        ({"note": "x" * 4001}, "unsafe_text", "note"),
        ({"note": "bell\x07"}, "unsafe_text", "note"),
        ({"endpoints": ["ftp://rig.example"]}, "invalid_request", "endpoints[0]"),
        ({"endpoints": ["https://u:p@rig.example"]}, "invalid_request", "endpoints[0]"),
        ({"endpoints": ["https://ok.example", "https://x/y"]}, "invalid_request", "endpoints[1]"),
        ({"offers": DESCRIPTOR.offers * 2}, "invalid_request", "offers"),
        ({"seq": 0}, "invalid_request", "seq"),
        ({"offers": []}, "invalid_request", "offers"),
        ({"endpoints": []}, "invalid_request", "endpoints"),
    ],
)
def test_signed_nonsense_is_refused(fields: dict[str, Any], code: str, param: str) -> None:
    error = refused(changed(**fields))
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize("name", ["Attic 4090", "屋根裏の4090", "Keller-Kiste №3", "Việt Nam"])
def test_honest_names_of_many_languages_pass(name: str) -> None:
    assert verify_descriptor(changed(name=name)).name == name


def test_unknown_fields_are_refused_though_signed() -> None:
    error = refused(resigned(lambda payload: payload.update(admin=True)))
    assert error.code == "invalid_request"


def test_huge_descriptor_is_refused_unread() -> None:
    assert refused(b" " * (MAX_DESCRIPTOR_BYTES + 1)).code == "body_too_large"


# Keysets

ROOT_ID = derive_id("r1", OWNER.public)


def keyset(**fields: Any) -> Keyset:
    """A good keyset with changes."""
    good: dict[str, Any] = {
        "iss": ROOT_ID,
        "seq": 5,
        "iat": NOW,
        "exp": NOW + 3600,
        "keys": [NODE.public.jwk],
    }
    return Keyset(**(good | fields))


def test_keyset_of_the_pinned_root_is_trusted() -> None:
    signed = sign_keyset(keyset(), root=OWNER)
    trusted = verify_keyset(signed, root_id=ROOT_ID, min_seq=5, now=NOW)
    assert trusted.by_kid() == {NODE.public.thumbprint: NODE.public}


@pytest.mark.parametrize(
    ("fields", "root", "min_seq", "now"),
    [
        ({}, STRANGER, 0, NOW),
        ({"iss": derive_id("r1", STRANGER.public)}, OWNER, 0, NOW),
        ({}, OWNER, 6, NOW),
        ({}, OWNER, 0, NOW + 3600),
        ({"exp": NOW + 91 * 86_400}, OWNER, 0, NOW),
        ({"exp": NOW - 1}, OWNER, 0, NOW - 100),
    ],
)
def test_other_keysets_are_refused(
    fields: dict[str, Any], root: PrivateKey, min_seq: int, now: int
) -> None:
    signed = sign_keyset(keyset(**fields), root=root)
    with pytest.raises(PeerError) as caught:
        verify_keyset(signed, root_id=ROOT_ID, min_seq=min_seq, now=now)
    assert caught.value.code == "signature_invalid"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "..", "x" * 10_000])
def test_keyset_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        verify_keyset(text, root_id=ROOT_ID, min_seq=0, now=NOW)


# Proofs

PROOF_OF: dict[str, Any] = {
    "method": "POST",
    "url": "https://t.example/api/v1/tokens",
    "body": b'{"a":1}',
}


def proof(**changes: Any) -> str:
    """A proof for PROOF_OF, with changes."""
    made: dict[str, Any] = {"key": OWNER, "now": NOW, "jti": "j" * 22}
    return make_proof(**(PROOF_OF | made | changes))


def check(text: str, *, now: float = NOW, **changes: Any) -> Proof:
    """Verify a proof, body included, as for PROOF_OF with changes."""
    asked = PROOF_OF | changes
    checked = verify_proof(
        text,
        method=asked["method"],
        urls=[asked["url"], "https://also-known-as.example/"],
        now=now,
        access_token=asked.get("access_token"),
    )
    checked.check_body(asked["body"])
    return checked


def test_proof_names_the_key_that_signed_the_request() -> None:
    checked = check(proof(), now=NOW + 60)
    assert checked.key == OWNER.public
    assert checked.jti == "j" * 22
    assert check(proof(access_token="t"), access_token="t").key == OWNER.public


@pytest.mark.parametrize(
    ("made", "checked"),
    [
        ({"method": "GET"}, {}),
        ({"url": "https://t.example/api/v1/nodes"}, {}),
        ({"url": "https://other.example/api/v1/tokens"}, {}),
        ({"body": b'{"a":2}'}, {}),
        ({}, {"now": NOW + 61}),
        ({}, {"now": NOW - 61}),
        ({"jti": "short"}, {}),
        ({"access_token": "a"}, {}),
        ({}, {"access_token": "a"}),
        ({"access_token": "a"}, {"access_token": "b"}),
    ],
)
def test_proof_of_another_request_is_refused(made: dict[str, Any], checked: dict[str, Any]) -> None:
    with pytest.raises(PeerError) as caught:
        check(proof(**made), **checked)
    assert caught.value.code == "proof_invalid"


def test_no_changed_byte_of_a_proof_is_accepted() -> None:
    good = proof()
    for index in range(len(good)):
        bad = good[:index] + chr(ord(good[index]) ^ 1) + good[index + 1 :]
        with pytest.raises(PeerError):
            check(bad)


def test_proof_works_once_while_it_would_be_accepted() -> None:
    cache = ProofCache()
    checked = check(proof())
    cache.use(checked, now=NOW)
    for now in (NOW, NOW + 60, NOW + 119):
        with pytest.raises(PeerError):
            cache.use(checked, now=now)


def test_full_cache_refuses_newcomers_instead_of_forgetting() -> None:
    cache = ProofCache(max_proofs=2)
    proofs = [check(proof(jti=letter * 22)) for letter in "abc"]
    cache.use(proofs[0], now=NOW)
    cache.use(proofs[1], now=NOW)
    with pytest.raises(PeerError) as caught:
        cache.use(proofs[2], now=NOW)
    assert caught.value.code == "rate_limited"
    cache.use(proofs[2], now=NOW + 121)
