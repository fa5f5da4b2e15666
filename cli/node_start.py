"""`luckrig node start`: runs one's own rig."""

import os
from typing import Any

import click

from luckrig.cli.config import Config, check_config, config_path, read_config, write_config
from luckrig.cli.desk import until_told_to_stop
from luckrig.cli.engines import chosen_engine
from luckrig.cli.home import Home
from luckrig.cli.hosted_rig import HostedRig, hosted_rig
from luckrig.cli.loop import run, spare_collector, stop_on_signals
from luckrig.cli.options import (
    DEFAULT_TRACKER,
    ask_tracker,
    json_option,
    tracker_option,
    verbose_option,
)
from luckrig.cli.output import note, print_json, say
from luckrig.cli.rig_options import rig_options, with_options
from luckrig.protocol.address import parse_tracker_address
from luckrig.protocol.errors import LuckrigError


@click.command("start")
@rig_options
@click.option(
    "--tunnel",
    is_flag=True,
    help="Listen nowhere: connect to the tracker, which relays. For rigs behind a home router.",
)
@click.option("--save", is_flag=True, help="Remember all this in $LUCKRIG_HOME/config.toml.")
@tracker_option
@verbose_option
@json_option
def start(as_json: bool, save: bool, **options: Any) -> None:
    """Guard the engine on this machine with a node proxy, and list it at a tracker.

    Name, note, hardware, models, opening hours and address become public. What isn't given here
    comes from $LUCKRIG_HOME/config.toml. An engine that asks for a key gets the one in
    LUCKRIG_ENGINE_KEY. LUCKRIG_MODERATION_URL names a service that checks texts. Rule packs in
    $LUCKRIG_HOME/rules add to those that luckrig ships. LUCKRIG_METRICS_TOKEN opens /metrics to
    whoever has it.
    """
    home = Home.from_env(os.environ)
    config = with_options(read_config(config_path(home)), options)
    check_config(config, source="luckrig node start")
    if config.rig.tunnel and config.rig.endpoint is not None:
        text = "--endpoint is for rigs that listen; with --tunnel clients reach it at the tracker."
        raise LuckrigError("invalid_request", text)
    if save:
        _save(home, config)
    run(_serve(home, config, as_json=as_json))


def _save(home: Home, config: Config) -> None:
    path = config_path(home)
    kept = write_config(path, config)
    note(f"Saved in {path}." + (f" The one before is {kept.name}." if kept else ""))


async def _serve(home: Home, config: Config, *, as_json: bool) -> None:
    address = parse_tracker_address(config.rig.tracker or DEFAULT_TRACKER)
    async with (
        stop_on_signals() as stop,
        chosen_engine(config.rig.engine or "auto", home) as engine_url,
        ask_tracker(address) as tracker,
        hosted_rig(config, home, os.environ, tracker, engine_url=engine_url) as hosted,
    ):
        _announce(hosted, as_json=as_json)
        spare_collector()
        await until_told_to_stop(stop, hosted.rig.node.gate.drained)
    if not as_json:
        note("The rig has stopped; the map will show it as unavailable.")


def _announce(hosted: HostedRig, *, as_json: bool) -> None:
    rig = hosted.rig
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
    if hosted.desk.status().reason is not None:
        note("It takes no requests now: `luckrig node status` says why.")
    note("Ctrl-C takes it off.")
