"""Vectors of the codec: frames in texts."""

from collections.abc import Iterator

from luckrig.protocol.subtext.codec import LAST_REPLY, REPLY, REQUEST, Frame, frame, to_selectors
from subtext_vectors.given import Part, Vector, frames_json


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
