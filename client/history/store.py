"""Replays as files: one folder, mode 0700, one file {replay_id}.json each, mode 0600.

Whatever lies in that folder may have been put there by somebody else: nothing here follows a link,
waits for a pipe, reads more than MAX_REPLAY_BYTES, or removes a file that isn't a replay's. Paths
are made of ids that were checked, below a folder that was opened once.
"""

import errno
import os
import secrets
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from luckrig.client.history.replay import (
    MAX_REPLAY_BYTES,
    Replay,
    Summary,
    decode_replay,
    decode_summary,
    encode_replay,
    is_replay_id,
)
from luckrig.protocol.errors import LuckrigError, PeerError

MAX_TOTAL_BYTES: Final = 500_000_000
MAX_AGE_SECONDS: Final = 90 * 86_400.0
"""Nobody looks for a prompt of last year, and its disk may be stolen this year."""

_SUFFIX: Final = ".json"
_SUMMARY_BYTES: Final = 16 * 2**10
"""The first part of a replay has 1 KiB, with the longest names 8."""
_DRAFT_SECONDS: Final = 3600
"""A draft this old belongs to nobody who still writes."""
_NOT_OURS_ALONE: Final = stat.S_IRWXG | stat.S_IRWXO
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Unreadable(msgspec.Struct, frozen=True):
    """A file of the folder that no replay comes from. why: completes "NAME …"."""

    name: str
    why: str


class Listing(msgspec.Struct, frozen=True):
    """Newest first. total: how many files are named like a replay's.

    unreadable: those that were looked into and aren't one, and all that have other names.
    """

    replays: list[Summary]
    total: int
    unreadable: list[Unreadable]


@dataclass(frozen=True)
class _File:
    name: str
    size: int
    changed_at: float


class History:
    """A folder of replays. It is made when the first one is written.

    max_bytes: of all files together; the oldest go first. max_age_seconds: None to keep them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = MAX_TOTAL_BYTES,
        max_age_seconds: float | None = MAX_AGE_SECONDS,
    ) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._max_age_seconds = max_age_seconds

    def write(self, replay: Replay, *, now: float, prunes: bool = True) -> Path:
        """Keep a replay, completely or not at all; then remove what is too old or too much.

        Waits for the disk and looks at every file: call it in a thread. now: Unix seconds.
        prunes: False for one of many, which then looks at none and removes none.
        Raises LuckrigError when that id is taken, PeerError when the replay couldn't be read
        again, OSError when the disk is full.
        """
        content = encode_replay(replay)
        decode_replay(content)
        name = _name(replay.replay_id)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._opened() as folder:
            _write_new(folder, name, content, now)
            if prunes:
                self._prune(folder, name, now)
        return self.folder / name

    def read(self, replay_id: str) -> Replay:
        """Raises LuckrigError when there is none of that id, or the file isn't one."""
        name = _name(replay_id)
        try:
            with self._opened() as folder:
                replay = decode_replay(_read(folder, name, MAX_REPLAY_BYTES))
        except FileNotFoundError as error:
            raise _refused(f"There is no replay {replay_id}. See: luckrig replay list") from error
        except PeerError as error:
            raise _refused(f"{self.folder / name} {error.message}.") from error
        if replay.replay_id != replay_id:
            raise _refused(f"{self.folder / name} is the replay of another id.")
        return replay

    def ids(self) -> list[str]:
        """The ids that have a file, newest first. None of the files was looked into."""
        try:
            with self._opened() as folder:
                return _ids(folder)
        except FileNotFoundError:
            return []

    def list(self, *, limit: int | None = None) -> Listing:
        """The newest `limit` replays, of each no more than it takes to tell what it is."""
        replays: list[Summary] = []
        unreadable: list[Unreadable] = []
        try:
            with self._opened() as folder:
                ids = _ids(folder)
                for replay_id in ids:
                    if limit is not None and len(replays) == limit:
                        break
                    try:
                        replays.append(_summary(folder, replay_id))
                    except PeerError as error:
                        unreadable.append(Unreadable(_name(replay_id), error.message))
                    except FileNotFoundError:  # another luckrig removed it just now
                        continue
                unreadable += map(_foreign, _others(folder))
        except FileNotFoundError:
            return Listing([], 0, [])
        return Listing(replays, len(ids), unreadable)

    def delete(self, replay_id: str) -> None:
        """Raises LuckrigError when there is none. A link is removed, not what it leads to."""
        name = _name(replay_id)
        try:
            with self._opened() as folder:
                os.unlink(name, dir_fd=folder)
        except FileNotFoundError as error:
            raise _refused(f"There is no replay {replay_id}. See: luckrig replay list") from error
        except (IsADirectoryError, PermissionError) as error:
            raise _refused(f"{self.folder / name} is no file that can be deleted.") from error

    @contextmanager
    def _opened(self) -> Generator[int, None, None]:
        """The folder itself: what happens to its path meanwhile doesn't matter."""
        try:
            folder = os.open(
                self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            )
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise _refused(
                    f"{self.folder} isn't a folder, or is a link to one. Move it away."
                ) from error
            raise
        try:
            found = os.fstat(folder)
            if found.st_uid != os.geteuid():
                raise _refused(f"{self.folder} belongs to another user. Set LUCKRIG_HOME.")
            if stat.S_IMODE(found.st_mode) & _NOT_OURS_ALONE:
                os.fchmod(folder, 0o700)
            yield folder
        finally:
            os.close(folder)

    def _prune(self, folder: int, written: str, now: float) -> None:
        files = sorted(_files(folder), key=lambda file: (file.changed_at, file.name))
        total = sum(file.size for file in files)
        for file in files:
            age = now - file.changed_at
            too_old = self._max_age_seconds is not None and age > self._max_age_seconds
            if file.name == written or not (too_old or total > self._max_bytes):
                continue
            _remove(folder, file.name)
            total -= file.size
        for name in os.listdir(folder):
            if _is_draft(name) and _is_older(folder, name, now - _DRAFT_SECONDS):
                _remove(folder, name)


def _name(replay_id: str) -> str:
    if not is_replay_id(replay_id):
        raise _refused("A replay's id has 1 to 64 characters a-z, 0-9 and -.")
    return f"{replay_id}{_SUFFIX}"


def _id_of(name: str) -> str | None:
    replay_id = name.removesuffix(_SUFFIX)
    return replay_id if name.endswith(_SUFFIX) and is_replay_id(replay_id) else None


def _ids(folder: int) -> list[str]:
    found = [replay_id for name in os.listdir(folder) if (replay_id := _id_of(name)) is not None]
    return sorted(found, reverse=True)


def _others(folder: int) -> list[str]:
    """Names that are neither a replay's nor a draft's."""
    names = os.listdir(folder)
    return sorted(name for name in names if _id_of(name) is None and not _is_draft(name))


def _foreign(name: str) -> Unreadable:
    return Unreadable(os.fsencode(name).decode("utf-8", "replace"), "isn't named like a replay")


def _files(folder: int) -> Iterator[_File]:
    """The files that may be replays: those alone are counted, and removed when it is too much."""
    for replay_id in _ids(folder):
        try:
            found = os.stat(_name(replay_id), dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if _why_not(found) is None:
            yield _File(_name(replay_id), found.st_size, found.st_mtime)


def _why_not(found: os.stat_result) -> str | None:
    """Why a file can't be one of ours; None where it can."""
    if not stat.S_ISREG(found.st_mode):
        return "is not a file"
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    if stat.S_IMODE(found.st_mode) & _NOT_OURS_ALONE:
        return "can be reached by other users; close it with chmod 600"
    if found.st_size > MAX_REPLAY_BYTES:
        return f"is larger than {MAX_REPLAY_BYTES} bytes"
    return None


def _summary(folder: int, replay_id: str) -> Summary:
    name = _name(replay_id)
    summary = decode_summary(_read(folder, name, _SUMMARY_BYTES))
    if summary is None:  # written by something else, in an order of its own
        summary = decode_replay(_read(folder, name, MAX_REPLAY_BYTES))
    if summary.replay_id != replay_id:
        raise PeerError("invalid_request", "is the replay of another id")
    return summary


def _read(folder: int, name: str, most: int) -> bytes:
    """The first `most` bytes of a file. Raises PeerError when it can't be a replay."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PeerError("invalid_request", "is a symbolic link") from error
        if error.errno in (errno.ENXIO, errno.EACCES, errno.EPERM):  # a socket, a locked file
            raise PeerError("invalid_request", "can't be read") from error
        raise
    try:
        why_not = _why_not(os.fstat(descriptor))
        if why_not is not None:
            raise PeerError("invalid_request", why_not)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(descriptor)


def _write_new(folder: int, name: str, content: bytes, now: float) -> None:
    """Raises LuckrigError when anything has that name already."""
    draft = f".{name}.{secrets.token_hex(8)}"
    try:
        with open(os.open(draft, _CREATE, 0o600, dir_fd=folder), "wb") as file:
            file.write(content)
            file.flush()
            os.utime(file.fileno(), (now, now))  # which tells later what is old
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces what is there.
        os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError as error:
        raise _refused(f"There is a file {name} already; replays are never replaced.") from error
    finally:
        _remove(folder, draft)
    os.fsync(folder)


def _is_draft(name: str) -> bool:
    return name.startswith(".") and _id_of(name[1:].rpartition(".")[0]) is not None


def _is_older(folder: int, name: str, than: float) -> bool:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < than
    except FileNotFoundError:
        return False


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        pass  # another luckrig was quicker, or it isn't a file of ours


def _refused(message: str) -> LuckrigError:
    return LuckrigError("invalid_request", message)
