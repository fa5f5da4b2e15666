"""The report form and a report's own page, as frozen values. The templates only print them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple, get_args
from urllib.parse import quote

from luckrig.protocol.reports import (
    CATEGORIES,
    MAX_EMAIL_CHARS,
    MAX_NAME_CHARS,
    MAX_REPORT_CHARS,
    Category,
    CategoryRule,
    DecisionNotice,
    ReportStatus,
    SubjectKind,
)
from luckrig.web.pages import Site

SUBJECT_KINDS: Final[tuple[SubjectKind, ...]] = get_args(SubjectKind)
LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "subject_id": 300,  # somebody may paste the address of a page
        "reason": MAX_REPORT_CHARS,
        "evidence": MAX_REPORT_CHARS,
        "name": MAX_NAME_CHARS,
        "email": MAX_EMAIL_CHARS,
        "work": MAX_REPORT_CHARS,
        "address": 500,
        "phone": 50,
        "signature": MAX_NAME_CHARS,
    }
)
"""Characters of each text field of the form; those of protocol.reports, where it has one."""
FIELDS: Final = (
    "subject_kind",
    "subject_id",
    "category",
    "reason",
    "evidence",
    "name",
    "email",
    "work",
    "address",
    "phone",
    "accurate",
    "signature",
    "good_faith",
)
"""In the order in which the form shows them, and its summary of what is missing."""


class Problem(NamedTuple):
    """What is wrong with a field. key: the text that says it. limit: what its {n} stands for."""

    key: str
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """/report : the form.

    form_id: secret, new for each form, the same when one comes back. values: what was typed, by
    field; an absent one is empty. problems: by field, where the form comes back. alert: a text's
    key, where the whole of it was refused. refused: in the tracker's own words, if it has any.
    wait: when it may be sent again, as a text's key and its number of minutes or hours.
    """

    template: ClassVar[str] = "report.html"

    site: Site
    form_id: str
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    problems: Mapping[str, Problem] = field(default_factory=dict[str, Problem])
    alert: str = ""
    refused: str = ""
    wait: tuple[str, int] | None = None

    def value(self, name: str) -> str:
        """What was typed into a field."""
        return self.values.get(name, "")

    @property
    def subject_kinds(self) -> tuple[SubjectKind, ...]:
        """What a report may be about."""
        return SUBJECT_KINDS

    @property
    def categories(self) -> Mapping[Category, CategoryRule]:
        """The gravest first."""
        return CATEGORIES

    @property
    def limits(self) -> Mapping[str, int]:
        """Characters of each text field."""
        return LIMITS

    @property
    def in_order(self) -> list[tuple[str, Problem]]:
        """The problems in the form's order."""
        return [(name, self.problems[name]) for name in FIELDS if name in self.problems]


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """/report/{ticket} : a report's receipt, and what becomes of it.

    news: "new" right after it was sent, "appealed" right after an appeal, else empty. refused: a
    text's key, for an appeal that wasn't taken. appeal_to, appeal_text: which decision that was
    about, and what was typed.
    """

    template: ClassVar[str] = "ticket.html"

    site: Site
    ticket: str
    status: ReportStatus
    news: str = ""
    refused: str = ""
    appeal_to: str = ""
    appeal_text: str = ""

    @property
    def address(self) -> str:
        """The private address of this page, whole."""
        return f"{self.site.origin}{ticket_path(self.ticket)}"

    @property
    def path(self) -> str:
        """Where its forms go."""
        return self.site.link(ticket_path(self.ticket))

    @property
    def again_path(self) -> str:
        """The form for another report about the same subject."""
        status = self.status
        return self.site.link("/report", kind=status.subject_kind, id=status.subject_id)

    @property
    def is_late(self) -> bool:
        """Whether a person should have decided by now."""
        return self.status.closed_at is None and self.site.now > self.status.due_at

    def concerns_subject(self, decision: DecisionNotice) -> bool:
        """Whether a decision acts on what was reported, or the rig of a reply, and not on whoever
        stands behind it: their id isn't there."""
        return decision.target_id != ""

    def may_appeal(self, decision: DecisionNotice) -> bool:
        """Whether the appeal form is shown."""
        return (
            decision.appeal is None
            and decision.undone_at is None
            and not decision.automated
            and self.site.now <= decision.appeal_until
        )

    @property
    def max_appeal_chars(self) -> int:
        """Of an appeal's text."""
        return MAX_REPORT_CHARS


def ticket_path(ticket: str) -> str:
    """The private page of a report."""
    return f"/report/{quote(ticket, safe='')}"
