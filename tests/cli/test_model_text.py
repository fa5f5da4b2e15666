"""SECURITY row 19: no output of a model steers a terminal, however it is cut into pieces."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from luckrig.cli.model_text import HIDDEN, Sanitizer, model_text
from tests.cli.test_output import ATTACKS, assert_harmless, random_bytes
from tests.web.xss import XSS

RAW = frozenset([*range(0x00, 0x09), *range(0x0B, 0x20), 0x7F, *range(0x80, 0xA0)])
SELECTORS = "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
TAGS = "".join(map(chr, range(0xE0000, 0xE0080)))


def fed(pieces: list[str]) -> str:
    sanitizer = Sanitizer()
    return "".join([*map(sanitizer.feed, pieces), sanitizer.end()])


def printed(text: str) -> str:
    """As rich writes it to a terminal without colours."""
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=True, width=80, color_system=None, markup=False, highlight=False
    )
    console.print(Text(text), end="")
    console.print(text, end="")
    return file.getvalue()


def test_no_control_of_10000_outputs_gets_out_wherever_they_are_split() -> None:
    """Bytes as bytes and as text: a socket's chunks, and what JSON made of them."""
    for data in random_bytes(10_000):
        whole = Sanitizer()
        expected = whole.feed_bytes(data) + whole.end()
        assert not RAW & set(map(ord, expected))
        text = data.decode("latin-1")
        expected_text = model_text(text)
        assert not RAW & set(map(ord, expected_text))
        for edge in range(len(data) + 1):
            split = Sanitizer()
            parts = [split.feed_bytes(data[:edge]), split.feed_bytes(data[edge:]), split.end()]
            assert "".join(parts) == expected
            assert fed([text[:edge], text[edge:]]) == expected_text


def test_no_control_of_the_outputs_gets_through_rich() -> None:
    shown = "\n".join(model_text(data.decode("latin-1")) for data in random_bytes(2_000))
    assert not RAW & set(map(ord, printed(shown)))


def test_rich_reads_no_markup_in_it() -> None:
    assert "[bold red]not markup[/] :warning:" in printed(model_text(ATTACKS[5]))


@given(st.lists(st.text(st.sampled_from("a❤漢\r\n\x1b\x9b\ud800" + SELECTORS[14:18] + TAGS[1:3]))))
def test_any_pieces_of_a_text_become_what_the_text_becomes(pieces: list[str]) -> None:
    shown = fed(pieces)
    assert shown == model_text("".join(pieces))
    assert_harmless(shown)
    assert model_text(shown) == shown


@pytest.mark.parametrize("hidden", [SELECTORS, TAGS, SELECTORS[16:] * 40, "\u180b\u180c"])
def test_a_run_of_hidden_characters_shows_as_one(hidden: str) -> None:
    for pieces in ([f"a{hidden}b"], ["a", *hidden[:300], hidden[300:], "b"]):
        shown = fed(pieces)
        assert shown.replace("\ufe0e", "").replace("\ufe0f", "") == f"a{HIDDEN}b"


@pytest.mark.parametrize(
    "text",
    ["❤️ 1️⃣ ☎︎", "葛\U000e0100城、辻\U000e0101", "👩‍💻 नमस्ते می‌خواهم", "a\tb\nc", "é e\u0301 ﷺ"],
)
def test_what_people_write_stays(text: str) -> None:
    assert model_text(text) == text
    assert fed(list(text)) == text


def test_controls_become_visible() -> None:
    assert model_text("\x1b[2J\r\n\x00\x7f\x9b") == "␛[2J␍\n␀␡�"
    assert fed(["a\r", "\nb"]) == "a␍\nb"
    assert model_text("\ufeff\ufff9\u206a\u2028\ud800") == HIDDEN * 5


def test_a_character_that_is_never_completed_is_replaced() -> None:
    sanitizer = Sanitizer()
    assert sanitizer.feed_bytes("é".encode()[:1]) == ""
    assert sanitizer.end() == "\ufffd"


@pytest.mark.parametrize("attack", [*ATTACKS, *XSS])
def test_known_attacks_are_shown_not_obeyed(attack: str) -> None:
    shown = model_text(attack)
    assert_harmless(shown)
    assert not RAW & set(map(ord, printed(shown)))
