"""`luckrig node pause`, `resume`, `drain`, `note` and `status`: the owner and the running rig."""

import os
import re
import time
from datetime import datetime
from typing import Final

import click
import msgspec

from luckrig.cli.config import config_path, read_config, write_config
from luckrig.cli.home import Home
from luckrig.cli.options import json_option
from luckrig.cli.output import Cell, Column, note, print_json, print_table, safe_line, say
from luckrig.nodeproxy.control import (
    MAX_PAUSE_SECONDS,
    AnyCommand,
    Drain,
    Pause,
    Resume,
    RigStatus,
    SetNote,
    ShowStatus,
    ask_rig,
)
from luckrig.nodeproxy.counters import RecentError
from luckrig.nodeproxy.opening import Reason
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.schedule import describe_windows
from luckrig.protocol.text import check_note

ANSWER_SECONDS: Final = 30.0
"""A note goes to the tracker and back."""

_DURATION: Final = re.compile(r"([0-9]{1,6})\s*(s|min|m|h|d)")
_UNITS: Final = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400}
REASONS: Final[dict[Reason, str]] = {
    "draining": "finishing what it has",
    "too_hot": "too hot",
    "power": "draws too much power",
    "paused": "paused by you",
    "schedule": "outside its opening hours",
    "daily_tokens": "today's tokens are used up",
    "owner_busy": "the GPU is busy with something else",
}


class DurationType(click.ParamType[int]):
    """A number with s, min, h or d behind it, as seconds."""

    name = "TIME"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Part of click's interface."""
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(value.strip().lower())
        seconds = int(found[1]) * _UNITS[found[2]] if found else 0
        if not 1 <= seconds <= MAX_PAUSE_SECONDS:
            self.fail("expected a time such as 30min, 2h or 1d, of at most a year.", param, ctx)
        return seconds


@click.command("status")
@json_option
def status(as_json: bool) -> None:
    """Show how your running rig is."""
    found = _ask(ShowStatus())
    if as_json:
        print_json(found)
    else:
        _print_status(found)


@click.command("pause")
@click.option("--for", "seconds", type=DurationType(), help="So long, like 30min, 2h or 1d.")
@json_option
def pause(seconds: int | None, as_json: bool) -> None:
    """Take no new requests until `luckrig node resume`.

    What runs goes on; what waits is refused when its turn comes. Your own requests still pass. A
    pause outlives a restart of the rig.
    """
    _do(Pause(seconds=seconds), as_json=as_json)


@click.command("resume")
@json_option
def resume(as_json: bool) -> None:
    """End a pause or a drain."""
    _do(Resume(), as_json=as_json)


@click.command("drain")
@click.option("--stop", is_flag=True, help="End the rig when nothing runs or waits any more.")
@json_option
def drain(stop: bool, as_json: bool) -> None:
    """Finish what runs and waits, and take nothing new."""
    _do(Drain(stop=stop), as_json=as_json)


@click.command("note")
@click.argument("text")
@json_option
def set_note(text: str, as_json: bool) -> None:
    """Publish TEXT as your rig's tuning note; an empty one takes it away."""
    check_note(text, field="note")
    found = _ask(SetNote(text=text))
    path = config_path(Home.from_env(os.environ))
    config = read_config(path)
    rig = msgspec.structs.replace(config.rig, note=text)
    kept = write_config(path, msgspec.structs.replace(config, rig=rig))
    if as_json:
        print_json(found)
        return
    say(f"The new note is on {found.page}")
    note(f"Saved in {path}." + (f" The one before is {kept.name}." if kept else ""))


def _ask(command: AnyCommand) -> RigStatus:
    folder = Home.from_env(os.environ).run_folder
    return ask_rig(folder, command, timeout_seconds=ANSWER_SECONDS)


def _do(command: AnyCommand, *, as_json: bool) -> None:
    found = _ask(command)
    if as_json:
        print_json(found)
        return
    say(_headline(found))
    if found.stops_when_drained:
        note(f"It ends when {found.active + found.waiting} requests are done.")
    elif isinstance(command, Resume) and found.reason is not None:
        raise LuckrigError("rig_paused", "You resumed it, but it is still closed; see above.")


def _headline(found: RigStatus) -> str:
    if found.reason is None:
        until = "" if found.changes_at is None else f"; next look at {clock_time(found.changes_at)}"
        return f"open{until}" if found.schedule else "open"
    opens = "" if found.opens_at is None else f"; opens {clock_time(found.opens_at)}"
    where = " on the tracker's page" if found.reason == "paused" and found.from_tracker else ""
    return f"closed: {REASONS[found.reason]}{where}{opens}"


def _print_status(found: RigStatus) -> None:
    state = Cell(_headline(found), "green" if found.reason is None else "yellow")
    engine = Cell(found.engine, "" if found.engine == "ready" else "red")
    running = f"{found.active} of {found.max_active} running"
    tokens = f"{found.tokens_today:,}"
    if found.tokens_per_day is not None:
        tokens += f" of {found.tokens_per_day:,}"
    rows: list[tuple[str, Cell | str]] = [
        ("State", state),
        ("Engine", engine),
        ("Queue", f"{running}, {found.waiting} of {found.max_queue} waiting"),
        ("Served", f"{found.served:,} replies since {clock_time(found.started_at)}"),
        ("Tokens today", tokens),
        ("Generating", _speed(found)),
        ("Opening hours", _hours(found)),
        ("GPU", _gpu(found)),
        ("Serving", found.base_url),
        ("On the map", found.page),
        ("Models", safe_line(", ".join(found.models))),
        ("Note", found.note),
        ("No effect", Cell(_blind(found), "yellow")),
        ("Last errors", "\n".join(map(_describe_error, found.errors))),
    ]
    shown = [row for row in rows if (row[1].text if isinstance(row[1], Cell) else row[1])]
    print_table([Column("Your rig"), Column(safe_line(found.name))], shown)


def _describe_error(error: RecentError) -> str:
    return f"{clock_time(error.at)} {error.endpoint}: {error.code}"


def _speed(found: RigStatus) -> str:
    speed = found.tokens_per_second
    return "" if speed is None else f"{speed:.1f} tokens/s over the last minute"


def _hours(found: RigStatus) -> str:
    schedule = found.schedule
    return f"{describe_windows(schedule.windows)} ({schedule.timezone})" if schedule else ""


def _gpu(found: RigStatus) -> str:
    figures = [
        None if found.busy_share is None else f"{found.busy_share * 100:.0f} % busy",
        None if found.celsius is None else f"{found.celsius:.0f} °C",
        None if found.watts is None else f"{found.watts:.0f} W",
    ]
    return ", ".join(figure for figure in figures if figure)


def _blind(found: RigStatus) -> str:
    if not found.blind:
        return ""
    return f"{', '.join(found.blind)}: nothing here can be read for it"


def clock_time(at: int) -> str:
    """A moment on the reader's own clock; without the date today."""
    moment = datetime.fromtimestamp(at).astimezone()
    is_today = moment.date() == datetime.fromtimestamp(time.time()).astimezone().date()
    return f"{moment:%H:%M}" if is_today else f"{moment:%Y-%m-%d %H:%M}"
