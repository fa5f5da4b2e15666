"""Asks rigs over HTTP how they are. Their answers, and their addresses, are hostile."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.endpoint_proof import (
    NONCE_BYTES,
    PROOF_PATH,
    EndpointProofReply,
    verify_endpoint_proof,
)
from luckrig.protocol.errors import PeerError
from luckrig.protocol.evidence import ReachProblem
from luckrig.protocol.wire import NodeHealth, QueueView
from luckrig.tracker.domain.endpoints import is_public_address
from luckrig.tracker.domain.probe_budget import ProbeBudget, address_costs, name_costs
from luckrig.tracker.domain.reach import ReachBook
from luckrig.tracker.domain.records import NodeRecord

MAX_HEALTH_BYTES: Final = 65_536
MAX_LOOKUPS_AT_ONCE: Final = 64

_NO_QUEUE: Final = QueueView(active=0, waiting=0, max_active=0)

Answer = TypeVar("Answer", NodeHealth, EndpointProofReply)


class Resolver(Protocol):
    """Turns a host name into all of its IP addresses."""

    async def __call__(self, host: str, port: int) -> list[str]:
        """Raises OSError when the name has no address."""
        ...


class SystemResolver:
    """The system's resolver, in threads of its own.

    A lookup can't be cancelled, and some name servers answer after half a minute: those mustn't
    hold up the threads that the rest of the tracker works in.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_LOOKUPS_AT_ONCE, thread_name_prefix="probe-dns")

    async def __call__(self, host: str, port: int) -> list[str]:
        """See Resolver."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [str(entry[4][0]) for entry in found]

    def close(self) -> None:
        """Take no more; what runs is left alone."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Unreached(Exception):
    def __init__(self, problem: ReachProblem) -> None:
        super().__init__(problem)
        self.problem: ReachProblem = problem


@dataclass(frozen=True, kw_only=True)
class _Target:
    """Where a request goes. address: the one that was checked, and that is connected to."""

    endpoint: str
    address: str

    def request(self, http: httpx2.AsyncClient, path: str, seconds: float) -> httpx2.Request:
        """seconds: for all of it; half of them to connect, and half for TLS, because a handshake
        that is cancelled from outside leaves its socket behind."""
        parts = urlsplit(self.endpoint)
        return http.build_request(
            "GET",
            httpx2.URL(self.endpoint).copy_with(host=self.address, path=path),
            headers={"Host": parts.netloc, "Accept-Encoding": "identity"},
            extensions={"sni_hostname": parts.hostname or ""},
            timeout=httpx2.Timeout(seconds, connect=seconds / 2),
        )


@dataclass(frozen=True, kw_only=True)
class HttpProber:
    """Has each endpoint proven, then asks GET {endpoint}/health; one discipline for both.

    Each has one deadline over everything, and a bound on the body. The name is resolved once, every
    address of it must be public (unless allow_private), and the connection goes to the address that
    was checked, so a second DNS answer changes nothing. Nothing is followed. root_id: this
    tracker's. random_bytes: for nonces. reach: what was found out, for others to read.
    """

    http: httpx2.AsyncClient
    resolve: Resolver
    reach: ReachBook
    root_id: str
    timeout_seconds: float
    allow_private: bool
    clock: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    budget: ProbeBudget = field(default_factory=ProbeBudget)

    async def probe(self, node: NodeRecord) -> NodeHealth | None:
        """The rig's answer; `unknown` for one that hasn't proven its endpoint; or None.

        Implements service.monitor.Prober.
        """
        try:
            target = await self._aim(node)
            await self._have_proven(node, target)
            health = await self._ask(target, "/health", NodeHealth)
            if health.node_id != node.node_id:
                raise _Unreached("answer")
        except _Unreached as fault:
            is_unproven = fault.problem in ("proof", "limited")
            self.reach.note_problem(node, fault.problem, is_disproven=is_unproven, now=self.clock())
            if not is_unproven:
                return None
            return NodeHealth(node_id=node.node_id, status="unknown", queue=_NO_QUEUE)
        self.reach.note_problem(node, None, is_disproven=False, now=self.clock())
        return health

    async def _aim(self, node: NodeRecord) -> _Target:
        """Resolve the rig's endpoint, once, and choose the address to talk to."""
        endpoint, now = node.descriptor.endpoints[0], self.clock()
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
        if not self.reach.of(node, now=now).is_proven:
            if not self.budget.take(name_costs(host), now=now):
                raise _Unreached("limited")
        try:
            async with asyncio.timeout(self.timeout_seconds):
                addresses = await self.resolve(host, parts.port or 443)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise _Unreached("address") from error
        if not addresses or not (self.allow_private or all(map(is_public_address, addresses))):
            # One text for both: what a private name server knows is nobody else's business.
            raise _Unreached("address")
        # Of several, always the same one, so that a proof is of it; of the kind that goes first.
        address = min(each for each in addresses if (":" in each) == (":" in addresses[0]))
        if parts.scheme != "https" and (not self.allow_private or is_public_address(address)):
            raise _Unreached("plain_http")
        return _Target(endpoint=endpoint, address=address)

    async def _have_proven(self, node: NodeRecord, target: _Target) -> None:
        """Ask for a proof where none holds. Raises _Unreached."""
        now = self.clock()
        known = self.reach.of(node, now=now)
        if known.is_proven and known.address is None:
            known = self.reach.pin(node, known, target.address)
        holds = known.is_proven and known.address == target.address
        if holds and now < known.renew_at:
            return
        if not self.budget.take(address_costs(target.address), now=now):
            if holds:  # a flood of false rigs mustn't cost a good one its place: ask next time
                return
            raise _Unreached("limited")
        nonce = b64url_encode(self.random_bytes(NONCE_BYTES))
        reply = await self._ask(target, PROOF_PATH + nonce, EndpointProofReply)
        try:
            verify_endpoint_proof(
                reply.proof,
                node_id=node.node_id,
                endpoint=target.endpoint,
                root_id=self.root_id,
                nonce=nonce,
                now=self.clock(),
            )
        except PeerError as error:
            raise _Unreached("proof") from error
        self.reach.note_proof(node, target.address, now=now)

    async def _ask(self, target: _Target, path: str, kind: type[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                request = target.request(self.http, path, self.timeout_seconds)
                response = await self.http.send(request, stream=True, follow_redirects=False)
                try:
                    body = await _bounded_body(response)
                finally:
                    await response.aclose()
            return msgspec.json.decode(body, type=kind)
        except (OSError, TimeoutError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _Unreached(_problem_of(error)) from error
        except (ValueError, RecursionError, httpx2.StreamError) as error:
            raise _Unreached("answer") from error


def make_probe_client(tls: ssl.SSLContext | None = None) -> httpx2.AsyncClient:
    """An HTTP client for probes: no redirects, no proxies or .netrc from the environment.

    tls: whom to believe, if not the usual authorities. Connections aren't kept: httpx2 is slower
    with kept connections to many hosts (its pool searches them all), and a rig is asked only twice
    a minute.
    """
    limits = httpx2.Limits(max_connections=128, max_keepalive_connections=0)
    return httpx2.AsyncClient(
        verify=tls or True, trust_env=False, follow_redirects=False, limits=limits
    )


def _problem_of(error: BaseException) -> ReachProblem:
    if isinstance(error, httpx2.RemoteProtocolError | httpx2.InvalidURL):
        return "answer"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls"
        cause = cause.__cause__ or cause.__context__
    return "connect"


async def _bounded_body(response: httpx2.Response) -> bytes:
    if response.status_code != 200:
        raise ValueError("not a good answer")
    body = bytearray()
    async for chunk in response.aiter_raw():  # raw: a compressed bomb stays as small as it came
        body += chunk
        if len(body) > MAX_HEALTH_BYTES:
            raise ValueError("answer too long")
    return bytes(body)
