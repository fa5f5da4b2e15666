"""From records to the JSON of the public API."""

from luckrig.protocol.descriptor import NodeDescriptor
from luckrig.protocol.wire import NodeView, TimingView
from luckrig.tracker.domain.records import NodeRecord


def base_url(descriptor: NodeDescriptor) -> str:
    """Where an OpenAI client finds the rig."""
    return descriptor.endpoints[0] + "/v1"


def node_view(record: NodeRecord, scarcity: float, measured: TimingView | None = None) -> NodeView:
    """A rig as the API and the pages show it."""
    descriptor, health = record.descriptor, record.health
    return NodeView(
        id=descriptor.node_id,
        name=descriptor.name,
        status=health.status,
        scarcity=scarcity,
        hardware=descriptor.hardware,
        offers=descriptor.offers,
        note=descriptor.note,
        engine=descriptor.engine,
        policy=descriptor.policy,
        queue=health.queue,
        base_url=base_url(descriptor),
        owner_id=descriptor.owner_id,
        listed_at=record.listed_at,
        last_seen_at=health.last_seen_at,
        seq=descriptor.seq,
        opens_at=health.opens_at,
        measured=measured,
    )
