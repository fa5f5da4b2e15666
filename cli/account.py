"""`luckrig account`: have all that a tracker stores of you, or have it deleted."""

import asyncio
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import click
import msgspec

from luckrig.cli.asking import can_ask
from luckrig.cli.home import Home, id_of, write_new_file
from luckrig.cli.moments import utc
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import note, print_json, safe_json, safe_line, say_line
from luckrig.cli.prompts import ask_line
from luckrig.nodeproxy.control import claimed_folder
from luckrig.protocol.account import AccountExport, EraseReply
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey

_STAYS: Final = """\
Deletes {user_id}, for good, at
{origin}.

Goes:   your key's registration, your rigs and notes, receipts, logins, usage,
        and what reports and appeals say of you.
Stays:  your entries in the public contribution ledger, under the name that only
        the tracker could tell was yours; hashes in the descriptor log and in the
        operators' audit log; decisions about you that are in force; and what a
        legal hold keeps.
First:  `luckrig account export FILE`, if you want a copy. Stop every rig of
        yours that runs, or it puts itself on the map again.
Your key stays on this machine: {path}
"""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig account export --json` prints. rows: table → how many."""

    path: str
    user_id: str
    exported_at: int
    rows: dict[str, int]


@click.group("account")
def command() -> None:
    """Have all that a tracker stores of you, or have it deleted.

    The key alone is your account: there is no name, e-mail address or password to give.
    """


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@tracker_option
def export(file: Path, as_json: bool, tracker: TrackerAddress) -> None:
    """Save all that the tracker stores of you as JSON in FILE, which must not exist yet."""
    if os.path.lexists(file):
        raise _exists(file)
    exported, raw = asyncio.run(_export(tracker, Home.from_env(os.environ).load("user")))
    text = safe_json(msgspec.json.format(raw).decode("utf-8"))
    try:
        write_new_file(file, text.encode("utf-8") + b"\n")
    except FileExistsError as error:
        raise _exists(file) from error
    except OSError as error:
        raise _refused(f"Can't write {file}: {error.strerror}.") from error
    done = Exported(
        path=str(file),
        user_id=exported.user_id,
        exported_at=exported.exported_at,
        rows={table: len(rows) for table, rows in exported.tables.items()},
    )
    if as_json:
        print_json(done)
        return
    filled = [f"{count} of {table}" for table, count in done.rows.items() if count]
    total = sum(done.rows.values())
    say_line(f"Saved {total} row{'s' * (total != 1)} as of {utc(done.exported_at)} in {file}.")
    if filled:
        note(safe_line(", ".join(filled)))


@command.command()
@click.option("--yes-delete", metavar="ID", help="Your user id, for scripts: asks nothing.")
@json_option
@tracker_option
def delete(yes_delete: str | None, as_json: bool, tracker: TrackerAddress) -> None:
    """Delete what the tracker stores of you; says before what stays, and asks."""
    home = Home.from_env(os.environ)
    key = home.load("user")
    user_id = id_of("user", key)
    with _no_rig(home):
        if yes_delete is None:
            _ask(user_id, tracker.origin, home.key_path("user"))
        elif yes_delete != user_id:
            raise _refused(f"That isn't you: your user id is {user_id}. Nothing was deleted.")
        reply = asyncio.run(_erase(tracker, key))
    if as_json:
        print_json(reply)
        return
    gone = [f"{count} of {table}" for table, count in reply.erased.items() if count]
    say_line(f"Deleted: {', '.join(gone) or 'there was nothing'}.")
    if reply.held:
        note("A legal hold keeps some rows until it ends; then they go, too.")
    note(f"Your key is still here; delete it yourself: {home.key_path('user')}")


def _ask(user_id: str, origin: str, path: Path) -> None:
    if not can_ask():
        raise click.UsageError("Nobody can be asked here. For scripts: --yes-delete ID")
    note(_STAYS.format(user_id=user_id, origin=origin, path=path))
    typed = ask_line("Type your user id to delete it", default="")
    if typed.strip() != user_id:
        note("Nothing was deleted.")
        raise click.exceptions.Exit(1)


@contextmanager
def _no_rig(home: Home) -> Generator[None, None, None]:
    """Keeps any rig of this home from running meanwhile: it would put itself on the map again."""
    with ExitStack() as stack:
        try:
            stack.enter_context(claimed_folder(home.run_folder))
        except LuckrigError as error:
            raise _refused(
                "Your rig runs. Stop it first: luckrig node drain --stop. Nothing was deleted."
            ) from error
        yield


def _exists(file: Path) -> LuckrigError:
    return _refused(f"{file} exists, and luckrig overwrites nothing.")


def _refused(message: str) -> LuckrigError:
    return LuckrigError("invalid_request", message)


async def _export(address: TrackerAddress, key: PrivateKey) -> tuple[AccountExport, bytes]:
    from luckrig.client.me import export as fetch

    async with ask_tracker(address) as client:
        return await fetch(client, user_key=key)


async def _erase(address: TrackerAddress, key: PrivateKey) -> EraseReply:
    from luckrig.client.me import erase

    async with ask_tracker(address) as client:
        return await erase(client, user_key=key)
