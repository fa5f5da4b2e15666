"""Which rig the user means: an id, its beginning, a name, or the only one there is."""

from typing import TYPE_CHECKING, Final

from luckrig.cli.nodes import gpu_name, short_id
from luckrig.cli.output import safe_line
from luckrig.client.calling.matching import is_named
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import is_node_id
from luckrig.protocol.wire import NodeView

if TYPE_CHECKING:
    from luckrig.client.tracker import TrackerClient

_CHOICES_SHOWN: Final = 8


async def find_rig(client: "TrackerClient", wanted: str | None) -> str:
    """The id of the rig that the user means."""
    if wanted is None:
        return await _only_available(client)
    if is_node_id(wanted):
        return wanted
    fitting = [node async for node in client.each_node() if is_named(node, wanted)]
    if not fitting:
        raise LuckrigError(
            "node_not_found", f"No rig has the id or name {wanted!r}. `luckrig nodes` lists them."
        )
    return _the_one(fitting, f"Several rigs fit {wanted!r}")


async def _only_available(client: "TrackerClient") -> str:
    available = [node async for node in client.each_node(status="available")]
    if not available:
        raise LuckrigError(
            "node_offline", "No rig is available now. `luckrig nodes` shows the state of each."
        )
    return _the_one(available, "Several rigs are available")


def _the_one(nodes: list[NodeView], problem: str) -> str:
    if len(nodes) == 1:
        return nodes[0].id
    choices = [
        f"{short_id(node.id)} ({safe_line(node.name)}, {gpu_name(node.hardware)})"
        for node in nodes[:_CHOICES_SHOWN]
    ]
    if len(nodes) > _CHOICES_SHOWN:
        choices.append(f"{len(nodes) - _CHOICES_SHOWN} more")
    raise LuckrigError("invalid_request", f"{problem}; name one: {', '.join(choices)}.")
