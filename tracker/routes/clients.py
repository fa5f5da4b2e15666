"""Where a request came from, as far as that can be believed."""

import ipaddress
from collections.abc import MutableMapping, Sequence
from typing import Any, Final

from starlette.requests import Request

from luckrig.tracker.domain.quotas import network_prefix

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNKNOWN: Final = "unknown"


class ClientNetworks:
    """trusted: proxies whose X-Forwarded-For is believed."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)

    def prefix(self, request: Request) -> str | None:
        """The network that a request counts with; None for this machine itself.

        Behind trusted proxies that is the rightmost address that isn't one of theirs: everything
        to the left of it may be made up.
        """
        return self.prefix_of(request.scope)

    def prefix_of(self, scope: MutableMapping[str, Any]) -> str | None:
        """The same of an ASGI scope."""
        client = scope.get("client")
        address = _UNKNOWN if client is None else str(client[0])
        if not self._is_trusted(address):
            return network_prefix(address)
        forwarded = ",".join(
            value.decode("latin-1")
            for name, value in scope["headers"]
            if name == b"x-forwarded-for"
        )
        for hop in reversed(forwarded.split(",") if forwarded else []):
            address = hop.strip()
            if not self._is_trusted(address):
                break
        return network_prefix(address)

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._trusted)
