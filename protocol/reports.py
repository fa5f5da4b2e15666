"""Reports, cases, decisions and appeals: that part of the tracker's JSON, and the words for it.

Somebody reports a *subject*; reports about one subject join one *case*; an operator's *decision*
closes it, acts on a *target* (the subject, or whoever stands behind it) and carries a reason. The
affected and the reporter may *appeal*.
"""

import ipaddress
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NODE_ID_PATTERN, USER_ID_PATTERN
from luckrig.protocol.tokens import Opaque

Category = Literal[
    "child_safety", "intimate_images", "threat", "privacy", "illegal", "copyright", "terms"
]
SubjectKind = Literal["node", "note", "user", "reply"]
"""What a report is about. A reply is one request at one rig: n1…/request id."""
TargetKind = Literal["node", "note", "user", "network"]
"""What a decision acts on. A network: an address block in CIDR notation."""
Action = Literal["dismiss", "limit", "hide", "suspend", "ban"]
Ground = Literal["law", "terms"]
Language = Literal["en", "ja"]


class CategoryRule(NamedTuple):
    """severity: 7 is decided first. hours: until a decision is due."""

    severity: int
    hours: int


CATEGORIES: Final[Mapping[Category, CategoryRule]] = MappingProxyType(
    {
        "child_safety": CategoryRule(7, 48),
        "intimate_images": CategoryRule(6, 48),
        "threat": CategoryRule(5, 72),
        "privacy": CategoryRule(4, 72),
        "illegal": CategoryRule(3, 72),
        "copyright": CategoryRule(2, 72),
        "terms": CategoryRule(1, 168),
    }
)
"""48 h: TAKE IT DOWN; 168 h: Japan's Information Distribution Platform Act. COMPLIANCE.md."""

ACTIONS: Final[Mapping[TargetKind, tuple[Action, ...]]] = MappingProxyType(
    {
        "node": ("limit", "suspend", "ban"),
        "note": ("hide",),
        "user": ("limit", "suspend", "ban"),
        "network": ("suspend", "ban"),
    }
)
"""What an operator can do to what; `dismiss` aside, which does nothing to anything.

* limit: a user has the limited tier, whatever they have earned; a rig is on no list, and whoever
  knows its id may use it.
* hide: a note is shown to nobody. A rig or note may be hidden before anybody has decided, on a
  trusted notifier's word: it is on no list, and there are no new tokens for it.
* ban, and for some days suspend: a user gets no tokens, publishes nothing, and what runs is cut; a
  rig is on no list, there are no tokens for it, and its tunnel is closed; from a network come no
  new keys, tokens, rigs, tunnels, and no requests through the relay; it may read, report, appeal.
"""

MAX_REASON_CHARS: Final = 1000
"""Of a decision, an appeal's answer, an undo."""
MAX_REPORT_CHARS: Final = 4000
MAX_NAME_CHARS: Final = 200
MAX_EMAIL_CHARS: Final = 254
MAX_SUSPENSION_DAYS: Final = 3650
MIN_HOLD_DAYS: Final = 365
"""18 USC 2258A(h): a year."""
APPEAL_DAYS: Final = 180
"""How long after a decision it may be appealed."""

_NOTE_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_NODE_ID: Final = re.compile(NODE_ID_PATTERN)
_USER_ID: Final = re.compile(USER_ID_PATTERN)
_EMAIL: Final = re.compile(r"[^@\s<>\"(),:;\\]+@[^@\s<>\"(),:;\\]+")
_WIDEST: Final = {4: 16, 6: 32}
"""Prefix lengths: nobody bans half the world by a slip."""
_NARROWEST: Final = {4: 24, 6: 56}
"""What a tracker tells networks apart by; it doesn't look at single addresses."""

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_REASON_CHARS)]
ReportText = Annotated[str, msgspec.Meta(max_length=MAX_REPORT_CHARS)]
ShortText = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARS)]
Ticket = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
"""What whoever reported holds: 256 bits, the only way to the report's page."""


class CopyrightClaim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What 17 USC 512(c)(3) asks of a notice besides name, e-mail and good faith.

    accurate: the statement, under penalty of perjury, that the notice is accurate and its sender
    may act for the owner. signature: the full name, typed.
    """

    work: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_REPORT_CHARS)]
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    phone: Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
    accurate: bool
    signature: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARS)]


class CounterNotice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What 17 USC 512(g)(3) asks of whoever wants removed material back.

    mistaken: the statement, under penalty of perjury, that it was removed by mistake. consent: to
    the jurisdiction of the court for the address, and to service of process.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARS)]
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    phone: Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
    mistaken: bool
    consent: bool
    signature: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_CHARS)]


class ReportRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report. form_id: chosen by whoever sends it; the same one again is the same report.

    name, email: may stay empty for child_safety only. good_faith: must be true.
    """

    form_id: Opaque
    subject_kind: SubjectKind
    subject_id: Annotated[str, msgspec.Meta(max_length=100)]
    category: Category
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_REPORT_CHARS)]
    evidence: ReportText = ""
    name: ShortText = ""
    email: Annotated[str, msgspec.Meta(max_length=MAX_EMAIL_CHARS)] = ""
    good_faith: bool
    language: Language = "en"
    copyright: CopyrightClaim | None = None


class ReportReply(msgspec.Struct, frozen=True, kw_only=True):
    """The receipt. page: the private address that shows what becomes of it. Times: Unix seconds."""

    ticket: Ticket
    page: str
    category: Category
    received_at: int
    due_at: int


class AppealView(msgspec.Struct, frozen=True, kw_only=True):
    """An appeal. answer, answered_at: None while it is open. upheld: whether the decision stands.

    same_reviewer: whoever decided also answered, because the tracker has one operator only. text,
    counter_notice: None once anonymised.
    """

    appeal_id: str
    decision_id: str
    by: Literal["affected", "reporter"]
    text: str | None
    counter_notice: CounterNotice | None = None
    received_at: int
    answered_at: int | None = None
    upheld: bool | None = None
    answer: str | None = None
    same_reviewer: bool = False


class DecisionNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of reasons: what an operator decided, why, and what can be done about it.

    category: of the case; None where nobody had reported anything. rule: which law or which of the
    terms. automated: whether no person decided; true for a rig or
    note that is hidden, on a trusted notifier's word, until a person looks. undone_at: None while
    it stands. appeal_until: Unix seconds.
    """

    decision_id: str
    target_kind: TargetKind
    target_id: str
    action: Action
    category: Category | None
    ground: Ground
    rule: str
    reason: str
    automated: bool
    decided_at: int
    expires_at: int | None = None
    undone_at: int | None = None
    undone_reason: str | None = None
    appeal_until: int
    appeal: AppealView | None = None


class ReportStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever reported gets to see. decisions: those of the report's case, oldest first.

    A decision's target_id is "" unless it is about the subject, or the rig of a reply: nobody
    learns by a report who stands behind something.
    """

    subject_kind: SubjectKind
    subject_id: str
    category: Category
    received_at: int
    due_at: int
    closed_at: int | None
    decisions: list[DecisionNotice]


class AppealText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An appeal. counter_notice: for a decision on copyright, by the affected one."""

    decision_id: Opaque
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_REPORT_CHARS)]
    counter_notice: CounterNotice | None = None


class StatementsReply(msgspec.Struct, frozen=True, kw_only=True):
    """What operators decided about a user, their rigs and their notes; the newest first."""

    decisions: list[DecisionNotice]


def check_report(report: ReportRequest) -> None:
    """Raises PeerError invalid_request, naming the field, unless a report is complete."""
    check_subject(report.subject_kind, report.subject_id)
    if not report.good_faith:
        raise _missing("good_faith", "Say that you report in good faith.")
    if not report.reason.strip():
        raise _missing("reason", "Say what is wrong.")
    if report.category != "child_safety":
        if not report.name.strip():
            raise _missing("name", "Give your name; only child safety can be reported without.")
        if not report.email:
            raise _missing("email", "Give your e-mail address, so that you can be answered.")
    if report.email and not is_email(report.email):
        raise _missing("email", "This isn't an e-mail address.")
    if (report.category == "copyright") != (report.copyright is not None):
        raise _missing("copyright", "A copyright notice, and no other, has its own fields.")
    if report.copyright is not None and not report.copyright.accurate:
        raise _missing("accurate", "The law asks for this statement.")


def is_email(text: str) -> bool:
    """Whether a text has the shape of an e-mail address; nothing more can be known of one."""
    return len(text) <= MAX_EMAIL_CHARS and _EMAIL.fullmatch(text) is not None


def check_subject(kind: SubjectKind, subject_id: str) -> None:
    """Raises PeerError invalid_request unless the id has the shape that its kind asks for."""
    node_id, slash, request_id = subject_id.partition("/")
    shapes: dict[SubjectKind, bool] = {
        "node": _NODE_ID.fullmatch(subject_id) is not None,
        "user": _USER_ID.fullmatch(subject_id) is not None,
        "note": _NOTE_ID.fullmatch(subject_id) is not None,
        "reply": slash == "/"
        and _NODE_ID.fullmatch(node_id) is not None
        and _NOTE_ID.fullmatch(request_id) is not None,
    }
    if not shapes[kind]:
        raise _missing("subject_id", f"This isn't the id of a {kind}.")


def check_target(kind: TargetKind, target_id: str) -> str:
    """The target's id in its one spelling; a network as a /24 or /56 at the narrowest.

    Raises PeerError invalid_request.
    """
    if kind != "network":
        check_subject(kind, target_id)
        return target_id
    try:
        network = ipaddress.ip_network(target_id, strict=False)
    except ValueError:
        raise _missing("target_id", "A network looks like 203.0.113.0/24.") from None
    if network.prefixlen < _WIDEST[network.version]:
        raise _missing("target_id", f"At widest, a network is a /{_WIDEST[network.version]}.")
    return str(network.supernet(new_prefix=min(network.prefixlen, _NARROWEST[network.version])))


def _missing(field: str, text: str) -> PeerError:
    return PeerError("invalid_request", text, param=field)
