"""The health monitor: which rigs are looked at when, and what the map makes of it."""

import asyncio

from luckrig.protocol.wire import NodeHealth
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.service.monitor import HealthMonitor
from luckrig.tracker.service.uptime import UptimeRecorder
from luckrig.tracker.store.interface import LiveHours
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.factories import NOW, make_node, seeded
from tests.tracker.trackers import Clock, FakeProber, healthy

INTERVAL = 30.0


async def rig_one_is_rare() -> dict[str, float]:
    return {make_node(1).node_id: 0.25}


async def make_monitor(*rigs: NodeRecord) -> tuple[HealthMonitor, MemoryStore, FakeProber, Clock]:
    """A monitor over these rigs; time stands still."""
    store, prober, clock = MemoryStore(), FakeProber(), Clock()
    for rig in rigs:
        await store.put_descriptor(rig.descriptor, rig.signed, now=NOW)
    monitor = HealthMonitor(
        store,
        prober,
        interval_seconds=INTERVAL,
        on_looked=UptimeRecorder(store, scarcity_of=rig_one_is_rare, clock=clock).note,
        clock=clock,
        rng=seeded("jitter"),
    )
    return monitor, store, prober, clock


async def status_of(store: MemoryStore, rig: NodeRecord) -> str:
    """What the map would show."""
    record = await store.node(rig.node_id)
    assert record is not None
    return record.health.status


async def test_each_hour_with_a_good_answer_is_noted_once() -> None:
    """With the scarcity of its first look; rigs that the map doesn't show count nowhere."""
    monitor, store, prober, clock = await make_monitor(make_node(1), make_node(2))
    for rig in (make_node(1), make_node(2)):
        prober.answers[rig.node_id] = healthy(rig)
    clock.now = NOW // 86_400 * 86_400
    for _ in range(6):
        await monitor.check_due()
        clock.now += 1800
    prober.answers.clear()
    clock.now += 3600
    await monitor.check_due()
    noted = await store.contributions.live_hours(day=NOW // 86_400)
    assert noted == [LiveHours(make_node(1).node_id, 3, 250)]


async def test_new_rig_is_looked_at_at_once() -> None:
    rig = make_node(1)
    monitor, store, prober, _ = await make_monitor(rig)
    prober.answers[rig.node_id] = healthy(rig)
    assert await monitor.check_due() == 1
    assert await status_of(store, rig) == "available"
    assert await monitor.check_due() == 0


async def test_rig_that_falls_silent_is_late_first_and_unavailable_then() -> None:
    rig = make_node(1)
    monitor, store, prober, clock = await make_monitor(rig)
    prober.answers[rig.node_id] = healthy(rig)
    await monitor.check_due()
    prober.answers.clear()
    seen: list[str] = []
    for _ in range(2):
        clock.now += 2 * INTERVAL
        await monitor.check_due()
        seen.append(await status_of(store, rig))
    assert seen == ["available", "unavailable"]
    prober.answers[rig.node_id] = healthy(rig)
    clock.now += 2 * INTERVAL
    await monitor.check_due()
    assert await status_of(store, rig) == "available"


async def test_silent_rigs_are_asked_less_and_less() -> None:
    rig = make_node(1)
    monitor, _, prober, clock = await make_monitor(rig)
    for _ in range(100):
        await monitor.check_due()
        clock.now += INTERVAL * 1.3
    assert 12 <= len(prober.asked) <= 25


async def test_waits_vary_so_that_probes_spread_out() -> None:
    rigs = [make_node(seed) for seed in range(1, 30)]
    monitor, _, prober, clock = await make_monitor(*rigs)
    prober.answers = {rig.node_id: healthy(rig) for rig in rigs}
    await monitor.check_due()
    rounds: list[int] = []
    for _ in range(12):
        clock.now += INTERVAL / 20
        rounds.append(await monitor.check_due())
    clock.now += INTERVAL / 2
    rounds.append(await monitor.check_due())
    assert max(rounds) < len(rigs)


async def test_monitor_wakes_when_a_rig_is_listed() -> None:
    """No waiting for the next round: the map shows a new rig's state at once."""
    rig = make_node(1)
    monitor, store, prober, _ = await make_monitor()
    asked = asyncio.Event()

    async def probe(node: NodeRecord) -> NodeHealth | None:
        asked.set()
        return healthy(node)

    prober.probe = probe  # type: ignore[method-assign]
    running = asyncio.create_task(monitor.run())
    await store.put_descriptor(rig.descriptor, rig.signed, now=NOW)
    monitor.wake()
    await asked.wait()
    running.cancel()
