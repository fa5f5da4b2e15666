"""Signed notes: what is read back, and what is refused and why."""

from random import Random
from typing import Any

import msgspec
import pytest

from luckrig.protocol import jws
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.notes import (
    MAX_VERSION,
    NOTE_TYPE,
    REPRODUCED_TYPE,
    Note,
    Reproduction,
    sign_note,
    sign_reproduction,
    verify_note,
    verify_reproduction,
)

NOW = 1_800_000_000
AUTHOR = PrivateKey(b"author--" * 4)
NOTE = Note(
    note_id="note-0123456789abcdef",
    version=1,
    node_id="n1" + "a" * 32,
    text="Flash attention on:\n\t-fa -ctk q8_0 gives 41 tok/s. 量子化はQ4がよい。",
    references=["note:another-0123456789@3", "https://example.org/a?b=c#d", "https://1.2.3.4:8/"],
    iat=NOW,
)
FROZEN = "eyJhbGciOiJFZDI1NTE5IiwiandrIjp7ImNydiI6IkVkMjU1MTkiLCJrdHkiOiJPS1AiLCJ4Ijo"
"""How every note of an Ed25519 key begins."""


def signed(**changes: Any) -> str:
    return sign_note(msgspec.structs.replace(NOTE, **changes), author_key=AUTHOR)


def test_a_note_is_its_authors() -> None:
    text = signed()
    assert text.startswith(FROZEN)
    assert verify_note(text, now=NOW) == (derive_id("u1", AUTHOR.public), NOTE)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": "turned \u202e around"}, "unsafe_text"),
        ({"text": "hidden \u200b space"}, "unsafe_text"),
        ({"text": "smuggled \ufe0f\U000e0101\U000e0102"}, "unsafe_text"),
        ({"text": "bell \x07"}, "unsafe_text"),
        ({"text": "stacked a\u0301\u0301\u0301"}, "unsafe_text"),
        ({"text": "tag \U000e0041"}, "unsafe_text"),
        ({"text": "   \n\t "}, "invalid_request"),
        ({"references": ["http://example.org/"]}, "invalid_request"),
        ({"references": ["javascript:alert(1)"]}, "invalid_request"),
        ({"references": ["https://user:secret@example.org/"]}, "invalid_request"),
        ({"references": ["https://example.org/\u202e"]}, "invalid_request"),
        ({"references": ["https://example.org/ x"]}, "invalid_request"),
        ({"references": ["https://EXAMPLE.org/"]}, "invalid_request"),
        ({"references": ["data:text/html,x"]}, "invalid_request"),
        ({"references": ["note:short@1"]}, "invalid_request"),
        ({"references": ["note:another-0123456789"]}, "invalid_request"),
        ({"references": ["note:another-0123456789@0"]}, "invalid_request"),
        ({"references": [""]}, "invalid_request"),
        ({"references": ["https://example.org/" + "x" * 300]}, "signature_invalid"),
        ({"references": ["https://example.org/"] * 9}, "signature_invalid"),
        ({"text": ""}, "signature_invalid"),
        ({"text": "x" * 4001}, "signature_invalid"),
        ({"version": 0}, "signature_invalid"),
        ({"version": MAX_VERSION + 1}, "signature_invalid"),
        ({"note_id": "../../etc/passwd"}, "signature_invalid"),
        ({"node_id": "u1" + "a" * 32}, "signature_invalid"),
        ({"iat": NOW + 61}, "signature_invalid"),
    ],
)
def test_a_note_that_could_harm_its_readers_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(PeerError) as refused:
        verify_note(signed(**changes), now=NOW)
    assert refused.value.code == code


def test_no_flipped_bit_survives() -> None:
    """1,000 anywhere in the text; never another error than a refusal."""
    rng, text = Random(1), signed()  # noqa: S311 -- a failed test must fail again
    for _ in range(1000):
        flipped = list(text)
        position = rng.randrange(len(text))
        flipped[position] = chr(ord(flipped[position]) ^ 1 << rng.randrange(7))
        with pytest.raises(PeerError):
            verify_note("".join(flipped), now=NOW)


def test_a_reproduction_is_no_note() -> None:
    said = Reproduction(note_id=NOTE.note_id, version=1, iat=NOW)
    text = sign_reproduction(said, user_key=AUTHOR)
    assert verify_reproduction(text, now=NOW) == (derive_id("u1", AUTHOR.public), said)
    for wrong, typ in ((signed(), REPRODUCED_TYPE), (text, NOTE_TYPE)):
        with pytest.raises(PeerError):
            verify_reproduction(wrong, now=NOW) if typ == REPRODUCED_TYPE else verify_note(
                wrong, now=NOW
            )
    relabelled = jws.sign_with_jwk(msgspec.json.encode(said), typ=NOTE_TYPE, key=AUTHOR)
    with pytest.raises(PeerError):
        verify_reproduction(relabelled, now=NOW)
