"""`luckrig register`: from an idle machine to a rig on the map, with one command."""

import asyncio
import os
import platform
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

import click
import msgspec

from luckrig.cli import no_engine, preview
from luckrig.cli.config import Config, check_config, config_path, read_config, write_config
from luckrig.cli.engine_choice import Choice, NoEngine, engine_of
from luckrig.cli.home import Home
from luckrig.cli.hosted_rig import HostedRig, hosted_rig
from luckrig.cli.key_registration import register_at
from luckrig.cli.loop import plain_ctrl_c, run, spare_collector
from luckrig.cli.options import ask_tracker, is_given, json_option, verbose_option
from luckrig.cli.output import console, note, print_json, say
from luckrig.cli.pinning import Pinned, pin, wanted_tracker, with_tracker
from luckrig.cli.questions import ask_choices, confirm, without_questions
from luckrig.cli.rig_options import rig_options, with_options
from luckrig.cli.rig_plan import DEFAULT_LISTEN, DEFAULT_QUEUE, chosen_moderation
from luckrig.cli.rules import own_packs
from luckrig.cli.screens import Lines, NoScreen, Screen, live_screen
from luckrig.cli.watching import followed_score, heard_signals, watch_over
from luckrig.client.tracker import TrackerClient
from luckrig.nodeproxy.control import claimed_folder
from luckrig.nodeproxy.hardware import detect_hardware
from luckrig.nodeproxy.hours import local_zone_name
from luckrig.protocol.descriptor import Hardware, Offer
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.surface import relay_endpoint

SEEN_SECONDS: Final = 10.0
"""How long the tracker may take to see a rig that is listed and connected."""
POLL_SECONDS: Final = 0.1


class Manners(NamedTuple):
    """How the command talks. yes: ask nothing."""

    yes: bool
    as_json: bool
    plain: bool


@click.command("register")
@click.argument("tracker", required=False, envvar="LUCKRIG_TRACKER")
@rig_options
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: put it on the map.")
@click.option("--invite", metavar="CODE", help="For a tracker that takes new keys by invitation.")
@click.option("--plain", is_flag=True, help="No live screen: a line for each change.")
@verbose_option
@json_option
def command(
    tracker: str | None, yes: bool, invite: str | None, plain: bool, as_json: bool, **options: Any
) -> None:
    """Put the engine on this machine on a map. No open port, no config file.

    TRACKER is an address, https://host#r1… or without the #r1… part: then its key is taken as it is
    the first time, and another one is refused later. Without TRACKER it is the one of last time.

    Shows what becomes public, asks once, and stays: a live screen until Ctrl-C, which finishes what
    runs. --listen or --endpoint make it a rig with a port of its own instead. Your choices are kept
    in $LUCKRIG_HOME/config.toml. With --engine tiny a small model that comes with luckrig answers.
    """
    home = Home.from_env(os.environ)
    remembered = read_config(config_path(home))
    config = _placed(with_options(remembered, options), options)
    asked = wanted_tracker(tracker, remembered.rig.tracker)
    config = with_tracker(config, asked[0])
    check_config(config, source="luckrig register")
    with claimed_folder(home.run_folder):
        pass  # a second rig of this home is refused before anybody answers questions
    manners = Manners(yes, as_json, plain)
    code = run(_register(home, config, asked[1], invite, manners))
    if code:
        raise click.exceptions.Exit(code)


def _placed(config: Config, options: dict[str, Any]) -> Config:
    """Behind a tunnel, unless its owner gave it a place, now or in the config."""
    rig = config.rig
    if any(name in options and is_given(name) for name in ("listen", "endpoint")):
        tunnel: bool | None = None
    elif rig.tunnel is None:
        tunnel = (rig.listen is None and rig.endpoint is None) or None
    else:
        tunnel = rig.tunnel
    if tunnel and rig.endpoint is not None:
        text = "config.toml has both rig.tunnel and rig.endpoint: take one of them out."
        raise LuckrigError("invalid_request", text)
    return msgspec.structs.replace(config, rig=msgspec.structs.replace(rig, tunnel=tunnel))


async def _register(
    home: Home, config: Config, is_remembered: bool, invite: str | None, manners: Manners
) -> int:
    hardware = await asyncio.to_thread(detect_hardware)
    asked, _ = wanted_tracker(config.rig.tracker, None)
    try:
        async with engine_of(config.rig.engine or "auto", home, os.environ, note) as choice:
            pinned = await pin(asked, is_remembered=is_remembered)
            async with plain_ctrl_c():
                config = with_tracker(config, pinned.address)
                config = _agreed(home, config, pinned, choice, hardware, manners)
            _save(home, config)
            async with ask_tracker(pinned.address) as client:
                if invite is not None:
                    await register_at(client, home.load_or_create("user"), invite=invite)
                return await _run(home, config, client, choice.engine.url, manners)
    except NoEngine as error:
        raise await _no_engine(error, config, hardware, manners) from error


def _agreed(
    home: Home,
    config: Config,
    pinned: Pinned,
    choice: Choice,
    hardware: Hardware,
    manners: Manners,
) -> Config:
    """The owner's choices, after they saw what becomes public and said yes. Blocks the loop."""
    asks = not manners.yes
    if asks and not (sys.stdin.isatty() and sys.stderr.isatty()):
        text = "Nobody is here to say yes. Add --yes if it may go on the map."
        raise LuckrigError("invalid_request", text)
    offers = choice.engine.state.offers
    config = ask_choices(config, hardware, offers) if asks else without_questions(config, hardware)
    shown = _preview(home, config, pinned, choice, hardware)
    if not manners.as_json or asks:
        console(stderr=True).print(preview.render(shown))
        if choice.others:
            note(f"There is another engine at {', '.join(choice.others)}: --engine URL picks it.")
    if asks and not confirm():
        raise LuckrigError("invalid_request", "Nothing was published.")
    return config


def _preview(
    home: Home, config: Config, pinned: Pinned, choice: Choice, hardware: Hardware
) -> preview.Preview:
    state, rig = choice.engine.state, config.rig
    node_id = derive_id("n1", home.load_or_create("node").public)
    if rig.tunnel:
        base_url = f"{relay_endpoint(pinned.address.origin, node_id)}/v1"
    else:
        base_url = f"{rig.endpoint or f'http://{rig.listen or DEFAULT_LISTEN}'}/v1"
    max_queue = config.limits.max_queue
    return preview.Preview(
        tracker=pinned.address,
        first_use=pinned.is_first_use,
        name=rig.name or "",
        note=rig.note or "",
        hardware=hardware,
        engine=f"{state.kind} {state.version or ''}".rstrip(),
        offers=_offers(config, state.offers),
        wishes=config.wishes(local_zone_name(os.environ)),
        max_active=config.limits.max_active or state.slots,
        max_queue=DEFAULT_QUEUE if max_queue is None else max_queue,
        owner_id=derive_id("u1", home.load_or_create("user").public),
        base_url=base_url,
        is_relayed=bool(rig.tunnel),
        packs=[pack.name for pack in own_packs(home.rules_folder)],
        moderation=chosen_moderation(os.environ, home.path) is not None,
    )


def _offers(config: Config, offers: Sequence[Offer]) -> list[Offer]:
    """Those that the owner chose. Raises LuckrigError when one isn't there."""
    wanted = config.rig.models
    if wanted is None:
        return [*offers]
    there = {offer.model for offer in offers}
    if missing := sorted(set(wanted) - there):
        raise LuckrigError(
            "model_not_found",
            f"The engine has no model {', '.join(missing)}; it has {', '.join(sorted(there))}."
            " Choose with --model, or take `models` out of config.toml.",
        )
    return [offer for offer in offers if offer.model in wanted]


def _save(home: Home, config: Config) -> None:
    if config.rig.engine == "tiny":  # a try, no choice: next time there may be an engine here
        config = msgspec.structs.replace(
            config, rig=msgspec.structs.replace(config.rig, engine=None)
        )
    path = config_path(home)
    kept = write_config(path, config)
    note(f"Your choices are in {path}." + (f" The ones before: {kept.name}." if kept else ""))


async def _no_engine(
    error: NoEngine, config: Config, hardware: Hardware, manners: Manners
) -> LuckrigError:
    """Show what to do. The error that ends the command."""
    if manners.as_json:
        return LuckrigError("engine_unavailable", no_engine.why_none(error.tried))
    asked, _ = wanted_tracker(config.rig.tracker, None)
    situation = no_engine.Situation(
        tried=error.tried,
        hardware=hardware,
        system=platform.system(),
        on_map=await no_engine.on_the_map(asked),
    )
    console(stderr=True).print(no_engine.render(situation))
    return LuckrigError("engine_unavailable", "There is no engine to put on the map; see above.")


async def _run(
    home: Home, config: Config, client: TrackerClient, engine_url: str, manners: Manners
) -> int:
    """Put it on the map and stay. The exit code."""
    async with hosted_rig(config, home, os.environ, client, engine_url=engine_url) as hosted:
        with heard_signals() as signals:
            async with followed_score(client, home.load_or_create("user")) as standing:
                await _announce(hosted, client, manners)
                spare_collector()
                with _screen(manners) as screen:
                    code = await watch_over(hosted, signals, screen, standing)
            note("The rig is ending; the map will show it as unavailable.")
    return code


async def _announce(hosted: HostedRig, client: TrackerClient, manners: Manners) -> None:
    status = await _seen(client, hosted.rig.node_id)
    rig = hosted.rig
    if manners.as_json:
        document = {
            "node_id": rig.node_id,
            "base_url": f"{rig.origin}/v1",
            "page": rig.page,
            "models": rig.models,
            "status": status,
            "tracker": str(client.address),
        }
        print_json(document)
    elif not _is_live(manners):
        say(f"On the map   {rig.page}")
        say(f"Serving      {rig.origin}/v1")
        say(f"Models       {', '.join(rig.models)}")
    if status in ("unknown", "unavailable") and rig.tunnel is None:
        note(f"The tracker can't reach {rig.origin} yet: `luckrig node reach` says why.")


async def _seen(client: TrackerClient, node_id: str) -> str:
    """The rig's status on the map, as soon as the tracker has seen it; for a while at most."""
    status = "unknown"
    with suppress(TimeoutError, LuckrigError):
        async with asyncio.timeout(SEEN_SECONDS):
            while status in ("unknown", "unavailable"):
                status = (await client.node(node_id)).node.status
                await asyncio.sleep(POLL_SECONDS)
    return status


def _is_live(manners: Manners) -> bool:
    is_dumb = os.environ.get("TERM", "dumb") in ("dumb", "unknown")
    return not (manners.plain or manners.as_json or is_dumb) and sys.stdout.isatty()


@contextmanager
def _screen(manners: Manners) -> Generator[Screen, None, None]:
    if _is_live(manners):
        with live_screen() as screen:
            yield screen
    else:
        yield NoScreen() if manners.as_json else Lines()
