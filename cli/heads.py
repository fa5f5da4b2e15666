"""Where trackers' logs ended when somebody looked last: what catches a history made anew.

    $LUCKRIG_HOME/{file}    {root id: {origin, size, hash, checked_at}}, the latest last

Heads are kept by root id: a tracker that moves keeps its log. An address without a root id gets the
one that its origin had last time, so a tracker can't get rid of its past with a new root key.
"""

import time
from dataclasses import dataclass
from typing import Annotated

import msgspec

from luckrig.cli.home import Home
from luckrig.cli.output import note, say
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor_log import EMPTY_LOG, LogHead, LogTip
from luckrig.protocol.errors import LuckrigError


class SeenHead(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tracker's log ended. origin: where it answered. checked_at: Unix seconds."""

    origin: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    hash: str
    checked_at: int

    @property
    def tip(self) -> LogTip:
        """The end that the log must go on from."""
        return LogTip(self.size, self.hash)


def tip_of(seen: SeenHead | None) -> LogTip:
    """The same for one that may never have been seen."""
    return EMPTY_LOG if seen is None else seen.tip


class LogReport(msgspec.Struct, frozen=True, kw_only=True):
    """What checking a log prints with --json. known_size: of last time, null the first time."""

    tracker: str
    root_id: str
    size: int
    hash: str
    signed_at: int
    known_size: int | None


def report_of(address: TrackerAddress, head: LogHead, seen: SeenHead | None) -> LogReport:
    """What was found of a log, and where it ended when it was seen last."""
    return LogReport(
        tracker=address.origin,
        root_id=head.iss,
        size=head.size,
        hash=head.hash,
        signed_at=head.iat,
        known_size=None if seen is None else seen.size,
    )


def print_since(seen: SeenHead | None, entries: str) -> None:
    """How a log that is whole goes on from last time. entries: what it has, in the plural."""
    if seen is None:
        note("First look: the next one checks that nothing of it was rewritten.")
    else:
        say(f"It goes on from the {seen.size} {entries} of last time.")


@dataclass(frozen=True)
class SeenHeads:
    """The heads of one kind of log. file: its name in the home folder. what: names it in errors."""

    home: Home
    file: str
    what: str

    def pin(self, address: TrackerAddress) -> tuple[TrackerAddress, SeenHead | None]:
        """The address with the root id that was seen there last, unless it has one; and its head.

        Raises LuckrigError when the file is damaged: it isn't taken for an empty one.
        """
        heads = self._read()
        here = [root_id for root_id, seen in heads.items() if seen.origin == address.origin]
        if address.root_id is None and here:
            address = TrackerAddress(address.origin, here[-1])
        return address, heads.get(address.root_id or "")

    def remember(self, origin: str, head: LogHead) -> None:
        """Read again just before: another luckrig may have looked at another tracker meanwhile."""
        heads = self._read()
        known = heads.pop(head.iss, None)  # what was looked at last goes to the end: see pin
        if known is not None and known.size > head.size:  # and seen a longer log of this one
            return
        heads[head.iss] = SeenHead(
            origin=origin, size=head.size, hash=head.hash, checked_at=int(time.time())
        )
        self.home.replace_file(self.file, msgspec.json.format(msgspec.json.encode(heads)) + b"\n")

    def _read(self) -> dict[str, SeenHead]:
        path = self.home.path / self.file
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, SeenHead])
        except FileNotFoundError:
            return {}
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LuckrigError(
                "invalid_request",
                f"{path} is damaged, so nobody can say what {self.what} was last time. "
                "Restore it from a copy, or delete it to begin anew.",
            ) from error
