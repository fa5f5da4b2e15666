"""`luckrig admin`: what a tracker's operators decide. The tracker checks that you are one."""

import asyncio
import os
import time
from typing import Final

import click

from luckrig.cli.home import Home
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import print_json, say
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import (
    MAX_REASON_CHARS,
    AnchorReply,
    BanReply,
    InviteReply,
    LiftReply,
)

DAY_SECONDS: Final = 86_400
MAX_DAYS: Final = 3650


@click.group("admin")
def command() -> None:
    """Decide who stays out of a tracker, and who is known to it.

    For its operators: those whose ids stand in the tracker's LUCKRIG_TRACKER_OPERATORS.
    """


@command.command()
@click.argument("subject", metavar="u1…|n1…")
@click.option(
    "--reason",
    required=True,
    help=f"For the banned one; at most {MAX_REASON_CHARS} characters.",
)
@click.option("--days", type=click.IntRange(1, MAX_DAYS), help="How long.  [default: for good]")
@json_option
@tracker_option
def ban(
    subject: str, reason: str, days: int | None, as_json: bool, tracker: TrackerAddress
) -> None:
    """Ban a user (u1…) or a rig (n1…).

    A user's running requests end at every rig within seconds. A rig vanishes from the map.
    """
    if not 1 <= len(reason) <= MAX_REASON_CHARS:
        raise click.UsageError(f"--reason takes 1 to {MAX_REASON_CHARS} characters.")
    expires_at = None if days is None else int(time.time()) + days * DAY_SECONDS
    reply = asyncio.run(_ban(tracker, subject, reason, expires_at, _operator_key()))
    if as_json:
        print_json(reply)
    else:
        how_long = "for good" if days is None else f"for {days} day{'s' * (days > 1)}"
        say(f"Banned {reply.subject} {how_long}.")


@command.command()
@click.argument("subject", metavar="u1…|n1…")
@json_option
@tracker_option
def lift(subject: str, as_json: bool, tracker: TrackerAddress) -> None:
    """End a ban."""
    reply = asyncio.run(_lift(tracker, subject, _operator_key()))
    if as_json:
        print_json(reply)
    elif reply.was_banned:
        say(f"Lifted the ban of {reply.subject}.")
    else:
        say(f"{reply.subject} wasn't banned.")


@command.command()
@click.argument("user", metavar="u1…")
@click.option("--end", is_flag=True, help="Take it back; what was given in the meantime stays.")
@json_option
@tracker_option
def anchor(user: str, end: bool, as_json: bool, tracker: TrackerAddress) -> None:
    """Say, in the public ledger, that a user is a person you know.

    Every voice that counts in scores goes back to somebody who was anchored: docs/CONTRIBUTION.md
    says why. Anchor yourself first.
    """
    reply = asyncio.run(_anchor(tracker, user, not end, _operator_key()))
    if as_json:
        print_json(reply)
    elif reply.trusted:
        say(f"Anchored {reply.user_id}, in the ledger {reply.account}.")
    else:
        say(f"{reply.user_id}, in the ledger {reply.account}, is no longer anchored.")


@command.command()
@click.option("--uses", type=click.IntRange(1, 1000), default=1, help="Keys it is good for.")
@click.option("--days", type=click.IntRange(1, 365), default=7, help="How long it is good.")
@json_option
@tracker_option
def invite(uses: int, days: int, as_json: bool, tracker: TrackerAddress) -> None:
    """Make an invite, for a tracker that takes new keys with one.

    Whoever gets the code runs: luckrig token --invite CODE
    """
    reply = asyncio.run(_invite(tracker, uses, days, _operator_key()))
    if as_json:
        print_json(reply)
    else:
        say(reply.code)


def _operator_key() -> PrivateKey:
    """Never made on the fly: a new key is no operator's."""
    return Home.from_env(os.environ).load("user")


async def _ban(
    address: TrackerAddress,
    subject: str,
    reason: str,
    expires_at: int | None,
    key: PrivateKey,
) -> BanReply:
    async with ask_tracker(address) as client:
        return await client.ban(subject, reason=reason, expires_at=expires_at, operator_key=key)


async def _invite(address: TrackerAddress, uses: int, days: int, key: PrivateKey) -> InviteReply:
    from luckrig.client.users import make_invite

    async with ask_tracker(address) as client:
        return await make_invite(client, uses=uses, days=days, operator_key=key)


async def _lift(address: TrackerAddress, subject: str, key: PrivateKey) -> LiftReply:
    async with ask_tracker(address) as client:
        return await client.lift(subject, operator_key=key)


async def _anchor(
    address: TrackerAddress, user_id: str, trusted: bool, key: PrivateKey
) -> AnchorReply:
    async with ask_tracker(address) as client:
        return await client.anchor(user_id, trusted=trusted, operator_key=key)
