"""`luckrig log`: check the tracker's descriptor log against the one of last time.

    $LUCKRIG_HOME/log-heads.json    {root id: {origin, size, hash, checked_at}}, the latest last

Heads are kept by root id: a tracker that moves keeps its log. An address without a root id gets the
one that its origin had last time, so a tracker can't get rid of its past with a new root key.
"""

import asyncio
import os
import time
from typing import Annotated, Final

import click
import msgspec

from luckrig.cli.home import Home
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import note, print_json, say
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor_log import EMPTY_LOG, LogHead
from luckrig.protocol.errors import LuckrigError

HEADS_FILE: Final = "log-heads.json"


class SeenHead(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tracker's log ended. origin: where it answered. checked_at: Unix seconds."""

    origin: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    hash: str
    checked_at: int


class LogReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig log verify --json` prints. known_size: of last time, null the first time."""

    tracker: str
    root_id: str
    size: int
    hash: str
    signed_at: int
    known_size: int | None


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
    home = Home.from_env(os.environ)
    heads = _read_heads(home)
    address = _pinned(tracker, heads)
    seen = heads.get(address.root_id or "")
    head = asyncio.run(_verified_head(address, seen))
    _remember(home, address.origin, head)
    if as_json:
        print_json(_report(address, head, seen))
    else:
        _print_result(address, head, seen)


async def _verified_head(address: TrackerAddress, seen: SeenHead | None) -> LogHead:
    size, digest = EMPTY_LOG if seen is None else (seen.size, seen.hash)
    async with ask_tracker(address) as client:
        return await client.log(known_size=size, known_hash=digest)


def _pinned(address: TrackerAddress, heads: dict[str, SeenHead]) -> TrackerAddress:
    """The address with the root id that was seen there last, unless it has one."""
    here = [root_id for root_id, seen in heads.items() if seen.origin == address.origin]
    if address.root_id is not None or not here:
        return address
    return TrackerAddress(address.origin, here[-1])


def _read_heads(home: Home) -> dict[str, SeenHead]:
    path = home.path / HEADS_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, SeenHead])
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LuckrigError(
            "invalid_request",
            f"{path} is damaged, so nobody can say what the log was last time. "
            "Restore it from a copy, or delete it to begin anew.",
        ) from error


def _remember(home: Home, origin: str, head: LogHead) -> None:
    """Read again just before: another luckrig may have looked at another tracker meanwhile."""
    heads = _read_heads(home)
    known = heads.pop(head.iss, None)  # what was looked at last goes to the end: see _pinned
    if known is not None and known.size > head.size:  # and seen a longer log of this one
        return
    heads[head.iss] = SeenHead(
        origin=origin, size=head.size, hash=head.hash, checked_at=int(time.time())
    )
    home.replace_file(HEADS_FILE, msgspec.json.format(msgspec.json.encode(heads)) + b"\n")


def _report(address: TrackerAddress, head: LogHead, seen: SeenHead | None) -> LogReport:
    return LogReport(
        tracker=address.origin,
        root_id=head.iss,
        size=head.size,
        hash=head.hash,
        signed_at=head.iat,
        known_size=None if seen is None else seen.size,
    )


def _print_result(address: TrackerAddress, head: LogHead, seen: SeenHead | None) -> None:
    say(f"The log of {address.origin} is whole: {head.size} entries, head {head.hash}.")
    if seen is None:
        note("First look: the next one checks that nothing of it was rewritten.")
    else:
        say(f"It goes on from the {seen.size} entries of last time.")
    if address.root_id is None:
        pinned = TrackerAddress(address.origin, head.iss)
        note(f"Nobody vouched for this tracker's key. If it is the right one, use {pinned}")
