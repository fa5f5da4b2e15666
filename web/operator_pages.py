"""What the operators' pages show, as frozen values; see web/pages.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import quote

import msgspec

from luckrig.protocol.desk import AuditLine, CaseDetail, CasePage, DecisionView, TargetChoice
from luckrig.protocol.reports import (
    ACTIONS,
    MAX_REASON_CHARS,
    MAX_SUSPENSION_DAYS,
    MIN_HOLD_DAYS,
    Action,
    AppealView,
    Ground,
    TargetKind,
)
from luckrig.web.desk_words import describe_detail
from luckrig.web.languages import Words
from luckrig.web.pages import Site, node_path

DESK: Final = "/operator"
AUDIT: Final = "/operator/audit"
DECIDE: Final = "/operator/decide"
SUSPEND_DAYS: Final = 7
"""What the form starts with."""

_MAX_SHOWN_DETAIL: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Whoever is signed in. csrf: what each form of this session carries."""

    user_id: str
    csrf: str
    is_operator: bool


class Problem(NamedTuple):
    """Why a form wasn't taken. code: names the texts `desk.problem.`. text: what exactly is wrong,
    in English, as programs get to read it."""

    code: str
    text: str


class Option(NamedTuple):
    """One thing that can be decided. value: what the form sends for it."""

    action: Action
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPage:
    """/operator : the cases. appealed: those with an unanswered appeal, instead of the open ones.

    after: the cursor that led here.
    """

    template: ClassVar[str] = "operator.html"

    site: Site
    viewer: Viewer
    cases: CasePage
    appealed: bool = False
    after: str | None = None

    @property
    def open_path(self) -> str:
        """The open cases."""
        return self.site.link(DESK)

    @property
    def appealed_path(self) -> str:
        """The cases with an appeal."""
        return self.site.link(DESK, appealed="1")

    @property
    def first_path(self) -> str:
        """The first page of this very list."""
        return self.appealed_path if self.appealed else self.open_path

    @property
    def next_path(self) -> str | None:
        """The page after this one."""
        if self.cases.next is None:
            return None
        return self.site.link(DESK, appealed="1" if self.appealed else "", after=self.cases.next)


class Appealed(NamedTuple):
    """An appeal with the decision it is against. may_answer: whether this viewer may."""

    appeal: AppealView
    decision: DecisionView | None
    is_own: bool
    may_answer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """/operator/cases/{id}. is_alone: whether the tracker has one operator only.

    problem: why the form that was sent wasn't taken. draft: what it said, by its fields' names.
    """

    template: ClassVar[str] = "operator_case.html"

    site: Site
    viewer: Viewer
    detail: CaseDetail
    is_alone: bool = False
    problem: Problem | None = None
    draft: Mapping[str, str] = field(default_factory=dict[str, str])

    max_days: ClassVar[int] = MAX_SUSPENSION_DAYS
    max_chars: ClassVar[int] = MAX_REASON_CHARS
    hold_days: ClassVar[int] = MIN_HOLD_DAYS
    suspend_days: ClassVar[int] = SUSPEND_DAYS

    @property
    def path(self) -> str:
        """This page."""
        return case_path(self.detail.case.case_id)

    @property
    def ground(self) -> Ground:
        """What the form starts with: a category is a matter of law, unless it is the terms'."""
        return "terms" if self.detail.case.category == "terms" else "law"

    @property
    def dismissal(self) -> Option | None:
        """Closing the case without doing anything."""
        if not self.detail.targets:
            return None
        first = self.detail.targets[0]
        return Option("dismiss", choice_value("dismiss", first.kind, first.id))

    def options(self, target: TargetChoice) -> list[Option]:
        """What can be done to a target."""
        return [
            Option(action, choice_value(action, target.kind, target.id))
            for action in ACTIONS[target.kind]
        ]

    @property
    def appeals(self) -> list[Appealed]:
        """The appeals, those that wait first."""
        made = {each.notice.decision_id: each for each in self.detail.decisions}
        return [
            self._appealed(each, made.get(each.decision_id))
            for each in sorted(self.detail.appeals, key=lambda each: each.answered_at is not None)
        ]

    def _appealed(self, appeal: AppealView, decision: DecisionView | None) -> Appealed:
        is_own = decision is not None and decision.decided_by == self.viewer.user_id
        may_answer = appeal.answered_at is None and (self.is_alone or not is_own)
        return Appealed(appeal, decision, is_own, may_answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidePage:
    """/operator/decide : about something that nobody reported, or ending what holds it.

    done: what was just done, one of the texts `desk.done.`. problem, draft: as in CaseFile.
    """

    template: ClassVar[str] = "operator_decide.html"

    site: Site
    viewer: Viewer
    problem: Problem | None = None
    done: str | None = None
    draft: Mapping[str, str] = field(default_factory=dict[str, str])

    max_days: ClassVar[int] = MAX_SUSPENSION_DAYS
    max_chars: ClassVar[int] = MAX_REASON_CHARS
    suspend_days: ClassVar[int] = SUSPEND_DAYS
    kinds: ClassVar[tuple[TargetKind, ...]] = tuple(ACTIONS)
    actions: ClassVar[tuple[Action, ...]] = ("limit", "hide", "suspend", "ban")


class AuditRow(NamedTuple):
    """One line of the log as a table shows it. at: Unix seconds. detail: in the page's language."""

    position: int
    at: int
    by: str
    event: str
    subject: str
    detail: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLogPage:
    """/operator/audit. size: how many lines the whole log has. limit: how many a page has."""

    template: ClassVar[str] = "operator_audit.html"

    site: Site
    viewer: Viewer
    lines: Sequence[AuditLine]
    size: int
    limit: int

    @property
    def rows(self) -> list[AuditRow]:
        """The lines, oldest first."""
        return [_row(line, self.site.words) for line in self.lines]

    @property
    def older_path(self) -> str | None:
        """The lines before these."""
        if not self.lines or self.lines[0].position == 0:
            return None
        after = max(-1, self.lines[0].position - self.limit - 1)
        return self.site.link(AUDIT, after=str(after))

    @property
    def newer_path(self) -> str | None:
        """The lines after these."""
        if not self.lines or self.lines[-1].position >= self.size - 1:
            return None
        return self.site.link(AUDIT, after=str(self.lines[-1].position))


def choice_value(action: Action, kind: TargetKind, target_id: str) -> str:
    """What a form sends for a decision; ids hold no spaces."""
    return f"{action} {kind} {target_id}"


def case_path(case_id: str) -> str:
    """The page of a case."""
    return f"{DESK}/cases/{quote(case_id, safe='')}"


def subject_path(kind: str, subject_id: str) -> str | None:
    """Where a subject can be looked at, if it has a page."""
    if kind in ("node", "reply"):
        return node_path(subject_id.partition("/")[0])
    if kind == "note":
        return f"/api/v1/notes/{quote(subject_id, safe='')}"
    return None


def _row(line: AuditLine, words: Words) -> AuditRow:
    entry = msgspec.json.decode(line.entry, type=dict[str, Any])
    event = _text(entry.get("event"))
    return AuditRow(
        position=line.position,
        at=int(entry.get("at", 0)),
        by=_text(entry.get("by")),
        event=event,
        subject=_text(entry.get("subject")),
        detail=describe_detail(event, _text(entry.get("detail")), words),
        hash=line.hash,
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)[:_MAX_SHOWN_DETAIL]
