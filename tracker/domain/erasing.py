"""Which rows are a person's, and what becomes of a row when the person deletes their account.

Pure rules over rows (column → value) and stored_data.py; the stores find the rows and change them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from luckrig.tracker.domain.stored_table import Names, Rule, Table, Unless

Row = Mapping[str, object]
Verdict = Literal["delete"] | Mapping[str, object] | None
"""What becomes of a row: it goes; these columns change; or, None, it stays as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Own:
    """A person's ids. notes: those they wrote. lost_notes: these, and those about their rigs.

    replies: subjects of cases about replies of their rigs. reports: ids of reports they signed.
    """

    users: frozenset[str]
    nodes: frozenset[str]
    account: str
    notes: frozenset[str] = frozenset()
    lost_notes: frozenset[str] = frozenset()
    replies: frozenset[str] = frozenset()
    reports: frozenset[str] = frozenset()

    def ids(self, names: Names) -> frozenset[str]:
        """Theirs among what such a column holds."""
        kinds: dict[Names, frozenset[str]] = {
            "user": self.users,
            "node": self.nodes,
            "account": frozenset((self.account,)),
            "note": self.lost_notes,
            "subject": self.users | self.nodes | self.notes | self.replies,
            "appellant": self.users | self.reports,
        }
        return kinds.get(names, frozenset())


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What must stay as it is at `now`.

    held: ids under a legal hold, of cases and decisions too. open_cases, live_cases, appealed:
    case and decision ids, as stored_table.Unless has them. banned: whether a decision holds one of
    the person's keys.
    """

    now: float
    held: Collection[str]
    open_cases: Collection[str] = field(default=frozenset())
    live_cases: Collection[str] = field(default=frozenset())
    appealed: Collection[str] = field(default=frozenset())
    banned: bool = False


def is_mine(table: Table, row: Row, own: Own) -> bool:
    """Whether a row is in the person's export."""
    return _names(table, row, table.mine, own)


def shown(table: Table, row: Row, own: Own) -> dict[str, object]:
    """A row of theirs without what is somebody else's in it: that is None."""
    return {
        column.name: row[column.name]
        if column.shown_with is None or _names(table, row, (column.shown_with,), own)
        else None
        for column in table.columns
    }


def verdict(table: Table, row: Row, own: Own, standing: Standing) -> Verdict:
    """What becomes of a row of that table."""
    changes: dict[str, object] = {}
    for rule in table.rules:
        if not _names(table, row, rule.by, own) or _is_held(table, row, standing):
            continue
        if any(_KEEPS[reason](row, standing) for reason in rule.unless):
            continue
        if rule.empties is None:
            return "delete"
        changes |= _emptied(rule, row)
    return changes or None


def all_held(held: Collection[str], own: Own) -> frozenset[str]:
    """The ids under a legal hold; with one of the person's keys, all that is theirs is."""
    if own.users.isdisjoint(held):
        return frozenset(held)
    theirs = own.users | own.nodes | own.reports | own.lost_notes
    return frozenset(held) | theirs | {own.account}


def columns_by(table: Table) -> list[str]:
    """Every column by which a row can be somebody's."""
    return sorted({*table.mine, *(name for rule in table.rules for name in rule.by)})


def in_force(row: Row, now: float) -> bool:
    """domain.cases.DecisionRecord.in_force, of a row."""
    expires_at = row["expires_at"]
    return (
        row["action"] != "dismiss"
        and row["undone_at"] is None
        and (not isinstance(expires_at, int) or now < expires_at)
    )


def _names(table: Table, row: Row, columns: Iterable[str], own: Own) -> bool:
    for name in columns:
        names = table.column(name).names
        if names is not None and row[name] in own.ids(names):
            return True
    return False


def _is_held(table: Table, row: Row, standing: Standing) -> bool:
    return any(
        column.names is not None and _without_request(row[column.name]) in standing.held
        for column in table.columns
    )


def _without_request(value: object) -> str:
    """A reply's rig; other ids have no slash, except a network's, which isn't a person's."""
    return str(value).partition("/")[0]


def _emptied(rule: Rule, row: Row) -> dict[str, object]:
    assert rule.empties is not None  # noqa: S101 -- a rule that deletes doesn't come here
    changes: dict[str, object] = {}
    for name, value in rule.empties.items():
        if row[name] is not None:
            new = value.format(**row) if isinstance(value, str) else value
            if new != row[name]:
                changes[name] = new
    return changes


def _runs(row: Row, standing: Standing) -> bool:
    expires_at = row["expires_at"]
    return isinstance(expires_at, int) and standing.now < expires_at


_KEEPS: Final[Mapping[Unless, Callable[[Row, Standing], bool]]] = {
    "open case": lambda row, standing: row["case_id"] in standing.open_cases,
    "live case": lambda row, standing: row["case_id"] in standing.live_cases,
    "in force": lambda row, standing: in_force(row, standing.now),
    "appealed": lambda row, standing: row["decision_id"] in standing.appealed,
    "unanswered": lambda row, standing: row["answered_at"] is None,
    "running": _runs,
    "banned": lambda row, standing: standing.banned,
}
