"""What changed from one version of a note to the next, line by line."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

MAX_COMPARED_LINES: Final = 80
"""Of the part that differs: finding the shortest difference takes up to the cube of its lines.
Longer parts are shown as all of the old lines, then all of the new ones."""
CONTEXT: Final = 2
"""Unchanged lines that stay beside a change."""


@dataclass(frozen=True, slots=True)
class Line:
    """kind: whether a version lost it, gained it, or has it still; gap: lines are left out here."""

    kind: Literal["removed", "added", "same", "gap"]
    text: str


def diff_lines(old: str, new: str) -> list[Line]:
    """The changed lines with their neighbours; nothing where the texts are the same."""
    before, after = old.split("\n"), new.split("\n")
    start = _common(before, after)
    rest = min(len(before), len(after)) - start
    end = min(rest, _common(before[::-1], after[::-1]))
    changed = _compare(before[start : len(before) - end], after[start : len(after) - end])
    if not changed:
        return []
    head = [Line("same", text) for text in before[:start]]
    tail = [Line("same", text) for text in before[len(before) - end :]] if end else []
    return _shorten([*head, *changed, *tail])


def _common(one: list[str], other: list[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _compare(old: list[str], new: list[str]) -> list[Line]:
    if max(len(old), len(new)) > MAX_COMPARED_LINES:
        return [*(Line("removed", text) for text in old), *(Line("added", text) for text in new)]
    lines: list[Line] = []
    matcher = SequenceMatcher(a=old, b=new, autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            lines += [Line("same", text) for text in old[old_from:old_to]]
            continue
        lines += [Line("removed", text) for text in old[old_from:old_to]]
        lines += [Line("added", text) for text in new[new_from:new_to]]
    return lines


def _shorten(lines: list[Line]) -> list[Line]:
    """Without the unchanged lines that are far from any change; each run of them is a gap."""
    changes = [at for at, line in enumerate(lines) if line.kind != "same"]
    near = {other for at in changes for other in range(at - CONTEXT, at + CONTEXT + 1)}
    kept: list[Line] = []
    for at, line in enumerate(lines):
        if at in near:
            kept.append(line)
        elif not kept or kept[-1].kind != "gap":
            kept.append(Line("gap", ""))
    return kept
