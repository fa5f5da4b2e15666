"""Lists of sealing keys and proofs: the browser takes what Python takes, and nothing else."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import verify_proof
from luckrig.protocol.subtext.hpke import SealingPrivateKey
from luckrig.protocol.subtext.keyring import (
    SEALING_TYPE,
    PublishedKey,
    sign_sealing_keys,
    verify_sealing_keys,
)
from tests.e2e.subtext.pages import NODE_KEY, NOW, TOKEN, Probe

KEY: Final = SealingPrivateKey("x25519", b"\5" * 32)
NODE_ID: Final = derive_id("n1", PrivateKey(NODE_KEY).public)


def lists() -> dict[str, str]:
    """Signed lists, good and bad. The rig's is good; each other differs in one thing."""
    node = PrivateKey(NODE_KEY)
    day = PublishedKey(KEY.public, NOW + 86_400)
    hybrid = PublishedKey(SealingPrivateKey("mlkem768-x25519", b"\6" * 96).public, NOW + 86_400)
    good = sign_sealing_keys([hybrid, day], node_key=node, now=NOW)
    header, payload, signature = good.split(".")
    claims = b64url_decode(payload).decode()

    def resigned(text: str, typ: str = SEALING_TYPE) -> str:
        return jws.sign_with_jwk(text.encode(), typ=typ, key=node)

    def with_header(change: Callable[[dict[str, Any]], object]) -> str:
        fields = json.loads(b64url_decode(header))
        change(fields)
        protected = b64url_encode(json.dumps(fields).encode())
        return (
            f"{protected}.{payload}.{b64url_encode(node.sign(f'{protected}.{payload}'.encode()))}"
        )

    small_order = b64url_encode(b"\1" + bytes(31))
    forged = b64url_encode(b"\1" + bytes(63))
    return {
        "good": good,
        "spaces": resigned(json.dumps(json.loads(claims), indent=2)),
        "escapes": resigned(claims.replace('"iss"', '"\\u0069ss"')),
        "no key now": sign_sealing_keys(
            [PublishedKey(KEY.public, NOW), PublishedKey(KEY.public, NOW + 8 * 86_400)],
            node_key=node, now=NOW,
        ),
        "a minute ahead": sign_sealing_keys([day], node_key=node, now=NOW + 60),
        "swapped key": sign_sealing_keys([day], node_key=PrivateKey(b"\1" * 32), now=NOW),
        "future": sign_sealing_keys([day], node_key=node, now=NOW + 61),
        "two keys of one name": resigned(claims.replace('"iat"', '"iat":5,"iat"')),
        "two of one name, spelt otherwise": resigned(
            claims.replace('"iat"', '"\\u0069at":5,"iat"')
        ),
        "unknown claim": resigned(claims.replace('"iat"', '"x":5,"iat"')),
        "a claim is missing": resigned(claims.replace(f'"iat":{NOW},', "")),
        "time as text": resigned(claims.replace(f'"iat":{NOW}', f'"iat":"{NOW}"')),
        "time with a fraction": resigned(claims.replace(f'"iat":{NOW}', f'"iat":{NOW}.5')),
        "negative time": resigned(claims.replace(f'"iat":{NOW}', '"iat":-1')),
        "another rig's": resigned(claims.replace(NODE_ID, "n1" + "a" * 32)),
        "no rig": resigned(claims.replace(NODE_ID, "n1")),
        "no list": resigned('{"iss":"' + NODE_ID + '","iat":5,"keys":{}}'),
        "empty list": resigned('{"iss":"' + NODE_ID + '","iat":5,"keys":[]}'),
        "array": resigned("[]"),
        "no JSON": resigned("{"),
        "byte order mark": resigned("\ufeff" + claims),
        "another type": resigned(claims, "dpop+jwt"),
        "alg none": with_header(lambda fields: fields.update(alg="none")),
        "alg EdDSA": with_header(lambda fields: fields.update(alg="EdDSA")),
        "another header": with_header(lambda fields: fields.update(kid="x")),
        "crit": with_header(lambda fields: fields.update(crit=["x"])),
        "private jwk": with_header(lambda fields: fields["jwk"].update(d="AA")),
        "other curve": with_header(lambda fields: fields["jwk"].update(crv="X25519")),
        "typ missing": with_header(lambda fields: fields.pop("typ")),
        "header is a list": f"{b64url_encode(b'[]')}.{payload}.{signature}",
        "small order": f"{with_header(lambda f: f['jwk'].update(x=small_order)).rpartition('.')[0]}"
        f".{forged}",
        "padded": f"{header}.{payload}.{signature}==",
        "standard base64": f"{header}.{payload}.{'+' + signature[1:]}",
        "other spelling": f"{header}.{payload}.{signature[:-1]}{_next(signature[-1])}",
        "no signature": f"{header}.{payload}.",
        "two parts": f"{header}.{payload}",
        "four parts": f"{good}.",
        "space": f" {good}",
        "line": f"{good}\n",
        "long": good + "A" * 20_480,
        "empty": "",
    }  # fmt: skip


def _next(character: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) + 1]


GOOD_LISTS: Final = {"good", "spaces", "escapes", "no key now", "a minute ahead"}


def python_verifies(text: str, node_id: str) -> list[list[object]] | str:
    try:
        keys = verify_sealing_keys(text, node_id=node_id, now=NOW)
    except PeerError as error:
        return error.code
    return [[each.key.kem, b64url_encode(each.key.raw), each.expires_at] for each in keys]


def browser_verifies(probe: Probe, texts: list[str], node_id: str) -> list[Any]:
    asked = [{"list": text, "nodeId": node_id, "now": NOW} for text in texts]
    results = probe.call("verifyLists", asked)
    return [result["error"] or result["value"] for result in results]


def test_lists_of_keys(probe: Probe) -> None:
    texts = lists()
    results = dict(zip(texts, browser_verifies(probe, [*texts.values()], NODE_ID), strict=True))
    assert results == {name: python_verifies(text, NODE_ID) for name, text in texts.items()}
    assert {name for name, result in results.items() if result != "signature_invalid"} == GOOD_LISTS


def test_a_list_with_one_other_character_is_refused(probe: Probe) -> None:
    good = lists()["good"]
    texts = [
        good[:at] + (_next(good[at]) if good[at] not in "._" else "A") + good[at + 1 :]
        for at in range(0, len(good), 7)
    ]
    assert set(browser_verifies(probe, texts, NODE_ID)) == {"signature_invalid"}


def test_a_key_of_small_order_signs_nothing(probe: Probe) -> None:
    """Whoever names such a rig gets no keys, though one signature fits everything it could say."""
    text = lists()["small order"]
    key = json.loads(b64url_decode(text.split(".")[0]))["jwk"]["x"]
    from_key = probe.call("nodeIdOf", key)
    claims = b64url_decode(text.split(".")[1]).decode().replace(NODE_ID, from_key)
    header, _, signature = text.split(".")
    forged = [
        f"{header}.{b64url_encode((claims + ' ' * spaces).encode())}.{signature}"
        for spaces in range(16)
    ]
    assert set(browser_verifies(probe, forged, from_key)) == {"signature_invalid"}


def test_node_ids(probe: Probe) -> None:
    public = PrivateKey(NODE_KEY).public
    assert probe.call("nodeIdOf", b64url_encode(public.raw)) == NODE_ID


@pytest.mark.parametrize("token", [TOKEN, None])
def test_proofs(probe: Probe, token: str | None) -> None:
    asked = {"method": "POST", "url": "https://rig.test/v1/x?a=1#b", "body": b64url_encode(b"{}")}
    result = probe.call(
        "proofOf", {**asked, "now": NOW + 0.5, **({"token": token} if token else {})}
    )
    proof = verify_proof(
        result["proof"], method="POST", urls=["https://rig.test/v1/x"], now=NOW, access_token=token
    )
    proof.check_body(b"{}")
    assert proof.key.thumbprint == result["thumbprint"]
