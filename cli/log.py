"""`luckrig log`: check the tracker's descriptor log against the one of last time, heads.py."""

import asyncio
import os
from typing import Final

import click

from luckrig.cli.heads import SeenHead, SeenHeads, print_since, report_of, tip_of
from luckrig.cli.home import Home
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import note, print_json, say
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor_log import LogHead

HEADS_FILE: Final = "log-heads.json"


@click.group("log")
def command() -> None:
    """Check that the tracker didn't rewrite what it listed.

    A tracker chains every descriptor that it lists to all before it, and signs the end.
    """


@command.command()
@tracker_option
@json_option
def verify(tracker: TrackerAddress, as_json: bool) -> None:
    """Check the whole log, and that it goes on from where you saw it last."""
    heads = SeenHeads(Home.from_env(os.environ), HEADS_FILE, "the log")
    address, seen = heads.pin(tracker)
    head = asyncio.run(_verified_head(address, seen))
    heads.remember(address.origin, head)
    if as_json:
        print_json(report_of(address, head, seen))
    else:
        _print_result(address, head, seen)


async def _verified_head(address: TrackerAddress, seen: SeenHead | None) -> LogHead:
    size, digest = tip_of(seen)
    async with ask_tracker(address) as client:
        return await client.log(known_size=size, known_hash=digest)


def _print_result(address: TrackerAddress, head: LogHead, seen: SeenHead | None) -> None:
    say(f"The log of {address.origin} is whole: {head.size} entries, head {head.hash}.")
    print_since(seen, "entries")
    if address.root_id is None:
        pinned = TrackerAddress(address.origin, head.iss)
        note(f"Nobody vouched for this tracker's key. If it is the right one, use {pinned}")
