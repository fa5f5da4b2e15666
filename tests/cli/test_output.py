"""Nothing that a terminal would obey gets out, whatever strangers write (SECURITY row 19)."""

import codecs
import json
import os
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.cli.output import Cell, Column, note, print_json, print_table, safe, safe_line, say

FORBIDDEN = {
    *map(chr, range(0x00, 0x09)),
    *map(chr, range(0x0B, 0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029",
}
ATTACKS = [
    "\x1b]52;c;cHduZWQ=\x07",  # sets the clipboard
    "\x1b]8;;http://evil.example\x1b\\good.example\x1b]8;;\x1b\\",  # a link that lies
    "\x9b2J\x9d0;title\x9c",  # the same as single C1 characters
    "safe\rover",  # overwrites the line
    "\x1b[2K\x1b[1A",
    "[bold red]not markup[/] :warning:",
    "user\u202etxt.exe",
    "a\x08\x08b\x7f",
]


def assert_harmless(text: str) -> None:
    assert not FORBIDDEN & set(text)


def random_bytes(count: int) -> list[bytes]:
    """Byte strings rich in what matters: control bytes, C1, UTF-8 lead bytes, OSC and CSI."""
    rng = Random(19)  # noqa: S311 -- a seeded test, not a secret
    spice = [b"\x1b]52;c;", b"\x1b[", b"\x9b", b"\xc2\x9b", b"\xe2\x80\xae", b"\r\n", b"\x07"]
    return [
        b"".join(
            rng.choice(spice) if rng.random() < 0.3 else rng.randbytes(rng.randint(1, 4))
            for _ in range(rng.randint(0, 12))
        )
        for _ in range(count)
    ]


def test_no_forbidden_character_of_10000_byte_strings_gets_out() -> None:
    """Split at every edge: what is left at the end of one piece can't complete a sequence."""
    for data in random_bytes(10_000):
        for decoded in (data.decode(errors="replace"), data.decode("latin-1")):
            assert_harmless(safe(decoded))
        whole = safe(data.decode(errors="replace"))
        for edge in range(len(data) + 1):
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            first, second = decoder.decode(data[:edge]), decoder.decode(data[edge:], final=True)
            assert safe(first) + safe(second) == whole


@given(st.text())
def test_any_text_becomes_harmless_and_keeps_its_length(text: str) -> None:
    shown = safe(text)
    assert_harmless(shown)
    assert len(shown) == len(text)
    assert safe(shown) == shown


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp"])))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_what_terminals_obey_becomes_visible() -> None:
    assert safe("a\tb\nc") == "a\tb\nc"
    assert safe("\x1b[31m\x00\x7f\r") == "␛[31m␀␡␍"
    assert safe("\x9b\u202e\u2066\u2028\ud800") == "\ufffd" * 5


def test_a_line_stays_one_line() -> None:
    assert safe_line("a\tb\nc\x1b") == "a␉b␊c␛"


def test_emoji_sequences_and_joined_scripts_survive() -> None:
    """ZWJ and variation selectors carry meaning and steer no terminal."""
    for text in ("👩‍💻", "❤️", "می‌خواهم", "क्‍ष"):
        assert safe(text) == text


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_way_out_is_guarded(attack: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(attack)
    note(attack)
    print_table([Column("Title")], [[attack], [Cell(attack, "red")]])
    print_json({"key": attack, attack: "value"})
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert_harmless(text)
    document = json.loads(printed.out.splitlines()[-1])
    assert document == {"key": attack, attack: "value"}


def test_markup_is_only_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([Column("Title")], [["[bold]x[/bold] :warning: 12 'a' http://x.example"]])
    assert "[bold]x[/bold] :warning: 12 'a' http://x.example" in capsys.readouterr().out


@given(st.recursive(st.text() | st.none() | st.integers(), lambda inner: st.lists(inner)))
def test_json_says_the_same_after_it_was_made_harmless(document: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lines.append)
        print_json(document)
    assert len(lines) == 1
    assert_harmless(lines[0])
    assert "\n" not in lines[0]
    assert json.loads(lines[0]) == document


def test_piped_table_is_neither_wrapped_nor_cut_nor_padded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    long = "word " * 100 + "end"
    print_table([Column("A"), Column("B")], [[long, "b"], ["a", ""]])
    lines = capsys.readouterr().out.splitlines()
    assert f"{long}  b" in lines
    assert all(line == line.rstrip() for line in lines)
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_table_fits_the_columns_that_were_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", str(columns))
    print_table([Column("A"), Column("B")], [["word " * 30, "x" * 100]])
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= columns
    assert out.count("x") == 100
    assert out.count("word") == 30
