"""The JSON of the tracker's public API, /api/v1. The OpenAPI document is made from these types."""

from typing import Annotated, Final, Literal

import msgspec

from luckrig.protocol.descriptor import EngineInfo, Hardware, Offer, Policy
from luckrig.protocol.descriptor_log import LogEntry
from luckrig.protocol.evidence import Finding, ReachView
from luckrig.protocol.ids import NodeId, RootId, UserId
from luckrig.protocol.notes import MAX_SIGNED_NOTE_CHARS
from luckrig.protocol.receipts import MAX_RECEIPT_CHARS
from luckrig.protocol.tokens import Limits, Opaque, Tier
from luckrig.protocol.work import MAX_NONCE_CHARS

MAX_RECEIPTS_AT_ONCE: Final = 64
END_OF_9999: Final = 253_402_300_799
"""The last second that every calendar can print."""

NodeStatus = Literal["starting", "available", "busy", "paused", "unavailable", "unknown"]
"""unknown: it hasn't proven its endpoint yet. starting: its engine is loading. unavailable: it
doesn't answer."""


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """A rig's queue when the tracker last looked. active: running; waiting: in the queue."""

    active: int
    waiting: int
    max_active: int


class TicketView(msgspec.Struct, frozen=True, kw_only=True):
    """A request's place at a rig. position: 1 for the next one, 0 when it runs.

    eta_seconds: about how long until its turn; null before any turn has ended there.
    """

    ticket: str
    state: Literal["waiting", "running"]
    position: int
    eta_seconds: float | None
    waiting: int
    active: int
    max_active: int


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Of the users' votes, outliers set aside."""

    p10: float
    p50: float
    p90: float


class TimingView(msgspec.Struct, frozen=True, kw_only=True):
    """What users measured at one rig with one model, for prompts from that length on.

    users: one vote each. streams: how many they shared.
    """

    node_id: NodeId
    model: str
    prompt_tokens_from: int
    users: int
    streams: int
    ttft_ms: Quantiles
    tokens_per_second: Quantiles


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """One rig, as the tracker lists it.

    scarcity: 0 (everybody has one) to 1 (the only one). base_url: where the OpenAI API answers.
    last_seen_at: Unix seconds of the last good answer; None before the first. opens_at: Unix
    seconds, when a paused rig means to open; None where it doesn't say. measured: what its users
    measured, of the model that most of them measured; in a list that asks for models, of those.
    """

    id: NodeId
    name: str
    status: NodeStatus
    scarcity: float
    hardware: Hardware
    offers: list[Offer]
    note: str
    engine: EngineInfo
    policy: Policy
    queue: QueueView | None
    base_url: str
    owner_id: UserId
    listed_at: int
    last_seen_at: int | None
    seq: int
    opens_at: int | None = None
    measured: TimingView | None = None


class NodeDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One rig and the signed descriptor it published, so that anyone can check the tracker.

    reach: how its endpoint is; None before the tracker looked. audit: its claims and the evidence.
    """

    node: NodeView
    descriptor: msgspec.Raw
    reach: ReachView | None = None
    audit: list[Finding] = []


class NodePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the node list. next: pass it as `after` for the next page; None at the end."""

    nodes: list[NodeView]
    total: int
    next: str | None


class RigNews(msgspec.Struct, frozen=True, kw_only=True):
    """What changes of a rig while one looks at the map: the data of an event of /api/v1/events.

    seq: of its descriptor; a higher one than before means other offers, hardware or notes. The
    rest: as in NodeView.
    """

    id: NodeId
    seq: int
    status: NodeStatus
    queue: QueueView | None
    last_seen_at: int | None
    opens_at: int | None


class RigGone(msgspec.Struct, frozen=True, kw_only=True):
    """A rig that isn't on the map any more, whatever the reason."""

    id: NodeId


class PublishReply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a published descriptor. page: the rig's page for people."""

    node_id: NodeId
    seq: int
    page: str


class TokenRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What a user asks for, signed with a DPoP proof.

    bound: a token that works only together with proofs of the same key, and lives longer.
    ttl_seconds: None for the longest. note_id: the note after which the rig was picked, if any.
    """

    node_id: NodeId
    bound: bool = False
    ttl_seconds: Annotated[int, msgspec.Meta(ge=30, le=3600)] | None = None
    note_id: Opaque | None = None


class TokenReply(msgspec.Struct, frozen=True, kw_only=True):
    """A token for one rig. base_url and token are what an OpenAI client needs.

    token_type: how to send it, `Authorization: Bearer …` or `Authorization: DPoP …` with a proof.
    """

    token: str
    token_type: Literal["Bearer", "DPoP"]
    expires_at: int
    node_id: NodeId
    base_url: str
    models: list[str]
    tier: Tier
    limits: Limits


class KeysetReply(msgspec.Struct, frozen=True, kw_only=True):
    """keyset: compact JWS signed by root_id's key; the format is in docs/PROTOCOL.md."""

    root_id: RootId
    keyset: str


class RevocationsReply(msgspec.Struct, frozen=True, kw_only=True):
    """Compact JWS signed by a key of the keyset; the formats are in docs/PROTOCOL.md.

    wish: what the rig's owner last wanted of it on the tracker's pages, if anything.
    """

    revocations: str
    wish: str | None = None


class SignedReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rig signed of a request, and what its user says to it; see protocol/receipts.py.

    countersignature: None where the user has said nothing: the receipt is one-sided.
    """

    receipt: Annotated[str, msgspec.Meta(max_length=MAX_RECEIPT_CHARS)]
    countersignature: Annotated[str, msgspec.Meta(max_length=MAX_RECEIPT_CHARS)] | None = None


class ReceiptsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Receipts for the tracker. Whoever sends them doesn't matter: each carries its signatures."""

    receipts: Annotated[
        list[SignedReceipt], msgspec.Meta(min_length=1, max_length=MAX_RECEIPTS_AT_ONCE)
    ]


ReceiptState = Literal["one-sided", "two-sided", "disputed"]
"""one-sided: only the rig signed. two-sided: its user agrees. disputed: its user doesn't."""


class ReceiptResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one receipt. state: as it is stored now; None when it was refused.

    refused: the code of an error, None when it was taken. message: what to do about it.
    """

    state: ReceiptState | None = None
    refused: str | None = None
    message: str | None = None


class ReceiptsReply(msgspec.Struct, frozen=True, kw_only=True):
    """One result for each receipt, in the order in which they were sent."""

    results: list[ReceiptResult]


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the contribution ledger. entry: canonical JSON, byte for byte what was hashed.

    position: 0, 1, 2, …. hash: b64url of the hash over it and all before it.
    """

    position: int
    entry: msgspec.Raw
    hash: str


class LedgerPage(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the ledger. head: compact JWS over its end, see docs/PROTOCOL.md."""

    entries: list[LedgerLine]
    head: str


class ScoreTerm(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a score. amount: thousandths of a point, negative where a rule takes away."""

    axis: str
    what: str
    amount: int


class ScoreReply(msgspec.Struct, frozen=True, kw_only=True):
    """The score of whoever signed the request, from the ledger's entries up to as_of.

    account: their name in the ledger. total, contributor_at: thousandths of a point. as_of: Unix
    seconds, the end of the last whole day. pending: entries since then that name the account.
    """

    account: UserId
    total: int
    terms: list[ScoreTerm]
    tier: Tier
    contributor_at: int
    as_of: int
    pending: int


class AnchorRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's word that a user is a person they know, or its end; signed with a proof."""

    user_id: UserId
    trusted: bool


class AnchorReply(msgspec.Struct, frozen=True, kw_only=True):
    """account: the name under which it stands in the ledger."""

    user_id: UserId
    account: UserId
    trusted: bool


class TimingsReply(msgspec.Struct, frozen=True, kw_only=True):
    """Shared timings, of one rig or of all."""

    timings: list[TimingView]


RegistrationMode = Literal["open", "invite", "closed"]
"""Whose new keys a tracker takes: anybody's, those with an invite, nobody's."""


class RegistrationInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a new key has to bring. work_bits: of proof of work, see protocol/work.py."""

    mode: RegistrationMode
    work_bits: int


class RegistrationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that wants to be registered, signed with a DPoP proof. work: the nonce found."""

    work: Annotated[str, msgspec.Meta(max_length=MAX_NONCE_CHARS)] | None = None
    invite: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class RegistrationReply(msgspec.Struct, frozen=True, kw_only=True):
    """The key is registered."""

    user_id: UserId
    tier: Tier


class HandoverReply(msgspec.Struct, frozen=True, kw_only=True):
    """The old key is nobody any more. received_at: Unix seconds, of the first time."""

    old: UserId
    new: UserId
    received_at: int


class InviteRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's wish for an invite, signed with a DPoP proof. uses: keys it is good for."""

    uses: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 7


class InviteReply(msgspec.Struct, frozen=True, kw_only=True):
    """code: for whoever is invited; the tracker itself keeps only its hash."""

    code: str
    uses: int
    expires_at: int


class NoteRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version of a tuning note. note: compact JWS, see protocol/notes.py."""

    note: Annotated[str, msgspec.Meta(max_length=MAX_SIGNED_NOTE_CHARS)]


class ReproducedRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody got what a note says. reproduced: compact JWS, see protocol/notes.py."""

    reproduced: Annotated[str, msgspec.Meta(max_length=MAX_SIGNED_NOTE_CHARS)]


class NoteVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a note, and how many people got what it says. signed: the author's JWS."""

    version: int
    text: str
    references: list[str]
    created_at: int
    reproduced: int
    signed: str


class NoteView(msgspec.Struct, frozen=True, kw_only=True):
    """A note about a rig. versions: the newest first; lists of notes hold that one only."""

    note_id: str
    node_id: NodeId
    author_id: UserId
    reproduced: int
    versions: list[NoteVersion]


class NotesReply(msgspec.Struct, frozen=True, kw_only=True):
    """The notes about a rig, the most reproduced first."""

    notes: list[NoteView]


class ShowcaseEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A rig that is worth a look. number: why it is there, in its category's unit."""

    node_id: NodeId
    name: str
    number: float


class ShowcaseCategory(msgspec.Struct, frozen=True, kw_only=True):
    """What makes these rigs special. unit: of their numbers; `listed` is Unix seconds."""

    key: str
    title: str
    unit: str
    rigs: list[ShowcaseEntry]


class ShowcaseReply(msgspec.Struct, frozen=True, kw_only=True):
    """The categories that have anybody in them."""

    categories: list[ShowcaseCategory]


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the descriptor log. head: compact JWS over its end, see docs/PROTOCOL.md."""

    entries: list[LogEntry]
    head: str


class TrackerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The tracker's own health. nodes: listed rigs; available: those that answer now."""

    status: Literal["ok"]
    version: str
    root_id: RootId
    nodes: int
    available: int


class NodeHealth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a node proxy answers at GET /health. Public, so it says no more than the map does.

    opens_at: Unix seconds, when a paused rig means to open, if it knows. wish_at: when its owner
    last paused or opened it, here or on the tracker's pages; 0 for never.
    """

    node_id: NodeId
    status: NodeStatus
    queue: QueueView
    opens_at: Annotated[int, msgspec.Meta(ge=0, le=END_OF_9999)] | None = None
    wish_at: Annotated[int, msgspec.Meta(ge=0, le=END_OF_9999)] | None = None


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """OpenAI's error object. code: a key of the table in docs/PROTOCOL.md."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorReply(msgspec.Struct, frozen=True, kw_only=True):
    """Every error of tracker and node proxy."""

    error: ErrorBody
