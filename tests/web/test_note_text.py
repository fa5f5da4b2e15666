"""Commands are found where they are marked, and nothing that a stranger wrote gets lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.web.line_diff import MAX_COMPARED_LINES, Line, diff_lines
from luckrig.web.note_text import MAX_COMMANDS, Piece, split_note


def text(value: str) -> Piece:
    return Piece("text", value)


def command(value: str) -> Piece:
    return Piece("command", value)


@pytest.mark.parametrize(
    ("note", "pieces"),
    [
        ("", []),
        (" \n", []),
        ("# no\n\n  - **markup**\n\there", [text("# no\n\n  - **markup**\n\there")]),
        ("a\n```\nb\n  c\n```\nd", [text("a"), command("b\n  c"), text("d")]),
        ("```sh\n$ b\n```", [command("$ b")]),
        ("a\n$ b\n  $ c --x\nd", [text("a"), command("b\nc --x"), text("d")]),
        ("$ b\n\n$ c", [command("b"), command("c")]),
        ("It costs\n$5 or $ 6\n$", [text("It costs\n$5 or $ 6\n$")]),
        ("a\n```\nnever closed", [text("a\n```\nnever closed")]),
        ("a\n```\n```\nb", [text("a"), text("b")]),
        ("inline ```code``` here", [text("inline ```code``` here")]),
    ],
)
def test_pieces(note: str, pieces: list[Piece]) -> None:
    assert split_note(note) == pieces


def test_a_note_of_nothing_but_commands_stays_small() -> None:
    pieces = split_note("$ a\nb\n" * 600)
    assert sum(piece.kind == "command" for piece in pieces) == MAX_COMMANDS
    assert pieces[-1].text.count("$ a") == 600 - MAX_COMMANDS


@given(st.text(alphabet="ab $`\n\t", max_size=200))
def test_every_word_stays_in_its_place(note: str) -> None:
    shown = "\n".join(piece.text for piece in split_note(note))
    assert [mark for mark in shown if mark in "ab"] == [mark for mark in note if mark in "ab"]


def lines(old: str, new: str) -> str:
    signs = {"added": "+", "removed": "-", "same": " ", "gap": "~"}
    return "|".join(signs[line.kind] + line.text for line in diff_lines(old, new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a", "a", ""),
        ("a", "b", "-a|+b"),
        ("a\nb\nc", "a\nx\nc", " a|-b|+x| c"),
        ("a", "a\nb", " a|+b"),
        ("a\na", "a", " a|-a"),
        ("1\n2\n3\n4\n5\nx", "1\n2\n3\n4\n5\ny", "~| 4| 5|-x|+y"),
        ("x\n1\n2\n3\n4\ny", "X\n1\n2\n3\n4\nY", "-x|+X| 1| 2| 3| 4|-y|+Y"),
        ("x\n1\n2\n3\n4\n5\ny", "X\n1\n2\n3\n4\n5\nY", "-x|+X| 1| 2|~| 4| 5|-y|+Y"),
    ],
)
def test_differences(old: str, new: str, expected: str) -> None:
    assert lines(old, new) == expected


TEXTS = st.lists(st.sampled_from("abc"), max_size=12).map("\n".join)


@given(TEXTS, TEXTS)
def test_a_difference_holds_both_texts(old: str, new: str) -> None:
    """What is left out is the same in both, so with it either text can be put together again."""
    shown = diff_lines(old, new)
    removed = [line.text for line in shown if line.kind == "removed"]
    added = [line.text for line in shown if line.kind == "added"]
    before, after = sorted(old.split("\n")), sorted(new.split("\n"))
    assert sorted([*before, *added]) == sorted([*after, *removed])
    assert (shown == []) == (old == new)


def test_hostile_texts_cost_little() -> None:
    """Texts without a common line would take the cube of their lines."""
    old, new = "\n".join("ab" * 1000), "\n".join("ba" * 1000 + "c")
    assert len(diff_lines(old, new)) > MAX_COMPARED_LINES
    assert diff_lines(old, new)[0] == Line("removed", "a")
