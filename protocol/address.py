"""Addresses: origins, and the tracker's address with its root id.

    https://luckrig.example#r1abcd…      origin # root id

The fragment never travels in a request; it pins who may sign that tracker's keys.
"""

import contextlib
import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from luckrig.protocol.ids import ROOT_ID_PATTERN

MAX_ORIGIN_CHARS: Final = 200

_ROOT_ID: Final = re.compile(ROOT_ID_PATTERN)
_ORIGIN: Final = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_OWN_PORTS: Final = {"http": 80, "https": 443}


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


def browser_origin(origin: str) -> str:
    """An origin as browsers write it: lower case, without the port that the scheme has anyway.

    Raises ValueError for what is no origin.
    """
    if not is_origin(origin):
        raise ValueError("an origin looks like https://host or https://host:port")
    scheme, _, authority = origin.lower().partition("://")
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, ""
    with contextlib.suppress(ValueError):  # a name, or nothing that anybody reaches
        host = f"[{ipaddress.IPv6Address(host[1:-1])}]"
    shown = f":{int(port)}" if port and int(port) != _OWN_PORTS[scheme] else ""
    return f"{scheme}://{host}{shown}"


def is_loopback_origin(origin: str) -> bool:
    """Whether an origin is the machine's own for whoever opens it."""
    host = browser_origin(origin).partition("://")[2]
    if host.startswith("["):
        return host.startswith("[::1]")
    name = host.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.IPv4Address(name).is_loopback
    except ValueError:
        return False


def forwarded_port(origin: str) -> int | None:
    """The port of one's own machine to forward to an origin that has no https, because browsers
    lend their cryptography to pages of their own machine; None for an origin that needs none.
    """
    if origin.lower().startswith("https:") or is_loopback_origin(origin):
        return None
    found = _ORIGIN.fullmatch(origin)
    port = int(found["port"] or 0) if found is not None else 0
    return port if port >= 1024 else 8080  # below, only administrators may listen
