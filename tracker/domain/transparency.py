"""The numbers of a period, from reports, decisions and appeals. Calendar periods, in UTC.

Everything is counted when it happened: a notice when it came, a decision when it was made, an
undoing when it was done. So the numbers of a period that is over never change.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Final

from luckrig.protocol.errors import PeerError
from luckrig.protocol.reports import ACTIONS, CATEGORIES, Action, Category, TargetKind
from luckrig.protocol.transparency import (
    PERIOD_PATTERN,
    VERSION,
    ActionCount,
    AppealCounts,
    CategoryNotices,
    OpenCases,
    Provisional,
    TransparencyReport,
    Undone,
)
from luckrig.tracker.domain.cases import AppealRecord, DecisionRecord, ReportRecord

_PERIOD: Final = re.compile(PERIOD_PATTERN)


@dataclass(frozen=True, slots=True)
class Period:
    """A year, half or month. name: 2026, 2026-H2, 2026-11. since ≤ t < until, Unix seconds."""

    name: str
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that has ever been reported, decided and appealed, and when this was read.

    read_at: Unix seconds; nothing here is later.
    """

    reports: Sequence[ReportRecord]
    decisions: Sequence[DecisionRecord]
    appeals: Sequence[AppealRecord]
    read_at: int


def parse_period(text: str, *, now: float) -> Period:
    """A period that has begun. Raises PeerError invalid_request."""
    if _PERIOD.fullmatch(text) is None:
        raise _refused("A period looks like 2026, 2026-H2 or 2026-11.")
    period = _period(text)
    if period.since > now:
        raise _refused("This period hasn't begun.")
    return period


def current_year(now: float) -> Period:
    """The calendar year of `now`."""
    return _period(f"{datetime.fromtimestamp(now, UTC):%Y}")


def periods_of(facts: Facts) -> list[str]:
    """The periods in which anything happened, and the current year; the newest first.

    Of those that end together the longest comes first.
    """
    names = {current_year(facts.read_at).name}
    for month in {f"{datetime.fromtimestamp(at, UTC):%Y-%m}" for at in _moments(facts)}:
        year, number = month[:4], int(month[5:])
        names |= {year, f"{year}-H{1 if number <= 6 else 2}", month}
    periods = sorted(map(_period, names), key=lambda each: (-each.until, each.since))
    return [period.name for period in periods]


def count(facts: Facts, period: Period, *, tracker: str) -> TransparencyReport:
    """The numbers of a period. tracker: its root id, r1…."""
    as_of = min(period.until, facts.read_at + 1)
    known = Facts(
        [each for each in facts.reports if each.received_at < as_of],
        [each for each in facts.decisions if each.decided_at < as_of],
        [each for each in facts.appeals if each.received_at < as_of],
        facts.read_at,
    )
    made = [each for each in known.decisions if _within(period, each.decided_at)]
    by_people = [each for each in made if not each.automated]
    return TransparencyReport(
        version=VERSION,
        tracker=tracker,
        period=period.name,
        since=period.since,
        until=period.until,
        as_of=as_of,
        complete=as_of == period.until,
        notices=_notices(known, period),
        actions=_actions(by_people),
        automated=sum(each.automated and not _is_provisional(each) for each in made),
        provisional=_provisional(known.decisions, period, as_of),
        undone=_undone(known, period, as_of),
        appeals=_appeals(known.appeals, period, as_of),
        open_cases=_open_cases(known, as_of),
        periods=periods_of(facts),
    )


def _notices(facts: Facts, period: Period) -> list[CategoryNotices]:
    closed = _closings(facts.decisions)
    rows: list[CategoryNotices] = []
    for category in _by_severity():
        reports = [each for each in facts.reports if each.category == category]
        received = [each for each in reports if _within(period, each.received_at)]
        decided = [
            (each, closed[each.case_id])
            for each in reports
            if each.case_id in closed and _within(period, closed[each.case_id])
        ]
        rows.append(
            CategoryNotices(
                category=category,
                received=len(received),
                trusted=sum(each.trusted for each in received),
                decided=len(decided),
                late=sum(at > each.due_at for each, at in decided),
                median_seconds=_median(at - each.received_at for each, at in decided),
            )
        )
    return rows


def _actions(decisions: Sequence[DecisionRecord]) -> list[ActionCount]:
    kinds: list[tuple[Action, TargetKind | None]] = [
        (action, target) for target, actions in ACTIONS.items() for action in actions
    ]
    kinds.append(("dismiss", None))
    rows: list[ActionCount] = []
    for action, target in kinds:
        chosen = [
            each
            for each in decisions
            if each.action == action and target in (None, each.target_kind)
        ]
        grounds = [each.ground for each in chosen if action != "dismiss"]
        rows.append(
            ActionCount(
                action=action,
                target_kind=target,
                law=grounds.count("law"),
                terms=grounds.count("terms"),
                total=len(chosen),
            )
        )
    return rows


def _provisional(decisions: Iterable[DecisionRecord], period: Period, as_of: int) -> Provisional:
    hidden = [each for each in decisions if _is_provisional(each)]
    return Provisional(
        hidden=sum(_within(period, each.decided_at) for each in hidden),
        ended=sum(_was_undone(each, period, as_of) for each in hidden),
        waiting=sum(each.undone_at is None or each.undone_at >= as_of for each in hidden),
    )


def _undone(facts: Facts, period: Period, as_of: int) -> Undone:
    overturned = {each.decision_id for each in facts.appeals if each.upheld is False}
    undone = [
        each for each in facts.decisions if not each.automated and _was_undone(each, period, as_of)
    ]
    after_appeal = sum(each.decision_id in overturned for each in undone)
    return Undone(after_appeal=after_appeal, otherwise=len(undone) - after_appeal)


def _appeals(appeals: Iterable[AppealRecord], period: Period, as_of: int) -> AppealCounts:
    received = [each for each in appeals if _within(period, each.received_at)]
    answered = [
        (each, each.answered_at)
        for each in appeals
        if each.answered_at is not None
        and each.answered_at < as_of
        and _within(period, each.answered_at)
    ]
    return AppealCounts(
        received=len(received),
        by_affected=sum(each.by == "affected" for each in received),
        by_reporter=sum(each.by == "reporter" for each in received),
        upheld=sum(each.upheld is True for each, _ in answered),
        overturned=sum(each.upheld is False for each, _ in answered),
        same_reviewer=sum(each.same_reviewer for each, _ in answered),
        median_seconds=_median(at - each.received_at for each, at in answered),
        open=sum(each.answered_at is None or each.answered_at >= as_of for each in appeals),
    )


def _open_cases(facts: Facts, as_of: int) -> OpenCases:
    closed = _closings(facts.decisions)
    due: dict[str, int] = {}
    for report in facts.reports:
        if report.case_id not in closed:
            due[report.case_id] = min(report.due_at, due.get(report.case_id, report.due_at))
    return OpenCases(total=len(due), late=sum(at < as_of for at in due.values()))


def _closings(decisions: Iterable[DecisionRecord]) -> dict[str, int]:
    """case id → when a person first decided it, which is what closes a case."""
    closed: dict[str, int] = {}
    for each in decisions:
        if each.case_id is not None and not each.automated:
            closed[each.case_id] = min(each.decided_at, closed.get(each.case_id, each.decided_at))
    return closed


def _is_provisional(decision: DecisionRecord) -> bool:
    """Hidden until a person looks: the only thing that may happen without one."""
    return decision.automated and decision.action == "hide" and decision.case_id is not None


def _was_undone(decision: DecisionRecord, period: Period, as_of: int) -> bool:
    at = decision.undone_at
    return at is not None and at < as_of and _within(period, at)


def _moments(facts: Facts) -> Iterator[int]:
    yield from (each.received_at for each in facts.reports)
    for decision in facts.decisions:
        yield decision.decided_at
        if decision.undone_at is not None:
            yield decision.undone_at
    for appeal in facts.appeals:
        yield appeal.received_at
        if appeal.answered_at is not None:
            yield appeal.answered_at


def _median(seconds: Iterable[int]) -> int | None:
    values = list(seconds)
    return round(max(median(values), 0)) if values else None


def _by_severity() -> list[Category]:
    return sorted(CATEGORIES, key=lambda category: -CATEGORIES[category].severity)


def _within(period: Period, at: int) -> bool:
    return period.since <= at < period.until


def _period(name: str) -> Period:
    year, _, part = name.partition("-")
    first, months = 1, 12
    if part.startswith("H"):
        first, months = (1, 6) if part == "H1" else (7, 6)
    elif part:
        first, months = int(part), 1
    last = first + months
    return Period(
        name,
        _start(int(year), first),
        _start(int(year) + 1, 1) if last > 12 else _start(int(year), last),
    )


def _start(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp())


def _refused(text: str) -> PeerError:
    return PeerError("invalid_request", text, param="period")
