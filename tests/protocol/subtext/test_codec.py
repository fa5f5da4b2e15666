"""Bytes as selectors: every byte, every normalisation, and what only looks like it."""

import unicodedata
from typing import Final, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext.codec import (
    HEADER_BYTES,
    LAST_REPLY,
    MAX_PAYLOAD_BYTES,
    REPLY,
    REQUEST,
    Frame,
    carries_run,
    frame,
    from_selectors,
    read_frames,
    to_selectors,
)
from luckrig.protocol.subtext.cover import SENTENCES, sentence, word

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS: Final[tuple[Form, ...]] = ("NFC", "NFD", "NFKC", "NFKD")
ALL: Final = bytes(range(256))
FRAMES = st.lists(
    st.builds(Frame, st.sampled_from([REQUEST, REPLY, LAST_REPLY]), st.binary(max_size=300)),
    min_size=1,
    max_size=5,
)
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=to_selectors(ALL)))

HONEST: Final = {
    "a heart, as emoji and as text": "\u2764\ufe0f \u2764\ufe0e",
    "keycaps": "".join(f"{digit}\ufe0f\u20e3" for digit in "0123456789#*") * 3,
    "flags": "\U0001f1ef\U0001f1f5\U0001f1e9\U0001f1ea\U0001f3f4\U000e0067\U000e0062\U000e007f",
    "skin tones": "\U0001f44d\U0001f3fb\U0001f44d\U0001f3ff\U0001f590\U0001f3fd\ufe0f",
    "a family with joiners": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\u2764\ufe0f" * 4,
    "hearts in a row": "\u2764\ufe0f" * 100,
    "names with ideographic selectors": "\u845b\U000e0100\u98fe\U000e0101\u8fbb\U000e0100" * 30,
    "Mongolian": "\u182d\u180b\u1820\u180c\u1828\u180d\u1820\u180f" * 10,
    "punctuation set in the middle": "\u3001\ufe01\u3002\ufe01" * 20,
    "mathematics": "\u2229\ufe00\u222a\ufe00\u2268\ufe00" * 20,
    "seven in a row, as nobody writes": "x" + "\ufe0f" * 7,
    "many in a row that aren't ours": "x" + "\ufe0f" * 500,
    "the magic alone": "x" + to_selectors(b"LR"),
}


def text_of(frames: list[Frame]) -> str:
    return "".join(frame(each.kind, each.payload) for each in frames)


def test_every_byte_is_one_selector() -> None:
    text = to_selectors(ALL)
    assert [ord(each) for each in text] == [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
    assert from_selectors(text) == ALL
    assert len(text.encode("utf-8")) == 16 * 3 + 240 * 4


def test_nothing_is_nothing() -> None:
    assert to_selectors(b"") == ""
    assert from_selectors("") == b""


@given(st.binary(max_size=2000))
def test_bytes_come_back(data: bytes) -> None:
    assert from_selectors(to_selectors(data)) == data


@pytest.mark.parametrize(
    "foreign", ["x", "\ufdff", "\ufe10", "\U000e00ff", "\U000e01f0", "\udb40", "\U000fe000", "\0"]
)
def test_no_other_character_is_a_byte(foreign: str) -> None:
    with pytest.raises(ValueError, match="selector"):
        from_selectors(to_selectors(b"ab") + foreign + to_selectors(b"c"))


@given(PLAIN, FRAMES, PLAIN)
def test_frames_are_found_between_any_texts(before: str, frames: list[Frame], after: str) -> None:
    text = before + text_of(frames) + after
    assert read_frames(text) == frames
    assert carries_run(text)


@given(FRAMES, st.sampled_from(FORMS), st.sampled_from(SENTENCES))
def test_no_normalisation_changes_frames(frames: list[Frame], form: Form, cover: str) -> None:
    assert read_frames(unicodedata.normalize(form, cover + text_of(frames))) == frames


@pytest.mark.parametrize("form", FORMS)
def test_no_normalisation_changes_any_selector(form: Form) -> None:
    text = to_selectors(ALL)
    assert unicodedata.normalize(form, text) == text
    assert unicodedata.normalize(form, text[::-1]) == text[::-1]


@pytest.mark.parametrize("name", HONEST)
def test_honest_texts_hold_no_frames(name: str) -> None:
    assert read_frames(HONEST[name]) == []


@pytest.mark.parametrize("name", [name for name in HONEST if "aren't ours" not in name])
def test_honest_texts_have_no_run(name: str) -> None:
    assert not carries_run(HONEST[name])


@pytest.mark.parametrize("name", [name for name in HONEST if "aren't ours" not in name])
def test_a_frame_is_found_beside_honest_selectors(name: str) -> None:
    text = f"{HONEST[name]} and {frame(REQUEST, b'hello')} and {HONEST[name]}"
    assert read_frames(text) == [Frame(REQUEST, b"hello")]


@given(PLAIN)
def test_text_without_selectors_holds_no_frames(text: str) -> None:
    assert read_frames(text) == []


@given(FRAMES, st.data())
def test_a_run_that_was_cut_is_refused_or_gone(frames: list[Frame], data: st.DataObject) -> None:
    """What is left may be fewer whole frames, never other ones."""
    text = text_of(frames)
    length = data.draw(st.integers(0, len(text) - 1))
    try:
        found = read_frames(text[:length])
    except PeerError as error:
        assert error.code == "sealed_invalid"
        assert "cut or changed" in error.message
    else:
        assert found == frames[: len(found)]
        assert length < HEADER_BYTES or len(text_of(found)) == length


@given(FRAMES, st.booleans())
def test_a_run_without_one_plane_of_selectors_is_never_read(
    frames: list[Frame], strip_high: bool
) -> None:
    """Some programs know the old sixteen only, and some remove just those."""
    kept = "".join(each for each in text_of(frames) if (ord(each) > 0xFFFF) != strip_high)
    try:
        found = read_frames(f"Thanks. {kept}")
    except PeerError as error:
        assert error.code == "sealed_invalid"
    else:
        assert found == []


def test_a_stripped_run_says_so() -> None:
    text = frame(REQUEST, b"hello, rig")
    kept = "".join(each for each in text if ord(each) > 0xFFFF)
    with pytest.raises(PeerError, match="version 104 of the format"):  # the h of hello
        read_frames(kept)


def test_two_runs_are_refused() -> None:
    one, two = frame(REQUEST, b"one"), frame(REQUEST, b"two")
    with pytest.raises(PeerError, match="more than one sealed run"):
        read_frames(f"{one} {two}")
    assert read_frames(one + two) == [Frame(REQUEST, b"one"), Frame(REQUEST, b"two")]


def test_frames_have_a_longest_length() -> None:
    longest = bytes(MAX_PAYLOAD_BYTES)
    assert read_frames(frame(REPLY, longest)) == [Frame(REPLY, longest)]
    with pytest.raises(ValueError, match="too long"):
        frame(REPLY, longest + b"x")
    head = b"LR\1\2" + (MAX_PAYLOAD_BYTES + 1).to_bytes(4, "big")
    with pytest.raises(PeerError, match="cut or changed"):
        read_frames(to_selectors(head + longest + b"x"))


def test_a_million_characters_are_read_in_one_pass() -> None:
    """Texts made to cost: runs just too short, frames of nothing."""
    assert read_frames(("x" + "\ufe0f" * 7) * 125_000) == []
    assert len(read_frames(frame(REPLY, b"") * 30_000)) == 30_000


def test_covers_say_nothing_of_what_they_cover() -> None:
    for number, each in enumerate(SENTENCES):
        assert sentence(number) == sentence(number + len(SENTENCES)) == each
        assert each and not carries_run(each) and read_frames(each) == []
        assert unicodedata.normalize("NFC", each) == each
    for number in range(200):
        assert word(number).endswith(" ")
        assert word(number).isascii()
