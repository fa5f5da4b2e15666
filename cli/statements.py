"""Statements of reasons, as the affected, reporters and operators get to read them."""

from collections.abc import Mapping
from typing import Final

from luckrig.cli.moments import day, utc
from luckrig.cli.output import Cell, print_facts, say_line
from luckrig.protocol.reports import (
    Action,
    AppealView,
    Category,
    CounterNotice,
    DecisionNotice,
    SubjectKind,
)

CATEGORY_WORDS: Final[dict[Category, str]] = {
    "child_safety": "child safety",
    "intimate_images": "intimate images",
    "threat": "threat",
    "privacy": "privacy",
    "illegal": "illegal",
    "copyright": "copyright",
    "terms": "terms",
}
SUBJECT_WORDS: Final[Mapping[SubjectKind | str, str]] = {
    "node": "rig",
    "note": "note",
    "user": "user",
    "reply": "reply",
    "network": "network",
}
"""Of targets too."""
DONE: Final[dict[Action, str]] = {
    "dismiss": "nothing was done",
    "limit": "limited",
    "hide": "hidden",
    "suspend": "suspended",
    "ban": "banned",
}

Fact = tuple[str, Cell | str]


def outcome(notice: DecisionNotice, *, now: float) -> str:
    """What was done, and whether it still holds: "suspended until 2026-11-28 12:00 UTC"."""
    done = DONE[notice.action]
    if notice.action == "suspend" and notice.expires_at is not None:
        done = f"suspended until {utc(notice.expires_at)}"
    elif notice.action == "ban":
        done = "banned for good"
    if notice.undone_at is not None:
        return f"{done}, taken back {utc(notice.undone_at)}"
    if notice.expires_at is not None and notice.expires_at <= now:
        return f"{done}, over"
    return done


def holds(notice: DecisionNotice, *, now: float) -> bool:
    """Whether it is in force."""
    over = notice.expires_at is not None and notice.expires_at <= now
    return notice.action != "dismiss" and notice.undone_at is None and not over


def print_notice(notice: DecisionNotice, *, now: float, appeal_with: str | None) -> None:
    """One decision. appeal_with: the command that appeals it, None where the reader can't.

    A target without an id is whoever stands behind what the reader reported.
    """
    target = notice.target_id or "behind it"
    title = f"{SUBJECT_WORDS[notice.target_kind]} {target}: {outcome(notice, now=now)}"
    style = "bold red" if holds(notice, now=now) else "bold"
    print_facts(Cell(title[0].upper() + title[1:], style), notice_facts(notice))
    appealable = notice.appeal is None and notice.undone_at is None
    if appeal_with is not None and appealable and now <= notice.appeal_until:
        # No fact: a command that is to be copied mustn't be broken into lines.
        say_line(f"  Until {day(notice.appeal_until)} you can appeal: {appeal_with}")


def notice_facts(notice: DecisionNotice) -> list[Fact]:
    """What there is to say of a decision besides its target and outcome."""
    ground = "the law" if notice.ground == "law" else "this tracker's terms"
    rule = f": {notice.rule}" if notice.rule else ""
    facts: list[Fact] = [
        ("decision", f"{notice.decision_id}, {utc(notice.decided_at)}"),
        ("reason", notice.reason),
        ("ground", f"{ground}{rule}"),
    ]
    if notice.category is not None:
        facts.append(("reported as", CATEGORY_WORDS[notice.category]))
    if notice.automated:
        facts.append(("decided by", "nobody yet; hidden until an operator has looked"))
    if notice.undone_reason is not None:
        facts.append(("taken back", notice.undone_reason))
    if notice.appeal is not None:
        facts += appeal_facts(notice.appeal)
    return facts


def appeal_facts(appeal: AppealView) -> list[Fact]:
    """An appeal and its answer."""
    side = "the affected" if appeal.by == "affected" else "who reported"
    text = "(deleted)" if appeal.text is None else appeal.text
    facts: list[Fact] = [
        ("appeal", f"{appeal.appeal_id}, {utc(appeal.received_at)}, by {side}"),
        ("", text),
    ]
    if appeal.counter_notice is not None:
        facts += _counter_facts(appeal.counter_notice)
    if appeal.answered_at is None:
        facts.append(("answer", Cell("none yet", "yellow")))
        return facts
    verdict = "the decision stands" if appeal.upheld else "the decision was wrong"
    alone = ", by the same operator: this tracker has one only" if appeal.same_reviewer else ""
    facts.append(("answer", f"{utc(appeal.answered_at)}: {verdict}{alone}"))
    if appeal.answer is not None:
        facts.append(("", appeal.answer))
    return facts


def _counter_facts(counter: CounterNotice) -> list[Fact]:
    stated = [
        words
        for is_stated, words in (
            (counter.mistaken, "removed by mistake, under penalty of perjury"),
            (counter.consent, "consents to jurisdiction and service of process"),
        )
        if is_stated
    ]
    return [
        ("counter-notice", f"{counter.name}, signed {counter.signature}"),
        ("", f"{counter.address}\n{counter.phone}"),
        ("", "; ".join(stated)),
    ]
