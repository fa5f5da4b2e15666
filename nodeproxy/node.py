"""Puts a node proxy together. The one module of it that names concrete parts and starts loops."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Protocol

from luckrig.nodeproxy.app import NodeProxy
from luckrig.nodeproxy.cors import PageRules
from luckrig.nodeproxy.counters import Counters, RecentError
from luckrig.nodeproxy.describe import rig_headers
from luckrig.nodeproxy.engine_watch import EngineWatch
from luckrig.nodeproxy.engines.detect import Found
from luckrig.nodeproxy.gate import Gate, Readings
from luckrig.nodeproxy.ids import RandomIds
from luckrig.nodeproxy.keyset import KeysetFollower, KeysetSource
from luckrig.nodeproxy.metrics import CONTENT_TYPE, write_metrics
from luckrig.nodeproxy.moderation.flags import FlagLog
from luckrig.nodeproxy.moderation.hook import ModerationHook
from luckrig.nodeproxy.moderation.output import OutputBlocker, OutputGuard, OutputRecorder
from luckrig.nodeproxy.pipeline import Pipeline, Stages
from luckrig.nodeproxy.queue import RequestQueue
from luckrig.nodeproxy.receipts import ReceiptBook, ReceiptDesk, ReceiptSender
from luckrig.nodeproxy.revocations import Bans, RevocationFollower, RevocationSource
from luckrig.nodeproxy.sealing.keys import SealingKeys
from luckrig.nodeproxy.sealing.unsealer import Unsealer
from luckrig.nodeproxy.sensors import Sensors
from luckrig.nodeproxy.server import ConnectionCounts
from luckrig.nodeproxy.settings import ModerationSettings, NodeSettings
from luckrig.nodeproxy.steps.admit import HoldToLimits
from luckrig.nodeproxy.steps.ask_owner import AskOwner
from luckrig.nodeproxy.steps.authenticate import Authenticate
from luckrig.nodeproxy.steps.embed import Embed
from luckrig.nodeproxy.steps.engine import Engine
from luckrig.nodeproxy.steps.generate import Generate
from luckrig.nodeproxy.steps.inform import AnswerHealth, ListModels
from luckrig.nodeproxy.steps.moderate import Moderate
from luckrig.nodeproxy.steps.obey_rules import ObeyRules
from luckrig.nodeproxy.steps.prove import PROOFS_PER_SECOND, Allowance, ProveEndpoint
from luckrig.nodeproxy.steps.read import ReadRequest
from luckrig.nodeproxy.steps.show_metrics import ShowMetrics
from luckrig.nodeproxy.steps.show_sealing import ShowSealing
from luckrig.nodeproxy.steps.tickets import LeaveQueue, ShowTicket
from luckrig.nodeproxy.steps.wait import WaitForTurn
from luckrig.nodeproxy.telemetry import Instruments
from luckrig.nodeproxy.tokens import TokenUsage, TokenVerifier
from luckrig.nodeproxy.tunnel.client import TunnelClient, TunnelPlan
from luckrig.nodeproxy.upstream import Upstream
from luckrig.protocol.descriptor import Hardware
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.telemetry import Telemetry


class TrackerSource(KeysetSource, RevocationSource, ReceiptDesk, Protocol):
    """What a node follows, and where it hands in its receipts: its tracker."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node proxy's application and its loops. queue: who is at the engine, who waits.

    gate: whether its owner wants any requests. connections: for the server that serves the
    application, to be kept up to date.
    """

    app: NodeProxy
    queue: RequestQueue
    gate: Gate
    watch: EngineWatch
    bans: Bans
    follower: KeysetFollower
    revocations: RevocationFollower
    receipts: ReceiptBook
    sender: ReceiptSender
    upstream: Upstream
    moderation: "Moderation | None"
    instruments: Instruments
    connections: ConnectionCounts
    sealing: SealingKeys

    def telemetry(self) -> Telemetry:
        """How the rig is now, for a heartbeat: numbers, at most MAX_TELEMETRY_BYTES as JSON."""
        return self.instruments.telemetry()

    @property
    def recent_errors(self) -> list[RecentError]:
        """The last errors that clients got, the newest last; those of unknown paths aside."""
        return list(self.instruments.counters.recent_errors)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Keep keys, bans and engine state fresh while the block runs; it begins with the keys.

        Raises LuckrigError when the tracker's keyset can't be had or isn't the pinned tracker's.
        """
        await self.follower.refresh()
        try:
            async with asyncio.TaskGroup() as group:
                loops = [
                    group.create_task(self.follower.run()),
                    group.create_task(self.revocations.run()),
                    group.create_task(self.watch.run()),
                    group.create_task(self.sender.run()),
                    group.create_task(self.instruments.run()),
                    group.create_task(self.gate.run()),
                    group.create_task(self.sealing.run()),
                ]
                if self.moderation is not None and self.moderation.recorder is not None:
                    loops.append(group.create_task(self.moderation.recorder.run()))
                yield
                for loop in loops:
                    loop.cancel()
            await self.sender.last_try()
        finally:
            await self.gate.remember()
            await self.upstream.aclose()
            if self.moderation is not None:
                await self.moderation.hook.aclose()


@dataclass(frozen=True, kw_only=True)
class Moderation:
    """The parts that ask the owner's moderation service. output: None when replies aren't checked;
    recorder: when they are checked after they went out, the loop that does it."""

    hook: ModerationHook
    flags: FlagLog
    step: Moderate
    output: OutputGuard | None
    recorder: OutputRecorder | None


def create_node(
    settings: NodeSettings,
    found: Found,
    hardware: Hardware,
    tracker: TrackerSource,
    *,
    engine_key: str | None,
    node_key: PrivateKey,
    root_id: str,
    clock: Callable[[], float],
    monotonic: Callable[[], float],
    sensors: Sensors | None = None,
    readings: Readings | None = None,
) -> Node:
    """A node proxy in front of the engine that was found, for the tracker with that root.

    clock: Unix seconds. monotonic: seconds from any origin, for durations. sensors: this machine's
    by default. readings: the GPUs as the owner's limits see them, by default the sensors'.
    Raises ValueError when the owner's state or time zone can't be read.
    """
    node_id = derive_id("n1", node_key.public)
    receipts = ReceiptBook(node_id=node_id, node_key=node_key, clock=clock)
    upstream = Upstream(
        found.url,
        api_key=engine_key,
        head_timeout_seconds=settings.engine_head_timeout_seconds,
        idle_timeout_seconds=settings.engine_idle_timeout_seconds,
    )
    verifier = TokenVerifier(issuer=root_id, node_id=node_id, clock=clock)
    bans = Bans()
    queue = RequestQueue(
        max_active=settings.max_active or found.state.slots or 1,
        max_waiting=settings.max_queue,
        monotonic=monotonic,
        new_id=RandomIds().ticket_id,
    )
    watch = EngineWatch(
        upstream,
        found.dialect,
        found.state,
        interval_seconds=settings.health_interval_seconds,
        models=settings.models,
        on_slots=queue.resize if settings.max_active is None else None,
    )
    sensors = sensors or Sensors(monotonic=monotonic)
    gate = Gate(
        settings.wishes,
        queue,
        state_path=settings.state_path,
        readings=readings or sensors.gpus,
        clock=clock,
        monotonic=monotonic,
    )
    receipts.on_served = gate.count
    moderation = _moderation(settings.moderation, clock)
    counters = Counters(clock=clock, monotonic=monotonic)
    instruments = Instruments(
        counters=counters,
        sensors=sensors,
        gate=gate,
        queue=queue,
        watch=watch,
        receipts=receipts,
        connections=ConnectionCounts(),
        flags=None if moderation is None else moderation.flags,
        recorder=None if moderation is None else moderation.recorder,
    )
    obey_rules = ObeyRules(settings.rules, on_hit=counters.hit_rule)
    counters.know_categories(obey_rules.categories)
    engine = Engine(
        upstream=upstream,
        dialect=found.dialect,
        quantization_of=watch.quantization,
        on_fault=watch.note_fault,
        receipts=receipts,
        counters=counters,
        monotonic=monotonic,
    )
    sealing = SealingKeys(node_key=node_key, clock=clock, random_bytes=secrets.token_bytes)
    unsealer = Unsealer(
        node_id=node_id,
        keys=sealing,
        pace=settings.subtext,
        clock=clock,
        random_bytes=secrets.token_bytes,
    )
    stages = Stages(
        authenticate=Authenticate(verifier, bans, settings.origins, clock),
        ask_owner=AskOwner(gate),
        read=ReadRequest(watch.is_offered, unsealer),
        hold_to_limits=HoldToLimits(TokenUsage(clock=clock)),
        obey_rules=obey_rules,
        wait_for_turn=WaitForTurn(
            queue=queue,
            monotonic=monotonic,
            tell_seconds=settings.tell_seconds,
            max_wait_seconds=settings.max_wait_seconds,
            max_turn_seconds=settings.max_turn_seconds,
        ),
        ask_owner_again=AskOwner(gate, at_turn=True),
        moderate=None if moderation is None else moderation.step,
        generate=Generate(engine, None if moderation is None else moderation.output),
        embed=Embed(engine),
        list_models=ListModels(watch),
        answer_health=AnswerHealth(watch, queue, gate, node_id),
        show_metrics=ShowMetrics(
            write=lambda: write_metrics(instruments),
            content_type=CONTENT_TYPE,
            token=settings.metrics_token,
            trust_loopback=settings.trust_loopback,
        ),
        show_ticket=ShowTicket(queue),
        leave_queue=LeaveQueue(queue),
        prove_endpoint=ProveEndpoint(
            settings.endpoints, root_id, node_key, Allowance(PROOFS_PER_SECOND, monotonic), clock
        ),
        show_sealing=ShowSealing(sealing),
    )
    pages = PageRules.of(settings.page_origins)
    own_headers = rig_headers(node_id, hardware, found.state) + pages.for_all
    pipeline = Pipeline(stages, rig_headers=own_headers)
    return Node(
        app=NodeProxy(pipeline, counters, hosts=settings.hosts, pages=pages),
        queue=queue,
        gate=gate,
        bans=bans,
        watch=watch,
        follower=KeysetFollower(tracker, verifier, root_id=root_id, clock=clock),
        revocations=RevocationFollower(
            tracker,
            verifier,
            bans,
            root_id=root_id,
            node_id=node_id,
            clock=clock,
            on_wish=lambda wish: gate.obey(paused=wish.paused, at=wish.at),
        ),
        receipts=receipts,
        sender=ReceiptSender(tracker, receipts),
        upstream=upstream,
        moderation=moderation,
        instruments=instruments,
        connections=instruments.connections,
        sealing=sealing,
    )


def create_tunnel(
    node: Node,
    settings: NodeSettings,
    *,
    origin: str,
    root_id: str,
    node_key: PrivateKey,
    clock: Callable[[], float],
    monotonic: Callable[[], float],
) -> TunnelClient:
    """The node's tunnel to the tracker at that origin. Its requests go to the node's application,
    with the limits of the node's own port."""
    return TunnelClient(
        TunnelPlan(
            origin=origin,
            root_id=root_id,
            node_key=node_key,
            app=node.app,
            limits=settings.limits,
            telemetry=node.telemetry,
            on_revoked=node.revocations.wake,
            clock=clock,
            monotonic=monotonic,
            sleep=asyncio.sleep,
            rng=Random(),  # noqa: S311 -- jitter, not a secret
        )
    )


def _moderation(
    settings: ModerationSettings | None, clock: Callable[[], float]
) -> Moderation | None:
    if settings is None:
        return None
    hook = ModerationHook(settings)
    flags = FlagLog(settings.folder, clock)
    recorder = OutputRecorder(hook, flags) if settings.output == "record" else None
    blocker = OutputBlocker(hook, flags) if settings.output == "block" else None
    return Moderation(
        hook=hook,
        flags=flags,
        step=Moderate(hook, flags),
        output=recorder or blocker,
        recorder=recorder,
    )
