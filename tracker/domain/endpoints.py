"""Which endpoints a tracker lists and probes.

A rig's owner writes the address that the tracker will connect to, so an address is a way to aim
the tracker at its own network. Public trackers take https to public addresses only.
"""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from luckrig.protocol.address import is_origin
from luckrig.protocol.errors import PeerError

_NETWORKS_THAT_EMBED_OR_HIDE: Final = [
    ipaddress.ip_network(network)
    for network in (
        "::/96",  # IPv4-compatible: ::127.0.0.1
        "::ffff:0:0/96",  # IPv4-mapped
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # local NAT64
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "fec0::/10",  # site-local, deprecated but routed by some
    )
]
"""ipaddress calls several of these global although a gateway turns them into private ones."""


def check_listable(endpoints: list[str], *, allow_private: bool, relayed: str) -> None:
    """Refuse endpoints that this tracker would never probe. Names are resolved at probe time.

    relayed: the rig's place behind this tracker's own relay, which isn't probed at all. Another
    tracker's relay is none of this one's business.
    """
    for index, endpoint in enumerate(endpoints):
        if endpoint == relayed:
            continue
        if not is_origin(endpoint):
            raise PeerError(
                "invalid_request",
                f"This tracker relays to this rig at {relayed} and nowhere else.",
                param=f"endpoints[{index}]",
            )
        if not allow_private and not _looks_public(endpoint):
            raise PeerError(
                "invalid_request",
                "This tracker lists https endpoints on public addresses, port 443 or from 1024 up.",
                param=f"endpoints[{index}]",
            )


def is_public_address(text: str) -> bool:
    """Whether an IP address is one that everybody can reach, and not a way into a private net."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(
        address in network
        for network in _NETWORKS_THAT_EMBED_OR_HIDE
        if network.version == address.version
    )


def _looks_public(endpoint: str) -> bool:
    url = urlsplit(endpoint)
    port = url.port or 443
    host = url.hostname or ""
    if url.scheme != "https" or not (port == 443 or port >= 1024):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # A name. getaddrinfo also takes 127.1 and 0x7f.1 for addresses: no real domain's last
        # label starts with a digit.
        return "." in host and not host.rpartition(".")[2][:1].isdigit()
    return is_public_address(host)
