"""What /login and /me show, as frozen values; see web/pages.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from luckrig.protocol.reports import MAX_NAME_CHARS, MAX_REPORT_CHARS, DecisionNotice
from luckrig.protocol.telemetry import Telemetry
from luckrig.protocol.wire import NodeStatus, QueueView, ScoreReply
from luckrig.web.operator_pages import Viewer
from luckrig.web.pages import Site
from luckrig.web.score_chart import ScoreChart, ScoreLine, draw_score

MAX_LINES: Final = 60
"""Terms in the table: a rig that many people used has thousands; `luckrig score` shows all."""

_KEY_WORDS: Final = (
    "script.insecure", "script.too_old", "script.other_address", "script.no_store",
    "script.failed", "script.unreachable", "script.signing_in", "sign_in.found", "sign_in.none",
    "key.here", "key.elsewhere", "key.elsewhere_none", "backup.has", "backup.saved",
    "backup.moving", "backup.moved", "backup.made", "restore.replaces", "restore.done",
    "restore.same", "restore.too_large", "restore.not_key", "restore.locked", "restore.other_kind",
)  # fmt: skip
"""What static/me/ says; placeholders are filled there."""


def script_words(site: Site) -> Mapping[str, str]:
    """name → text, with its placeholders, for the scripts of these pages."""
    return {name: site.words.texts[f"me.{name}"]["other"] for name in _KEY_WORDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage:
    """/me for whoever isn't signed in."""

    template: ClassVar[str] = "sign_in.html"

    site: Site

    @property
    def script_words(self) -> Mapping[str, str]:
        """See script_words."""
        return script_words(self.site)

    @property
    def command(self) -> str:
        """What to type where a key is."""
        return f"luckrig login --tracker '{self.site.address}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """/login/{code}. user_id: who would be signed in."""

    template: ClassVar[str] = "login.html"

    site: Site
    code: str
    user_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRig:
    """A rig of whoever looks. is_listed: whether it is on the map.

    day, week: receipts that came in so long. disputed: of the week's. said: its last heartbeat,
    None without a tunnel. wish_paused: what the owner asked of it here, None where that is no
    longer the last word; wish_at: when; is_confirmed: the rig has said that it knows.
    """

    node_id: str
    name: str
    status: NodeStatus
    is_listed: bool
    note: str = ""
    queue: QueueView | None = None
    opens_at: int | None = None
    last_seen_at: int | None = None
    day: int = 0
    week: int = 0
    disputed: int = 0
    said: Telemetry | None = None
    wish_paused: bool | None = None
    wish_at: int = 0
    is_confirmed: bool = False

    @property
    def is_paused(self) -> bool:
        """Whether the button says resume."""
        return self.wish_paused is True or self.status == "paused"

    @property
    def runs(self) -> QueueView | None:
        """Its queue, where that says something about now."""
        return self.queue if self.status in ("available", "busy") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnToken:
    """A token that was given to whoever looks. name: its rig's, None for one that is gone. state: a
    word of me.tokens."""

    node_id: str
    name: str | None
    issued_at: int
    expires_at: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnScore:
    """A score, and what it is made of. caps: axis → the most it can hold, thousandths of a point.

    worth: the amounts that the advice names, thousandths of a point, by the advice and its
    placeholder.
    """

    reply: ScoreReply
    lines: Sequence[ScoreLine]
    caps: Mapping[str, int]
    worth: Mapping[str, Mapping[str, int]]

    @property
    def chart(self) -> ScoreChart:
        """The picture."""
        return draw_score(
            self.lines,
            self.caps,
            total=self.reply.total,
            contributor_at=self.reply.contributor_at,
        )

    @property
    def shown(self) -> Sequence[ScoreLine]:
        """The terms of the table: all but the smallest gifts, where there are too many."""
        if len(self.lines) <= MAX_LINES:
            return self.lines
        largest = sorted(self.lines, key=lambda line: -abs(line.amount))[:MAX_LINES]
        return [line for line in self.lines if line in largest]

    @property
    def missing(self) -> int:
        """To contributor."""
        return max(0, self.reply.contributor_at - self.reply.total)

    @property
    def waits(self) -> int:
        """Own points that no gift matches yet."""
        return -sum(line.amount for line in self.lines if line.kind == "unmatched")

    @property
    def advice(self) -> Sequence[str]:
        """Words of me.raise, but for `unmatched`: what can still raise it, the largest first."""
        full = {
            axis
            for axis, cap in self.caps.items()
            if sum(line.amount for line in self.lines if line.axis == axis) >= cap
        }
        ways = (
            ("rig", {"existence", "scarcity"}),
            ("used", {"usage"}),
            ("rare", {"discovery"}),
            ("notes", {"notes"}),
            ("reproduce", {"notes"}),
            ("timings", {"notes"}),
        )
        has_rig = any(line.kind == "days" for line in self.lines)
        return [name for name, axes in ways if not axes <= full and not (name == "rig" and has_rig)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MePage:
    """/me. statements: what operators decided about this user, the newest first.

    tokens: the newest first; max_tokens: how many are shown at most. problem: why the form that was
    sent wasn't taken. draft: what it said, by its fields' names.
    """

    template: ClassVar[str] = "me.html"

    site: Site
    viewer: Viewer
    score: OwnScore
    statements: Sequence[DecisionNotice]
    rigs: Sequence[OwnRig]
    tokens: Sequence[OwnToken] = ()
    max_tokens: int = 50
    problem: str | None = None
    draft: Mapping[str, str] = field(default_factory=dict[str, str])

    max_chars: ClassVar[int] = MAX_REPORT_CHARS
    max_name: ClassVar[int] = MAX_NAME_CHARS

    @property
    def script_words(self) -> Mapping[str, str]:
        """See script_words."""
        return script_words(self.site)

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
