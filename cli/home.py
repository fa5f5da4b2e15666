"""The user's own files under $LUCKRIG_HOME (default ~/.luckrig), above all the key files.

    keys/{name}.key       one Ed25519 private key, PKCS8 PEM, not encrypted, mode 0600
    keys/{name}.secret    32 random bytes in hex, mode 0600
    connect.key           the sidecar's local key, mode 0600, see local_key.py
    log-heads.json        the descriptor logs' heads that were seen last, see heads.py
    audit-heads.json      the audit logs' heads, see admin/audit.py
    rules/*.toml          rule packs of a rig's owner, see rules.py
    config.toml           what a rig's owner chose, see config.py
    run/                  a running rig's socket, lock and state, mode 0700
    history/*.json        replays of what was asked, mode 0700, see client/history/

| name                       | whose key                 | id                        |
|----------------------------|---------------------------|---------------------------|
| node, node-…               | a rig's                   | n1…                       |
| root, root-…, tracker-root | a tracker's root          | r1…                       |
| tracker-…                  | a tracker's signing key   | none; its thumbprint, kid |
| any other, first `user`    | a user's                  | u1…                       |

A key that is lost can't be had back and a key that leaks can't be called back, so nothing here
ever overwrites one, follows a symbolic link to one, or uses one that other people can read.
"""

import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from luckrig.client.key_files import (
    KEY_SUFFIX,
    NOT_OURS_ALONE,
    home_folder,
    keys_folder,
    read_key,
    read_private,
)
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import Kind, derive_id
from luckrig.protocol.keys import KEY_BYTES, PrivateKey

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SECRET_BYTES: Final = 32


@dataclass(frozen=True)
class Home:
    """A folder with a user's files. It is made, mode 0700, when the first file is written."""

    path: Path

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Home":
        """LUCKRIG_HOME, or .luckrig in the user's home folder."""
        return cls(home_folder(environ))

    @property
    def keys_folder(self) -> Path:
        """Where the key files are."""
        return keys_folder(self.path)

    @property
    def rules_folder(self) -> Path:
        """Where a rig's owner puts rule packs."""
        return self.path / "rules"

    @property
    def history_folder(self) -> Path:
        """Where replays are kept."""
        return self.path / "history"

    @property
    def run_folder(self) -> Path:
        """Where a running rig keeps its socket, lock and state."""
        return self.path / "run"

    def key_path(self, name: str) -> Path:
        """Where the key of that name is or would be. Raises LuckrigError on a bad name."""
        if _NAME.fullmatch(name) is None:
            raise _refused("A key's name has 1 to 64 characters a-z, 0-9 and -.")
        return self.keys_folder / f"{name}{KEY_SUFFIX}"

    def names(self) -> list[str]:
        """The names of all keys, sorted."""
        if not self.keys_folder.is_dir():
            return []
        files = [path for path in self.keys_folder.iterdir() if path.suffix == KEY_SUFFIX]
        return sorted(path.stem for path in files if _NAME.fullmatch(path.stem))

    def load(self, name: str) -> PrivateKey:
        """A key that exists. Raises LuckrigError when it is missing, exposed or not a key."""
        path = self.key_path(name)
        try:
            return read_key(path)
        except FileNotFoundError as error:
            raise _refused(
                f"There is no key {name!r}. Make one: luckrig keys create --name {name}"
            ) from error

    def load_or_create(self, name: str) -> PrivateKey:
        """The key of that name, made now if there is none."""
        try:
            return read_key(self.key_path(name))
        except FileNotFoundError:
            pass
        try:
            return self.create(name, PrivateKey(secrets.token_bytes(KEY_BYTES)))
        except FileExistsError:  # another luckrig was quicker
            return self.load(name)

    def load_or_create_secret(self, name: str) -> bytes:
        """32 secret bytes of that name, made now if there are none."""
        path = self.key_path(name).with_suffix(".secret")
        try:
            return _secret_from(path)
        except FileNotFoundError:
            self._make_folders()
        try:
            write_new_file(path, secrets.token_hex(_SECRET_BYTES).encode("ascii") + b"\n")
        except FileExistsError:  # another luckrig was quicker
            pass
        return _secret_from(path)

    def create(self, name: str, key: PrivateKey) -> PrivateKey:
        """Store a key under a free name. Raises FileExistsError when the name is taken."""
        path = self.key_path(name)
        self._make_folders()
        write_new_file(path, key_to_pem(key))
        return key

    def replace_file(self, name: str, content: bytes) -> None:
        """Write a file that holds no secret, completely or not at all, over the one before."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.path / name
        draft = _write_draft(path, content)
        try:
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(self.path)

    def _make_folders(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.keys_folder.mkdir(mode=0o700, exist_ok=True)
        found = self.keys_folder.stat()
        if found.st_uid != os.geteuid():
            raise _refused(f"{self.keys_folder} belongs to another user. Set LUCKRIG_HOME.")
        if stat.S_IMODE(found.st_mode) & NOT_OURS_ALONE:
            # keys/ is ours alone to tighten; LUCKRIG_HOME may be a folder with other uses.
            self.keys_folder.chmod(0o700)


def kind_of(name: str) -> Kind | None:
    """Whose key a key file's name says it is; the table is in the module's docstring."""
    first, _, rest = name.partition("-")
    if first == "tracker":
        return "r1" if rest == "root" else None
    return "n1" if first == "node" else "r1" if first == "root" else "u1"


def id_of(name: str, key: PrivateKey) -> str:
    """The id that goes with a stored key; a signing key's thumbprint, since it has no id."""
    kind = kind_of(name)
    return key.public.thumbprint if kind is None else derive_id(kind, key.public)


def key_to_pem(key: PrivateKey) -> bytes:
    """PKCS8 PEM, as `openssl genpkey -algorithm ed25519` writes it."""
    return Ed25519PrivateKey.from_private_bytes(key.seed).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _secret_from(path: Path) -> bytes:
    text = read_private(path).strip()
    try:
        secret = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != _SECRET_BYTES:
        raise _refused(f"{path} doesn't hold {_SECRET_BYTES} bytes in hex. Restore it from a copy.")
    return secret


def write_new_file(path: Path, content: bytes) -> None:
    """Write a secret file, mode 0600, completely or not at all.

    Raises FileExistsError when anything is at that path already, a dangling link included.
    """
    draft = _write_draft(path, content)
    try:
        os.link(draft, path)  # unlike a rename, a link never replaces what is there
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_draft(path: Path, content: bytes) -> Path:
    """A file beside `path`, mode 0600, whose content is on the disk."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(draft, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refused(message: str) -> LuckrigError:
    return LuckrigError("invalid_request", message)
