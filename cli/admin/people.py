"""`luckrig admin anchor` and `invite`: who is known to a tracker, and who may come."""

import asyncio

import click

from luckrig.cli.admin.options import operator_key
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import print_json, say_line
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import AnchorReply, InviteReply


@click.command("anchor")
@click.argument("user", metavar="u1…")
@click.option("--end", is_flag=True, help="Take it back; what was given in the meantime stays.")
@json_option
@tracker_option
def anchor(user: str, end: bool, as_json: bool, tracker: TrackerAddress) -> None:
    """Say, in the public ledger, that a user is a person you know.

    Every voice that counts in scores goes back to somebody who was anchored: docs/CONTRIBUTION.md
    says why. Anchor yourself first.
    """
    reply = asyncio.run(_anchor(tracker, user, not end, operator_key()))
    if as_json:
        print_json(reply)
    elif reply.trusted:
        say_line(f"Anchored {reply.user_id}, in the ledger {reply.account}.")
    else:
        say_line(f"{reply.user_id}, in the ledger {reply.account}, is no longer anchored.")


@click.command("invite")
@click.option("--uses", type=click.IntRange(1, 1000), default=1, help="Keys it is good for.")
@click.option("--days", type=click.IntRange(1, 365), default=7, help="How long it is good.")
@json_option
@tracker_option
def invite(uses: int, days: int, as_json: bool, tracker: TrackerAddress) -> None:
    """Make an invite, for a tracker that takes new keys with one.

    Whoever gets the code runs: luckrig token --invite CODE
    """
    reply = asyncio.run(_invite(tracker, uses, days, operator_key()))
    if as_json:
        print_json(reply)
    else:
        say_line(reply.code)


async def _invite(address: TrackerAddress, uses: int, days: int, key: PrivateKey) -> InviteReply:
    from luckrig.client.users import make_invite

    async with ask_tracker(address) as client:
        return await make_invite(client, uses=uses, days=days, operator_key=key)


async def _anchor(
    address: TrackerAddress, user_id: str, trusted: bool, key: PrivateKey
) -> AnchorReply:
    async with ask_tracker(address) as client:
        return await client.anchor(user_id, trusted=trusted, operator_key=key)
