"""The sidecar's local key: what programs of this machine show it. In $LUCKRIG_HOME/connect.key."""

import re
import secrets
from typing import Final

from luckrig.cli.home import Home, write_new_file
from luckrig.client.key_files import read_private
from luckrig.client.sidecar.guard import KEY_PREFIX
from luckrig.protocol.errors import LuckrigError

KEY_FILE: Final = "connect.key"
_KEY: Final = re.compile(rf"{KEY_PREFIX}[A-Za-z0-9_-]{{43}}")
_KEY_BYTES: Final = 32


def load_local_key(home: Home) -> str:
    """The key, made now if there is none. Raises LuckrigError when others could read the file."""
    path = home.path / KEY_FILE
    try:
        return _read(home)
    except FileNotFoundError:
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        write_new_file(path, _new_key())
    except FileExistsError:  # another luckrig was quicker
        pass
    return _read(home)


def replace_local_key(home: Home) -> str:
    """A new key instead of the one before."""
    home.replace_file(KEY_FILE, _new_key())
    return _read(home)


def _read(home: Home) -> str:
    path = home.path / KEY_FILE
    text = read_private(path).strip().decode("ascii", "replace")
    if _KEY.fullmatch(text) is None:
        raise LuckrigError(
            "invalid_request",
            f"{path} doesn't hold a local key. Make a new one: luckrig connect --new-key",
        )
    return text


def _new_key() -> bytes:
    return f"{KEY_PREFIX}{secrets.token_urlsafe(_KEY_BYTES)}\n".encode("ascii")
