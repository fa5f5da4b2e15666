"""`luckrig status`, `luckrig appeal`: who you are at a tracker, what was decided about you."""

import asyncio
import os
import shlex
import time
from pathlib import Path

import click
import msgspec

from luckrig.cli.asking import COUNTER_QUESTIONS, ask, ask_form, can_ask, need, read_form
from luckrig.cli.home import Home
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import Cell, print_facts, print_json, say
from luckrig.cli.statements import holds, print_notice
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import MAX_REPORT_CHARS, AppealText, CounterNotice, DecisionNotice


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig status --json` prints.

    tier: what was earned, None where the tracker doesn't say. in_force: how many decisions hold
    now. open_appeals: of your own.
    """

    tracker: str
    user_id: str
    tier: str | None
    in_force: int
    open_appeals: int
    decisions: list[DecisionNotice]


@click.command("status")
@json_option
@tracker_option
def status(as_json: bool, tracker: TrackerAddress) -> None:
    """Show who you are at a tracker, and what its operators decided about you, and why.

    About you, your rigs and your notes. How your own rig is: luckrig node status
    """
    found = asyncio.run(_standing(tracker, Home.from_env(os.environ).load("user")))
    if as_json:
        print_json(found)
    else:
        _print(found)


@click.command("appeal")
@click.argument("decision", metavar="DECISION")
@click.option("--text", help="Why it is wrong.")
@click.option(
    "--counter-notice",
    "counters",
    is_flag=True,
    help="With a counter-notice, 17 USC 512(g)(3); asks for what it needs.",
)
@click.option(
    "--counter-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The same in TOML: name, address, phone, signature, mistaken, consent.",
)
@json_option
@tracker_option
def appeal(
    decision: str,
    text: str | None,
    counters: bool,
    counter_file: Path | None,
    as_json: bool,
    tracker: TrackerAddress,
) -> None:
    """Have another operator look at a decision about you. `luckrig status` shows its id."""
    key = Home.from_env(os.environ).load("user")
    said = need(text, "--text", lambda: ask("Why is it wrong", max_chars=MAX_REPORT_CHARS))
    notice = asyncio.run(_appeal(tracker, decision, said, _counter(counters, counter_file), key))
    if as_json:
        print_json(notice)
    else:
        say("Sent. Another operator looks at it, if the tracker has one. `luckrig status` tells.")
        say("")
        print_notice(notice, now=time.time(), appeal_with=None)


def _counter(asked_for: bool, file: Path | None) -> CounterNotice | None:
    if file is not None:
        return read_form(file, CounterNotice)
    if not asked_for:
        return None
    if not can_ask():
        raise click.UsageError("--counter-notice asks questions; for scripts: --counter-file")
    return ask_form(CounterNotice, COUNTER_QUESTIONS)


def _print(found: Standing) -> None:
    now = time.time()
    standing = Cell("nothing was decided about you, your rigs or your notes", "green")
    if found.decisions:
        count = len(found.decisions)
        decisions = f"{count} decision{'s' * (count > 1)} about you, your rigs or your notes"
        standing = Cell(f"{decisions}, {found.in_force} in force", "red" * bool(found.in_force))
    facts: list[tuple[str, Cell | str]] = [
        ("tier", found.tier or "none"),
        ("standing", standing),
        ("appeals", f"{found.open_appeals} without an answer"),
    ]
    print_facts(Cell(f"You are {found.user_id} at {found.tracker}", "bold"), facts)
    for notice in found.decisions:
        say("")
        how = f"luckrig appeal {shlex.quote(notice.decision_id)}"
        print_notice(notice, now=now, appeal_with=how)


async def _standing(address: TrackerAddress, key: PrivateKey) -> Standing:
    from luckrig.client.me import statements

    async with ask_tracker(address) as client:
        decisions = (await statements(client, user_key=key)).decisions
        try:
            tier: str | None = (await client.score(user_key=key)).tier
        except LuckrigError as error:
            if error.code != "banned":
                raise
            tier = None
    now = time.time()
    return Standing(
        tracker=address.origin,
        user_id=derive_id("u1", key.public),
        tier=tier,
        in_force=sum(holds(notice, now=now) for notice in decisions),
        open_appeals=sum(
            notice.appeal is not None and notice.appeal.answered_at is None for notice in decisions
        ),
        decisions=decisions,
    )


async def _appeal(
    address: TrackerAddress,
    decision_id: str,
    text: str,
    counter: CounterNotice | None,
    key: PrivateKey,
) -> DecisionNotice:
    from luckrig.client.me import appeal as send

    async with ask_tracker(address) as client:
        said = AppealText(decision_id=decision_id, text=text, counter_notice=counter)
        return await send(client, said, user_key=key)
