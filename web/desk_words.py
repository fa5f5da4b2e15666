"""How the operators' pages say deadlines, decisions and lines of the audit log, in a language."""

from typing import Final, NamedTuple

from luckrig.protocol.reports import DecisionNotice
from luckrig.web.formats import format_time
from luckrig.web.languages import Words

_HOUR, _DAY = 3600, 86_400
_DETAILS: Final = {"reported": "category", "decided": "did", "answered": "verdict"}
"""event → the table of words for the code with which its detail begins."""


class Due(NamedTuple):
    """text: "due in 5 h", "3 h late". is_late: whether it should have been decided."""

    text: str
    is_late: bool


def describe_due(due_at: int, now: int, words: Words) -> Due:
    """How far away a deadline is. Rounded so that no hour is promised that isn't there."""
    left = due_at - now
    if left < 0:
        return Due(words("desk.due.late", time=_span(-left, words)), True)
    return Due(words("desk.due.left", time=_span(left, words)), False)


def describe_hold(notice: DecisionNotice, words: Words) -> str:
    """What a decision does to its target: "banned for good", "suspended until 2026-11-28 …"."""
    did = words(f"desk.did.{notice.action}")
    if notice.automated:
        return words("desk.held.automated", did=did)
    if notice.expires_at is not None:
        return words("desk.held.until", did=did, when=format_time(notice.expires_at))
    return words("desk.held.good", did=did) if notice.action == "ban" else did


def describe_detail(event: str, detail: str, words: Words) -> str:
    """The detail of an audit log's line, whose codes domain/audit_log.py lists.

    A detail that isn't what such a line holds stays as it is.
    """
    if event == "held" and detail.isdecimal():
        return words("desk.audit.until", when=format_time(int(detail)))
    code, space, rest = detail.partition(" ")
    key = f"desk.{_DETAILS.get(event)}.{code}"
    return f"{words(key).unescape()}{space}{rest}" if words.has(key) else detail


def short_name(subject_id: str) -> str:
    """Enough of an id to tell subjects apart in a list: n1abcdefgh…, n1abcdefgh…/requ…"""
    head, slash, tail = subject_id.partition("/")
    if "." in head or ":" in head:
        return subject_id  # a network's bits are part of it
    return f"{head[:10]}…" + (f"/{tail[:8]}…" if slash else "")


def _span(seconds: int, words: Words) -> str:
    if seconds < _HOUR:
        return words("desk.due.minutes", n=seconds // 60)
    if seconds < 2 * _DAY:
        return words("desk.due.hours", n=seconds // _HOUR)
    return words("desk.due.days", n=seconds // _DAY)
