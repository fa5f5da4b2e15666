"""A note's text as a page shows it: words, and between them commands that can be copied.

A command is what stands between two lines of ```, or a run of lines that begin with "$ ". All else
is text, whatever it looks like: nothing here makes markup of what a stranger wrote.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

MAX_COMMANDS: Final = 12
"""Each costs a page some 400 bytes; in a note that has more, the rest is text."""

_FENCE: Final = re.compile(r"[ ]{0,3}```[^`]{0,40}")
_PROMPT: Final = re.compile(r"[ \t]{0,8}\$[ ](?=\S)")


@dataclass(frozen=True, slots=True)
class Piece:
    """kind: what it is. text: without fences, and without the "$ " of its lines."""

    kind: Literal["text", "command"]
    text: str


def split_note(text: str) -> list[Piece]:
    """The pieces of a note, in order; one that is blank is left out."""
    lines = text.split("\n")
    pieces: list[Piece] = []
    words: list[str] = []
    at = commands = 0
    while at < len(lines):
        found = _command_at(lines, at) if commands < MAX_COMMANDS else None
        if found is None:
            words.append(lines[at])
            at += 1
            continue
        command, at = found
        _add(pieces, "text", words)
        words = []
        _add(pieces, "command", command)
        commands += 1
    _add(pieces, "text", words)
    return pieces


def _command_at(lines: list[str], at: int) -> tuple[list[str], int] | None:
    """(a command that begins at that line, where the rest begins), if one does."""
    if _FENCE.fullmatch(lines[at]):
        for end in range(at + 1, len(lines)):
            if lines[end].strip() == "```":
                return lines[at + 1 : end], end + 1
        return None
    end = at
    while end < len(lines) and _PROMPT.match(lines[end]):
        end += 1
    return ([_PROMPT.sub("", line, count=1) for line in lines[at:end]], end) if end > at else None


def _add(pieces: list[Piece], kind: Literal["text", "command"], lines: list[str]) -> None:
    text = "\n".join(lines).strip("\n")
    if text.strip():
        pieces.append(Piece(kind, text))
