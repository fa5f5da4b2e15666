"""What a rig must not forget when it restarts: the owner's pause, and the tokens of today.

    $LUCKRIG_HOME/run/state.json   mode 0600; {"paused", "paused_until", "wish_at", "from_tracker",
                                   "day", "tokens"}

It holds no text and nothing of any user, and is replaced whole or not at all.
"""

import os
import secrets
from pathlib import Path
from typing import Annotated, Final

import msgspec

MAX_STATE_BYTES: Final = 4096

_Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class OwnerState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """paused_until: Unix seconds, None for until further notice. day: see hours.day_number.

    wish_at: when the owner last paused or opened it, Unix seconds, 0 for never; each is above the
    one before. from_tracker: that was on the tracker's pages, not here.
    """

    paused: bool = False
    paused_until: _Number | None = None
    wish_at: _Number = 0
    from_tracker: bool = False
    day: _Number = 0
    tokens: _Number = 0


def load_state(path: Path) -> OwnerState:
    """What was saved last; nothing when nothing was. Raises ValueError when the file is damaged.

    A rig that can't tell whether its owner paused it must not start.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_STATE_BYTES)
    except FileNotFoundError:
        return OwnerState()
    try:
        return msgspec.json.decode(content, type=OwnerState)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is damaged, so nobody knows whether you paused the rig; "
            "delete it to begin anew"
        ) from error


def save_state(path: Path, state: OwnerState) -> None:
    """Write it over the one before, completely or not at all. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(draft, flags, 0o600), "wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
