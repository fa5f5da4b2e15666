"""`luckrig keys`: make, show, save and restore keys. Never overwrites one."""

import os
import secrets
import stat
import sys
from pathlib import Path

import click
import msgspec

from luckrig.cli.home import (
    Home,
    id_of,
    key_to_pem,
    write_new_file,
)
from luckrig.cli.options import Command, json_option
from luckrig.cli.output import Cell, Column, note, print_json, print_table, say
from luckrig.cli.rotate import command as rotate
from luckrig.client.key_files import MAX_KEY_FILE_BYTES, key_from_pem
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import KEY_BYTES, PrivateKey


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret. path: the file it is in. problem: why it can't be used."""

    name: str
    id: str | None
    path: str
    problem: str | None = None


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig keys show --json` prints."""

    keys: list[KeyView]


class ExportedKey(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig keys export --stdout --json` prints: the secret itself."""

    name: str
    id: str
    pem: str


@click.group("keys")
def command() -> None:
    """Make, show, save and restore your keys.

    Whoever has the key `user` is you. It can't be reset: keep a copy elsewhere.
    """


def _name_option(subcommand: Command) -> Command:
    return click.option(
        "--name",
        default="user",
        show_default=True,
        help="Which key. node… are rigs' keys, root… trackers', all others users'.",
    )(subcommand)


@command.command()
@_name_option
@json_option
def create(name: str, as_json: bool) -> None:
    """Make a new key."""
    key = PrivateKey(secrets.token_bytes(KEY_BYTES))
    _print_view(_store(_home(), name, key), "Made", as_json=as_json)


@command.command()
@click.option("--name", help="Only this key.")
@json_option
def show(name: str | None, as_json: bool) -> None:
    """Show your keys' ids, never the keys."""
    home = _home()
    if name is None:
        views = [_look(home, each) for each in home.names()]
    else:
        views = [_view(home, name, home.load(name))]
    if as_json:
        print_json(KeyList(keys=views))
    elif views:
        print_table(
            (Column("Key"), Column("Id"), Column("File")),
            [
                (view.name, view.id or Cell(view.problem or "", "red"), Cell(view.path, "dim"))
                for view in views
            ],
        )
    else:
        say("No keys yet. The first `luckrig token` makes one, or: luckrig keys create")
    if any(view.problem for view in views):
        raise click.exceptions.Exit(1)


@command.command()
@_name_option
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--stdout", is_flag=True, help="Print the key instead, for a pipe.")
@json_option
def export(name: str, file: Path | None, stdout: bool, as_json: bool) -> None:
    """Save a copy of a key in FILE, which must not exist yet.

    The copy isn't encrypted: whoever reads it is you.
    """
    if (file is None) is not stdout:
        raise click.UsageError("Name a FILE, or give --stdout; not both.")
    home = _home()
    key = home.load(name)
    pem = key_to_pem(key)
    if file is not None:
        try:
            write_new_file(file, pem)
        except FileExistsError as error:
            raise _refused(f"{file} exists, and luckrig overwrites nothing.") from error
        view = KeyView(name=name, id=id_of(name, key), path=str(file))
        _print_view(view, "Saved", as_json=as_json)
    elif as_json:
        print_json(ExportedKey(name=name, id=id_of(name, key), pem=pem.decode("ascii")))
    else:
        say(pem.decode("ascii").rstrip())


@command.command("import")
@_name_option
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@json_option
def import_(name: str, file: Path, as_json: bool) -> None:
    """Restore a key from FILE, or from stdin when FILE is a single dash."""
    key = key_from_pem(_read(file), source="stdin" if str(file) == "-" else str(file))
    _print_view(_store(_home(), name, key), "Restored", as_json=as_json)


command.add_command(rotate)


def _home() -> Home:
    return Home.from_env(os.environ)


def _read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read(MAX_KEY_FILE_BYTES)
    try:
        with file.open("rb") as opened:
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                note(f"warning: other users can read {file}. Delete it or: chmod 600 {file}")
            return opened.read(MAX_KEY_FILE_BYTES)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise _refused(f"Can't read {file}: {error.strerror}.") from error


def _store(home: Home, name: str, key: PrivateKey) -> KeyView:
    try:
        home.create(name, key)
    except FileExistsError as error:
        raise _refused(
            f"There is a key {name!r} already, and luckrig never overwrites one."
            " Choose another --name."
        ) from error
    return _view(home, name, key)


def _look(home: Home, name: str) -> KeyView:
    """Like _view, but one bad file doesn't hide the others."""
    try:
        return _view(home, name, home.load(name))
    except LuckrigError as error:
        return KeyView(name=name, id=None, path=str(home.key_path(name)), problem=error.message)


def _view(home: Home, name: str, key: PrivateKey) -> KeyView:
    return KeyView(name=name, id=id_of(name, key), path=str(home.key_path(name)))


def _print_view(view: KeyView, done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
    else:
        say(f"{done} key {view.name} {view.id} in {view.path}")


def _refused(message: str) -> LuckrigError:
    return LuckrigError("invalid_request", message)
