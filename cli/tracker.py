"""`luckrig tracker`: runs a tracker."""

import os
from dataclasses import replace

import click

from luckrig.cli.home import Home
from luckrig.cli.hosting import running_tracker
from luckrig.cli.loop import bind, origin_of, run, spare_collector, stop_on_signals
from luckrig.cli.options import ListenAddress, json_option, listen_option, verbose_option
from luckrig.cli.output import note, print_json, say
from luckrig.protocol.address import TrackerAddress, is_origin
from luckrig.protocol.errors import LuckrigError
from luckrig.tracker.settings import TrackerSettings


@click.command("tracker")
@listen_option("127.0.0.1:8787")
@click.option("--public-url", metavar="URL", help="The address that people and rigs use.")
@click.option(
    "--allow-private",
    is_flag=True,
    help="List rigs on loopback and private networks too. Only for your own machine or network.",
)
@verbose_option
@json_option
def tracker(
    listen: ListenAddress, public_url: str | None, allow_private: bool, as_json: bool
) -> None:
    """Run a tracker: the map, its API and its health checks.

    Its keys and its database live in $LUCKRIG_HOME. Every other setting is an environment
    variable, LUCKRIG_TRACKER_…: docs/ARCHITECTURE.md lists them.
    """
    run(_serve(listen, public_url, allow_private, as_json=as_json))


async def _serve(
    listen: ListenAddress, public_url: str | None, allow_private: bool, *, as_json: bool
) -> None:
    home = Home.from_env(os.environ)
    async with stop_on_signals() as stop:
        sock = bind(listen.host, listen.port)
        settings = _settings(public_url, allow_private, bound_to=origin_of(sock))
        async with running_tracker(home, settings, sock) as address:
            _announce(address, as_json=as_json)
            spare_collector()
            await stop.wait()
    if not as_json:
        note("The tracker has stopped.")


def _settings(public_url: str | None, allow_private: bool, *, bound_to: str) -> TrackerSettings:
    try:
        settings = TrackerSettings.from_env(os.environ)
    except ValueError as error:
        raise LuckrigError("invalid_request", f"{error}.") from error
    if public_url is None and "LUCKRIG_TRACKER_PUBLIC_URL" not in os.environ:
        public_url = bound_to
    if public_url is not None:
        if not is_origin(public_url.rstrip("/")):
            raise LuckrigError("invalid_request", "--public-url looks like https://host[:port].")
        settings = replace(settings, public_url=public_url.rstrip("/"))
    return replace(settings, allow_private_endpoints=allow_private) if allow_private else settings


def _announce(address: TrackerAddress, *, as_json: bool) -> None:
    if as_json:
        print_json({"tracker": address.origin, "root_id": address.root_id, "address": str(address)})
        return
    say(f"The map is at      {address.origin}/")
    say(f"Rigs register with {address}")
    note("Ctrl-C stops the tracker.")
