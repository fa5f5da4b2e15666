"""Makes tests/vectors/subtext_v1.json: what subtext must produce and refuse, byte for byte.

Run it by hand from the project's folder, `PYTHONPATH=. python tools/make_subtext_vectors.py`, when
the format changes on purpose. All seeds are fixed, requests to X25519 are sealed with a fixed
ephemeral key. The library can't do that for ML-KEM: what is in the file already stays there as
long as it opens. How the file is read stands in docs/PROTOCOL.md, section 21.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.subtext.carrier import MODEL, CarrierWriter, request_body
from luckrig.protocol.subtext.codec import LAST_REPLY, REPLY, REQUEST, Frame, frame, to_selectors
from luckrig.protocol.subtext.hpke import SEED_BYTES, Kem, SealingPrivateKey
from luckrig.protocol.subtext.items import ItemWriter
from luckrig.protocol.subtext.keyring import SEALING_TYPE, PublishedKey, sign_sealing_keys
from luckrig.protocol.subtext.reply import LABEL as REPLY_LABEL
from luckrig.protocol.subtext.reply import ReplySealer
from luckrig.protocol.subtext.request import (
    LABEL,
    Binding,
    Inner,
    open_request,
    seal_request,
)
from tests.protocol.subtext import hpke_by_hand

OUT: Final = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "subtext_v1.json"
NOW: Final = 1_800_000_000
ABOUT: Final = {
    "all": "…_hex: bytes. now: Unix seconds. code, of a refused one: the error. kem: those of "
    "mlkem768-x25519 may be left out where a platform has no ML-KEM",
    "codec": "text holds frames, in this order; none in a text that isn't ours",
    "sealing": "a rig's signed list -> the keys that are good at now, in its order",
    "requests": "seed: the rig's. payload: key id, encapsulation and ciphertext of plaintext with "
    "info; with the sender's private key ephemeral it comes out like this, byte for byte",
    "items": "what stands in frames -> heads and pieces of the body, in this order. An event that "
    "isn't whole yet is no error; a good vector is whole",
    "replies": "frames, opened in order with secret and encapsulation -> items. refused: so many "
    "frames are opened first, the next one (or the end, if there is none) is refused, and so are "
    "all after it",
    "carriers": "body: a request's. stream, document: a reply's. content: a message's in a request",
}
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


# Codec


def codec() -> Part:
    """Texts and the frames in them."""
    one, whole = frame(REQUEST, b"hello"), frame(REPLY, bytes(range(256)))
    several = [Frame(REPLY, b"one"), Frame(REPLY, b""), Frame(LAST_REPLY, b"three")]
    run = "".join(frame(each.kind, each.payload) for each in several)
    texts: list[tuple[str, str, list[Frame]]] = [
        ("a frame", one, [Frame(REQUEST, b"hello")]),
        ("every byte", f"Hi. {whole}", [Frame(REPLY, bytes(range(256)))]),
        ("several frames, text before and after", f"Hi {run} there", several),
        ("no text at all", "", []),
        ("emoji with selectors", "\u2764\ufe0f 1\ufe0f\u20e3 \U0001f44d\U0001f3fd", []),
        ("a name with rare characters", "\u845b\U000e0100\u98fe\U000e0101", []),
        ("a long run of something else", "x" + to_selectors(b"something else"), []),
        ("a run that was stripped", "Thanks, that worked well for me.", []),
    ]
    good = [
        {"name": name, "text": text, "frames": frames_json(frames)} for name, text, frames in texts
    ]
    return {"good": good, "refused": list(codec_refused(one))}


def codec_refused(one: str) -> Iterator[Vector]:
    texts = {
        "two runs": f"{one} and {one}",
        "a run and something else": f"{one} and {to_selectors(b'something else')}",
        "the last byte is missing": one[:-1],
        "the head is cut": frame(REQUEST, b"hello") + to_selectors(b"LR\1\1\0\0\0"),
        "a byte too many": one + to_selectors(b"L"),
        "another magic behind it": one + to_selectors(b"XX\1\1\0\0\0\0"),
        "version 2": to_selectors(b"LR\2\1\0\0\0\5hello"),
        "kind 0": to_selectors(b"LR\1\0\0\0\0\5hello"),
        "kind 4": to_selectors(b"LR\1\4\0\0\0\5hello"),
        "length of 2^32 - 1": to_selectors(b"LR\1\1\xff\xff\xff\xffhello"),
        "length one too long": to_selectors(b"LR\1\1\0\0\0\6hello"),
        "the selectors of one plane are stripped": "".join(
            each for each in frame(REQUEST, b"hello, rig") if ord(each) > 0xFFFF
        ),
        "a letter inside, long enough on both sides": whole_with_a_letter(),
    }
    for name, text in texts.items():
        yield {"name": name, "text": text, "code": "sealed_invalid"}


def whole_with_a_letter() -> str:
    text = frame(REQUEST, b"hello, rig, hello")
    return f"{text[:14]}x{text[14:]}"


# The rig's keys


def sealing() -> Part:
    """Signed lists of keys."""
    both = [PublishedKey(HYBRID.public, NOW + 86_400), PublishedKey(X25519.public, NOW + 86_400)]
    old = [PublishedKey(X25519.public, NOW), PublishedKey(X25519.public, NOW + 7 * 86_400 + 1)]
    lists = [("one of each kem", both), ("x25519 alone", both[1:]), ("none is good now", old)]
    good = [
        {
            "name": name,
            "sealing": sign_sealing_keys(keys, node_key=NODE, now=NOW - 60),
            "node_id": NODE_ID,
            "now": NOW,
            "keys": [] if keys is old else [published_json(each) for each in keys],
        }
        for name, keys in lists
    ]
    good.append({**good[0], "name": "a minute from the future", "now": NOW - 120})
    refused = [
        {"name": name, "sealing": text, "node_id": NODE_ID, "now": NOW, "code": "signature_invalid"}
        for name, text in sealing_refused(both)
    ]
    return {"good": good, "refused": refused}


def published_json(key: PublishedKey) -> Vector:
    return {
        "kem": key.key.kem,
        "key_hex": key.key.raw.hex(),
        "key_id_hex": key.key.key_id.hex(),
        "expires_at": key.expires_at,
    }


def sealing_refused(both: list[PublishedKey]) -> Iterator[tuple[str, str]]:
    text = sign_sealing_keys(both, node_key=NODE, now=NOW)
    head, payload, signature = text.split(".")
    theirs = sign_sealing_keys(both, node_key=STRANGER, now=NOW)
    yield "a stranger's", theirs
    yield "a stranger's in the rig's name", signed({"iss": NODE_ID}, signer=STRANGER)
    yield "a stranger's signature", f"{head}.{payload}.{theirs.split('.')[2]}"
    yield "another rig's id", signed({"iss": derive_id("n1", STRANGER.public)})
    yield "two minutes from the future", signed({"iat": NOW + 120})
    yield "no keys", signed({"keys": []})
    yield "nine keys", signed({"keys": [claim(X25519)] * 9})
    yield "an unknown kem", signed({"keys": [claim(X25519) | {"kem": "rot13"}]})
    yield "an unknown claim", signed({"extra": 1})
    yield "a key too short", signed({"keys": [claim(X25519) | {"key": b64url_encode(bytes(31))}]})
    yield (
        "a point of small order",
        signed({"keys": [claim(X25519) | {"key": b64url_encode(bytes(32))}]}),
    )
    yield "a key of the other kem", signed({"keys": [claim(X25519) | {"kem": "mlkem768-x25519"}]})
    yield "another document's type", signed({}, typ="lr-endpoint+jwt")
    yield "padded base64", f"{head}.{payload}.{signature}=="
    yield "no signature", f"{head}.{payload}."
    yield "claims given twice", doubled(b64url_decode(payload))


def claim(key: SealingPrivateKey) -> Vector:
    raw = b64url_encode(key.public.raw)
    return {"kem": key.public.kem, "key": raw, "exp": NOW + 86_400}


def signed(changes: Vector, *, signer: PrivateKey = NODE, typ: str = SEALING_TYPE) -> str:
    claims = {"iss": derive_id("n1", signer.public), "iat": NOW, "keys": [claim(X25519)]} | changes
    return jws.sign_with_jwk(msgspec.json.encode(claims), typ=typ, key=signer)


def doubled(payload: bytes) -> str:
    twice = payload[:-1] + b',"iat":1}'
    return jws.sign_with_jwk(twice, typ=SEALING_TYPE, key=NODE)


# Requests


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


# Items


def items_json(items: list[tuple[str, Any]]) -> list[Vector]:
    return [{kind: value.hex() if kind == "body_hex" else value} for kind, value in items]


HEAD: Final = {
    "status": 200,
    "content_type": "text/event-stream",
    "headers": {"luckrig-quant": "Q4"},
}
HEAD_ITEM: Final = (
    b"\1"
    + bytes((len(json.dumps(HEAD, separators=(",", ":"))),))
    + json.dumps(HEAD, separators=(",", ":")).encode()
)
EVENTS: Final = tuple(
    f'data: {{"choices":[{{"delta":{{"content":"{token}"}}}}],"id":"chatcmpl-1"}}\n\n'.encode()
    for token in ("The", " tide", " tide", " 潮", "")
)


def items() -> Part:
    """What stands in frames, and what it says."""
    writer = ItemWriter()
    stream = writer.head(200, "text/event-stream", {"luckrig-quant": "Q4"})
    parts = (*EVENTS, b": queue position=1\n\n", b"data: " + b"y" * 17_000 + b"\n\n", EVENTS[0])
    stream += (
        b"".join(writer.body(each) for each in parts) + writer.body(b"data: cut") + writer.end()
    )
    whole = ItemWriter()
    refusal = b'{"error":{"code":"queue_full"}}'
    document = whole.head(429, "application/json", {"retry-after": "5"}) + whole.body(refusal)
    told = {"status": 429, "content_type": "application/json", "headers": {"retry-after": "5"}}
    bodies = [("body_hex", each) for each in (*parts, b"data: cut")]
    cases: list[tuple[str, bytes, list[tuple[str, Any]]]] = [
        ("a stream", stream, [("head", HEAD), *bodies]),
        ("an error", document, [("head", told), ("body_hex", refusal)]),
        ("a head alone", HEAD_ITEM, [("head", HEAD)]),
        ("bytes of no length", HEAD_ITEM + b"\3\0", [("head", HEAD), ("body_hex", b"")]),
    ]
    good = [
        {"name": name, "items_hex": data.hex(), "items": items_json(said)}
        for name, data, said in cases
    ]
    refused = [
        {"name": name, "items_hex": data.hex(), "code": "sealed_invalid"}
        for name, data in items_refused().items()
    ]
    return {"good": good, "refused": refused}


def items_refused() -> dict[str, bytes]:
    def head(**changes: Any) -> bytes:
        text = json.dumps(HEAD | changes).encode()
        return b"\1" + bytes((len(text) & 0x7F | 0x80, len(text) >> 7)) + text

    return {
        "an event first": b"\2\0\0\1x",
        "bytes first": b"\3\1x",
        "kind 0": HEAD_ITEM + b"\0",
        "kind 4": HEAD_ITEM + b"\4\1x",
        "two heads": HEAD_ITEM * 2,
        "a number of five bytes": HEAD_ITEM + b"\3\x80\x80\x80\x80\0",
        "an item over 2^20 bytes": HEAD_ITEM + b"\3\x81\x80\x40",
        "a prefix of nothing": HEAD_ITEM + b"\2\1\0\1x",
        "a suffix of nothing": HEAD_ITEM + b"\2\0\1\1x",
        "prefix and suffix that overlap": HEAD_ITEM + b"\2\0\0\2xy" + b"\2\1\2\1z",
        "an event over 16 KiB": HEAD_ITEM + b"\2\0\0\x81\x80\1" + b"x" * 16_385,
        "an event that grows over 16 KiB": HEAD_ITEM
        + b"\2\0\0\x80\x80\1"
        + b"x" * 16_384
        + b"\2\x80\x80\1\0\1y",
        "a head that is no JSON": b"\1\1{",
        "a head that isn't UTF-8": b"\1\2\xff\xff",
        "status 700": head(status=700),
        "status as text": head(status="200"),
        "an unknown field": head(extra=1),
        "a content type with a line break": head(content_type="text/html\r\nx: y"),
        "a header with a line break": head(headers={"x": "y\r\nz: a"}),
        "a header name with capitals": head(headers={"X": "y"}),
        "33 headers": head(headers={f"x{number}": "y" for number in range(33)}),
    }


# Replies


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


# Carriers


def carriers() -> Part:
    """The messages that carry frames."""
    frames = stream_frames()
    writer = CarrierWriter("abc", NOW)
    stream = "".join(writer.event(each).decode() for each in frames) + writer.ending().decode()
    document = CarrierWriter("abc", NOW).document(document_frames(b"{}")).decode()
    payload = sealed_x25519(plaintext(CHAT))
    good: list[Vector] = [
        {
            "name": "a request",
            "body": request_body(payload, stream=True, choice=0).decode(),
            "model": MODEL,
            "payload_hex": payload.hex(),
        },
        {"name": "a streamed reply", "stream": stream, "frames": frames_json(frames)},
        {
            "name": "a whole reply",
            "document": document,
            "frames": frames_json(document_frames(b"{}")),
        },
    ]
    reply = "Hi" + frame(REPLY, b"x")
    contents = {
        "a request without a run": "Thanks, that worked well for me.",
        "a reply sent as a request": reply,
        "two requests in one run": frame(REQUEST, b"x") * 2,
    }
    refused = [
        {"name": name, "content": text, "code": "sealed_invalid"} for name, text in contents.items()
    ]
    return {"good": good, "refused": refused}


def frozen() -> dict[str, str]:
    """Name -> payload of the requests that are in the file."""
    if not OUT.exists():
        return {}
    good = json.loads(OUT.read_text("utf-8"))["requests"]["good"]
    return {each["name"]: each["payload_hex"] for each in good}


def main() -> None:
    """Write the file and say how much is in it."""
    parts: dict[str, Part] = {
        "codec": codec(),
        "sealing": sealing(),
        "requests": requests(frozen()),
        "items": items(),
        "replies": replies(),
        "carriers": carriers(),
    }
    labels = {"request": LABEL.decode("ascii"), "reply": REPLY_LABEL.decode("ascii")}
    document = {"version": 1, "about": ABOUT, "labels": labels, **parts}
    OUT.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    counts = [sum(len(part[kind]) for part in parts.values()) for kind in ("good", "refused")]
    print(f"{OUT.name}: {counts[0]} good, {counts[1]} refused")


if __name__ == "__main__":
    main()
