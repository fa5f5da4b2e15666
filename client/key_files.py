"""A user's key files: where they are, and how one is read.

$LUCKRIG_HOME (default ~/.luckrig), keys/{name}.key: one Ed25519 private key, PKCS8 PEM, not
encrypted, mode 0600. cli/home.py makes and keeps them.
"""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey

USER_KEY: Final = "user"
"""The name of the key that is used when none is named."""
KEY_SUFFIX: Final = ".key"
MAX_KEY_FILE_BYTES: Final = 4096
"""An Ed25519 key in PEM has 119 bytes; some tools write comments around it."""
NOT_OURS_ALONE: Final = stat.S_IRWXG | stat.S_IRWXO


def home_folder(environ: Mapping[str, str]) -> Path:
    """LUCKRIG_HOME, or .luckrig in the user's home folder."""
    chosen = environ.get("LUCKRIG_HOME")
    return Path(chosen).expanduser() if chosen else Path.home() / ".luckrig"


def keys_folder(home: Path) -> Path:
    """Where the key files are."""
    return home / "keys"


def read_user_key(environ: Mapping[str, str]) -> PrivateKey:
    """The user's own key. Raises LuckrigError when there is none, or not for the user alone."""
    path = keys_folder(home_folder(environ)) / f"{USER_KEY}{KEY_SUFFIX}"
    try:
        return read_key(path)
    except FileNotFoundError as error:
        raise _refused(f"There is no key {path}. Make one: luckrig keys create") from error


def key_from_pem(pem: bytes, *, source: str) -> PrivateKey:
    """The key in a PEM. source: names it in errors. Raises LuckrigError on anything else."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise _refused(
            f"{source} is locked with a passphrase. Unlock it first: openssl pkey -in … -out …"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _refused(f"{source} holds no private key in PEM.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _refused(f"{source} holds a key of another kind; luckrig uses Ed25519.")
    return PrivateKey(key.private_bytes_raw())


def read_key(path: Path) -> PrivateKey:
    """A key file that only its owner can reach, and that is no link.

    Raises FileNotFoundError, or LuckrigError with what is wrong and how to mend it.
    """
    return key_from_pem(read_private(path), source=str(path))


def read_private(path: Path) -> bytes:
    """A secret file, at most MAX_KEY_FILE_BYTES of it; raises as read_key does."""
    try:
        # O_NONBLOCK: opening a pipe that was put there must not hang.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(f"{path} is a symbolic link. Put the file itself there.") from error
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _refused(f"{path} is not a file.")
        if found.st_uid != os.geteuid():
            raise _refused(f"{path} belongs to another user.")
        if stat.S_IMODE(found.st_mode) & NOT_OURS_ALONE:
            raise _refused(f"Other users can reach {path}. Close it: chmod 600 {path}")
        return os.read(descriptor, MAX_KEY_FILE_BYTES)
    finally:
        os.close(descriptor)


def _refused(message: str) -> LuckrigError:
    return LuckrigError("invalid_request", message)
