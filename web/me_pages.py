"""What /login and /me show, as frozen values; see web/pages.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from luckrig.protocol.reports import MAX_NAME_CHARS, MAX_REPORT_CHARS, DecisionNotice
from luckrig.protocol.wire import NodeStatus, ScoreReply
from luckrig.web.operator_pages import Viewer
from luckrig.web.pages import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """/login/{code}. user_id: who would be signed in."""

    template: ClassVar[str] = "login.html"

    site: Site
    code: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRig:
    """A rig of whoever looks. is_listed: whether it is on the map."""

    node_id: str
    name: str
    status: NodeStatus
    is_listed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MePage:
    """/me. statements: what operators decided about this user, the newest first.

    problem: why the form that was sent wasn't taken. draft: what it said, by its fields' names.
    """

    template: ClassVar[str] = "me.html"

    site: Site
    viewer: Viewer
    score: ScoreReply
    statements: Sequence[DecisionNotice]
    rigs: Sequence[OwnRig]
    problem: str | None = None
    draft: Mapping[str, str] = field(default_factory=dict[str, str])

    max_chars: ClassVar[int] = MAX_REPORT_CHARS
    max_name: ClassVar[int] = MAX_NAME_CHARS

    def may_appeal(self, notice: DecisionNotice) -> bool:
        """Whether there is still a form for it."""
        return (
            notice.appeal is None
            and notice.undone_at is None
            and self.site.now <= notice.appeal_until
        )

    def is_over(self, notice: DecisionNotice) -> bool:
        """Whether it holds nothing any more."""
        ended = notice.expires_at is not None and notice.expires_at <= self.site.now
        return ended or notice.undone_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class GonePage:
    """After POST /me/delete. held: whether a legal hold kept some of it."""

    template: ClassVar[str] = "me_gone.html"

    site: Site
    erased: Mapping[str, int]
    held: bool
