"""The health of rigs behind tunnels: what they said last, without asking anybody."""

from dataclasses import dataclass

from luckrig.protocol.surface import relay_endpoint
from luckrig.protocol.wire import NodeHealth
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.relay.hub import Hub
from luckrig.tracker.service.monitor import Prober


@dataclass(frozen=True)
class TunnelProber:
    """Implements service.monitor.Prober. direct: asks rigs that have an address of their own."""

    hub: Hub
    public_url: str
    direct: Prober

    async def probe(self, node: NodeRecord) -> NodeHealth | None:
        """A rig that is listed under this tracker's own address is asked through its tunnel only:
        a tracker never probes itself."""
        if node.descriptor.endpoints[0] == relay_endpoint(self.public_url, node.node_id):
            return self.hub.health(node.node_id)
        return await self.direct.probe(node)
