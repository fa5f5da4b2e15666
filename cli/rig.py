"""Runs one rig: its node proxy in front of an engine, listed at a tracker."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from luckrig.cli.serve import bind, origin_of
from luckrig.client.tracker import TrackerClient
from luckrig.nodeproxy.describe import Listing, describe_node
from luckrig.nodeproxy.engines.advice import what_to_do
from luckrig.nodeproxy.engines.detect import Found, Missed, examine
from luckrig.nodeproxy.filters.pack import RulePack
from luckrig.nodeproxy.hardware import detect_hardware
from luckrig.nodeproxy.node import Node, create_node, create_tunnel
from luckrig.nodeproxy.server import serving
from luckrig.nodeproxy.settings import (
    ModerationSettings,
    NodeSettings,
    engine_context,
    metrics_token,
    moderation_settings,
)
from luckrig.nodeproxy.tunnel.client import TunnelClient, connected
from luckrig.protocol.descriptor import Policy
from luckrig.protocol.errors import LuckrigError, UpstreamError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.surface import relay_endpoint


@dataclass(frozen=True, kw_only=True)
class RigPlan:
    """Everything that decides how a rig runs.

    engine_url: its engine. engine_context: the context length that ollama shall load models with,
    None for its own choice. listen: (host, port) of the node proxy, port 0 for a free one; None: no
    port, a tunnel to the tracker. endpoint: where clients reach it, if not where it listens.
    max_active: None for as many as the engine can run at once. moderation: the service that checks
    texts, if there is one. rules: the owner's packs. metrics_token: lets its bearer read /metrics
    from afar.
    """

    engine_url: str
    engine_key: str | None
    name: str
    note: str
    listen: tuple[str, int] | None
    endpoint: str | None
    max_active: int | None
    max_queue: int
    node_key: PrivateKey
    owner_key: PrivateKey
    moderation: ModerationSettings | None = None
    engine_context: int | None = None
    rules: tuple[RulePack, ...] = ()
    metrics_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class RunningRig:
    """A rig that serves and is listed. models: what it offers."""

    node_id: str
    origin: str
    page: str
    models: list[str]
    node: Node
    tunnel: TunnelClient | None


@asynccontextmanager
async def running_rig(plan: RigPlan, tracker: TrackerClient) -> AsyncGenerator[RunningRig, None]:
    """Start, publish, and keep the rig running while the block runs.

    Raises LuckrigError when no engine answers, the port is taken, or the tracker refuses the rig or
    its tunnel.
    """
    root_id = tracker.address.root_id
    if root_id is None:
        raise LuckrigError(
            "invalid_request",
            "A rig needs its tracker's full address, https://host#r1…; the tracker's pages show it "
            "at the bottom.",
        )
    found = await _usable_engine(plan)
    hardware = await asyncio.to_thread(detect_hardware)
    sock = None if plan.listen is None else bind(*plan.listen)
    endpoint, origins = _places(plan, sock, tracker.address.origin)
    settings = NodeSettings(
        origins=origins,
        endpoints=() if sock is None else (endpoint,),  # a tunnel proves it by itself
        max_active=plan.max_active,
        max_queue=plan.max_queue,
        moderation=plan.moderation,
        rules=plan.rules,
        metrics_token=plan.metrics_token,
        # Clients that reach it elsewhere may come in through a reverse proxy on this machine.
        trust_loopback=sock is not None and endpoint.lower() == origin_of(sock),
    )
    node = create_node(
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
    listing = Listing(
        name=plan.name,
        note=plan.note,
        endpoints=[endpoint],
        policy=Policy(max_active=node.queue.max_active, max_queue=settings.max_queue),
    )
    signed = describe_node(
        listing,
        found.state,
        hardware,
        node_key=plan.node_key,
        owner_key=plan.owner_key,
        now=time.time(),
    )
    async with AsyncExitStack() as stack:
        if sock is not None:
            await stack.enter_async_context(
                serving(node.app, sock, settings.limits, node.connections)
            )
        await stack.enter_async_context(node.running())
        reply = await tracker.publish(signed)
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
        yield RunningRig(
            node_id=reply.node_id,
            origin=endpoint,
            page=reply.page,
            models=[offer.model for offer in found.state.offers],
            node=node,
            tunnel=tunnel,
        )


async def _usable_engine(plan: RigPlan) -> Found:
    found = await examine(plan.engine_url, api_key=plan.engine_key, num_ctx=plan.engine_context)
    problem = found.why if isinstance(found, Missed) else what_to_do(found.state)
    if isinstance(found, Missed) or problem is not None:
        raise UpstreamError(
            "engine_unavailable", f"No engine to use at {plan.engine_url}. {problem}"
        )
    return found


def _places(
    plan: RigPlan, sock: socket.socket | None, tracker_origin: str
) -> tuple[str, frozenset[str]]:
    """(the endpoint that goes on the map, all origins that the rig answers to)."""
    if sock is None:
        endpoint = relay_endpoint(tracker_origin, derive_id("n1", plan.node_key.public))
        return endpoint, frozenset({endpoint.lower()})
    endpoint = plan.endpoint or origin_of(sock)
    return endpoint, frozenset({origin_of(sock), endpoint.lower()})


async def _until_up(tunnel: TunnelClient) -> None:
    """A tracker that says no is told to the owner at once; one that is away will be back."""
    state = await tunnel.settled()
    if state.phase not in ("up", "waiting"):
        raise LuckrigError("rig_offline", state.message or f"No tunnel: {state.reason}.")


def chosen_moderation(environ: Mapping[str, str], folder: Path) -> ModerationSettings | None:
    """The moderation service of the environment, with its flags under the rig's folder.

    Raises LuckrigError on wrong values: a rig never starts with less checking than was asked for.
    """
    try:
        return moderation_settings(environ, folder=folder / "moderation")
    except ValueError as error:
        raise LuckrigError("invalid_request", f"{error}.") from error


def chosen_context(environ: Mapping[str, str]) -> int | None:
    """The context length for ollama, if the owner set one. Raises LuckrigError on a wrong value."""
    try:
        return engine_context(environ)
    except ValueError as error:
        raise LuckrigError("invalid_request", f"{error}.") from error


def chosen_metrics_token(environ: Mapping[str, str]) -> str | None:
    """The token for /metrics of the environment. Raises LuckrigError on one that is no good."""
    try:
        return metrics_token(environ)
    except ValueError as error:
        raise LuckrigError("invalid_request", f"{error}.") from error
