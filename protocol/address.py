"""Addresses: origins, and the tracker's address with its root id.

    https://luckrig.example#r1abcd…      origin # root id

The fragment never travels in a request; it pins who may sign that tracker's keys.
"""

import re
from dataclasses import dataclass
from typing import Final

from luckrig.protocol.ids import ROOT_ID_PATTERN

MAX_ORIGIN_CHARS: Final = 200

_ROOT_ID: Final = re.compile(ROOT_ID_PATTERN)
_ORIGIN: Final = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class TrackerAddress:
    """Where a tracker is, and whose keys are its keys. root_id: None while nobody pinned it."""

    origin: str
    root_id: str | None

    def __str__(self) -> str:
        return self.origin if self.root_id is None else f"{self.origin}#{self.root_id}"


def parse_tracker_address(text: str) -> TrackerAddress:
    """Raises ValueError with a text for the user."""
    origin, mark, root_id = text.strip().partition("#")
    origin = origin.rstrip("/")
    if not is_origin(origin):
        raise ValueError("a tracker's address looks like https://host or https://host#r1…")
    if mark and (len(root_id) != 34 or _ROOT_ID.match(root_id) is None):
        raise ValueError("the part after # is the tracker's root id: r1 and 32 characters")
    return TrackerAddress(origin, root_id or None)


def is_origin(text: str) -> bool:
    """Whether the text is http(s)://host[:port] and nothing more."""
    found = _ORIGIN.fullmatch(text)
    if found is None or len(text) > MAX_ORIGIN_CHARS:
        return False
    return found["port"] is None or 0 < int(found["port"]) < 65536
