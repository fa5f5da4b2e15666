"""`luckrig demo`: the whole network on one machine, with a real engine, in seconds."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import click

from luckrig.cli.engines import chosen_engine
from luckrig.cli.home import Home
from luckrig.cli.hosting import running_tracker
from luckrig.cli.loop import bind, origin_of, run, stop_on_signals
from luckrig.cli.options import ask_tracker, engine_option, json_option, verbose_option
from luckrig.cli.output import console, note, print_json, say, styled
from luckrig.cli.rig import RunningRig, running_rig
from luckrig.cli.rig_plan import RigPlan, chosen, chosen_moderation
from luckrig.client.tracker import TrackerClient
from luckrig.nodeproxy.settings import ModerationSettings, engine_api_key, engine_context
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import TokenReply
from luckrig.tracker.settings import TrackerSettings

HEALTH_INTERVAL_SECONDS: Final = 2.0
READY_TIMEOUT_SECONDS: Final = 20.0
READY_POLL_SECONDS: Final = 0.02
DEFAULT_PORT: Final = 8787


@click.command("demo")
@click.option(
    "--port",
    type=click.IntRange(0, 65534),
    default=DEFAULT_PORT,
    show_default=True,
    help="The tracker's port; the rig takes the next one. 0: two free ones.",
)
@engine_option
@verbose_option
@json_option
def demo(port: int, engine: str, as_json: bool) -> None:
    """Try it all on this machine: a tracker, a rig, and a real model, until Ctrl-C.

    Uses the ollama or llama-server that runs here, or else a tiny model of its own. Files are kept
    in $LUCKRIG_HOME only.
    """
    run(_demo(port, engine, as_json=as_json))


async def _demo(port: int, engine: str, *, as_json: bool) -> None:
    home = Home.from_env(os.environ)
    user_key = home.load_or_create("user")
    moderation = chosen_moderation(os.environ, home.path / "demo")
    async with (
        stop_on_signals() as stop,
        chosen_engine(engine, home) as engine_url,
        _demo_tracker(home, port) as tracker,
        _demo_rig(home, engine_url, port and port + 1, user_key, moderation, tracker) as rig,
    ):
        await _until_on_the_map(tracker, rig.node_id)
        token = await tracker.token(rig.node_id, user_key=user_key)
        _announce(tracker.address, rig, token, as_json=as_json)
        await stop.wait()
    if not as_json:
        note("The demo has stopped. Nothing is left running.")


@asynccontextmanager
async def _demo_tracker(home: Home, port: int) -> AsyncGenerator[TrackerClient, None]:
    sock = bind("127.0.0.1", port)
    settings = TrackerSettings(
        public_url=origin_of(sock),
        allow_private_endpoints=True,
        health_interval_seconds=HEALTH_INTERVAL_SECONDS,
    )
    # A folder of its own: a tracker that somebody runs for real here keeps its keys and map.
    async with (
        running_tracker(Home(home.path / "demo"), settings, sock) as address,
        ask_tracker(address) as tracker,
    ):
        yield tracker


@asynccontextmanager
async def _demo_rig(
    home: Home,
    engine_url: str,
    port: int,
    user_key: PrivateKey,
    moderation: ModerationSettings | None,
    tracker: TrackerClient,
) -> AsyncGenerator[RunningRig, None]:
    plan = RigPlan(
        engine_url=engine_url,
        engine_key=engine_api_key(os.environ),
        engine_context=chosen(engine_context, os.environ),
        name="Demo rig",
        note="This machine, for as long as the demo runs.",
        listen=("127.0.0.1", port),
        endpoint=None,
        max_active=None,
        max_queue=32,
        node_key=Home(home.path / "demo").load_or_create("node"),
        owner_key=user_key,
        moderation=moderation,
    )
    async with running_rig(plan, tracker) as rig:
        yield rig


async def _until_on_the_map(tracker: TrackerClient, node_id: str) -> None:
    """The tracker looks at a new rig at once; this waits until it has."""
    try:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            while (await tracker.node(node_id)).node.status not in ("available", "busy"):
                await asyncio.sleep(READY_POLL_SECONDS)
    except TimeoutError as error:
        raise LuckrigError(
            "node_offline", "The rig started, but the tracker doesn't see it answer."
        ) from error


def _announce(
    address: TrackerAddress, rig: RunningRig, token: TokenReply, *, as_json: bool
) -> None:
    if as_json:
        print_json(
            {
                "tracker": address.origin,
                "map": f"{address.origin}/",
                "node_id": rig.node_id,
                "base_url": token.base_url,
                "token": token.token,
                "model": rig.models[0],
            }
        )
        return
    elsewhere = (
        "" if address.origin.endswith(f":{DEFAULT_PORT}") else f" --tracker {address.origin}"
    )
    out = console()
    out.print(styled("\n  The demo is ready.\n", "bold green"))
    for label, text in (
        ("map", f"{address.origin}/"),
        ("rig", rig.page),
        ("API", token.base_url),
        ("models", ", ".join(rig.models)),
    ):
        out.print(styled(f"  {label:<8}", "dim") + styled(text), soft_wrap=True)
    out.print(styled("\n  Open the map in a browser. Then, in a second terminal:\n", "bold"))
    say(f'    eval "$({_this_command()} token --env{elsewhere})"')
    say('    curl -N "$OPENAI_BASE_URL/chat/completions" \\')
    say('      -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\')
    say('      -d \'{"model": "\'"$OPENAI_MODEL"\'", "stream": true,')
    say('           "messages": [{"role": "user", "content": "Hello! Who are you?"}]}\'')
    say("")
    note("\n  Ctrl-C stops everything.")


def _this_command() -> str:
    """How to call luckrig in another terminal, which may not have its folder on the PATH."""
    called = sys.argv[0]
    on_path = shutil.which("luckrig")
    if on_path is not None and os.path.realpath(on_path) == os.path.realpath(called):
        return "luckrig"
    return shlex.quote(called)
