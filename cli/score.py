"""`luckrig score`: what you contributed, why it counts as it does, and whether that is true."""

import asyncio
import os
from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from luckrig.cli.home import Home
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import Cell, Column, note, print_json, print_table, say
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import PeerError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import ScoreReply
from luckrig.tracker.domain.ledger import decode_entry
from luckrig.tracker.domain.score import AXIS_CAPS, points, score

_BAR_COLUMNS: Final = 20


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig score --verify --json` prints. entries: how many the chain has."""

    score: ScoreReply
    entries: int
    matches: bool


@click.command("score")
@click.option("--explain", is_flag=True, help="Show every term, not only the axes.")
@click.option(
    "--verify", is_flag=True, help="Fetch the whole ledger, check its chain, and compute it anew."
)
@json_option
@tracker_option
def command(explain: bool, verify: bool, as_json: bool, tracker: TrackerAddress) -> None:
    """Show your score at a tracker.

    A score is earned by what others got from you; docs/CONTRIBUTION.md has every formula. It counts
    whole days, UTC.
    """
    key = Home.from_env(os.environ).load("user")
    reply, ledger = asyncio.run(_fetch(tracker, key, with_ledger=verify))
    if ledger is not None:
        _recompute(reply, ledger)
    if as_json:
        print_json(
            reply if ledger is None else Verified(score=reply, entries=len(ledger), matches=True)
        )
        return
    _print_axes(reply)
    if explain:
        _print_terms(reply)
    _print_state(reply)
    if ledger is not None:
        say(f"Verified: the chain of {len(ledger)} entries is whole, and gives the same score.")


async def _fetch(
    address: TrackerAddress, key: PrivateKey, *, with_ledger: bool
) -> tuple[ScoreReply, list[bytes] | None]:
    async with ask_tracker(address) as client:
        reply = await client.score(user_key=key)
        return reply, await client.ledger() if with_ledger else None


def _recompute(reply: ScoreReply, ledger: list[bytes]) -> None:
    """Raises PeerError signature_invalid unless the ledger gives this very score."""
    try:
        entries = [decode_entry(line) for line in ledger]
    except (ValueError, RecursionError) as error:
        raise PeerError(
            "signature_invalid",
            "The ledger holds an entry that this luckrig doesn't know. Is it older than the"
            " tracker?",
        ) from error
    own = score(entries, reply.account, now=reply.as_of)
    computed = [(term.axis, term.what, term.amount) for term in own.terms]
    said = [(term.axis, term.what, term.amount) for term in reply.terms]
    if (computed, own.total) != (said, reply.total):
        raise PeerError(
            "signature_invalid",
            f"The tracker says {points(reply.total)} points, and its own ledger gives"
            f" {points(own.total)}. Ask its operator.",
        )


def _print_axes(reply: ScoreReply) -> None:
    rows: list[list[Cell | str]] = []
    for axis, cap in AXIS_CAPS.items():
        amount = sum(term.amount for term in reply.terms if term.axis == axis)
        filled = round(_BAR_COLUMNS * max(0, amount) / cap)
        bar = Cell("█" * filled + "·" * (_BAR_COLUMNS - filled), "green")
        rows.append([axis, bar, points(amount), Cell(f"of {cap // 1000}", "dim")])
    whole = f"of {sum(AXIS_CAPS.values()) // 1000}"
    rows.append([Cell("total", "bold"), "", Cell(points(reply.total), "bold"), Cell(whole, "dim")])
    print_table((Column("Axis"), Column(""), Column("Points", "right"), Column("")), rows)


def _print_terms(reply: ScoreReply) -> None:
    if not reply.terms:
        return
    say("")
    print_table(
        (Column("Points", "right"), Column("Axis"), Column("Why")),
        [(points(term.amount), term.axis, term.what) for term in reply.terms],
    )


def _print_state(reply: ScoreReply) -> None:
    day = datetime.fromtimestamp(reply.as_of, UTC)
    if reply.tier == "contributor":
        standing = "You are a contributor, for good."
    else:
        missing = max(0, reply.contributor_at - reply.total)
        standing = f"{points(missing)} points to go to contributor."
    say(f"\n{standing} This is the score at the end of {day:%Y-%m-%d}, UTC.")
    if reply.pending:
        what = "entry names you and counts" if reply.pending == 1 else "entries name you and count"
        note(f"{reply.pending} more {what} from midnight UTC on.")
    note(f"In the ledger you are {reply.account}.")
