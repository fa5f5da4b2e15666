"""`luckrig filter test`: which rule a text breaks, and how it had to be read to see that.

For the rig's owner, on the rig's own machine: a client is told the category and nothing else.
"""

import os
import sys
from pathlib import Path
from typing import Final

import click
import msgspec

from luckrig.cli.home import Home
from luckrig.cli.options import json_option
from luckrig.cli.output import Column, note, print_json, print_table, say
from luckrig.cli.rules import own_packs
from luckrig.nodeproxy.filters.pack import shipped_packs
from luckrig.nodeproxy.filters.rules import Hit, RuleSet
from luckrig.protocol.errors import LuckrigError

MAX_TEXT_BYTES: Final = 16 * 1024 * 1024
_BROKEN: Final = 1


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What --json prints. hits: each rule once for each view in which it is broken."""

    refused: bool
    packs: list[str]
    hits: list[Hit]


@click.group("filter")
def command() -> None:
    """Look at the rules that a rig runs before a request reaches its engine.

    Rules catch what is plainly forbidden. They are no promise of safety.
    """


@command.command("test")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), default="-")
@click.option(
    "--rules",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with further packs (*.toml), instead of $LUCKRIG_HOME/rules.",
)
@json_option
@click.pass_context
def test(ctx: click.Context, file: str, folder: Path | None, as_json: bool) -> None:
    """Say which rules a text breaks.

    FILE is a text in UTF-8; without it, or with -, the text comes from stdin. Exit code 1 means
    that a rig with these rules refuses the text, 0 that it doesn't.
    """
    packs = [*shipped_packs(), *own_packs(folder or Home.from_env(os.environ).rules_folder)]
    text = _read(file)
    found = dict.fromkeys(RuleSet(packs).hits(text))
    report = Report(refused=bool(found), packs=[pack.name for pack in packs], hits=list(found))
    if as_json:
        print_json(report)
    else:
        _print(report)
    ctx.exit(_BROKEN if report.refused else 0)


def _read(file: str) -> str:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(MAX_TEXT_BYTES + 1)
        if len(content) > MAX_TEXT_BYTES:
            raise LuckrigError("invalid_request", f"A text has at most {MAX_TEXT_BYTES:,} bytes.")
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LuckrigError("invalid_request", "This text isn't UTF-8.") from error


def _print(report: Report) -> None:
    if not report.refused:
        say("No rule is broken.")
    else:
        say("Refused. A client is told the first category, and nothing else.\n")
        columns = (Column("Category"), Column("Pack"), Column("Rule"), Column("Seen in"))
        print_table(
            columns, [(hit.category, hit.pack, hit.rule_id, hit.view) for hit in report.hits]
        )
    note(f"Packs: {', '.join(report.packs)}. Rules catch what is plain; they promise nothing.")
