"""Who is connected: one tunnel for each rig, the newest one that proved itself."""

from collections.abc import Callable, Iterable
from typing import Final

from luckrig.protocol.telemetry import Telemetry
from luckrig.protocol.tunnel.frames import GoAway
from luckrig.protocol.wire import NodeHealth, QueueView
from luckrig.tracker.relay.tunnel import Tunnel

_REPLACED: Final = GoAway(
    reason="replaced",
    message="Another process with this rig's key has connected and took over. Stop one of them.",
    retry_seconds=30,
)


class Hub:
    """on_change: told a rig's id when the map should look at it again.

    What a rig says of itself is kept here, the latest only, and nowhere else.
    """

    def __init__(self, *, on_change: Callable[[str], None]) -> None:
        self._on_change = on_change
        self._tunnels: dict[str, Tunnel] = {}

    def __len__(self) -> int:
        return len(self._tunnels)

    def get(self, node_id: str) -> Tunnel | None:
        """The rig's tunnel, if it has one."""
        return self._tunnels.get(node_id)

    def adopt(self, tunnel: Tunnel) -> None:
        """This is the rig's tunnel from now on; one that it had before ends."""
        old = self._tunnels.get(tunnel.node_id)
        self._tunnels[tunnel.node_id] = tunnel
        if old is not None:
            old.leave(_REPLACED)

    def on_closed(self, tunnel: Tunnel) -> None:
        """A tunnel is gone; its place may be taken already."""
        if self._tunnels.get(tunnel.node_id) is tunnel:
            del self._tunnels[tunnel.node_id]

    def on_beat(self, tunnel: Tunnel, before: Telemetry | None) -> None:
        """A rig said how it is."""
        if tunnel.telemetry is not None and tunnel.telemetry.is_news_after(before):
            self._on_change(tunnel.node_id)

    def health(self, node_id: str) -> NodeHealth | None:
        """How the rig is, by its last heartbeat; None without a tunnel, or before the first."""
        tunnel = self._tunnels.get(node_id)
        if tunnel is None or tunnel.telemetry is None:
            return None
        said = tunnel.telemetry
        queue = QueueView(active=said.active, waiting=said.waiting, max_active=said.max_active)
        return NodeHealth(
            node_id=node_id,
            status=said.status,
            queue=queue,
            opens_at=said.opens_at,
            wish_at=said.wish_at,
        )

    def telemetry(self, node_id: str) -> Telemetry | None:
        """All that the rig said in its last heartbeat."""
        tunnel = self._tunnels.get(node_id)
        return None if tunnel is None else tunnel.telemetry

    def close(self, node_ids: Iterable[str], why: GoAway) -> None:
        """End these rigs' tunnels, those that have one."""
        for node_id in node_ids:
            if (tunnel := self._tunnels.get(node_id)) is not None:
                tunnel.leave(why)

    def tell_revoked(self, node_ids: Iterable[str]) -> None:
        """These rigs have a new list of banned users."""
        for node_id in node_ids:
            if (tunnel := self._tunnels.get(node_id)) is not None:
                tunnel.tell_revoked()
