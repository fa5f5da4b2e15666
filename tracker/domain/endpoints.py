"""Which endpoints a tracker lists and probes.

A rig's owner writes the address that the tracker will connect to, so an address is a way to aim
the tracker at its own network. Public trackers take https to public addresses only.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from luckrig.protocol.errors import PeerError

_NEVER: Final = [
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # IETF protocols; 192.0.0.192 is a metadata service
        "192.31.196.0/24",  # AS112: DNS sinks
        "192.52.193.0/24",  # AMT relays
        "192.88.99.0/24",  # 6to4 relays
        "192.175.48.0/24",  # AS112
        "168.63.129.16/32",  # Azure's metadata and DNS, a public address seen from inside only
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # local NAT64
        "2001::/23",  # IETF protocols: Teredo, ORCHID, benchmarking
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation, unknown to older versions of ipaddress
    )
]
"""ipaddress calls several of these global although a gateway turns them into private ones."""
_GLOBAL_IPV6: Final = ipaddress.ip_network("2000::/3")
"""All global unicast there is (RFC 4291); ::1, mapped, compatible and site-local lie outside."""
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)
"""An interface id that begins so has an IPv4 address in it, whatever the prefix (RFC 5214)."""

_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LOCAL_NAMES: Final = frozenset(
    "local localhost localdomain lan home internal intranet private corp arpa onion alt".split()
)
"""Last labels that mean another machine in each network, or none."""

_SERVICE_PORTS: Final = frozenset(
    {
        1080, 1433, 1434, 1521, 1719, 1720, 1723, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3128,
        3260, 3306, 3389, 3659, 4045, 4190, 4369, 5060, 5061, 5222, 5269, 5432, 5672, 5900, 5984,
        5985, 5986, 6000, 6379, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 7000, 7001,
        8086, 8500, 9042, 9092, 9200, 9300, 10080, 10250, 10255, 11211, 15672, 25565, 27017, 27018,
        50070, 61616,
    }
)  # fmt: skip
"""Databases, caches, mail, chat, container and remote control: nobody has a rig there, and a
stranger's service shouldn't find a tracker's bytes in its log. Browsers refuse many of them too."""

_CADDY: Final = (
    "put a reverse proxy in front, for example `caddy reverse-proxy --from rig.example.com --to "
    "127.0.0.1:8788`, and pass --endpoint https://rig.example.com; or, without an address of your "
    "own, use --tunnel"
)


def check_listable(endpoints: list[str], *, allow_private: bool, relayed: str) -> None:
    """Refuse endpoints that this tracker would never probe. Names are resolved at probe time.

    relayed: the rig's place behind this tracker's own relay, which isn't probed at all. Another
    tracker's relay is none of this one's business. Raises PeerError invalid_request that says what
    to do instead.
    """
    for index, endpoint in enumerate(endpoints):
        if endpoint == relayed:
            continue
        why: str | None
        if urlsplit(endpoint).path:
            why = f"This tracker relays to this rig at {relayed} and nowhere else."
        else:
            why = None if allow_private else _objection(endpoint)
        if why is not None:
            raise PeerError("invalid_request", why, param=f"endpoints[{index}]")


def is_public_address(text: str) -> bool:
    """Whether an IP address is one that everybody can reach, and not a way into a private net."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address not in _GLOBAL_IPV6 or (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
            return False
    return not any(address in each for each in _NEVER if each.version == address.version)


def _objection(endpoint: str) -> str | None:
    """What is wrong with it for a public tracker, as a sentence for its owner."""
    url = urlsplit(endpoint)
    if url.scheme != "https":
        return f"This tracker lists https only: {_CADDY}."
    port = url.port or 443
    if (port != 443 and port < 1024) or port in _SERVICE_PORTS:
        return (
            "This tracker lists port 443, or one from 1024 up that no well-known service has;"
            " 8443 is a good choice."
        )
    if not _is_public_host(url.hostname or ""):
        return (
            "This tracker lists public addresses only, and names that everybody can resolve:"
            f" {_CADDY}."
        )
    return None


def _is_public_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _is_public_name(host)
    return is_public_address(host)


def _is_public_name(host: str) -> bool:
    """Whether a name may be one that everybody resolves to the same machine.

    getaddrinfo also takes 127.1, 0177.0.0.1 and 0x7f.1 for addresses: no real domain's last label
    starts with a digit. A dot at the end makes another Host and another certificate of the same
    name.
    """
    labels = host.split(".")
    if len(host) > 253 or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        return False
    return not labels[-1][0].isdigit() and labels[-1].lower() not in _LOCAL_NAMES
