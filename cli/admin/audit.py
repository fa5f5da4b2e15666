"""`luckrig admin audit`: read the operators' log, and check it against the one of last time.

$LUCKRIG_HOME/audit-heads.json    as log-heads.json, see heads.py
"""

import asyncio
import os
import re
from typing import Final

import click
import msgspec

from luckrig.cli.admin.options import operator_key
from luckrig.cli.heads import (
    LogReport,
    SeenHead,
    SeenHeads,
    print_since,
    report_of,
    tip_of,
)
from luckrig.cli.home import Home
from luckrig.cli.lazy import DefaultGroup
from luckrig.cli.moments import utc
from luckrig.cli.nodes import SHORT_ID_CHARS
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import Cell, Column, print_json, print_table, safe_line, say
from luckrig.client.audit import VerifiedAudit, broken, verify_audit
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.desk import AuditLine
from luckrig.protocol.keys import PrivateKey

HEADS_FILE: Final = "audit-heads.json"
MAX_SHOWN: Final = 10_000

_ID: Final = re.compile(r"\b([nu]1[a-z2-7]{8})[a-z2-7]{24}\b")
_UNTIL: Final = re.compile(r"[0-9]{9,11}")
"""What a hold's line says: until when, Unix seconds."""
_HASH: Final = re.compile(r"\b([0-9a-f]{10})[0-9a-f]{54}\b")


class ShownLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line as any tracker writes it, newer ones too. position: from 0. at: Unix seconds."""

    position: int = 0
    at: int
    by: str
    event: str
    subject: str
    detail: str = ""
    text_hash: str = ""


class AuditReport(LogReport, frozen=True, kw_only=True):
    """What the commands print with --json."""

    lines: list[ShownLine]


@click.group("audit", cls=DefaultGroup, default="show")
def audit() -> None:
    """Read and check the operators' log: who decided what, and when.

    A tracker chains every line to all before it and signs the end, so that nobody, an operator
    included, can change what was done without the others noticing.
    """


@audit.command()
@click.option(
    "--last", type=click.IntRange(1, MAX_SHOWN), default=40, show_default=True, help="Lines."
)
@json_option
@tracker_option
def show(last: int, as_json: bool, tracker: TrackerAddress) -> None:
    """Show the log's last lines, after checking all of it."""
    address, seen, found = _checked(tracker, keep=last)
    lines = [_shown(line) for line in found.lines]
    if as_json:
        print_json(_report(address, found, seen, lines))
        return
    print_table(
        (Column("Line", justify="right"), Column("Time (UTC)", min_width=16), Column("Who"),
         Column("Event"), Column("What", min_width=16), Column("Detail")),
        [_row(line) for line in lines],
    )  # fmt: skip
    _print_result(address, found, seen)


@audit.command()
@json_option
@tracker_option
def verify(as_json: bool, tracker: TrackerAddress) -> None:
    """Check the log from its first line on."""
    address, seen, found = _checked(tracker, keep=0)
    if as_json:
        print_json(_report(address, found, seen, []))
    else:
        _print_result(address, found, seen)


def _checked(
    tracker: TrackerAddress, *, keep: int
) -> tuple[TrackerAddress, SeenHead | None, VerifiedAudit]:
    heads = SeenHeads(Home.from_env(os.environ), HEADS_FILE, "the audit log")
    address, seen = heads.pin(tracker)
    found = asyncio.run(_verify(address, seen, keep, operator_key()))
    heads.remember(address.origin, found.head)
    return address, seen, found


async def _verify(
    address: TrackerAddress, seen: SeenHead | None, keep: int, key: PrivateKey
) -> VerifiedAudit:
    async with ask_tracker(address) as client:
        return await verify_audit(client, operator_key=key, known=tip_of(seen), keep=keep)


def _shown(line: AuditLine) -> ShownLine:
    """Never the line as it came: JSON may hold line breaks between its words."""
    try:
        entry = msgspec.json.decode(line.entry, type=ShownLine)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken(line.position, "it isn't an entry of an audit log") from error
    return msgspec.structs.replace(entry, position=line.position)


def _row(line: ShownLine) -> list[Cell | str]:
    return [
        Cell(str(line.position), "dim"),
        utc(line.at).removesuffix(" UTC"),
        safe_line(line.by[:SHORT_ID_CHARS]) or "tracker",
        safe_line(line.event),
        _short(line.subject),
        utc(int(line.detail)) if _UNTIL.fullmatch(line.detail) else _short(line.detail),
    ]


def _short(text: str) -> str:
    """Ids as the other tables show them."""
    return safe_line(_HASH.sub(r"\1…", _ID.sub(r"\1", text)))


def _report(
    address: TrackerAddress, found: VerifiedAudit, seen: SeenHead | None, lines: list[ShownLine]
) -> AuditReport:
    report = report_of(address, found.head, seen)
    return AuditReport(**msgspec.structs.asdict(report), lines=lines)


def _print_result(address: TrackerAddress, found: VerifiedAudit, seen: SeenHead | None) -> None:
    head = found.head
    say(f"The audit log of {address.origin} is whole: {head.size} lines, head")
    say(f"{head.hash}.")
    print_since(seen, "lines")
