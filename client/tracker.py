"""One tracker's public API, seen from a user's machine: typed, and checked.

Every failure is a LuckrigError whose text tells the user what to do. A tracker is a stranger: a rig
is shown only as the rig itself signed it, and what comes over the wire is bounded (transport.py).
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypedDict, Unpack

import httpx2
import msgspec

from luckrig.client.ledger import LedgerExport
from luckrig.client.transport import TIMEOUT_SECONDS, Transport, no_cookies
from luckrig.protocol.address import TrackerAddress, is_origin
from luckrig.protocol.descriptor import Capability, NodeDescriptor, verify_descriptor
from luckrig.protocol.descriptor_log import (
    GENESIS_HASH,
    LEDGER_HEAD_TYPE,
    LogHead,
    LogTip,
    LogVerifier,
    verify_head,
)
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.ids import is_node_id, is_user_id
from luckrig.protocol.keys import PrivateKey, PublicKey
from luckrig.protocol.keyset import verify_keyset
from luckrig.protocol.text import check_label
from luckrig.protocol.tokens import MAX_TOKEN_CHARS
from luckrig.protocol.wire import (
    AnchorReply,
    AnchorRequest,
    KeysetReply,
    LedgerPage,
    LogPage,
    NodeDetail,
    NodePage,
    NodeStatus,
    NodeView,
    PublishReply,
    ReceiptsReply,
    ReceiptsRequest,
    RevocationsReply,
    ScoreReply,
    TimingsReply,
    TokenReply,
    TokenRequest,
    TrackerHealth,
)

MAX_PAGES: Final = 100
"""How many pages each_node() reads: a tracker could hand out cursors without end."""

MAX_LOG_PAGES: Final = 1000
"""How many pages log() reads: a million entries of a tracker that fills its pages."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_SIGNED_FIELDS: Final = (
    "owner_id", "name", "note", "hardware", "offers", "engine", "policy", "seq",
)  # fmt: skip


class NodeFilters(TypedDict, total=False):
    """What a list of rigs can be narrowed by: the query of GET /api/v1/nodes.

    q: words in name, GPU, models or note. gpu, model, quant: names in any common spelling. tag: a
    #word of the owner's note. like: a rig's id, for those with the same GPU.
    min_context: tokens. min_vram: GiB. after: `next` of the page before.
    """

    q: str
    gpu: str
    vendor: str
    model: str
    family: str
    quant: str
    tag: str
    like: str
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
        self.transport = Transport(
            address.origin,
            http,
            clock=clock,
            new_jti=new_jti,
            timeout_seconds=timeout_seconds,
        )
        self.clock = clock

    async def health(self) -> TrackerHealth:
        """The tracker's own health. Raises PeerError if it isn't the tracker that was pinned."""
        health = await self.transport.get("/health", TrackerHealth)
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
        return await self.transport.get("/api/v1/nodes", NodePage, params=params)

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
        detail = await self.transport.get(f"/api/v1/nodes/{node_id}", NodeDetail)
        descriptor = verify_descriptor(bytes(detail.descriptor))
        if descriptor.node_id != node_id or detail.node.id != node_id:
            raise _altered(node_id, "id")
        _check_view(detail.node, descriptor)
        return detail

    async def keyset(self) -> KeysetReply:
        """The keys that sign this tracker's tokens. Check them with verify_keyset."""
        return await self.transport.get("/api/v1/keyset", KeysetReply)

    async def revocations(self, node_id: str) -> RevocationsReply:
        """A rig's list of banned users. Check it with verify_revocations."""
        _check_node_id(node_id)
        return await self.transport.get(f"/api/v1/revocations/{node_id}", RevocationsReply)

    async def log(self, *, known_size: int = 0, known_hash: str = GENESIS_HASH) -> LogHead:
        """Check the whole descriptor log and return its head, signed by the tracker's own keys.

        known_size, known_hash: the head that the caller saw last; the log must go on from there.
        Without a pinned root id the one that the tracker names is taken: pin `iss` afterwards.
        Raises PeerError signature_invalid, with `param` = "entries[<index>]" of the first bad
        entry where one is known.
        """
        root_id, keys = await self.verified_keys()
        verifier = LogVerifier(LogTip(known_size, known_hash))
        for _ in range(MAX_LOG_PAGES):
            params = {"after": str(verifier.tip.size)}
            page = await self.transport.get("/api/v1/log", LogPage, params=params)
            head = verify_head(page.head, keys=keys, issuer=root_id, now=self.clock())
            if verifier.feed(page.entries, head):
                return head
        self.transport.nonsense(f"has a log of more than {MAX_LOG_PAGES} pages")

    async def score(self, *, user_key: PrivateKey) -> ScoreReply:
        """The score of that key's owner, as the tracker tells it."""
        return await self.transport.get_signed("/api/v1/me/score", ScoreReply, key=user_key)

    async def ledger(self) -> list[bytes]:
        """Every entry of the contribution ledger, after checking its chain up to the signed head.

        Raises PeerError signature_invalid, with `param` = "entries[<position>]" of the first entry
        that isn't what was hashed.
        """
        root_id, keys = await self.verified_keys()
        reader = LedgerExport()
        for _ in range(MAX_LOG_PAGES):
            params = {"after": str(len(reader.entries) - 1)}
            page = await self.transport.get("/api/v1/ledger", LedgerPage, params=params)
            head = verify_head(
                page.head, keys=keys, issuer=root_id, now=self.clock(), typ=LEDGER_HEAD_TYPE
            )
            if reader.feed(page.entries, head):
                return reader.entries
        self.transport.nonsense(f"has a ledger of more than {MAX_LOG_PAGES} pages")

    async def anchor(self, user_id: str, *, trusted: bool, operator_key: PrivateKey) -> AnchorReply:
        """Say that a user is a person the operator knows, or no longer. Raises operators_only."""
        if not is_user_id(user_id):
            raise LuckrigError(
                "invalid_request", "A user id is u1 and 32 characters.", param="user_id"
            )
        request = AnchorRequest(user_id=user_id, trusted=trusted)
        return await self.transport.post_signed(
            "/api/v1/admin/anchors", request, AnchorReply, key=operator_key
        )

    async def verified_keys(self) -> tuple[str, dict[str, PublicKey]]:
        """The root id that is pinned, and the keys that it signed: kid → key."""
        reply = await self.keyset()
        root_id = self.address.root_id or reply.root_id
        keyset = verify_keyset(reply.keyset, root_id=root_id, min_seq=0, now=self.clock())
        return root_id, keyset.by_kid()

    async def send_receipts(self, request: ReceiptsRequest) -> ReceiptsReply:
        """Hand receipts in; each carries its signatures. Raises PeerError on a bad answer."""
        body = msgspec.json.encode(request)
        reply = await self.transport.post("/api/v1/receipts", body, ReceiptsReply)
        if len(reply.results) != len(request.receipts):
            self.transport.nonsense()
        return reply

    async def timings(self) -> TimingsReply:
        """What users measured at all rigs and shared, as the tracker tells it."""
        return await self.transport.get("/api/v1/timings", TimingsReply)

    async def publish(self, signed: bytes) -> PublishReply:
        """List a rig, or its newer descriptor. signed: as sign_descriptor makes it."""
        return await self.transport.post("/api/v1/nodes", signed, PublishReply)

    async def token(
        self,
        node_id: str,
        *,
        user_key: PrivateKey,
        bound: bool = False,
        ttl_seconds: int | None = None,
        note_id: str | None = None,
    ) -> TokenReply:
        """A token for one rig, asked for with a signed request.

        bound: one that needs a proof of user_key with each request. ttl_seconds: from 30 to 900, or
        3,600 for a bound one; None for the longest. note_id: the note after which the rig
        was picked. Raises PeerError on a reply that is for
        another rig or could harm a terminal; the tracker's own refusals pass through.
        """
        _check_node_id(node_id)
        request = TokenRequest(
            node_id=node_id, bound=bound, ttl_seconds=ttl_seconds, note_id=note_id
        )
        reply = await self.transport.post_signed(
            "/api/v1/tokens", request, TokenReply, key=user_key
        )
        if reply.node_id != node_id:
            raise PeerError(
                "token_invalid", "The tracker sent a token for another rig. Don't use this tracker."
            )
        self._check_token(reply)
        return reply

    def _check_token(self, reply: TokenReply) -> None:
        """Token, address and models go to terminals and shells, so they must be what they seem."""
        if len(reply.token) > MAX_TOKEN_CHARS or _TOKEN.fullmatch(reply.token) is None:
            self.transport.nonsense()
        if not _is_base_url(reply.base_url):
            self.transport.nonsense()
        for index, model in enumerate(reply.models):
            check_label(model, field=f"models[{index}]")


@asynccontextmanager
async def open_tracker(
    address: TrackerAddress, *, clock: Callable[[], float], new_jti: Callable[[], str]
) -> AsyncGenerator[TrackerClient]:
    """A client with connections of its own, which close with the block.

    Proxy and certificate variables of the environment are ignored: they would move a user's
    traffic somewhere that no address on the command line names.
    """
    async with httpx2.AsyncClient(
        trust_env=False,
        cookies=no_cookies(),
        timeout=TIMEOUT_SECONDS,
        headers={"user-agent": "luckrig"},
    ) as http:
        yield TrackerClient(address, http, clock=clock, new_jti=new_jti)


def _check_node_id(node_id: str) -> None:
    if not is_node_id(node_id):
        raise LuckrigError(
            "invalid_request",
            "A node id is n1 and 32 characters a-z, 2-7; `luckrig nodes --json` shows them whole.",
            param="node_id",
        )


def _check_view(view: NodeView, descriptor: NodeDescriptor) -> None:
    """Refuse a view that differs from what was signed.

    base_url leads to one of the signed endpoints: a tracker relays to rigs that signed its address
    for that, and puts itself in front of no other.
    """
    for name in _SIGNED_FIELDS:
        if getattr(view, name) != getattr(descriptor, name):
            raise _altered(descriptor.node_id, name)
    endpoints = [f"{endpoint}/v1" for endpoint in descriptor.endpoints]
    if view.base_url not in endpoints or not _is_base_url(view.base_url):
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
