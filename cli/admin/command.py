"""The table of `luckrig admin`."""

from collections.abc import Mapping
from typing import Final

import click

from luckrig.cli.lazy import LazyCommand, LazyGroup

_CASES, _DECISIONS = "luckrig.cli.admin.cases", "luckrig.cli.admin.decisions"
_PEOPLE = "luckrig.cli.admin.people"

COMMANDS: Final[Mapping[str, LazyCommand]] = {
    "cases": LazyCommand(f"{_CASES}:cases", "List what waits for a decision, the gravest first."),
    "case": LazyCommand(f"{_CASES}:case", "Show one case with all there is to decide it by."),
    "decide": LazyCommand(f"{_DECISIONS}:decide", "Decide a case: any action on any target."),
    "dismiss": LazyCommand(f"{_DECISIONS}:dismiss", "Close a case and do nothing."),
    "limit": LazyCommand(f"{_DECISIONS}:limit", "Limit a user's tier; take a rig off the lists."),
    "suspend": LazyCommand(f"{_DECISIONS}:suspend", "Keep out for some days."),
    "ban": LazyCommand(f"{_DECISIONS}:ban", "Keep out a user, a rig or a network for good."),
    "hide": LazyCommand(f"{_DECISIONS}:hide", "Show a note to nobody."),
    "undo": LazyCommand(f"{_DECISIONS}:undo", "Take a decision back."),
    "lift": LazyCommand(f"{_DECISIONS}:lift", "Take back whatever holds somebody now."),
    "answer": LazyCommand(f"{_DECISIONS}:answer", "Answer an appeal."),
    "hold": LazyCommand(f"{_CASES}:hold", "Keep what a case is about, whatever anybody deletes."),
    "release": LazyCommand(f"{_CASES}:release", "End a legal hold."),
    "audit": LazyCommand("luckrig.cli.admin.audit:audit", "Read and check the operators' log."),
    "anchor": LazyCommand(f"{_PEOPLE}:anchor", "Say that a user is a person you know."),
    "invite": LazyCommand(f"{_PEOPLE}:invite", "Make an invite for new keys."),
}


@click.group("admin", cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Decide about reports, and who stays out of a tracker.

    For its operators: those whose ids stand in the tracker's LUCKRIG_TRACKER_OPERATORS. Each
    decision needs a reason, which the affected one reads; all go into a log that nobody can change
    unnoticed. In a browser: luckrig login --operator
    """
