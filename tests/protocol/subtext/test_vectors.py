"""The frozen vectors, and that the tool still makes them."""

from typing import Any

import msgspec
import pytest

from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext.carrier import (
    CarrierWriter,
    reply_frames,
    request_body,
    request_payload,
)
from luckrig.protocol.subtext.codec import Frame, frame, read_frames
from luckrig.protocol.subtext.hpke import SealingPrivateKey
from luckrig.protocol.subtext.items import Item, ItemReader, ReplyHead
from luckrig.protocol.subtext.keyring import verify_sealing_keys
from luckrig.protocol.subtext.reply import LABEL as REPLY_LABEL
from luckrig.protocol.subtext.reply import ReplyOpener
from luckrig.protocol.subtext.request import LABEL, Binding, Inner, open_request
from tests.protocol.subtext import hpke_by_hand
from tests.vectors import load_vectors

VECTORS: Any = load_vectors("subtext_v1")
PARTS = ("codec", "sealing", "requests", "items", "replies", "carriers")
GOOD = [(part, vector) for part in PARTS for vector in VECTORS[part]["good"]]
REFUSED = [(part, vector) for part in PARTS for vector in VECTORS[part]["refused"]]


def name_of(value: Any) -> str:
    return value if isinstance(value, str) else str(value["name"])


def frames_of(vector: Any) -> list[Frame]:
    return [Frame(each["kind"], bytes.fromhex(each["payload_hex"])) for each in vector["frames"]]


def told(items: list[Item]) -> list[Any]:
    return [
        {"head": msgspec.to_builtins(item)}
        if isinstance(item, ReplyHead)
        else {"body_hex": item.data.hex()}
        for item in items
    ]


def read_codec(vector: Any) -> None:
    frames = read_frames(vector["text"])
    assert frames == frames_of(vector)
    assert "".join(frame(each.kind, each.payload) for each in frames) in vector["text"]


def read_sealing(vector: Any) -> None:
    keys = verify_sealing_keys(vector["sealing"], node_id=vector["node_id"], now=vector["now"])
    said = [
        {
            "kem": each.key.kem,
            "key_hex": each.key.raw.hex(),
            "key_id_hex": each.key.key_id.hex(),
            "expires_at": each.expires_at,
        }
        for each in keys
    ]
    assert said == vector["keys"]


def read_requests(vector: Any) -> None:
    key = SealingPrivateKey(vector["kem"], bytes.fromhex(vector["seed_hex"]))
    binding = Binding(vector["node_id"], vector["token"])
    payload = bytes.fromhex(vector["payload_hex"])
    opened = open_request(payload, key=key, binding=binding, now=vector["now"])
    assert opened.inner == Inner(vector["path"], vector["body"].encode())
    assert opened.secret.hex() == vector["secret_hex"]
    assert opened.encapsulation.hex() == vector["encapsulation_hex"]
    assert key.public.raw.hex() == vector["key_hex"]
    assert key.public.key_id.hex() == vector["key_id_hex"]
    assert binding.info(key.public.key_id).hex() == vector["info_hex"]
    plaintext = bytes.fromhex(vector["plaintext_hex"])
    info = bytes.fromhex(vector["info_hex"])
    assert key.open(payload[8:], info=info) == plaintext
    if vector["kem"] == "x25519":
        ephemeral = bytes.fromhex(vector["ephemeral_hex"])
        sealed = hpke_by_hand.seal(plaintext, public=key.public.raw, ephemeral=ephemeral, info=info)
        assert key.public.key_id + sealed == payload


def read_items(vector: Any) -> None:
    reader = ItemReader()
    assert told(reader.feed(bytes.fromhex(vector["items_hex"]))) == vector["items"]
    assert reader.is_whole


def read_replies(vector: Any) -> None:
    opener = opener_of(vector)
    items = [item for each in frames_of(vector) for item in opener.feed(each)]
    opener.close()
    assert told(items) == vector["items"]


def opener_of(vector: Any) -> ReplyOpener:
    return ReplyOpener(
        bytes.fromhex(vector["secret_hex"]), bytes.fromhex(vector["encapsulation_hex"])
    )


def read_carriers(vector: Any) -> None:
    if "body" in vector:
        body = msgspec.json.decode(vector["body"])
        payload = request_payload(body["messages"][0]["content"])
        assert body["model"] == vector["model"]
        assert payload.hex() == vector["payload_hex"]
        assert request_body(payload, stream=True, choice=0).decode() == vector["body"]
        return
    if "document" in vector:
        assert reply_frames(vector["document"].encode()) == frames_of(vector)
        return
    events = vector["stream"].split("\n\n")
    assert events.pop() == "" and events.pop() == "data: [DONE]"
    frames = [found for each in events for found in reply_frames(each[6:].encode())]
    assert frames == frames_of(vector)
    writer = CarrierWriter("abc", 1_800_000_000)
    written = b"".join(writer.event(each) for each in frames) + writer.ending()
    assert written.decode() == vector["stream"]


READ = {
    "codec": read_codec,
    "sealing": read_sealing,
    "requests": read_requests,
    "items": read_items,
    "replies": read_replies,
    "carriers": read_carriers,
}


def refuse_codec(vector: Any) -> None:
    read_frames(vector["text"])


def refuse_replies(vector: Any) -> None:
    """Frames before the bad one open; from it on nothing does."""
    opener, opened = opener_of(vector), 0
    frames = frames_of(vector)
    try:
        for each in frames:
            opener.feed(each)
            opened += 1
        opener.close()
    except PeerError:
        assert opened == vector["opened"]
        for each in frames[opened:]:
            with pytest.raises(PeerError, match="sealed reply"):
                opener.feed(each)
        raise


def refuse_items(vector: Any) -> None:
    ItemReader().feed(bytes.fromhex(vector["items_hex"]))


def refuse_carriers(vector: Any) -> None:
    request_payload(vector["content"])


REFUSE = READ | {
    "codec": refuse_codec,
    "replies": refuse_replies,
    "items": refuse_items,
    "carriers": refuse_carriers,
}


@pytest.mark.parametrize(("part", "vector"), GOOD, ids=name_of)
def test_good_vectors_are_read_and_written(part: str, vector: Any) -> None:
    READ[part](vector)


@pytest.mark.parametrize(("part", "vector"), REFUSED, ids=name_of)
def test_bad_vectors_are_refused(part: str, vector: Any) -> None:
    with pytest.raises(PeerError) as caught:
        REFUSE[part](vector)
    assert caught.value.code == vector["code"]


def test_there_are_enough_vectors() -> None:
    assert len(GOOD) >= 20
    assert len(REFUSED) >= 40
    assert VECTORS["version"] == 1
    assert VECTORS["labels"] == {"request": LABEL.decode(), "reply": REPLY_LABEL.decode()}


def test_reply_keys_are_what_the_vectors_say() -> None:
    for vector in VECTORS["replies"]["good"]:
        fields = ("secret", "encapsulation", "nonce")
        secret, encapsulation, nonce = (bytes.fromhex(vector[f"{each}_hex"]) for each in fields)
        prk = hpke_by_hand.extract(encapsulation + nonce, secret)
        keys = hpke_by_hand.expand(prk, REPLY_LABEL, 28)
        assert keys.hex() == vector["key_hex"] + vector["base_nonce_hex"]
