"""`luckrig connect`: OpenAI's API on this machine, answered by the whole network.

stdout holds what was announced and a line for each request; with --print-env, exports for a shell
and nothing else, so that `eval "$(luckrig connect --print-env)"` works.
"""

import os
import secrets
import shlex
import socket
import string
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import click
import msgspec

from luckrig.cli.home import Home
from luckrig.cli.key_registration import register_if_needed
from luckrig.cli.local_key import KEY_FILE, load_local_key, replace_local_key
from luckrig.cli.local_server import serving_locally
from luckrig.cli.loop import authority_of, bind, run, spare_collector, stop_on_signals
from luckrig.cli.options import ask_tracker, json_option, tracker_option, verbose_option
from luckrig.cli.output import note, print_json, say, say_line
from luckrig.cli.token import load_user_key
from luckrig.client.calling.network import open_network
from luckrig.client.calls import Caller
from luckrig.client.history.store import History
from luckrig.client.sidecar.app import Chances, Sidecar
from luckrig.client.sidecar.finished import Finished, Keeper
from luckrig.client.sidecar.guard import Guard
from luckrig.client.sidecar.reading import Defaults
from luckrig.client.wanted import AUTO, read_wanted
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey

DEFAULT_PORT: Final = 4141
HOST: Final = "127.0.0.1"
"""And never another one: who can reach the sidecar spends this user's quota in this user's name."""

_SALT: Final = string.ascii_lowercase + string.digits
_SHORT_ID_CHARS: Final = 10


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What --json prints first. key_file: where the local key is. history: None for no replays."""

    base_url: str
    key_file: str
    tracker: str
    mode: str
    history: str | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was asked for on the command line."""

    port: int
    defaults: Defaults
    keeps_replays: bool
    invite: str | None
    as_json: bool


@click.command("connect")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=DEFAULT_PORT,
    show_default=True,
    help="On 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--subtext/--plain",
    default=False,
    help="Seal requests and replies, where a request doesn't say otherwise.",
)
@click.option(
    "--model", metavar="MODEL", help="For every request, whatever model an app names: MODEL[@RIG]."
)
@click.option("--no-replays", is_flag=True, help="Keep no replays in $LUCKRIG_HOME/history.")
@click.option("--print-env", is_flag=True, help="Print exports for a shell to eval, and end.")
@click.option("--new-key", is_flag=True, help="Make a new local key first; the old one ends.")
@click.option("--invite", metavar="CODE", help="For a tracker that takes new keys with one.")
@json_option
@tracker_option
@verbose_option
def command(
    port: int,
    subtext: bool,
    model: str | None,
    no_replays: bool,
    print_env: bool,
    new_key: bool,
    invite: str | None,
    as_json: bool,
    tracker: TrackerAddress,
) -> None:
    """Let any OpenAI app on this machine use the whole network.

    It listens on 127.0.0.1 until Ctrl-C, picks a rig for each request, and says in the reply's
    headers which one it was. Your key is made on first use.

    \b
    luckrig connect                              # leave it running
    eval "$(luckrig connect --print-env)"        # in another terminal: any OpenAI app
    """
    if model is not None:
        read_wanted(model, None, {})  # a wrong one is refused now, not at each request
    home = Home.from_env(os.environ)
    if print_env and port == 0:
        raise click.UsageError("--print-env needs the port: --port 0 takes a new one each time.")
    local_key = replace_local_key(home) if new_key else load_local_key(home)
    if new_key:
        note("The local key is new. A sidecar that runs takes the old one until it is restarted.")
    if print_env:
        _print_env(f"http://{HOST}:{port}/v1", local_key, as_json=as_json)
        return
    settings = Settings(
        port=port,
        defaults=Defaults(subtext=subtext, model=model),
        keeps_replays=not no_replays,
        invite=invite,
        as_json=as_json,
    )
    run(_serve(home, tracker, local_key, settings))


async def _serve(home: Home, tracker: TrackerAddress, local_key: str, settings: Settings) -> None:
    sock = _listen(settings.port)
    with sock:
        user_key = load_user_key(home)
        async with ask_tracker(tracker) as client:
            await register_if_needed(client, user_key, invite=settings.invite)
        await _answer(home, tracker, user_key, local_key, settings, sock)
    if not settings.as_json:
        note("The sidecar has ended.")


async def _answer(
    home: Home,
    tracker: TrackerAddress,
    user_key: PrivateKey,
    local_key: str,
    settings: Settings,
    sock: socket.socket,
) -> None:
    history = History(home.path / "history") if settings.keeps_replays else None
    async with (
        stop_on_signals() as stop,
        open_network(tracker, user_key) as caller,
    ):
        sidecar = make_sidecar(
            caller,
            local_key,
            port=sock.getsockname()[1],
            defaults=settings.defaults,
            history=history,
            tracker=tracker.origin,
            on_finished=print_json if settings.as_json else _print_finished,
        )
        async with sidecar.running(), serving_locally(sidecar, sock):
            _announce(home, tracker, local_key, settings, f"http://{authority_of(sock)}/v1")
            spare_collector()
            await stop.wait()


def make_sidecar(
    caller: Caller,
    local_key: str,
    *,
    port: int,
    defaults: Defaults,
    history: History | None,
    tracker: str | None,
    on_finished: Callable[[Finished], None],
) -> Sidecar:
    """The sidecar, on this machine's clock and randomness."""
    return Sidecar(
        caller,
        Guard(port, local_key),
        Keeper(history, clock=time.time, on_finished=on_finished),
        defaults=defaults,
        tracker=tracker,
        chances=Chances(
            clock=time.time,
            monotonic=time.monotonic,
            new_salt=lambda: "".join(secrets.choice(_SALT) for _ in range(6)),
        ),
    )


def _listen(port: int) -> socket.socket:
    try:
        return bind(HOST, port)
    except LuckrigError as error:
        raise LuckrigError(
            error.code,
            f"{error.message} Perhaps `luckrig connect` runs already: then"
            " `luckrig connect --print-env` is all that an app needs.",
        ) from error


def _print_env(base_url: str, local_key: str, *, as_json: bool) -> None:
    values = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": local_key}
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        say(f"export {name}={shlex.quote(value)}")


def _announce(
    home: Home, tracker: TrackerAddress, local_key: str, settings: Settings, base_url: str
) -> None:
    folder = str(home.path / "history") if settings.keeps_replays else None
    mode = "subtext" if settings.defaults.subtext else "plain"
    if settings.as_json:
        print_json(
            Announcement(
                base_url=base_url,
                key_file=str(home.path / KEY_FILE),
                tracker=tracker.origin,
                mode=mode,
                history=folder,
            )
        )
        return
    port = int(base_url.rpartition(":")[2].partition("/")[0])
    option = "" if port == DEFAULT_PORT else f" --port {port}"
    say("Any OpenAI app on this machine can use the network now.\n")
    if sys.stdout.isatty():  # a file or a service's log needn't have the key
        say(f"  OPENAI_BASE_URL={base_url}")
        say(f"  OPENAI_API_KEY={local_key}\n")
    say(f'  eval "$(luckrig connect --print-env{option})"    # in another terminal\n')
    say(f"tracker   {tracker.origin}")
    say(f"model     {settings.defaults.model or f'the one that an app names, or {AUTO}'}")
    say(f"mode      {mode}: {_MODES[mode]}")
    say(f"replays   {'none' if folder is None else f'{folder}, on this disk only'}")
    note("\nCtrl-C ends it.")


_MODES: Final = {
    "plain": "the rig that answers can read what you send, and so can a tracker that relays",
    "subtext": "sealed; only the rig that answers can read what you send",
}


def _print_finished(finished: Finished) -> None:
    say_line(describe(finished, time.strftime("%H:%M:%S")))


def describe(finished: Finished, now: str) -> str:
    """One request as a line for people. now: the time, as it is to be shown."""
    if finished.rig is None:
        what = "the app left" if finished.status == 0 else f"{finished.status} {finished.error}"
        return f"{now}  {finished.path}  {what}"
    parts = [now, f"{finished.name} ({finished.rig[:_SHORT_ID_CHARS]})", finished.model or "?"]
    if finished.completion_tokens is not None:
        parts.append(f"{finished.completion_tokens} tokens")
    if finished.tokens_per_second is not None:
        parts.append(f"{finished.tokens_per_second:.1f} tok/s")
    if finished.ttft_ms is not None:
        parts.append(f"first after {finished.ttft_ms:.0f} ms")
    if finished.mode == "subtext":
        parts.append("sealed")
    if finished.outcome == "cut":
        parts.append("the app left")
    elif finished.outcome == "failed":
        parts.append(f"{finished.status} {finished.error or 'failed'}")
    return "  ".join(parts)
