"""`luckrig token`: a token for one rig, ready for scripts.

stdout holds the token (or, on request, shell exports or JSON) and nothing else, so that
`OPENAI_API_KEY=$(luckrig token)` and `eval "$(luckrig token --env)"` work. The rest is on stderr.
"""

import asyncio
import os
import shlex
import time
from typing import TYPE_CHECKING, Final

import click

from luckrig.cli.home import Home, id_of
from luckrig.cli.key_registration import register
from luckrig.cli.nodes import gpu_name, short_id
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import note, print_json, say
from luckrig.cli.rigs import find_rig
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import NodeDetail, NodeView, TokenReply

if TYPE_CHECKING:
    pass

USER_KEY: Final = "user"


@click.command("token")
@click.argument("node", required=False)
@click.option(
    "--ttl", type=click.IntRange(30, 900), metavar="SECONDS", help="Shorter than the longest."
)
@click.option("--env", "as_env", is_flag=True, help="Print exports for a shell to eval.")
@click.option("--note", "note_id", metavar="ID", help="The note after which you picked the rig.")
@click.option("--invite", metavar="CODE", help="For a tracker that takes new keys with one.")
@json_option
@tracker_option
def command(
    node: str | None,
    ttl: int | None,
    as_env: bool,
    note_id: str | None,
    invite: str | None,
    as_json: bool,
    tracker: TrackerAddress,
) -> None:
    """Get a token for one rig.

    NODE is a rig's id, the first characters of its id (4 or more), or its exact name; it may be
    left out while only one rig is available. Your key is made on first use.

    \b
    eval "$(luckrig token --env)"      # any OpenAI client now uses that rig
    """
    if as_env and as_json:
        raise click.UsageError("--env and --json exclude each other.")
    user_key = load_user_key(Home.from_env(os.environ))
    try:
        detail, reply = asyncio.run(_get_token(tracker, node, user_key, ttl, note_id))
    except LuckrigError as error:
        if error.code != "registration_required":
            raise
        register(tracker, user_key, invite=invite)
        detail, reply = asyncio.run(_get_token(tracker, node, user_key, ttl, note_id))
    if as_json:
        print_json(reply)
        return
    _print_details(detail.node, reply, now=time.time())
    if as_env:
        _print_exports(reply)
    else:
        say(reply.token)


def load_user_key(home: Home) -> PrivateKey:
    """Your key, made on first use, which is then said."""
    is_new = USER_KEY not in home.names()
    key = home.load_or_create(USER_KEY)
    if is_new:
        note(
            f"Made your key {home.key_path(USER_KEY)}: you are {id_of(USER_KEY, key)}."
            " Keep a copy: luckrig keys export FILE"
        )
    return key


async def _get_token(
    tracker: TrackerAddress,
    wanted: str | None,
    user_key: PrivateKey,
    ttl_seconds: int | None,
    note_id: str | None,
) -> tuple[NodeDetail, TokenReply]:
    async with ask_tracker(tracker) as client:
        node_id = await find_rig(client, wanted)
        detail = await client.node(node_id)
        reply = await client.token(
            node_id, user_key=user_key, ttl_seconds=ttl_seconds, note_id=note_id
        )
    offered = {offer.model for offer in detail.node.offers}
    if reply.base_url != detail.node.base_url or not offered.issuperset(reply.models):
        raise PeerError(
            "signature_invalid",
            "The tracker's token leads to an address or model that the rig didn't sign."
            " Don't use this rig through this tracker.",
        )
    return detail, reply


def _print_details(node: NodeView, reply: TokenReply, *, now: float) -> None:
    seconds = max(0, reply.expires_at - int(now))
    lifetime = f"{seconds // 60} min" if seconds >= 120 else f"{seconds} s"
    note(f"rig       {short_id(node.id)}  {node.name}  {gpu_name(node.hardware)}")
    note(f"base_url  {reply.base_url}")
    note(f"models    {', '.join(reply.models)}")
    note(f"expires   in {lifetime}")


def _print_exports(reply: TokenReply) -> None:
    exports = {"OPENAI_BASE_URL": reply.base_url, "OPENAI_API_KEY": reply.token}
    if reply.models:
        exports["OPENAI_MODEL"] = reply.models[0]
    for name, value in exports.items():
        say(f"export {name}={shlex.quote(value)}")
