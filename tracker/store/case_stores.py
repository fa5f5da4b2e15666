"""The part of the store's interface that is about reports, sessions and people's own data.

Every store passes the same suite, tests/tracker/cases_contract.py.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, cast

from luckrig.protocol.account import Cell
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.reports import SubjectKind
from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.domain.cases import (
    AppealRecord,
    CaseRecord,
    DecisionRecord,
    HoldRecord,
    ReportRecord,
    SessionRecord,
)
from luckrig.tracker.domain.quotas import Use


class AuditRow(NamedTuple):
    """A stored line of the audit log: canonical JSON, and the hash over it and all before it."""

    position: int
    entry: bytes
    hash: bytes


class CaseCounts(NamedTuple):
    """open: cases without a decision. appealed: cases with an appeal that nobody answered."""

    open: int
    appealed: int


class Person(NamedTuple):
    """Whose rows: every key the user had (u1…), their rigs (n1…), their name in the ledger."""

    user_ids: frozenset[str]
    node_ids: frozenset[str]
    account: str


class CaseStore(Protocol):
    """Reports, cases, decisions, appeals, holds and the audit log. Durable and atomic.

    `events` are appended to the audit log in the same step as what they tell of.
    """

    async def add_report(
        self, report: ReportRecord, *, uses: Sequence[Use], now: float, events: Sequence[AuditEntry]
    ) -> CaseRecord:
        """Store a report with the open case about its subject; return the case.

        Without such a case, one with the report's case_id is opened; with one, the report joins it
        and its own case_id is replaced. A report_id that is stored already changes nothing, costs
        nothing and returns its case. Events whose subject is the report's case_id get the id of the
        case it joined. Raises PeerError rate_limited.
        """
        ...

    async def report(self, ticket_hash: str) -> ReportRecord | None:
        """The report that a ticket is for."""
        ...

    async def reports_of(self, case_id: str, *, limit: int) -> list[ReportRecord]:
        """A case's reports, the newest first."""
        ...

    async def case(self, case_id: str) -> CaseRecord | None:
        """One case."""
        ...

    async def open_cases(
        self, *, after: CaseRecord | None, limit: int, appealed: bool = False
    ) -> list[CaseRecord]:
        """Open cases by severity, then urgency, then id; or those with an unanswered appeal.

        after: the last one of the page before.
        """
        ...

    async def cases_about(
        self, kind: SubjectKind, subject_id: str, *, limit: int
    ) -> list[CaseRecord]:
        """All cases about a subject, the newest first; of one second, the highest id first."""
        ...

    async def case_counts(self) -> CaseCounts:
        """How many cases wait for an operator."""
        ...

    async def put_decision(
        self,
        decision: DecisionRecord,
        *,
        opening: CaseRecord | None = None,
        events: Sequence[AuditEntry],
    ) -> bool:
        """Store a decision, and first the case `opening` that it makes where nobody had reported.

        Unless it is automated it closes its case, if it has one and that is open, and undoes what
        was automated in it: now a person has decided. False, and nothing changed, if it is
        automated and yields to what a person decided: DecisionRecord.yields_to.
        """
        ...

    async def undo_decision(self, undone: DecisionRecord, *, events: Sequence[AuditEntry]) -> bool:
        """Store that a decision was undone; False, and nothing changed, if it was before."""
        ...

    async def decision(self, decision_id: str) -> DecisionRecord | None:
        """One decision."""
        ...

    async def decisions_of(self, case_id: str) -> list[DecisionRecord]:
        """A case's decisions, the oldest first."""
        ...

    async def decisions_about(self, target_ids: Collection[str]) -> list[DecisionRecord]:
        """Every decision on those targets, undone and expired ones too, the newest first."""
        ...

    async def holding(self, *, now: float) -> Mapping[str, DecisionRecord]:
        """target id → the decision that holds it at `now`: domain.cases.holding. From memory."""
        ...

    async def put_appeal(self, appeal: AppealRecord, *, events: Sequence[AuditEntry]) -> bool:
        """Store an appeal; False, and nothing changed, if that side has appealed before."""
        ...

    async def appeal(self, appeal_id: str) -> AppealRecord | None:
        """One appeal."""
        ...

    async def appeals_of(self, decision_ids: Collection[str]) -> list[AppealRecord]:
        """The appeals against those decisions, the oldest first."""
        ...

    async def unanswered(self, case_ids: Collection[str]) -> Mapping[str, int]:
        """case id → how many appeals in it nobody has answered, for those that have any."""
        ...

    async def answer_appeal(
        self,
        answered: AppealRecord,
        *,
        undone: DecisionRecord | None,
        events: Sequence[AuditEntry],
    ) -> bool:
        """Store an answer, and the decision it undoes, as one; False if it was answered before."""
        ...

    async def put_hold(self, hold: HoldRecord, *, events: Sequence[AuditEntry]) -> None:
        """Hold a case; takes the place of an earlier hold of it."""
        ...

    async def release_hold(self, case_id: str, *, events: Sequence[AuditEntry]) -> bool:
        """End a hold; return whether there was one."""
        ...

    async def holds(self, *, now: float) -> list[HoldRecord]:
        """The holds in force at `now`. From memory."""
        ...

    async def log(self, events: Sequence[AuditEntry]) -> None:
        """Append to the audit log what changes nothing else."""
        ...

    async def audit(self, *, after: int, limit: int) -> list[AuditRow]:
        """Lines with a position above `after` (-1 for all), in order, `limit` at most."""
        ...

    async def audit_tip(self) -> tuple[int, bytes]:
        """(how many lines, hash of the last one or GENESIS)."""
        ...

    async def reports_between(self, since: int, until: int) -> list[ReportRecord]:
        """Reports received from `since` on and before `until`, without their texts and names."""
        ...

    async def decisions_between(self, since: int, until: int) -> list[DecisionRecord]:
        """Decisions made in that time, oldest first."""
        ...

    async def appeals_between(self, since: int, until: int) -> list[AppealRecord]:
        """Appeals received in that time, oldest first."""
        ...

    async def anonymise(self, *, before: int, now: float, held: Collection[str] = ()) -> int:
        """Empty what old rows tell of people; return how many were emptied.

        Reports received before that time, unless their case is open. Appeals received before it,
        once they are answered. Decisions that stopped to hold anything before it: whom they were
        about, and their texts; then their cases, too. What is held, or has an unanswered appeal,
        stays as it is. Holds that have ended are forgotten. held: ids under a legal hold: other
        cases about these stay, too.
        """
        ...


class SessionStore(Protocol):
    """Who is signed in, in which browser."""

    async def put_session(self, session: SessionRecord) -> None:
        """Remember a session, or that it was used."""
        ...

    async def session(self, token_hash: str) -> SessionRecord | None:
        """The session with that cookie."""
        ...

    async def end_session(self, token_hash: str) -> None:
        """Forget it."""
        ...

    async def end_sessions(self, user_ids: Collection[str]) -> int:
        """Forget every session of these keys; return how many."""
        ...

    async def prune_sessions(self, *, now: int) -> int:
        """Forget those that have expired; return how many."""
        ...


class PeopleStore(Protocol):
    """All that is stored of one person: domain/stored_data.py says what is in which table."""

    async def export(self, person: Person) -> dict[str, list[dict[str, Cell]]]:
        """table → the person's rows, as column → value; bytes as base64url. Empty tables too."""
        ...

    async def erase(
        self, person: Person, *, held: Collection[str], events: Sequence[AuditEntry], now: int
    ) -> dict[str, int]:
        """Delete or empty the person's rows; return table → how many.

        held: ids under a legal hold: rows that name one of them stay. What stays in any case, and
        why, is in domain/stored_data.py.
        """
        ...

    async def prune(self, *, now: int) -> int:
        """Forget what deleted accounts left for as long as a decision held them; return how many
        hand-overs."""
        ...


def exported(row: Mapping[str, object]) -> dict[str, Cell]:
    """A row as it stands in an export: JSON has no bytes."""
    return {
        name: b64url_encode(value) if isinstance(value, bytes) else cast("Cell", value)
        for name, value in row.items()
    }
