"""Vectors of sealed replies: whole ones, and what a hostile rig may send."""

from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from luckrig.protocol.subtext.codec import LAST_REPLY, REPLY, REQUEST, Frame
from luckrig.protocol.subtext.items import ItemWriter
from luckrig.protocol.subtext.reply import LABEL as REPLY_LABEL
from luckrig.protocol.subtext.reply import ReplySealer
from subtext_vectors.given import ENCAPSULATION, NONCE, SECRET, Part, Vector, frames_json
from subtext_vectors.items import EVENTS, HEAD, HEAD_ITEM, items_json
from tests.protocol.subtext import hpke_by_hand


def reply_keys() -> tuple[bytes, bytes]:
    derived = hpke_by_hand.expand(
        hpke_by_hand.extract(ENCAPSULATION + NONCE, SECRET), REPLY_LABEL, 28
    )
    return derived[:16], derived[16:]


def sealed_frame(number: int, plain: bytes, *, final: bool) -> Frame:
    """A frame as a hostile rig may make it."""
    key, base = reply_keys()
    iv = (int.from_bytes(base, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(iv, plain, b"final" if final else None)
    return Frame(LAST_REPLY if final else REPLY, (NONCE if number == 0 else b"") + sealed)


def plain(part: bytes, size: int = 128) -> bytes:
    return len(part).to_bytes(2, "big") + part.ljust(size - 2, b"\0")


def replies() -> Part:
    """Frames of whole replies, and what they say."""
    frames = {"a stream": stream_frames(), "an error": document_frames(b'{"error":{}}')}
    said: list[tuple[str, Any]] = [("head", HEAD), *(("body_hex", each) for each in EVENTS)]
    document: Vector = {"status": 503, "content_type": "application/json", "headers": {}}
    expected = {"a stream": said, "an error": [("head", document), ("body_hex", b'{"error":{}}')]}
    frames["a size of each"] = size_frames()
    expected["a size of each"] = said[:1]
    frames["frames of nothing"] = [
        sealed_frame(0, plain(b""), final=False),
        sealed_frame(1, plain(HEAD_ITEM), final=False),
        sealed_frame(2, plain(b""), final=True),
    ]
    expected["frames of nothing"] = said[:1]
    key, base = reply_keys()
    shared = {
        "kem": "x25519",
        "secret_hex": SECRET.hex(),
        "encapsulation_hex": ENCAPSULATION.hex(),
        "nonce_hex": NONCE.hex(),
        "key_hex": key.hex(),
        "base_nonce_hex": base.hex(),
    }
    good = [
        {"name": name, **shared, "frames": frames_json(each), "items": items_json(expected[name])}
        for name, each in frames.items()
    ]
    refused = [
        {
            "name": name,
            **shared,
            "frames": frames_json(each),
            "opened": opened,
            "code": "sealed_invalid",
        }
        for name, each, opened in replies_refused(frames["a stream"])
    ]
    return {"good": good, "refused": refused}


def stream_frames() -> list[Frame]:
    writer, sealer = ItemWriter(), ReplySealer(SECRET, ENCAPSULATION, NONCE)
    sealer.add(writer.head(200, "text/event-stream", {"luckrig-quant": "Q4"}))
    frames: list[Frame] = []
    for event in EVENTS:
        sealer.add(writer.body(event))
        frames.append(sealer.next_frame())
    return [*frames, *sealer.last_frames()]


def document_frames(body: bytes) -> list[Frame]:
    writer, sealer = ItemWriter(), ReplySealer(SECRET, ENCAPSULATION, NONCE)
    sealer.add(writer.head(503, "application/json", {}) + writer.body(body))
    return sealer.last_frames()


def size_frames() -> list[Frame]:
    sizes = (16_384, 1024, 512, 256)
    start = [sealed_frame(0, plain(HEAD_ITEM, sizes[0]), final=False)]
    rest = [sealed_frame(n, plain(b"", size), final=False) for n, size in enumerate(sizes[1:], 1)]
    return [*start, *rest, sealed_frame(len(sizes), plain(b""), final=True)]


def replies_refused(good: list[Frame]) -> Iterator[tuple[str, list[Frame], int]]:
    """name, frames, how many of them open before it is refused."""

    def other(each: Frame, payload: bytes) -> Frame:
        return Frame(each.kind, payload)

    first, second, *_, last = good
    end = len(good)
    yield "cut before the last frame", good[:-1], end - 1
    yield "nothing came", [], 0
    yield "the first frame is missing", good[1:], 0
    yield "the second frame is missing", [first, *good[2:]], 1
    yield "two frames are swapped", [first, good[2], second, *good[3:]], 1
    yield "a frame comes twice", [first, second, second, *good[2:]], 2
    yield "a frame after the last", [*good, last], end
    yield "an ordinary frame called the last", [first, Frame(LAST_REPLY, second.payload)], 1
    yield "the last one called ordinary", [*good[:-1], Frame(REPLY, last.payload)], end - 1
    yield "a frame of a request", [first, Frame(REQUEST, second.payload)], 1
    flipped = bytes((second.payload[0] ^ 1,)) + second.payload[1:]
    yield "one bit is changed", [first, other(second, flipped), *good[2:]], 1
    yield "a bit of the nonce is changed", [other(first, b"\0" + first.payload[1:]), second], 0
    yield "a frame that is cut", [first, other(second, second.payload[:-1])], 1
    yield "a frame of no length", [first, other(second, b"")], 1
    yield "a first frame shorter than its nonce", [other(first, first.payload[:20])], 0
    yield "129 bytes", [sealed_frame(0, plain(HEAD_ITEM, 129), final=True)], 0
    yield "a part longer than its frame", [sealed_frame(0, b"\0\x7f" + bytes(126), final=True)], 0
    yield (
        "padding that isn't zeros",
        [sealed_frame(0, plain(HEAD_ITEM)[:-1] + b"\1", final=True)],
        0,
    )
    yield "no head", [sealed_frame(0, plain(b""), final=True)], 0
    yield "an item that doesn't end", [sealed_frame(0, plain(HEAD_ITEM + b"\3\2x"), final=True)], 0
    yield "items of no kind", [sealed_frame(0, plain(HEAD_ITEM + b"\7"), final=True)], 0
