"""The flags file: what was flagged, for the rig's owner, without a word of the text.

    {"time", "jti", "request", "categories", "direction"}     one line of JSON for each flag

| file                                     | mode |                                          |
|------------------------------------------|------|------------------------------------------|
| $LUCKRIG_HOME/moderation/flags.jsonl     | 0600 | the latest flags, at most MAX_FILE_BYTES |
| $LUCKRIG_HOME/moderation/flags.1.jsonl   | 0600 | those before, until the next rotation    |
"""

import asyncio
import errno
import fcntl
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.moderation.hook import Verdict

MAX_FILE_BYTES: Final = 4 << 20
"""Some 20,000 flags; with the file before, twice that."""

Direction: TypeAlias = Literal["input", "output"]

_log = logging.getLogger(__name__)


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One flag. time: Unix seconds. jti: of the token; the tracker knows whose it was."""

    time: int
    jti: str
    request: str
    categories: tuple[str, ...]
    direction: Direction


class Subject(NamedTuple):
    """Which request a flag is about. Keeps nothing of the request itself."""

    jti: str
    request: str


def subject_of(exchange: Exchange) -> Subject:
    """The subject of an exchange that is authenticated."""
    return Subject(exchange.known_claims.jti, exchange.request_id)


class FlagLog:
    """Appends flags to the file. clock: Unix seconds.

    noted: how many flags there were, written or not. lost: flags that could not be written. A disk
    that is full never lets a text pass.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float], *, max_bytes: int = MAX_FILE_BYTES
    ) -> None:
        self._folder = folder
        self._path = folder / "flags.jsonl"
        self._clock = clock
        self._max_bytes = max_bytes
        self.noted: dict[Direction, int] = {"input": 0, "output": 0}
        self.lost = 0

    async def note(self, subject: Subject, verdict: Verdict, direction: Direction) -> None:
        """Write a flag, in a thread. A file that can't be written is logged, not raised."""
        self.noted[direction] += 1
        flag = Flag(
            time=int(self._clock()),
            jti=subject.jti,
            request=subject.request,
            categories=verdict.categories,
            direction=direction,
        )
        try:
            await asyncio.to_thread(self.append, flag)
        except OSError as error:
            self.lost += 1
            _log.warning("%s a flag could not be written: %s", subject.request, error.strerror)

    def append(self, flag: Flag) -> None:
        """Append one whole line or nothing. Raises OSError.

        The lock is on the open file, so threads and other processes wait for one another alike.
        """
        line = msgspec.json.encode(flag) + b"\n"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            file = _open(self._path)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                size = os.fstat(file).st_size
                if not _is_current(file, self._path):
                    continue
                if size and size + len(line) > self._max_bytes:
                    self._path.replace(self._folder / "flags.1.jsonl")
                    continue
                _write_whole(file, line, size)
                return
            finally:
                os.close(file)  # gives the lock back


def _open(path: Path) -> int:
    """A regular file of our own, for nobody else's eyes; never what a link or pipe leads to."""
    how = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    file = os.open(path, how, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        os.fchmod(file, 0o600)
    except OSError:
        os.close(file)
        raise
    return file


def _is_current(file: int, path: Path) -> bool:
    """False when somebody rotated the file away while we waited for the lock."""
    try:
        return os.path.samestat(os.fstat(file), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _write_whole(file: int, line: bytes, size: int) -> None:
    if os.write(file, line) != len(line):
        os.ftruncate(file, size)
        raise OSError(errno.ENOSPC, "no space left for a whole line")
