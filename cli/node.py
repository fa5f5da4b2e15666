"""`luckrig node`: puts one's own rig on the map."""

import os
from dataclasses import dataclass

import click

from luckrig.cli.engines import chosen_engine
from luckrig.cli.home import Home
from luckrig.cli.options import (
    ListenAddress,
    ask_tracker,
    engine_option,
    json_option,
    listen_option,
    tracker_option,
    verbose_option,
)
from luckrig.cli.output import note, print_json, safe_line, say
from luckrig.cli.rig import (
    RigPlan,
    RunningRig,
    chosen_context,
    chosen_metrics_token,
    chosen_moderation,
    running_rig,
)
from luckrig.cli.rules import own_packs
from luckrig.cli.serve import run, spare_collector, stop_on_signals
from luckrig.nodeproxy.settings import engine_api_key
from luckrig.protocol.address import TrackerAddress, is_origin
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.wire import NodeDetail


@click.group("node")
def node() -> None:
    """Put your own rig on the map."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The command line of `node start`."""

    engine: str
    name: str
    note: str
    listen: ListenAddress | None
    endpoint: str | None
    max_active: int | None
    max_queue: int


@node.command("start")
@engine_option
@click.option("--name", default="A rig", show_default=True, help="What the map calls it.")
@click.option("--note", "note_text", default="", help="Tuning notes, for everybody to read.")
@listen_option("127.0.0.1:8788")
@click.option("--endpoint", metavar="URL", help="Where clients reach it, if not where it listens.")
@click.option(
    "--tunnel",
    is_flag=True,
    help="Listen nowhere: connect to the tracker, which relays. For rigs behind a home router.",
)
@click.option(
    "--max-active",
    type=click.IntRange(1, 1024),
    help="Requests at the engine at once.  [default: what the engine can run in parallel]",
)
@click.option(
    "--max-queue",
    type=click.IntRange(0, 1024),
    default=32,
    show_default=True,
    help="Requests waiting for their turn.",
)
@tracker_option
@verbose_option
@json_option
def start(
    engine: str,
    name: str,
    note_text: str,
    listen: ListenAddress,
    endpoint: str | None,
    tunnel: bool,
    max_active: int | None,
    max_queue: int,
    tracker: TrackerAddress,
    as_json: bool,
) -> None:
    """Guard the engine on this machine with a node proxy, and list it at a tracker.

    Name, note, hardware, models and address become public. An engine that asks for a key gets the
    one in LUCKRIG_ENGINE_KEY. LUCKRIG_MODERATION_URL names a service that checks texts. Rule packs
    in $LUCKRIG_HOME/rules add to those that luckrig ships. LUCKRIG_METRICS_TOKEN opens /metrics to
    whoever has it.
    """
    asked = _Asked(
        engine=engine,
        name=name,
        note=note_text,
        listen=None if tunnel else listen,
        endpoint=endpoint.rstrip("/") if endpoint else None,
        max_active=max_active,
        max_queue=max_queue,
    )
    if asked.endpoint is not None and not is_origin(asked.endpoint):
        raise LuckrigError("invalid_request", "--endpoint looks like https://host[:port].")
    if tunnel and endpoint is not None:
        text = "--endpoint is for rigs that listen; with --tunnel clients reach it at the tracker."
        raise LuckrigError("invalid_request", text)
    run(_serve(asked, tracker, as_json=as_json))


@node.command("status")
@tracker_option
@json_option
def status(tracker: TrackerAddress, as_json: bool) -> None:
    """Show how the tracker sees this machine's rig, and what keeps it off the map."""
    node_id = derive_id("n1", Home.from_env(os.environ).load("node").public)
    detail = run(_ask(tracker, node_id))
    if as_json:
        print_json(detail)
        return
    say(f"Rig      {detail.node.id}")
    say(f"Status   {detail.node.status}")
    if detail.reach is not None and detail.reach.message is not None:
        say(f"Problem  {safe_line(detail.reach.message)}")
    for found in detail.audit:
        if found.verdict == "contradicts":
            say(f"Claim    {safe_line(f'{found.model}: {found.claimed} {found.evidence}')}")


async def _ask(address: TrackerAddress, node_id: str) -> NodeDetail:
    async with ask_tracker(address) as tracker:
        return await tracker.node(node_id)


async def _serve(asked: _Asked, address: TrackerAddress, *, as_json: bool) -> None:
    home = Home.from_env(os.environ)
    moderation = chosen_moderation(os.environ, home.path)
    rules = own_packs(home.rules_folder)
    metrics_token = chosen_metrics_token(os.environ)
    async with (
        stop_on_signals() as stop,
        chosen_engine(asked.engine, home) as engine_url,
        ask_tracker(address) as tracker,
    ):
        plan = RigPlan(
            engine_url=engine_url,
            engine_key=engine_api_key(os.environ),
            engine_context=chosen_context(os.environ),
            name=asked.name,
            note=asked.note,
            listen=None if asked.listen is None else (asked.listen.host, asked.listen.port),
            endpoint=asked.endpoint,
            max_active=asked.max_active,
            max_queue=asked.max_queue,
            node_key=home.load_or_create("node"),
            owner_key=home.load_or_create("user"),
            moderation=moderation,
            rules=rules,
            metrics_token=metrics_token,
        )
        async with running_rig(plan, tracker) as rig:
            _announce(rig, as_json=as_json)
            spare_collector()
            await stop.wait()
    if not as_json:
        note("The rig has stopped; the map will show it as unavailable.")


def _announce(rig: RunningRig, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "node_id": rig.node_id,
                "base_url": f"{rig.origin}/v1",
                "page": rig.page,
                "models": rig.models,
            }
        )
        return
    say(f"On the map   {rig.page}")
    say(f"Serving      {rig.origin}/v1{'' if rig.tunnel is None else '  (through its tunnel)'}")
    say(f"Models       {', '.join(rig.models)}")
    note("Ctrl-C takes it off.")
