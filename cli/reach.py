"""`luckrig node reach`: how the tracker sees this machine's rig, whether it runs or not."""

import os

import click

from luckrig.cli.home import Home
from luckrig.cli.loop import run
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import print_json, safe_line, say
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.ids import derive_id
from luckrig.protocol.wire import NodeDetail


@click.command("reach")
@tracker_option
@json_option
def reach(tracker: TrackerAddress, as_json: bool) -> None:
    """Show how the tracker sees this machine's rig, and what keeps it off the map."""
    node_id = derive_id("n1", Home.from_env(os.environ).load("node").public)
    detail = run(_ask(tracker, node_id))
    if as_json:
        print_json(detail)
        return
    say(f"Rig      {detail.node.id}")
    say(f"Status   {detail.node.status}")
    if detail.reach is not None and detail.reach.message is not None:
        say(f"Problem  {safe_line(detail.reach.message)}")
    for found in detail.audit:
        if found.verdict == "contradicts":
            say(f"Claim    {safe_line(f'{found.model}: {found.claimed} {found.evidence}')}")


async def _ask(address: TrackerAddress, node_id: str) -> NodeDetail:
    async with ask_tracker(address) as tracker:
        return await tracker.node(node_id)
