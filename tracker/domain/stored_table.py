"""How a table is described in stored_data.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Names = Literal["user", "node", "account", "note", "subject", "appellant", "case", "decision"]
"""What an id column holds.

* user: a key's id. node: a rig's. account: a name in the ledger. case, decision: their ids.
* note: the id of a note that is somebody's, or about a rig of theirs.
* subject: any of these, or a reply of a rig; a note only if it is somebody's own.
* appellant: a user's id, or that of a report which a user signed.
"""
Unless = Literal[
    "open case", "live case", "in force", "appealed", "unanswered", "running", "banned"
]
"""What keeps a row as it is when its person deletes their account; a legal hold always does.

* open case: its case waits for a decision. live case: or a decision in it holds something, or an
  appeal in it waits for an answer.
* in force, appealed: a decision that holds its target, or has an appeal that waits.
* unanswered: an appeal that waits. running: a token that hasn't expired.
* banned: a decision holds one of the person's keys.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """names: what kind of id it holds, if it does. shown_with: exported only where that column
    names the person; it is somebody else's otherwise."""

    name: str
    what: str
    names: Names | None = None
    shown_with: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What deleting an account does to rows that name the person in one of the columns `by`.

    empties: column → what it is set to, where it isn't NULL; {appeal_id} stands for that column's
    value. None: the row is deleted, whatever else applies to it.
    """

    by: tuple[str, ...]
    empties: Mapping[str, str | int | None] | None = None
    unless: tuple[Unless, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table.

    mine: columns; a row that names a person in one of them is in their export. rules: all that
    apply are applied; without any, the table stays as it is.
    """

    name: str
    columns: tuple[Column, ...]
    mine: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = field(default=())

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError."""
        return {column.name: column for column in self.columns}[name]


def col(
    name: str, what: str, names: Names | None = None, *, shown_with: str | None = None
) -> Column:
    """A column of a Table."""
    return Column(name=name, what=what, names=names, shown_with=shown_with)
