"""Runs one rig: its node proxy in front of an engine, listed at a tracker."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from luckrig.cli.loop import bind, origin_of
from luckrig.cli.publishing import Publisher
from luckrig.cli.rig_plan import RigPlan
from luckrig.client.tracker import TrackerClient
from luckrig.nodeproxy.describe import Listing
from luckrig.nodeproxy.engines.advice import what_to_do
from luckrig.nodeproxy.engines.detect import Found, Missed, examine
from luckrig.nodeproxy.hardware import detect_hardware
from luckrig.nodeproxy.node import Node, create_node, create_tunnel
from luckrig.nodeproxy.server import serving
from luckrig.nodeproxy.settings import NodeSettings
from luckrig.nodeproxy.tunnel.client import TunnelClient, connected
from luckrig.protocol.address import browser_origin
from luckrig.protocol.descriptor import Hardware, Policy
from luckrig.protocol.errors import LuckrigError, UpstreamError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.surface import relay_endpoint


@dataclass(frozen=True, kw_only=True)
class RunningRig:
    """A rig that serves and is listed. models: what it offers. tunnel: None where it listens.

    publish_note: signs and publishes its descriptor anew, with another note. Raises LuckrigError.
    """

    node_id: str
    origin: str
    page: str
    models: list[str]
    node: Node
    tunnel: TunnelClient | None
    publish_note: Callable[[str], Awaitable[None]]


@asynccontextmanager
async def running_rig(plan: RigPlan, tracker: TrackerClient) -> AsyncGenerator[RunningRig, None]:
    """Start, publish, and keep the rig running while the block runs.

    Raises LuckrigError when no engine answers, the port is taken, or the tracker refuses.
    """
    root_id = _root_id(tracker)
    found = await _usable_engine(plan)
    hardware = await asyncio.to_thread(detect_hardware)
    async with AsyncExitStack() as stack:
        sock = None
        if plan.listen is not None:
            sock = bind(*plan.listen)
            stack.callback(sock.close)
        endpoint, settings = _settings(plan, sock, tracker.address.origin)
        node = _node(plan, settings, found, hardware, tracker, root_id)
        if sock is not None:
            await stack.enter_async_context(
                serving(node.app, sock, settings.limits, node.connections)
            )
        await stack.enter_async_context(node.running())
        publisher = _publisher(plan, node, endpoint, hardware, tracker)
        reply = await publisher.publish()
        tunnel = None
        if sock is None:
            tunnel = create_tunnel(
                node,
                settings,
                origin=tracker.address.origin,
                root_id=root_id,
                node_key=plan.node_key,
                clock=time.time,
                monotonic=time.monotonic,
            )
            await stack.enter_async_context(connected(tunnel))
            await _until_up(tunnel)

        await stack.enter_async_context(_republishing(publisher))

        async def publish_note(note: str) -> None:
            await publisher.publish(note)

        yield RunningRig(
            node_id=reply.node_id,
            origin=endpoint,
            page=reply.page,
            models=[offer.model for offer in node.watch.state.offers],
            node=node,
            tunnel=tunnel,
            publish_note=publish_note,
        )


def _root_id(tracker: TrackerClient) -> str:
    root_id = tracker.address.root_id
    if root_id is None:
        raise LuckrigError(
            "invalid_request",
            "A rig needs its tracker's full address, https://host#r1…; the tracker's pages show it "
            "at the bottom.",
        )
    return root_id


async def _usable_engine(plan: RigPlan) -> Found:
    found = await examine(plan.engine_url, api_key=plan.engine_key, num_ctx=plan.engine_context)
    problem = found.why if isinstance(found, Missed) else what_to_do(found.state)
    if isinstance(found, Missed) or problem is not None:
        raise UpstreamError(
            "engine_unavailable", f"No engine to use at {plan.engine_url}. {problem}"
        )
    there = {offer.model for offer in found.state.offers}
    if plan.models is not None and (missing := plan.models - there):
        raise LuckrigError(
            "model_not_found",
            f"The engine has no model {', '.join(sorted(missing))}; it has "
            f"{', '.join(sorted(there))}.",
        )
    return found


def _settings(
    plan: RigPlan, sock: socket.socket | None, tracker_origin: str
) -> tuple[str, NodeSettings]:
    """(the endpoint that goes on the map, the node proxy's settings)."""
    if sock is None:
        endpoint = relay_endpoint(tracker_origin, derive_id("n1", plan.node_key.public))
        origins = frozenset({endpoint.lower()})
    else:
        endpoint = plan.endpoint or origin_of(sock)
        # Clients leave out a port that the scheme has anyway, in Host as in what they sign.
        origins = frozenset({origin_of(sock), endpoint.lower(), browser_origin(endpoint)})
    return endpoint, NodeSettings(
        origins=origins,
        page_origins=frozenset() if sock is None else frozenset({tracker_origin}),
        endpoints=() if sock is None else (endpoint,),  # a tunnel proves it by itself
        max_active=plan.max_active,
        max_queue=plan.max_queue,
        moderation=plan.moderation,
        rules=plan.rules,
        metrics_token=plan.metrics_token,
        # Clients that reach it elsewhere may come in through a reverse proxy on this machine.
        trust_loopback=sock is not None and endpoint.lower() == origin_of(sock),
        models=plan.models,
        wishes=plan.wishes,
        state_path=plan.state_path,
        subtext=plan.subtext,
    )


def _node(
    plan: RigPlan,
    settings: NodeSettings,
    found: Found,
    hardware: Hardware,
    tracker: TrackerClient,
    root_id: str,
) -> Node:
    try:
        return create_node(
            settings,
            found,
            hardware,
            tracker,
            engine_key=plan.engine_key,
            node_key=plan.node_key,
            root_id=root_id,
            clock=time.time,
            monotonic=time.monotonic,
        )
    except ValueError as error:
        raise LuckrigError("invalid_request", f"{error}.") from error


def _publisher(
    plan: RigPlan, node: Node, endpoint: str, hardware: Hardware, tracker: TrackerClient
) -> Publisher:
    listing = Listing(
        name=plan.name,
        note=plan.note,
        endpoints=[endpoint],
        policy=Policy(
            max_active=node.queue.max_active,
            max_queue=plan.max_queue,
            schedule=plan.wishes.schedule,
        ),
    )
    return Publisher(
        listing=listing,
        watch=node.watch,
        hardware=hardware,
        tracker=tracker,
        node_key=plan.node_key,
        owner_key=plan.owner_key,
        clock=time.time,
        monotonic=time.monotonic,
    )


@asynccontextmanager
async def _republishing(publisher: Publisher) -> AsyncGenerator[None, None]:
    """Keep the map up to date with the engine's models while the block runs."""
    task = asyncio.create_task(publisher.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def _until_up(tunnel: TunnelClient) -> None:
    """A tracker that says no is told to the owner at once; one that is away will be back."""
    state = await tunnel.settled()
    if state.phase not in ("up", "waiting"):
        raise LuckrigError("rig_offline", state.message or f"No tunnel: {state.reason}.")
