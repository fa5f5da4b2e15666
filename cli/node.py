"""`luckrig node`: one's own rig, started with flags, and commanded while it runs."""

from collections.abc import Mapping
from typing import Final

import click

from luckrig.cli.lazy import LazyCommand, LazyGroup

COMMANDS: Final[Mapping[str, LazyCommand]] = {
    "start": LazyCommand("luckrig.cli.node_start:start", "Guard an engine and list it."),
    "status": LazyCommand("luckrig.cli.owner:status", "Show how the running rig is."),
    "pause": LazyCommand("luckrig.cli.owner:pause", "Take no requests for a while."),
    "resume": LazyCommand("luckrig.cli.owner:resume", "Take requests again."),
    "drain": LazyCommand("luckrig.cli.owner:drain", "Finish what runs, and take nothing new."),
    "note": LazyCommand("luckrig.cli.owner:set_note", "Publish another tuning note."),
    "reach": LazyCommand("luckrig.cli.reach:reach", "Show how the tracker sees the rig."),
    "service": LazyCommand("luckrig.cli.service:service", "Start the rig with this machine."),
}


@click.group("node", cls=LazyGroup, table=COMMANDS)
def node() -> None:
    """Put your own rig on the map, and stay its master."""
