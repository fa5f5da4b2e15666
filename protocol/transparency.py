"""What a tracker's operators did in a period, in numbers: /transparency.json.

No ids of people or rigs and no texts; docs/TRANSPARENCY.md says how each number is counted.
"""

from typing import Annotated, Final, Literal

import msgspec

from luckrig.protocol.ids import RootId
from luckrig.protocol.reports import Action, Category, TargetKind

VERSION: Final = 1
"""Of the document. A field that goes away or means something else makes it a new one."""
PERIOD_PATTERN: Final = r"^20[0-9]{2}(-(0[1-9]|1[0-2]|H[12]))?$"

PeriodName = Annotated[str, msgspec.Meta(pattern=PERIOD_PATTERN, max_length=7)]
"""A calendar year, half or month in UTC: 2026, 2026-H2, 2026-11."""
Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[int, msgspec.Meta(ge=0)] | None
"""A median, rounded to seconds. None: there was nothing to take it of."""


class CategoryNotices(msgspec.Struct, frozen=True, kw_only=True):
    """Notices of one category.

    received: in the period; trusted: those of them by trusted notifiers. decided: whose case a
    person decided in the period, whenever they came; late: those of them after their deadline.
    median_seconds: from notice to decision, of those decided.
    """

    category: Category
    received: Count
    trusted: Count
    decided: Count
    late: Count
    median_seconds: Seconds


class ActionCount(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions that people made. target_kind: None for dismissals, which act on nothing.

    law, terms: on which ground; a dismissal has neither, and counts in total only.
    """

    action: Action
    target_kind: TargetKind | None
    law: Count
    terms: Count
    total: Count


class Provisional(msgspec.Struct, frozen=True, kw_only=True):
    """What was hidden on a trusted notifier's word, until a person decides.

    hidden: in the period. ended: of those that a person's decision ended or took back in the
    period. waiting: still hidden at its end.
    """

    hidden: Count
    ended: Count
    waiting: Count


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """People's decisions that were taken back in the period: after an appeal, or without one."""

    after_appeal: Count
    otherwise: Count


class AppealCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Appeals. received: in the period, by_affected and by_reporter together.

    upheld, overturned: answered in the period, whenever they came; upheld: the decision stands.
    same_reviewer: those of them that whoever had decided answered. open: at the period's end.
    """

    received: Count
    by_affected: Count
    by_reporter: Count
    upheld: Count
    overturned: Count
    same_reviewer: Count
    median_seconds: Seconds
    open: Count


class OpenCases(msgspec.Struct, frozen=True, kw_only=True):
    """Cases without a person's decision at the period's end. late: those past their deadline."""

    total: Count
    late: Count


class TransparencyReport(msgspec.Struct, frozen=True, kw_only=True):
    """One period. since, until: Unix seconds, `until` is the first second after it.

    as_of: what happened before this second is counted; `until` once the period is complete.
    periods: those that anything happened in, and the current year; the newest first.
    actions: every kind of decision, those that nobody made too. automated: decisions on notices
    that no person made, what was hidden provisionally aside.
    """

    version: Literal[1]
    tracker: RootId
    period: PeriodName
    since: int
    until: int
    as_of: int
    complete: bool
    notices: list[CategoryNotices]
    actions: list[ActionCount]
    automated: Count
    provisional: Provisional
    undone: Undone
    appeals: AppealCounts
    open_cases: OpenCases
    periods: list[PeriodName]
