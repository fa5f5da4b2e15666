"""`luckrig notes`: tuning notes about rigs, to read, write and reproduce."""

import asyncio
import os
import re
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from luckrig.cli.home import Home
from luckrig.cli.nodes import short_id
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import note as remark
from luckrig.cli.output import print_json, say
from luckrig.cli.rigs import find_rig
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.notes import MAX_SIGNED_NOTE_CHARS, Note, Reproduction
from luckrig.protocol.wire import NotesReply, NoteView

_NOTE_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


@click.group("notes")
def command() -> None:
    """Read, write and reproduce tuning notes about rigs.

    A note that others pick a rig after, or reproduce, counts for its author's score.
    """


@command.command("list")
@click.argument("node")
@json_option
@tracker_option
def list_(node: str, as_json: bool, tracker: TrackerAddress) -> None:
    """Show the notes about a rig, the most reproduced first."""
    notes = asyncio.run(_list(tracker, node))
    if as_json:
        print_json(NotesReply(notes=notes))
        return
    if not notes:
        say("No notes yet. Write the first: luckrig notes write NODE FILE")
    for view in notes:
        _print(view)


@command.command()
@click.argument("node")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--note", "note_id", metavar="ID", help="A new version of this note of yours.")
@click.option("--reference", "references", multiple=True, help="note:ID@VERSION or an https URL.")
@json_option
@tracker_option
def write(
    node: str,
    file: Path,
    note_id: str | None,
    references: tuple[str, ...],
    as_json: bool,
    tracker: TrackerAddress,
) -> None:
    """Publish the text in FILE (or stdin when it is a single dash) as a note about a rig."""
    if note_id is not None:
        _check_id(note_id)
    key = Home.from_env(os.environ).load_or_create("user")
    text = _read(file).strip()
    view = asyncio.run(_write(tracker, node, text, note_id, list(references), key))
    if as_json:
        print_json(view)
    else:
        say(f"Published version {view.versions[0].version} of note {view.note_id}.")


@command.command()
@click.argument("note_id", metavar="NOTE")
@json_option
@tracker_option
def reproduced(note_id: str, as_json: bool, tracker: TrackerAddress) -> None:
    """Say that you did what a note says and got what it says."""
    _check_id(note_id)
    key = Home.from_env(os.environ).load_or_create("user")
    view = asyncio.run(_reproduce(tracker, note_id, key))
    if as_json:
        print_json(view)
    else:
        people = "person" if view.reproduced == 1 else "people"
        say(f"{view.reproduced} {people} reproduced this note.")


def _check_id(note_id: str) -> None:
    """It becomes part of a URL."""
    if _NOTE_ID.fullmatch(note_id) is None:
        raise LuckrigError(
            "invalid_request", "A note's id has 16 to 64 characters A-Z a-z 0-9 - _."
        )


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.read(MAX_SIGNED_NOTE_CHARS)
        with file.open(encoding="utf-8") as opened:
            return opened.read(MAX_SIGNED_NOTE_CHARS)
    except OSError as error:
        raise LuckrigError("invalid_request", f"Can't read {file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise LuckrigError("invalid_request", f"{file} isn't text in UTF-8.") from error


def _print(view: NoteView) -> None:
    newest = view.versions[0]
    written = datetime.fromtimestamp(newest.created_at, UTC)
    people = "person" if view.reproduced == 1 else "people"
    say(
        f"{view.note_id}  version {newest.version}, {written:%Y-%m-%d}, by"
        f" {short_id(view.author_id)}, reproduced by {view.reproduced} {people}"
    )
    for line in newest.text.splitlines():
        say(f"    {line}")
    for reference in newest.references:
        say(f"    see {reference}")
    remark("")


async def _list(address: TrackerAddress, node: str) -> list[NoteView]:
    from luckrig.client.notes import notes_about

    async with ask_tracker(address) as client:
        return await notes_about(client, await find_rig(client, node))


async def _write(
    address: TrackerAddress,
    node: str,
    text: str,
    note_id: str | None,
    references: list[str],
    key: PrivateKey,
) -> NoteView:
    from luckrig.client.notes import note as fetch
    from luckrig.client.notes import write_note

    async with ask_tracker(address) as client:
        version = 1
        if note_id is not None:
            version = (await fetch(client, note_id)).versions[0].version + 1
        draft = Note(
            note_id=note_id or secrets.token_hex(12),  # no dash: it is typed after commands
            version=version,
            node_id=await find_rig(client, node),
            text=text,
            references=references,
            iat=int(time.time()),
        )
        return await write_note(client, draft, author_key=key)


async def _reproduce(address: TrackerAddress, note_id: str, key: PrivateKey) -> NoteView:
    from luckrig.client.notes import note as fetch
    from luckrig.client.notes import reproduce_note

    async with ask_tracker(address) as client:
        version = (await fetch(client, note_id)).versions[0].version
        said = Reproduction(note_id=note_id, version=version, iat=int(time.time()))
        return await reproduce_note(client, said, user_key=key)
