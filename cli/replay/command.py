"""The commands of `luckrig replay`."""

import os
import secrets
import sys
import time
from pathlib import Path
from typing import Final, get_args

import click
import msgspec

from luckrig.cli.asking import agree, can_ask
from luckrig.cli.home import Home, write_new_file
from luckrig.cli.options import json_option
from luckrig.cli.output import console, note, print_json, say_line
from luckrig.cli.replay.choosing import find_replay, find_replays
from luckrig.cli.replay.exporting import Format, compact, export
from luckrig.cli.replay.player import Progress, Stage, paced
from luckrig.cli.replay.showing import (
    print_comparison,
    print_figures,
    print_head,
    print_listing,
    print_replay,
)
from luckrig.client.history.compare import compare
from luckrig.client.history.replay import Piece, Replay, encode_replay
from luckrig.client.history.store import History
from luckrig.protocol.errors import LuckrigError

_STDOUT: Final = "-"


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig replay export --json` prints."""

    path: str
    replay_id: str
    format: Format
    bytes: int


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig replay delete --json` prints."""

    deleted: list[str]


@click.group("replay")
def command() -> None:
    """Play back, compare, export and delete what rigs answered you.

    A replay is a request and its reply as this machine saw them. It stays on this machine, under
    $LUCKRIG_HOME/history. ID is a replay's id, the start of one, or `last`.
    """


@command.command("list")
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many."
)
@json_option
def list_(limit: int, as_json: bool) -> None:
    """List replays, newest first."""
    history = _history()
    listing = history.list(limit=limit)
    if as_json:
        print_json(listing)
    else:
        print_listing(listing, history.ids())


@command.command()
@click.argument("replay", metavar="ID", default="last")
@click.option(
    "--speed",
    type=click.FloatRange(0.01, 1000),
    default=1.0,
    show_default=True,
    help="2 is twice as fast.",
)
@click.option(
    "--from",
    "start",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="Show at once what came before.",
)
@json_option
def play(replay: str, speed: float, start: float, as_json: bool) -> None:
    """Play a reply back as it came, the wait for its first token included.

    With --json, a line for each piece at its time.
    """
    _play(_read(replay), speed=speed, start=start, as_json=as_json)


@command.command()
@click.argument("replay", metavar="ID", default="last")
@json_option
def show(replay: str, as_json: bool) -> None:
    """Show a replay's request, reply and figures."""
    found = _read(replay)
    if as_json:
        print_json(msgspec.Raw(compact(encode_replay(found)).encode("utf-8")))
    else:
        print_replay(found)


@command.command("compare")
@click.argument("replays", metavar="ID ID…", nargs=-1, required=True)
@json_option
def compare_(replays: tuple[str, ...], as_json: bool) -> None:
    """Show the figures of several replays side by side, best of one prompt."""
    history = _history()
    ids = find_replays(history, replays)
    if len(ids) < 2:
        raise click.UsageError("Give two replays or more.")
    comparison = compare([history.read(replay_id) for replay_id in ids])
    if as_json:
        print_json(comparison)
    else:
        print_comparison(comparison)


@command.command("export")
@click.argument("replay", metavar="ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(get_args(Format)),
    default="json",
    show_default=True,
    help="json: the replay itself. jsonl: a line for each event. markdown: for reading.",
)
@click.option(
    "-o",
    "--output",
    default=_STDOUT,
    metavar="FILE",
    help="Where to; - is stdout, which is the default.",
)
@click.option("--force", is_flag=True, help="Write over FILE if it exists.")
@json_option
def export_(replay: str, form: Format, output: str, force: bool, as_json: bool) -> None:
    """Write a replay as JSON, JSON lines or Markdown."""
    if as_json and output == _STDOUT:
        raise click.UsageError("--json says what was written to a FILE; give one with -o.")
    found = _read(replay)
    text = export(found, form)
    if output == _STDOUT:
        print(text, end="")
        return
    content = text.encode("utf-8")
    _write(Path(output), content, force=force)
    done = Exported(path=output, replay_id=found.replay_id, format=form, bytes=len(content))
    if as_json:
        print_json(done)
    else:
        say_line(f"Wrote {done.bytes:,} bytes to {output}.")


@command.command()
@click.argument("replays", metavar="[ID…]", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All replays.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def delete(replays: tuple[str, ...], every: bool, yes: bool, as_json: bool) -> None:
    """Delete replays, for good."""
    if bool(replays) == every:
        raise click.UsageError("Give the replays to delete, or --all.")
    history = _history()
    ids = history.ids() if every else find_replays(history, replays)
    if not yes and ids and not _agrees(ids):
        note("Nothing was deleted.")
        raise click.exceptions.Exit(1)
    for replay_id in ids:
        history.delete(replay_id)
    if as_json:
        print_json(Deleted(deleted=ids))
    else:
        say_line(f"Deleted {len(ids)} replay{'s' * (len(ids) != 1)}.")


def _history() -> History:
    return History(Home.from_env(os.environ).history_folder)


def _read(text: str) -> Replay:
    history = _history()
    return history.read(find_replay(history, text))


def _play(replay: Replay, *, speed: float, start: float, as_json: bool) -> None:
    pieces = paced(
        replay.events, speed=speed, start_seconds=start, clock=time.monotonic, sleep=time.sleep
    )
    if as_json:
        for piece in pieces:
            print_json(_as_object(piece))
        print_json({"outcome": replay.outcome, "figures": replay.figures})
        return
    print_head(replay)
    print()
    target = console()
    below = None
    if target.is_terminal:
        below = Progress(replay, speed=speed, start_seconds=start, clock=time.monotonic)
    try:
        with Stage(target, below) as stage:
            for piece in pieces:
                if below is not None:
                    below.see(piece)
                stage.play(piece)
    except KeyboardInterrupt:
        note("stopped")
        raise
    print()
    print_figures(replay)
    sys.stdout.flush()


def _as_object(piece: Piece) -> dict[str, object]:
    return {"at_ms": piece.at_ms, "kind": piece.kind, "text": piece.text}


def _write(path: Path, content: bytes, *, force: bool) -> None:
    try:
        if not force:
            write_new_file(path, content)
            return
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            write_new_file(draft, content)
            draft.replace(path)  # a link there is replaced, not followed
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError as error:
        raise _refused(f"{path} exists. --force writes over it.") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise _refused(f"Can't write {path}: {why}.") from error


def _agrees(ids: list[str]) -> bool:
    if not can_ask():
        raise click.UsageError("Nobody can be asked here. For scripts: --yes")
    what = ids[0] if len(ids) == 1 else f"{len(ids)} replays"
    return agree(f"Delete {what}, for good?")


def _refused(message: str) -> LuckrigError:
    return LuckrigError("invalid_request", message)
