"""The frozen vectors in real Chromium, and RFC 9180's own."""

from typing import Any, Final

import pytest

from luckrig.protocol.encoding import b64url_encode
from tests.e2e.subtext.pages import Probe, pair
from tests.vectors import load_vectors

VECTORS: Final[Any] = load_vectors("subtext_v1")
SIZES: Final = (1, 7, 64, 1 << 20)


def url(text: str) -> str:
    """Hexadecimal to base64url."""
    return b64url_encode(bytes.fromhex(text))


def named(vectors: list[Any], results: list[Any]) -> dict[str, Any]:
    return {vector["name"]: result for vector, result in zip(vectors, results, strict=True)}


def frames_of(vector: Any) -> list[dict[str, Any]]:
    frames = vector["frames"]
    return [{"kind": each["kind"], "payload": url(each["payload_hex"])} for each in frames]


def items_of(vector: Any) -> list[Any]:
    items = vector["items"]
    return [{"body": url(each["body_hex"])} if "body_hex" in each else each for each in items]


def test_rfc_9180_a_1_1(probe: Probe) -> None:
    """DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode, sequence number 0."""
    result = probe.call(
        "hpkeBothWays",
        {
            "ephemeral": pair(
                bytes.fromhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736")
            ),
            "receiver": pair(
                bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
            ),
            "info": url("4f6465206f6e2061204772656369616e2055726e"),
            "aad": url("436f756e742d30"),
            "plaintext": url("4265617574792069732074727574682c20747275746820626561757479"),
        },
    )
    assert result["sealed"] == url(
        "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
    )
    assert result["opened"] == url("4265617574792069732074727574682c20747275746820626561757479")


def test_texts(probe: Probe) -> None:
    good, refused = VECTORS["codec"]["good"], VECTORS["codec"]["refused"]
    read = named(good, probe.call("readTexts", [vector["text"] for vector in good]))
    for vector in good:
        frames = [[each["kind"], each["payload"]] for each in frames_of(vector)]
        assert (read[vector["name"]]["error"], read[vector["name"]]["value"]) == (None, frames)
    read = named(refused, probe.call("readTexts", [vector["text"] for vector in refused]))
    assert {name: result["error"] for name, result in read.items()} == {
        vector["name"]: vector["code"] for vector in refused
    }


@pytest.mark.parametrize("kind", ["good", "refused"])
def test_lists_of_sealing_keys(probe: Probe, kind: str) -> None:
    vectors = VECTORS["sealing"][kind]
    asked = [
        {"list": each["sealing"], "nodeId": each["node_id"], "now": each["now"]} for each in vectors
    ]
    read = named(vectors, probe.call("verifyLists", asked))
    for vector in vectors:
        result = read[vector["name"]]
        assert result["error"] == vector.get("code"), vector["name"]
        if kind == "good":
            keys = [[key["kem"], url(key["key_hex"]), key["expires_at"]] for key in vector["keys"]]
            assert result["value"] == keys


def test_requests_come_out_byte_for_byte(probe: Probe) -> None:
    vectors = [each for each in VECTORS["requests"]["good"] if each["kem"] == "x25519"]
    assert len(vectors) >= 5
    asked = [
        {
            "path": each["path"],
            "body": b64url_encode(each["body"].encode()),
            "key": url(each["key_hex"]),
            "nodeId": each["node_id"],
            "token": each["token"],
            "now": each["now"],
            "secret": url(each["secret_hex"]),
            "ephemeral": pair(bytes.fromhex(each["ephemeral_hex"])),
            "stream": True,
            "choice": 0,
        }
        for each in vectors
    ]
    sealed = named(vectors, probe.call("sealRequests", asked))
    for vector in vectors:
        assert sealed[vector["name"]]["payload"] == url(vector["payload_hex"])
        assert sealed[vector["name"]]["encapsulation"] == url(vector["encapsulation_hex"])


def test_hpke_opens_the_requests(probe: Probe) -> None:
    for vector in VECTORS["requests"]["good"]:
        if vector["kem"] == "x25519":
            asked = {
                "pair": pair(bytes.fromhex(vector["seed_hex"])),
                "info": url(vector["info_hex"]),
                "sealed": url(vector["payload_hex"][16:]),  # after the key's id
            }
            assert probe.call("openPayload", asked) == url(vector["plaintext_hex"])


@pytest.mark.parametrize("kind", ["good", "refused"])
@pytest.mark.parametrize("size", SIZES)
def test_items(probe: Probe, kind: str, size: int) -> None:
    vectors = VECTORS["items"][kind]
    asked = [{"data": url(each["items_hex"]), "size": size} for each in vectors]
    read = named(vectors, probe.call("readItems", asked))
    for vector in vectors:
        result = read[vector["name"]]
        assert result["error"] == vector.get("code"), vector["name"]
        if kind == "good":
            assert (result["items"], result["value"]) == (items_of(vector), True)


def opened(probe: Probe, vectors: list[dict[str, Any]]) -> Any:
    """What the browser makes of each reply."""
    asked = [
        {
            "frames": frames_of(each),
            "secret": url(each["secret_hex"]),
            "encapsulation": url(each["encapsulation_hex"]),
        }
        for each in vectors
    ]
    return probe.call("openReplies", asked)


def test_replies(probe: Probe) -> None:
    vectors = VECTORS["replies"]["good"]
    for vector, result in zip(vectors, opened(probe, vectors), strict=True):
        assert result["error"] is None
        assert result["items"] == items_of(vector)
        assert set(result["after"]) == {"sealed_invalid"}


def test_refused_replies(probe: Probe) -> None:
    """So many frames open, the next doesn't, and none does after it."""
    vectors = VECTORS["replies"]["refused"]
    for vector, result in zip(vectors, opened(probe, vectors), strict=True):
        assert (result["error"], result["opened"]) == (vector["code"], vector["opened"])
        assert set(result["after"]) <= {"sealed_invalid"}
        if vector["opened"] < len(vector["frames"]):
            assert result["after"]


@pytest.mark.parametrize("size", SIZES)
def test_carriers_of_replies(probe: Probe, size: int) -> None:
    """Streamed and whole, however the bytes are cut."""
    reply = VECTORS["replies"]["good"][0]  # all have one secret
    secret, encapsulation = url(reply["secret_hex"]), url(reply["encapsulation_hex"])
    carriers = {each["name"]: each for each in VECTORS["carriers"]["good"]}
    for name, field in (("a streamed reply", "stream"), ("a whole reply", "document")):
        keys = {"secret": secret, "encapsulation": encapsulation}
        data = b64url_encode(carriers[name][field].encode())
        carried = {**keys, "data": data, "size": size, "stream": field == "stream"}
        frames = {**keys, "frames": frames_of(carriers[name])}
        from_carrier, from_frames = probe.call("openReplies", [carried, frames])
        assert (from_carrier["error"], from_frames["error"]) == (None, None)
        assert from_carrier["items"] == from_frames["items"] != []
