"""What the API shows of a record."""

from luckrig.tracker.domain.views import node_view
from tests.tracker.factories import NOW, make_health, make_node


def test_a_view_shows_descriptor_and_health() -> None:
    record = make_node(health=make_health("busy", seen_at=NOW + 9), listed_at=NOW, seq=7)
    view = node_view(record, 0.25)
    assert view.base_url == "https://rig1.example/v1"
    assert (view.id, view.owner_id) == (record.node_id, record.descriptor.owner_id)
    assert (view.status, view.queue, view.last_seen_at) == ("busy", record.health.queue, NOW + 9)
    assert (view.scarcity, view.listed_at, view.seq) == (0.25, NOW, 7)
