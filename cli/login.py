"""`luckrig login`: sign a browser in with your key."""

import asyncio
import os
import webbrowser

import click

from luckrig.cli.home import Home
from luckrig.cli.moments import utc
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import note, print_json, say
from luckrig.protocol.account import LoginReply
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.keys import PrivateKey


@click.command("login")
@click.option("--operator", is_flag=True, help="To the operators' pages; says so if you are none.")
@click.option("--open", "opens", is_flag=True, help="Open the address in your browser at once.")
@json_option
@tracker_option
def command(operator: bool, opens: bool, as_json: bool, tracker: TrackerAddress) -> None:
    """Print an address that signs one browser in as you, once.

    There you read what was decided about you, appeal, and export or delete your data.
    """
    key = Home.from_env(os.environ).load("user")
    reply = asyncio.run(_login(tracker, key, operator))
    if as_json:
        print_json(reply)
    else:
        say(reply.url)
        note(f"Good once, until {utc(reply.expires_at)}. Whoever opens it is you: don't share it.")
        if operator:
            note(f"When you are in: {tracker.origin}/operator")
    if opens and not webbrowser.open(reply.url):
        note("No browser could be opened here. Open the address yourself.")


async def _login(address: TrackerAddress, key: PrivateKey, operator: bool) -> LoginReply:
    from luckrig.client.me import login
    from luckrig.client.operators import cases

    async with ask_tracker(address) as client:
        if operator:
            await cases(client, operator_key=key)  # raises operators_only
        return await login(client, user_key=key)
