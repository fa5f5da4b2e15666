"""The words of the pages behind a sign-in: the operators' desk and /me. English only."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from luckrig.protocol.reports import Action, Category, DecisionNotice, Ground, SubjectKind
from luckrig.web.formats import format_time

CATEGORY_WORDS: Final[Mapping[Category, str]] = {
    "child_safety": "child safety",
    "intimate_images": "intimate images",
    "threat": "threat",
    "privacy": "privacy",
    "illegal": "other illegal content",
    "copyright": "copyright",
    "terms": "breach of the terms",
}
SEVERITY_WORDS: Final[Mapping[int, str]] = {
    7: "gravest",
    6: "very grave",
    5: "grave",
    4: "serious",
    3: "serious",
    2: "ordinary",
    1: "minor",
}
"""By the severities of protocol.reports.CATEGORIES."""
SUBJECT_WORDS: Final[Mapping[SubjectKind | str, str]] = {
    "node": "rig",
    "note": "note",
    "user": "user",
    "reply": "reply",
    "network": "network",
}
"""Of targets too."""
RELATION_WORDS: Final[Mapping[str, str]] = {
    "subject": "what was reported",
    "rig": "the rig it is about",
    "owner": "who owns the rig",
    "author": "who wrote the note",
    "user": "who got the reply",
}
ACTION_WORDS: Final[Mapping[Action, str]] = {
    "dismiss": "dismissed",
    "limit": "limited",
    "hide": "hidden",
    "suspend": "suspended",
    "ban": "banned",
}
GROUND_WORDS: Final[Mapping[Ground, str]] = {"law": "the law", "terms": "the terms of this tracker"}

_HOUR, _DAY = 3600, 86_400


class Due(NamedTuple):
    """text: "in 5 h", "3 h late". is_late: whether it should have been decided."""

    text: str
    is_late: bool


def describe_due(due_at: int, now: int) -> Due:
    """How far away a deadline is. Rounded so that no hour is promised that isn't there."""
    left = due_at - now
    if left < 0:
        return Due(f"{_span(-left)} late", True)
    return Due(f"in {_span(left)}", False)


def describe_hold(notice: DecisionNotice) -> str:
    """What a decision does to its target: "banned for good", "suspended until 2026-11-28 …"."""
    word = ACTION_WORDS[notice.action]
    if notice.automated:
        return f"{word} until an operator decides"
    if notice.expires_at is not None:
        return f"{word} until {format_time(notice.expires_at)}"
    return f"{word} for good" if notice.action == "ban" else word


def short_name(subject_id: str) -> str:
    """Enough of an id to tell subjects apart in a list: n1abcdefgh…, n1abcdefgh…/requ…"""
    head, slash, tail = subject_id.partition("/")
    if "." in head or ":" in head:
        return subject_id  # a network's bits are part of it
    return f"{head[:10]}…" + (f"/{tail[:8]}…" if slash else "")


def _span(seconds: int) -> str:
    if seconds < _HOUR:
        return f"{seconds // 60} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR} h"
    return f"{seconds // _DAY} days"
