"""One tracker's public API, seen from a user's machine.

Every failure is a LuckrigError whose text tells the user what to do. A tracker is a stranger: its
answers are bounded (MAX_ANSWER_BYTES, timeout_seconds for the whole of one), redirects are not
followed, compressed bodies are refused, and a rig is shown only as the rig itself signed it.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NoReturn, TypedDict, TypeVar, Unpack

import httpx2
import msgspec

from luckrig.protocol.address import TrackerAddress, is_origin
from luckrig.protocol.descriptor import Capability, NodeDescriptor, verify_descriptor
from luckrig.protocol.descriptor_log import (
    GENESIS_HASH,
    LogHead,
    LogTip,
    LogVerifier,
    verify_head,
)
from luckrig.protocol.errors import CODES, LuckrigError, PeerError
from luckrig.protocol.ids import is_node_id, is_user_id
from luckrig.protocol.keys import PrivateKey, PublicKey
from luckrig.protocol.keyset import verify_keyset
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.text import check_label
from luckrig.protocol.tokens import MAX_TOKEN_CHARS
from luckrig.protocol.wire import (
    BanReply,
    BanRequest,
    ErrorReply,
    KeysetReply,
    LiftReply,
    LiftRequest,
    LogPage,
    NodeDetail,
    NodePage,
    NodeStatus,
    NodeView,
    PublishReply,
    RevocationsReply,
    TokenReply,
    TokenRequest,
    TrackerHealth,
)

MAX_ANSWER_BYTES: Final = 8 * 2**20
"""A page of 200 rigs with the longest notes is about 2 MiB."""
TIMEOUT_SECONDS: Final = 10.0
MAX_PAGES: Final = 100
"""How many pages each_node() reads: a tracker could hand out cursors without end."""

MAX_LOG_PAGES: Final = 1000
"""How many pages log() reads: a million entries of a tracker that fills its pages."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_MAX_MESSAGE_CHARS: Final = 500
_SIGNED_FIELDS: Final = (
    "owner_id", "name", "note", "hardware", "offers", "engine", "policy", "seq",
)  # fmt: skip

Answer = TypeVar("Answer")


class TrackerUnreachable(LuckrigError):
    """No tracker answers at that address. Caught by whoever knows a second tracker to ask."""

    def __init__(self, origin: str, why: str) -> None:
        """why: completes "The tracker at URL …", without the full stop."""
        super().__init__(
            "tracker_unreachable",
            f"The tracker at {origin} {why}. Check its address (--tracker or LUCKRIG_TRACKER).",
        )


class NodeFilters(TypedDict, total=False):
    """What a list of rigs can be narrowed by: the query of GET /api/v1/nodes.

    q: words in name, GPU, models or note. gpu, model, quant: names in any common spelling.
    min_context: tokens. min_vram: GiB. after: `next` of the page before.
    """

    q: str
    gpu: str
    vendor: str
    model: str
    family: str
    quant: str
    status: NodeStatus
    capability: Capability
    min_context: int
    min_vram: int
    sort: str
    limit: int
    after: str


class TrackerClient:
    """Asks one tracker.

    http: made with trust_env=False; open_tracker() makes a fitting one. clock: Unix seconds.
    new_jti: fresh random base64url, 16 to 64 characters. timeout_seconds: for one whole answer.
    """

    def __init__(
        self,
        address: TrackerAddress,
        http: httpx2.AsyncClient,
        *,
        clock: Callable[[], float],
        new_jti: Callable[[], str],
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.address = address
        self._http = http
        self._clock = clock
        self._new_jti = new_jti
        self._timeout_seconds = timeout_seconds

    async def health(self) -> TrackerHealth:
        """The tracker's own health. Raises PeerError if it isn't the tracker that was pinned."""
        health = self._decode(await self._fetch("GET", "/health"), TrackerHealth)
        pinned = self.address.root_id
        if pinned is not None and health.root_id != pinned:
            raise PeerError(
                "signature_invalid",
                f"Another tracker answers at {self.address.origin}: its root id is"
                f" {health.root_id}, not {pinned}. Don't use it; ask its operator.",
            )
        return health

    async def nodes(self, **filters: Unpack[NodeFilters]) -> NodePage:
        """One page of the map, as the tracker tells it: nothing in it is checked yet."""
        params = {name: str(value) for name, value in filters.items()}
        return self._decode(await self._fetch("GET", "/api/v1/nodes", params=params), NodePage)

    async def each_node(self, **filters: Unpack[NodeFilters]) -> AsyncIterator[NodeView]:
        """The rigs of all pages, MAX_PAGES of them at most; unchecked, like nodes()."""
        for _ in range(MAX_PAGES):
            page = await self.nodes(**filters)
            for node in page.nodes:
                yield node
            if page.next is None:
                return
            filters["after"] = page.next

    async def node(self, node_id: str) -> NodeDetail:
        """One rig, exactly as it and its owner signed it.

        Raises PeerError node_not_found; signature_invalid and the other codes of verify_descriptor
        when the tracker shows anything that the rig didn't sign.
        """
        _check_node_id(node_id)
        detail = self._decode(await self._fetch("GET", f"/api/v1/nodes/{node_id}"), NodeDetail)
        descriptor = verify_descriptor(bytes(detail.descriptor))
        if descriptor.node_id != node_id or detail.node.id != node_id:
            raise _altered(node_id, "id")
        _check_view(detail.node, descriptor, tracker_origin=self.address.origin)
        return detail

    async def keyset(self) -> KeysetReply:
        """The keys that sign this tracker's tokens. Check them with verify_keyset."""
        return self._decode(await self._fetch("GET", "/api/v1/keyset"), KeysetReply)

    async def revocations(self, node_id: str) -> RevocationsReply:
        """A rig's list of banned users. Check it with verify_revocations."""
        _check_node_id(node_id)
        answer = await self._fetch("GET", f"/api/v1/revocations/{node_id}")
        return self._decode(answer, RevocationsReply)

    async def log(self, *, known_size: int = 0, known_hash: str = GENESIS_HASH) -> LogHead:
        """Check the whole descriptor log and return its head, signed by the tracker's own keys.

        known_size, known_hash: the head that the caller saw last; the log must go on from there.
        Without a pinned root id the one that the tracker names is taken: pin `iss` afterwards.
        Raises PeerError signature_invalid, with `param` = "entries[<index>]" of the first bad
        entry where one is known.
        """
        root_id, keys = await self._verified_keys()
        verifier = LogVerifier(LogTip(known_size, known_hash))
        for _ in range(MAX_LOG_PAGES):
            params = {"after": str(verifier.tip.size)}
            page = self._decode(await self._fetch("GET", "/api/v1/log", params=params), LogPage)
            head = verify_head(page.head, keys=keys, issuer=root_id, now=self._clock())
            if verifier.feed(page.entries, head):
                return head
        self._nonsense(f"has a log of more than {MAX_LOG_PAGES} pages")

    async def _verified_keys(self) -> tuple[str, dict[str, PublicKey]]:
        """The root id that is pinned, and the keys that it signed: kid → key."""
        reply = await self.keyset()
        root_id = self.address.root_id or reply.root_id
        keyset = verify_keyset(reply.keyset, root_id=root_id, min_seq=0, now=self._clock())
        return root_id, keyset.by_kid()

    async def publish(self, signed: bytes) -> PublishReply:
        """List a rig, or its newer descriptor. signed: as sign_descriptor makes it."""
        headers = {"content-type": "application/json"}
        answer = await self._fetch("POST", "/api/v1/nodes", body=signed, headers=headers)
        return self._decode(answer, PublishReply)

    async def token(
        self,
        node_id: str,
        *,
        user_key: PrivateKey,
        bound: bool = False,
        ttl_seconds: int | None = None,
    ) -> TokenReply:
        """A token for one rig, asked for with a signed request.

        bound: one that needs a proof of user_key with each request. ttl_seconds: from 30 to 900, or
        3,600 for a bound one; None for the longest. Raises PeerError on a reply that is for
        another rig or could harm a terminal; the tracker's own refusals pass through.
        """
        _check_node_id(node_id)
        request = TokenRequest(node_id=node_id, bound=bound, ttl_seconds=ttl_seconds)
        answer = await self._fetch_signed("/api/v1/tokens", request, key=user_key)
        reply = self._decode(answer, TokenReply)
        if reply.node_id != node_id:
            raise PeerError(
                "token_invalid", "The tracker sent a token for another rig. Don't use this tracker."
            )
        self._check_token(reply)
        return reply

    async def ban(
        self, subject: str, *, reason: str, expires_at: int | None, operator_key: PrivateKey
    ) -> BanReply:
        """Ban a user (u1…) or a rig (n1…). expires_at: Unix seconds, None for good.

        reason: for the banned one to read. Raises PeerError operators_only unless the tracker
        counts that key's owner among its operators.
        """
        _check_subject(subject)
        request = BanRequest(subject=subject, reason=reason, expires_at=expires_at)
        answer = await self._fetch_signed("/api/v1/admin/bans", request, key=operator_key)
        return self._decode(answer, BanReply)

    async def lift(self, subject: str, *, operator_key: PrivateKey) -> LiftReply:
        """End a ban. Raises PeerError operators_only."""
        _check_subject(subject)
        request = LiftRequest(subject=subject)
        answer = await self._fetch_signed("/api/v1/admin/bans/lift", request, key=operator_key)
        return self._decode(answer, LiftReply)

    def _check_token(self, reply: TokenReply) -> None:
        """Token, address and models go to terminals and shells, so they must be what they seem."""
        if len(reply.token) > MAX_TOKEN_CHARS or _TOKEN.fullmatch(reply.token) is None:
            self._nonsense()
        if not _is_base_url(reply.base_url):
            self._nonsense()
        for index, model in enumerate(reply.models):
            check_label(model, field=f"models[{index}]")

    async def _fetch_signed(self, path: str, request: msgspec.Struct, *, key: PrivateKey) -> bytes:
        """POST a request with a proof of that key."""
        body = msgspec.json.encode(request)
        proof = make_proof(
            key=key,
            method="POST",
            url=f"{self.address.origin}{path}",
            body=body,
            now=self._clock(),
            jti=self._new_jti(),
        )
        headers = {"content-type": "application/json", "dpop": proof}
        return await self._fetch("POST", path, body=body, headers=headers)

    async def _fetch(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The body of a 200 answer; every other outcome is raised."""
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._http.stream(
                    method,
                    f"{self.address.origin}{path}",
                    params=params,
                    content=body,
                    # What isn't compressed can't be a bomb.
                    headers={**(headers or {}), "accept-encoding": "identity"},
                    timeout=self._timeout_seconds,
                    follow_redirects=False,
                ) as response,
            ):
                answer = await self._read(response)
        except (TimeoutError, httpx2.TimeoutException) as error:
            why = f"didn't answer within {self._timeout_seconds:g} seconds"
            raise TrackerUnreachable(self.address.origin, why) from error
        except httpx2.ConnectError as error:
            why = f"can't be reached: {_connect_problem(error)}"
            raise TrackerUnreachable(self.address.origin, why) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise TrackerUnreachable(self.address.origin, "broke off the connection") from error
        if response.status_code != 200:
            raise self._refusal(response, answer)
        return answer

    async def _read(self, response: httpx2.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            self._nonsense("compresses its answer although it was asked not to")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                self._nonsense(f"sends an answer of more than {MAX_ANSWER_BYTES} bytes")
        return bytes(body)

    def _decode(self, body: bytes, kind: type[Answer]) -> Answer:
        """Unknown fields are fine: the tracker may be newer than this client."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._nonsense(cause=error)

    def _refusal(self, response: httpx2.Response, body: bytes) -> LuckrigError:
        """The tracker's own error, made fit to print. Its code, if this client knows it."""
        if response.is_redirect:
            why = "answers with a redirect, which luckrig doesn't follow"
            return TrackerUnreachable(self.address.origin, why)
        error = self._decode(body, ErrorReply).error
        code = error.code if error.code in CODES else _code_of_status(response.status_code)
        return LuckrigError(
            code,
            _one_line(error.message) or CODES[code].meaning,
            param=None if error.param is None else _one_line(error.param),
            retry_after_seconds=_retry_after_seconds(response.headers.get("retry-after", "")),
        )

    def _nonsense(
        self,
        why: str = "gives an answer that isn't a luckrig tracker's",
        *,
        cause: Exception | None = None,
    ) -> NoReturn:
        raise TrackerUnreachable(self.address.origin, why) from cause


@asynccontextmanager
async def open_tracker(
    address: TrackerAddress, *, clock: Callable[[], float], new_jti: Callable[[], str]
) -> AsyncGenerator[TrackerClient]:
    """A client with connections of its own, which close with the block.

    Proxy and certificate variables of the environment are ignored: they would move a user's
    traffic somewhere that no address on the command line names.
    """
    async with httpx2.AsyncClient(
        trust_env=False, timeout=TIMEOUT_SECONDS, headers={"user-agent": "luckrig"}
    ) as http:
        yield TrackerClient(address, http, clock=clock, new_jti=new_jti)


def _check_node_id(node_id: str) -> None:
    if not is_node_id(node_id):
        raise LuckrigError(
            "invalid_request",
            "A node id is n1 and 32 characters a-z, 2-7; `luckrig nodes --json` shows them whole.",
            param="node_id",
        )


def _check_subject(subject: str) -> None:
    if not (is_node_id(subject) or is_user_id(subject)):
        raise LuckrigError(
            "invalid_request",
            "Whom to ban or pardon is a whole id: u1 (a user) or n1 (a rig) and 32 characters.",
            param="subject",
        )


def _check_view(view: NodeView, descriptor: NodeDescriptor, *, tracker_origin: str) -> None:
    """Refuse a view that differs from what was signed.

    base_url may lead to one of the signed endpoints, or to the tracker itself, which relays.
    """
    for name in _SIGNED_FIELDS:
        if getattr(view, name) != getattr(descriptor, name):
            raise _altered(descriptor.node_id, name)
    origin = "/".join(view.base_url.split("/", 3)[:3])
    if origin not in (*descriptor.endpoints, tracker_origin) or not _is_base_url(view.base_url):
        raise _altered(descriptor.node_id, "base_url")


def _altered(node_id: str, field: str) -> PeerError:
    return PeerError(
        "signature_invalid",
        f"The tracker shows a {field} for rig {node_id} that the rig didn't sign."
        " Don't use this rig through this tracker.",
    )


def _is_base_url(text: str) -> bool:
    scheme, mark, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    return is_origin(f"{scheme}{mark}{host}") and _PATH.fullmatch(slash + path) is not None


def _connect_problem(error: httpx2.ConnectError) -> str:
    """Why a connection failed, in words that don't depend on the system's language."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its TLS certificate isn't valid for that name"
    if "SSL" in text or "TLS" in text:
        return "it doesn't speak TLS as https needs it"
    if "Name or service" in text or "nodename" in text or "name resolution" in text:
        return "no machine has that name"
    return "nothing answers there"


def _code_of_status(status: int) -> str:
    """The nearest of our codes, for a tracker that has newer ones."""
    nearest = {401: "proof_invalid", 403: "operators_only", 404: "not_found", 429: "rate_limited"}
    return nearest.get(status, "internal_error" if status >= 500 else "invalid_request")


def _one_line(text: str) -> str:
    """A stranger's text as one printable line: isprintable() is false for every control,
    formatting and surrogate character and for line separators."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return line.strip()[:_MAX_MESSAGE_CHARS]


def _retry_after_seconds(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None
