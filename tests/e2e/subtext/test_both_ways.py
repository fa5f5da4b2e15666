"""What one side seals the other opens; what is changed on the way both refuse, in one way."""

import json
import random
from collections.abc import Callable
from typing import Any, Final

import pytest

from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.subtext.carrier import (
    CarrierWriter,
    reply_frames,
    request_body,
    request_payload,
)
from luckrig.protocol.subtext.codec import LAST_REPLY, REPLY, Frame, FrameKind, frame, to_selectors
from luckrig.protocol.subtext.hpke import SealingPrivateKey
from luckrig.protocol.subtext.items import Body, Item, ItemWriter
from luckrig.protocol.subtext.keyring import (
    PublishedKey,
    sign_sealing_keys,
)
from luckrig.protocol.subtext.reply import ReplyOpener, ReplySealer
from luckrig.protocol.subtext.request import Binding, Inner, open_request
from tests.e2e.subtext.pages import NODE_KEY, NOW, TOKEN, Probe

KEY: Final = SealingPrivateKey("x25519", b"\5" * 32)
SECRET: Final = bytes(range(32))
ENCAPSULATION: Final = bytes(range(32, 64))
NODE_ID: Final = derive_id("n1", PrivateKey(NODE_KEY).public)


def seeded(seed: object) -> random.Random:
    """The same cases each time."""
    return random.Random(str(seed))  # noqa: S311 -- no secrets


def test_python_opens_what_the_browser_seals(probe: Probe) -> None:
    rng = seeded(1)
    sizes = [0, 1, 900, 1023, 1024, 1025, 65_536, *(rng.randrange(20_000) for _ in range(40))]
    inner = [Inner(f"/v1/{'x' * rng.randrange(250)}", rng.randbytes(size)) for size in sizes]
    to = {
        "key": b64url_encode(KEY.public.raw), "nodeId": NODE_ID, "token": TOKEN, "now": NOW + 0.9,
    }  # fmt: skip
    asked = [
        {
            **to,
            "path": each.path,
            "body": b64url_encode(each.body),
            "stream": number % 2 == 0,
            "choice": number,
        }
        for number, each in enumerate(inner)
    ]
    sealed = probe.call("sealRequests", asked)
    for number, (each, result) in enumerate(zip(inner, sealed, strict=True)):
        body = result["body"].encode()
        payload = request_payload(json.loads(body)["messages"][0]["content"])
        assert body == request_body(payload, stream=number % 2 == 0, choice=number)
        opened = open_request(payload, key=KEY, binding=Binding(NODE_ID, TOKEN), now=NOW)
        assert (opened.inner, opened.sealed_at) == (each, NOW)
        assert b64url_encode(opened.secret) == result["secret"]
        assert b64url_encode(opened.encapsulation) == result["encapsulation"]
    # Nothing that ought to be fresh comes twice.
    assert len({result["secret"] for result in sealed}) == len(sealed)
    assert len({result["encapsulation"] for result in sealed}) == len(sealed)


def test_selectors_of_every_byte(probe: Probe) -> None:
    data = bytes(range(256)) * 70  # more than String.fromCharCode is given at once
    result = probe.call("selectors", b64url_encode(data))
    assert result["made"] == to_selectors(data)
    assert b64url_decode(result["back"]) == data


def sealed_reply(rng: random.Random, *, stream: bool) -> list[Frame]:
    """One answer's frames, of other sizes and other items each time."""
    sealer = ReplySealer(SECRET, ENCAPSULATION, rng.randbytes(32))
    items = ItemWriter()
    content_type = "text/event-stream" if stream else "application/json"
    sealer.add(items.head(rng.choice([200, 400, 503]), content_type, {"luckrig-queue-ms": "7"}))
    frames = [sealer.next_frame()]
    for number in range(rng.randrange(1, 30)):
        word = rng.choice(["hello", "潮", '\\"', "x" * rng.randrange(3000)])
        event = f'data: {{"i":{number},"text":"{word}"}}\n\n'
        part = rng.choice([event, ": queue position=3 eta=12\n\n", event + event])
        sealer.add(items.body(part.encode() if stream else rng.randbytes(rng.randrange(2000))))
        if rng.random() < 0.5:
            frames.append(sealer.next_frame())
    sealer.add(items.body(b"data: no end") + items.end())
    return [*frames, *sealer.last_frames()]


def carrier(frames: list[Frame], *, stream: bool) -> bytes:
    writer = CarrierWriter("abc", NOW)
    if not stream:
        return writer.document(frames)
    return b"".join([writer.event(each) for each in frames]) + writer.ending()


def told(item: Item) -> dict[str, Any]:
    if isinstance(item, Body):
        return {"body": b64url_encode(item.data)}
    head = {"status": item.status, "content_type": item.content_type, "headers": item.headers}
    return {"head": head}


def python_opens(data: bytes, *, stream: bool) -> tuple[list[dict[str, Any]], str | None]:
    """Items and the error's code, as luckrig's own reader has them."""
    documents = [data]
    if stream:
        *events, _ = data.decode().split("\n\n")
        documents = [event.removeprefix("data: ").encode() for event in events]
    opener = ReplyOpener(SECRET, ENCAPSULATION)
    items: list[dict[str, Any]] = []
    try:
        for document in documents:
            if document == b"[DONE]":
                break
            for each in reply_frames(document):
                items += [told(item) for item in opener.feed(each)]
        opener.close()
    except PeerError as error:
        return items, error.code
    return items, None


def browser_opens(probe: Probe, asked: list[tuple[bytes, bool, int]]) -> list[Any]:
    """The same in the browser. asked: carrier, whether it streams, bytes at a time."""
    keys = {"secret": b64url_encode(SECRET), "encapsulation": b64url_encode(ENCAPSULATION)}
    results = probe.call(
        "openReplies",
        [
            {**keys, "data": b64url_encode(data), "stream": stream, "size": size}
            for data, stream, size in asked
        ],
    )
    assert all(set(result["after"]) == {"sealed_invalid"} for result in results)
    return [(result["items"], result["error"]) for result in results]


@pytest.mark.parametrize("stream", [True, False])
def test_the_browser_opens_what_python_seals(probe: Probe, stream: bool) -> None:
    """However the carrier's bytes are cut, also within a selector or a line's end."""
    rng = seeded(2)
    replies = [carrier(sealed_reply(rng, stream=stream), stream=stream) for _ in range(6)]
    for size in (1, 2, 3, 5, 7, 64, 1000, 4096, 1 << 22):
        asked = [(data, stream, size) for data in (replies if size > 64 else replies[:1])]
        for (data, _, _), result in zip(asked, browser_opens(probe, asked), strict=True):
            expected = python_opens(data, stream=stream)
            assert expected[1] is None
            assert result == expected


def dropped(frames: list[Frame], rng: random.Random) -> list[Frame]:
    at = rng.randrange(len(frames))
    return frames[:at] + frames[at + 1 :]


def truncated(frames: list[Frame], rng: random.Random) -> list[Frame]:
    return frames[: rng.randrange(len(frames))]


def reordered(frames: list[Frame], rng: random.Random) -> list[Frame]:
    one, other = rng.sample(range(len(frames)), 2)
    changed = frames.copy()
    changed[one], changed[other] = changed[other], changed[one]
    return changed


def repeated(frames: list[Frame], rng: random.Random) -> list[Frame]:
    at = rng.randrange(len(frames))
    return [*frames[: at + 1], *frames[at:]]


def mixed(frames: list[Frame], rng: random.Random) -> list[Frame]:
    other = sealed_reply(seeded(rng.random()), stream=True)
    at = rng.randrange(1, len(frames))
    return [*frames[:at], *other[min(at, len(other) - 1) :]]


def one_bit(frames: list[Frame], rng: random.Random) -> list[Frame]:
    at = rng.randrange(len(frames))
    payload = bytearray(frames[at].payload)
    payload[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)
    return [*frames[:at], Frame(frames[at].kind, bytes(payload)), *frames[at + 1 :]]


def other_kind(frames: list[Frame], rng: random.Random) -> list[Frame]:
    at = rng.randrange(len(frames))
    kind: FrameKind = LAST_REPLY if frames[at].kind == REPLY else REPLY
    return [*frames[:at], Frame(kind, frames[at].payload), *frames[at + 1 :]]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "change", [dropped, truncated, reordered, repeated, mixed, one_bit, other_kind]
)
def test_changed_frames_are_refused(
    probe: Probe,
    stream: bool,
    change: Callable[[list[Frame], random.Random], list[Frame]],
) -> None:
    """With sealed_invalid, after what came before them, and nothing of them or of what follows."""
    rng = seeded(change.__name__)
    asked: list[tuple[bytes, bool, int]] = []
    honest: list[list[dict[str, Any]]] = []
    for _ in range(12):
        frames = sealed_reply(rng, stream=True)
        items, _ = python_opens(carrier(frames, stream=stream), stream=stream)
        honest.append(items)
        asked.append((carrier(change(frames, rng), stream=stream), stream, 4096))
    for (data, _, _), items, result in zip(asked, honest, browser_opens(probe, asked), strict=True):
        assert result == python_opens(data, stream=stream)
        assert result[1] == "sealed_invalid"
        assert result[0] == items[: len(result[0])]


STRIPPED: Final[dict[str, Callable[[str], str]]] = {
    "all": lambda text: "".join(each for each in text if not _is_selector(each)),
    "those of one plane": lambda text: "".join(each for each in text if ord(each) < 0x10000),
    "the other ones": lambda text: "".join(
        each for each in text if not 0xFE00 <= ord(each) <= 0xFE0F
    ),
    "one": lambda text: _without(text, 100),
    "a letter put in": lambda text: text[:200] + "a" + text[200:],
    "another run": lambda text: text + " " + frame(REPLY, b"x"),
}


def _is_selector(each: str) -> bool:
    return 0xFE00 <= ord(each) <= 0xFE0F or 0xE0100 <= ord(each) <= 0xE01EF


def _without(text: str, number: int) -> str:
    places = [at for at, each in enumerate(text) if _is_selector(each)]
    return text[: places[number]] + text[places[number] + 1 :]


@pytest.mark.parametrize("what", STRIPPED)
def test_texts_that_were_tidied_up_are_refused(probe: Probe, what: str) -> None:
    rng = seeded(3)
    document = json.loads(carrier(sealed_reply(rng, stream=False), stream=False))
    message = document["choices"][0]["message"]
    message["content"] = STRIPPED[what](message["content"])
    data = json.dumps(document).encode()
    (result,) = browser_opens(probe, [(data, False, 4096)])
    assert result == python_opens(data, stream=False) == ([], "sealed_invalid")


def test_a_carrier_written_anew_still_opens(probe: Probe) -> None:
    """Other line ends, comments, other fields, escapes, other JSON around: nothing of it counts."""
    data = carrier(sealed_reply(seeded(4), stream=True), stream=True)
    expected = python_opens(data, stream=True)
    written: list[bytes] = []
    for event in data.decode().split("\n\n")[:-1]:
        text = event.removeprefix("data: ")
        if text != "[DONE]":
            text = json.dumps({"x": [1, None], **json.loads(text)})
        written.append(f": a comment\r\nevent: message\r\nid: 3\r\ndata:{text}\r\n\r\n".encode())
    again = b"\xef\xbb\xbf" + b"".join(written)
    returns = data.replace(b"\n", b"\r")
    asked = [(text, True, size) for text in (again, returns) for size in (1, 2, 3, 700, 1 << 20)]
    assert browser_opens(probe, asked) == [expected] * len(asked)


def test_events_that_are_no_chats_are_refused(probe: Probe) -> None:
    documents = [
        b"{", b"[]", b"3", b"null", b'{"choices":3}', b'{"choices":[3]}', b'{"choices":[null]}',
        b'{"choices":[{"delta":3}]}', b'{"choices":[{"delta":{"content":3}}]}',
        b'{"choices":[{"message":[]}]}', b'{"choices":[{"delta":{"content":"\xff"}}]}',
        b"", b'{"choices":"ab"}', b'{"choices":{"a":1}}', b'{"choices":[{"delta":{"content":[]}}]}',
        b'{}', b'{"choices":[]}', b'{"choices":[{"delta":null,"message":{"content":null}}]}',
        b'{"error":{"code":"rig_lost"}}', b"[" * 5000,
    ]  # fmt: skip
    asked = [(document, False, 64) for document in documents]
    expected = [python_opens(document, stream=False) for document in documents]
    assert browser_opens(probe, asked) == expected == [([], "sealed_invalid")] * len(documents)


def test_anything_at_all_ends_in_one_kind_of_error(probe: Probe) -> None:
    """10,000 random or spoilt inputs to every reader: no other error, no hanging."""
    published = [PublishedKey(KEY.public, NOW + 86_400)]
    good_list = sign_sealing_keys(published, node_key=PrivateKey(NODE_KEY), now=NOW)
    first = sealed_reply(seeded(5), stream=True)[0]
    asked = {
        "rounds": 10_000, "list": good_list, "nodeId": NODE_ID, "now": NOW,
        "good": {
            "kind": first.kind,
            "payload": b64url_encode(first.payload),
            "run": b64url_encode(b"LR\1\2\0\0\0\5hello"),
            "secret": b64url_encode(SECRET),
            "encapsulation": b64url_encode(ENCAPSULATION),
        },
    }  # fmt: skip
    ended = probe.call("fuzz", asked)
    assert set(ended) <= {"null", "sealed_invalid", "signature_invalid"}
    assert sum(ended.values()) == 10_000
