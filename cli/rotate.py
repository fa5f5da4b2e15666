"""`luckrig keys rotate`: a new key for the same user.

Each step leaves files from which a rerun goes on: the new key is `user-next` until every tracker
took the hand-over; then the old one gets a second name, and the new one takes its place.
"""

import asyncio
import os
import time
from typing import Final

import click
import msgspec

from luckrig.cli.home import Home, id_of
from luckrig.cli.options import DEFAULT_TRACKER, TrackerAddressType, ask_tracker, json_option
from luckrig.cli.output import note, print_json, say
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.handover import sign_handover
from luckrig.protocol.keys import PrivateKey

_KEY: Final = "user"
_NEXT: Final = "user-next"
_OLD: Final = "user-old-"


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig keys rotate --json` prints. kept: the file that holds the old key."""

    old: str
    new: str
    kept: str


@click.command("rotate")
@click.option(
    "--tracker",
    "trackers",
    type=TrackerAddressType(),
    multiple=True,
    default=[DEFAULT_TRACKER],
    show_default=True,
    envvar="LUCKRIG_TRACKER",
    metavar="URL",
    help="A tracker that knows you; may be given several times.",
)
@json_option
def command(trackers: tuple[TrackerAddress, ...], as_json: bool) -> None:
    """Replace your key by a new one, at all trackers that you name.

    You stay who you are: your contributions move over. The old key is nobody from then on, so do
    this at once when somebody else may have it. If it stops halfway, run it again.
    """
    home = Home.from_env(os.environ)
    old = home.load(_KEY)
    new = home.load_or_create(_NEXT)
    for tracker in trackers:
        asyncio.run(_hand_over(tracker, old, new))
        note(f"{tracker.origin} took the new key.")
    kept = _keep(home, old)
    home.key_path(_NEXT).replace(home.key_path(_KEY))  # atomic; the old one has another name now
    _sync(home)
    done = Rotated(old=id_of(_KEY, old), new=id_of(_KEY, new), kept=str(home.key_path(kept)))
    if as_json:
        print_json(done)
    else:
        say(f"You are {done.new} now; {done.old} is nobody any more. Its file is {done.kept}.")
    note(
        "Keep a copy of the new key: luckrig keys export FILE. A rig of yours that runs must be"
        " restarted, so that it signs with the new key."
    )


async def _hand_over(tracker: TrackerAddress, old: PrivateKey, new: PrivateKey) -> None:
    from luckrig.client.users import hand_over

    async with ask_tracker(tracker) as client:
        root_id = (await client.health()).root_id
        signed = sign_handover(root_id=root_id, old=old, new=new, now=time.time())
        await hand_over(client, signed)


def _keep(home: Home, old: PrivateKey) -> str:
    """The name under which the old key is kept; the one of an earlier run if there is one."""
    for name in home.names():
        if name.startswith(_OLD) and home.load(name).seed == old.seed:
            return name
    name = f"{_OLD}{int(time.time())}"
    os.link(home.key_path(_KEY), home.key_path(name))  # a link never replaces what is there
    _sync(home)
    return name


def _sync(home: Home) -> None:
    folder = os.open(home.keys_folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
