"""The relay's parts without a rig: who is listed where, how health is shown, what is limited."""

import pytest

from luckrig.protocol.errors import PeerError
from luckrig.protocol.surface import relay_endpoint
from luckrig.protocol.telemetry import Telemetry
from luckrig.protocol.tunnel.ends import NodeEnd, TrackerEnd
from luckrig.protocol.wire import NodeStatus
from luckrig.tracker.domain.endpoints import check_listable
from luckrig.tracker.relay.hub import Hub
from luckrig.tracker.relay.limits import MAX_PREFIXES, RelayLimits
from luckrig.tracker.relay.prober import TunnelProber
from luckrig.tracker.relay.tunnel import Message, Tunnel
from tests.tracker.factories import make_node
from tests.tracker.trackers import URL, Clock, FakeProber, healthy, running_tracker


async def send(_: Message) -> None:
    """A WebSocket that takes everything."""


def make_tunnel(hub: Hub, node_id: str) -> tuple[Tunnel, NodeEnd]:
    """A tunnel that is up."""
    end, node = TrackerEnd(), NodeEnd()
    end.ready()
    node.is_up = True
    tunnel = Tunnel(
        node_id,
        end,
        send,
        lambda: None,
        ping_seconds=20,
        on_beat=hub.on_beat,
        on_closed=hub.on_closed,
    )
    hub.adopt(tunnel)
    return tunnel, node


async def hear(tunnel: Tunnel, *frames: bytes) -> None:
    """Let a tunnel take these frames, and then lose its connection."""
    messages: list[Message] = [{"type": "websocket.receive", "bytes": data} for data in frames]
    messages.append({"type": "websocket.disconnect"})
    rest = iter(messages)

    async def receive() -> Message:
        return next(rest)

    await tunnel.run(receive)


async def test_health_is_what_the_last_heartbeat_said() -> None:
    rig = make_node(endpoints=[relay_endpoint(URL, make_node().node_id)])
    changed: list[str] = []
    hub = Hub(on_change=changed.append)
    prober = TunnelProber(hub, URL, FakeProber({rig.node_id: healthy(rig)}))
    assert await prober.probe(rig) is None, "a tracker never probes itself"
    tunnel, node = make_tunnel(hub, rig.node_id)
    assert await prober.probe(rig) is None, "nothing was said yet"
    seen: list[NodeStatus] = []

    def beat(status: NodeStatus) -> bytes:
        return node.heartbeat(Telemetry(status=status, active=1, waiting=2, max_active=3))

    messages = iter([beat("available"), beat("busy"), beat("available"), beat("paused")])

    async def receive() -> Message:
        if (health := await prober.probe(rig)) is not None:
            seen.append(health.status)
            assert health.queue.waiting == 2
        data = next(messages, None)
        return {"type": "websocket.receive" if data else "websocket.disconnect", "bytes": data}

    await tunnel.run(receive)
    assert seen == ["available", "busy", "available", "paused"]
    assert changed == [rig.node_id] * 2, "busy and available take turns; that is no news"
    assert await prober.probe(rig) is None, "the tunnel is gone"
    assert hub.telemetry(rig.node_id) is None


async def test_rig_with_an_address_of_its_own_is_asked_there() -> None:
    rig = make_node()
    hub = Hub(on_change=lambda _: None)
    direct = FakeProber({rig.node_id: healthy(rig)})
    tunnel, node = make_tunnel(hub, rig.node_id)
    await hear(tunnel, node.heartbeat(Telemetry(status="paused")))
    assert await TunnelProber(hub, URL, direct).probe(rig) == healthy(rig)


async def test_old_tunnel_leaves_the_new_one_in_its_place() -> None:
    hub = Hub(on_change=lambda _: None)
    old, _ = make_tunnel(hub, "n1")
    new, _ = make_tunnel(hub, "n1")
    assert hub.get("n1") is new
    await hear(old)
    assert hub.get("n1") is new
    await hear(new)
    assert hub.get("n1") is None
    assert len(hub) == 0


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://other.example/n/{id}",
        "http://tracker.example/n/{id}/",
        "http://tracker.example/n/{other}",
        "http://tracker.example/n/",
        "http://tracker.example/{id}",
        "http://tracker.example/n/{id}/n/{id}",
        "http://tracker.example/n/{id}#x",
    ],
)
async def test_only_a_rigs_own_place_at_this_tracker_is_listed(endpoint: str) -> None:
    own, other = make_node(1).node_id, make_node(2).node_id
    url = endpoint.format(id=own, other=other)
    async with running_tracker(allow_private_endpoints=True) as tracker:
        answer = await tracker.publish(make_node(1, endpoints=[url]))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
        assert (await tracker.publish(make_node(1, endpoints=[f"{URL}/n/{own}"]))).is_success
        shown = (await tracker.http.get(f"/api/v1/nodes/{own}")).json()
        assert shown["node"]["base_url"] == f"{URL}/n/{own}/v1"


def test_place_behind_the_relay_needs_no_public_address() -> None:
    relayed = "http://127.0.0.1:8787/n/n1"
    check_listable([relayed], allow_private=False, relayed=relayed)
    with pytest.raises(PeerError):
        check_listable([relayed, "http://127.0.0.1:1"], allow_private=False, relayed=relayed)


def test_limits_of_a_network() -> None:
    clock = Clock()
    limits = RelayLimits(streams=2, requests=4, clock=clock)
    with limits.place("a"), limits.place("a"), limits.place("b"), limits.place(None):
        with pytest.raises(PeerError, match="2 requests running"), limits.place("a"):
            pass
    with limits.place("a"):
        pass
    with pytest.raises(PeerError, match="4 requests of this minute") as caught, limits.place("a"):
        pass
    assert caught.value.retry_after_seconds == 60 - int(clock.now) % 60
    clock.now += 60
    with limits.place("a"):
        pass


def test_counting_networks_takes_bounded_memory() -> None:
    limits = RelayLimits(streams=1, requests=3, clock=Clock())
    for number in range(MAX_PREFIXES):
        with limits.place(str(number)):
            pass
    for number in range(3):
        with limits.place(f"late {number}"):
            pass
    with pytest.raises(PeerError), limits.place("late 4"):
        pass
