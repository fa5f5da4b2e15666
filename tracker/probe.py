"""Asks rigs over HTTP how they are. Their answers, and their addresses, are hostile."""

import asyncio
import socket
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx2
import msgspec

from luckrig.protocol.wire import NodeHealth
from luckrig.tracker.domain.endpoints import is_public_address
from luckrig.tracker.domain.records import NodeRecord

MAX_HEALTH_BYTES: Final = 65_536


class Resolver(Protocol):
    """Turns a host name into all of its IP addresses."""

    async def __call__(self, host: str, port: int) -> list[str]:
        """Raises OSError when the name has no address."""
        ...


async def resolve_host(host: str, port: int) -> list[str]:
    """The system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, kw_only=True)
class HttpProber:
    """GET {endpoint}/health with one deadline over everything, and a bound on the body.

    The name is resolved once, every address of it must be public (unless allow_private), and the
    connection goes to the address that was checked, so a second DNS answer changes nothing.
    """

    http: httpx2.AsyncClient
    resolve: Resolver
    timeout_seconds: float
    allow_private: bool

    async def probe(self, node: NodeRecord) -> NodeHealth | None:
        """The rig's answer, or None. Implements service.monitor.Prober."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                body = await self._fetch(node.descriptor.endpoints[0])
            health = msgspec.json.decode(body, type=NodeHealth)
        except (OSError, TimeoutError, ValueError, RecursionError, httpx2.HTTPError):
            return None
        except (httpx2.InvalidURL, httpx2.StreamError):
            return None
        return health if health.node_id == node.descriptor.node_id else None

    async def _fetch(self, endpoint: str) -> bytes:
        url = httpx2.URL(endpoint)
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        addresses = await self.resolve(host, port)
        if not addresses:
            raise OSError("no address")
        if not self.allow_private and not all(map(is_public_address, addresses)):
            raise OSError("not a public address")
        request = self.http.build_request(
            "GET",
            url.copy_with(host=addresses[0], path="/health"),
            headers={"Host": parts.netloc, "Accept-Encoding": "identity"},
            extensions={"sni_hostname": host},
        )
        response = await self.http.send(request, stream=True, follow_redirects=False)
        try:
            return await _bounded_body(response)
        finally:
            await response.aclose()


def make_probe_client() -> httpx2.AsyncClient:
    """An HTTP client for probes: no redirects, no proxies or .netrc from the environment.

    Connections aren't kept: httpx2 is slower with kept connections to many hosts (its pool
    searches them all), and a rig is asked only twice a minute.
    """
    limits = httpx2.Limits(max_connections=128, max_keepalive_connections=0)
    return httpx2.AsyncClient(trust_env=False, follow_redirects=False, limits=limits)


async def _bounded_body(response: httpx2.Response) -> bytes:
    if response.status_code != 200:
        raise OSError("not a good answer")
    body = bytearray()
    async for chunk in response.aiter_raw():  # raw: a compressed bomb stays as small as it came
        body += chunk
        if len(body) > MAX_HEALTH_BYTES:
            raise OSError("answer too long")
    return bytes(body)
