"""Replays for other programs and for readers. Pure: texts in, texts out, all safe to print."""

import re
from typing import Any, Final, Literal

import msgspec

from luckrig.cli.model_text import model_text
from luckrig.cli.moments import utc
from luckrig.cli.output import safe_json
from luckrig.cli.replay.words import figure_facts, one_line, outcome, rig_facts
from luckrig.client.history.asking import messages_of
from luckrig.client.history.replay import Kind, Replay, encode_replay

Format = Literal["json", "markdown", "jsonl"]

_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>()#!|&~$]|:(?=//))")
"""All that Markdown, or the HTML in it, could take for more than text on such a line."""
_FENCE: Final = re.compile(r"`+")
_KINDS: Final[tuple[tuple[Kind, str], ...]] = (
    ("reasoning", "Reasoning"),
    ("tool", "Tool calls"),
    ("other", "Other"),
    ("text", "Reply"),
)


def export(replay: Replay, form: Format) -> str:
    """json: the file as it is kept, on one line. jsonl: a line with everything else, then one for
    each event. markdown: for reading; what was said stands in code blocks, so that no image or
    link of it is ever loaded."""
    if form == "markdown":
        return _markdown(replay)
    if form == "jsonl":
        return _lines(replay)
    return safe_json(compact(encode_replay(replay))) + "\n"


def compact(document: bytes) -> str:
    """A JSON document without white space, which may hold what terminals obey."""
    return msgspec.json.format(document, indent=-1).decode("utf-8")


def _lines(replay: Replay) -> str:
    head: dict[str, Any] = msgspec.json.decode(encode_replay(replay))
    del head["events"]
    events = [{"at_ms": e.at_ms, "kind": e.kind, "text": e.text} for e in replay.events]
    return "".join(
        f"{safe_json(msgspec.json.encode(each).decode('utf-8'))}\n" for each in [head, *events]
    )


def _markdown(replay: Replay) -> str:
    facts = [
        ("replay", f"{replay.replay_id}, {utc(int(replay.created_at))}"),
        *rig_facts(replay),
        *figure_facts(replay.figures),
        ("ended", outcome(replay)),
    ]
    parts = [
        f"# {_plain(replay.title) or 'A replay'}",
        "\n".join(["| | |", "|-|-|", *(f"| {name} | {_plain(fact)} |" for name, fact in facts)]),
    ]
    said = [(each.role, each.text) for each in messages_of(bytes(replay.request))]
    answered = [(name, text) for kind, name in _KINDS if (text := replay.text(kind))]
    for name, text in [*said, *answered]:
        parts += [f"## {_plain(name[:1].upper() + name[1:])}", _block(model_text(text))]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """One line that is read as it stands."""
    return _MARKS.sub(r"\\\1", " ".join(one_line(text).split()))


def _block(text: str) -> str:
    """A code block whose fence is longer than any in the text."""
    longest = max((len(found) for found in _FENCE.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") else "\n"
    return f"{fence}text\n{text}{end}{fence}"
