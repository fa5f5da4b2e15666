"""`luckrig node service`: the rig starts with the machine's user, and again when it fails.

A systemd user unit on Linux, a launchd agent on macOS. What the rig does is written in
config.toml; the service itself has no options.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from luckrig.cli.config import config_path, read_config
from luckrig.cli.home import Home
from luckrig.cli.output import note, say
from luckrig.cli.units import LAUNCHD_LABEL, MARK, SYSTEMD_UNIT, Unit, launchd_plist, systemd_unit
from luckrig.protocol.errors import LuckrigError

COMMAND_SECONDS: Final = 60.0
MAX_UNIT_BYTES: Final = 65_536


@dataclass(frozen=True, kw_only=True)
class Manager:
    """How this machine runs services. Each is a list of commands; path: of the unit's file."""

    path: Path
    content: str
    activate: Sequence[Sequence[str]]
    deactivate: Sequence[Sequence[str]]
    forget: Sequence[Sequence[str]]
    inspect: Sequence[str]
    hint: str


@click.group("service")
def service() -> None:
    """Let your rig start by itself."""


@service.command("install")
@click.option("--print", "only_print", is_flag=True, help="Print the file, do nothing.")
def install(only_print: bool) -> None:
    """Write the service, start it now and with every login."""
    home = Home.from_env(os.environ)
    manager = _manager(home, os.environ, platform.system())
    if only_print:
        say(manager.content.rstrip("\n"))
        return
    read_config(config_path(home))  # what the service would stumble over at every start
    before = _ours(manager.path)
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home.path / "logs").mkdir(mode=0o700, exist_ok=True)
    manager.path.parent.mkdir(parents=True, exist_ok=True)
    Home(manager.path.parent).replace_file(manager.path.name, manager.content.encode("utf-8"))
    say(f"{'Rewrote' if before else 'Wrote'} {manager.path}")
    if before:
        _run(manager.deactivate, may_fail=True)
    _run(manager.activate)
    say("The rig runs now, and starts with your session. `luckrig node status` shows it.")
    note(manager.hint)


@service.command("remove")
@click.option("--print", "only_print", is_flag=True, help="Print the commands, do nothing.")
def remove(only_print: bool) -> None:
    """End the service and delete its file."""
    manager = _manager(Home.from_env(os.environ), os.environ, platform.system())
    if only_print:
        for command in (*manager.deactivate, ("rm", str(manager.path)), *manager.forget):
            say(" ".join(command))
        return
    if not _ours(manager.path):
        raise LuckrigError("invalid_request", f"There is no service: {manager.path} isn't there.")
    _run(manager.deactivate, may_fail=True)
    manager.path.unlink()
    _run(manager.forget)
    say(f"Removed {manager.path}. Your keys and config.toml are where they were.")


@service.command("status")
@click.option("--print", "only_print", is_flag=True, help="Print the command, do nothing.")
@click.pass_context
def show_status(ctx: click.Context, only_print: bool) -> None:
    """Say whether the service is there and runs; exit code 1 when it doesn't."""
    manager = _manager(Home.from_env(os.environ), os.environ, platform.system())
    if only_print:
        say(" ".join(manager.inspect))
        return
    if not manager.path.exists():
        say("not installed")
        ctx.exit(1)
    done = _call(manager.inspect)
    is_running = done.returncode == 0
    say(f"installed in {manager.path}")
    say("running" if is_running else f"not running ({done.stdout.strip() or 'stopped'})")
    ctx.exit(0 if is_running else 1)


def _manager(home: Home, environ: Mapping[str, str], system: str) -> Manager:
    user_home = Path(environ.get("HOME") or Path.home())
    unit = Unit(
        command=(sys.executable, "-m", "luckrig.cli.main", "node", "start"),
        home=home.path.absolute(),
        python_path=environ.get("PYTHONPATH"),
    )
    if system == "Linux":
        config = Path(environ.get("XDG_CONFIG_HOME") or user_home / ".config")
        return _systemd(config / "systemd" / "user" / SYSTEMD_UNIT, unit)
    if system == "Darwin":
        folder = user_home / "Library" / "LaunchAgents"
        return _launchd(folder / f"{LAUNCHD_LABEL}.plist", unit)
    raise LuckrigError("invalid_request", f"luckrig knows no services on {system}.")


def _systemd(path: Path, unit: Unit) -> Manager:
    systemctl = ("systemctl", "--user")
    return Manager(
        path=path,
        content=systemd_unit(unit),
        activate=((*systemctl, "daemon-reload"), (*systemctl, "enable", "--now", SYSTEMD_UNIT)),
        deactivate=((*systemctl, "disable", "--now", SYSTEMD_UNIT),),
        forget=((*systemctl, "daemon-reload"),),
        inspect=(*systemctl, "is-active", SYSTEMD_UNIT),
        hint="To let it run while you are logged out: loginctl enable-linger. Keys for its "
        f"environment, such as LUCKRIG_ENGINE_KEY=…, go into {unit.home / 'node.env'}.",
    )


def _launchd(path: Path, unit: Unit) -> Manager:
    domain = f"gui/{os.getuid()}"
    return Manager(
        path=path,
        content=launchd_plist(unit),
        activate=(("launchctl", "bootstrap", domain, str(path)),),
        deactivate=(("launchctl", "bootout", f"{domain}/{LAUNCHD_LABEL}"),),
        forget=(),
        inspect=("launchctl", "print", f"{domain}/{LAUNCHD_LABEL}"),
        hint=f"It logs to {unit.home / 'logs' / 'node.log'}.",
    )


def _ours(path: Path) -> bool:
    """Whether we wrote that file; False when there is none. Raises LuckrigError for another's."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_UNIT_BYTES)
    except FileNotFoundError:
        return False
    if MARK.encode() not in content:
        raise LuckrigError(
            "invalid_request", f"{path} isn't luckrig's. Move it away, then try again."
        )
    return True


def _run(commands: Sequence[Sequence[str]], *, may_fail: bool = False) -> None:
    for command in commands:
        done = _call(command)
        if done.returncode and not may_fail:
            why = " ".join(done.stderr.split())[:500] or f"exit code {done.returncode}"
            raise LuckrigError("invalid_request", f"`{' '.join(command)}` failed: {why}")


def _call(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    program = shutil.which(command[0])
    if program is None:
        raise LuckrigError(
            "invalid_request",
            f"There is no {command[0]} on this machine. `luckrig node service install --print` "
            "prints the file for whatever starts services here.",
        )
    try:
        return subprocess.run(  # noqa: S603 -- fixed commands, no shell
            [program, *command[1:]],
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            timeout=COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise LuckrigError("invalid_request", f"`{' '.join(command)}` doesn't end.") from error
