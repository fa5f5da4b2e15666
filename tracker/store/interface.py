"""What service and routes may rely on when they remember something.

Every store passes the same suite, tests/tracker/store_contract.py.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from luckrig.protocol.descriptor import NodeDescriptor
from luckrig.protocol.descriptor_log import LogEntry, LogTip
from luckrig.tracker.domain.ledger import Entry
from luckrig.tracker.domain.quotas import Use
from luckrig.tracker.domain.receipts import ReceiptRecord, TimingRecord
from luckrig.tracker.domain.records import (
    HandoverRecord,
    Health,
    InviteRecord,
    NodeRecord,
    NoteRecord,
    ReproductionRecord,
    TokenRecord,
    UserRecord,
    WishRecord,
)
from luckrig.tracker.store.case_stores import CaseStore, PeopleStore, SessionStore

LIVE_DAYS_KEPT: Final = 90
"""Closed days of which it is known in how many hours rigs were live; a rig's page shows as many."""


class StoreError(Exception):
    """The store can't do its work: disk full, file damaged, schema too new.

    The text is for the operator's log and terminal; clients get an internal error.
    """


class LedgerRow(NamedTuple):
    """A stored ledger entry: canonical JSON, and the hash over it and all before it."""

    position: int
    entry: bytes
    hash: bytes


class LiveHours(NamedTuple):
    """In how many hours of a day a rig was seen live, and its mean scarcity in thousandths."""

    node_id: str
    hours: int
    scarcity_milli: int


class Receipts(NamedTuple):
    """How many receipts of a rig there are, and of how many of these the user says otherwise."""

    all: int
    disputed: int


class ContributionStore(Protocol):
    """Receipts, the ledger, live hours and shared timings. Durable and atomic like the Store."""

    async def receipt(self, node_id: str, request_id: str) -> ReceiptRecord | None:
        """One request's receipt."""
        ...

    async def receipts_of_token(self, jti: str) -> int:
        """How many receipts name that token."""
        ...

    async def receipts_of_node(self, node_id: str, *, since: int) -> Receipts:
        """What is kept of a rig that came at `since` or later (Unix seconds)."""
        ...

    async def put_receipts(
        self,
        receipts: Sequence[ReceiptRecord],
        timings: Sequence[TimingRecord],
        entries: Sequence[Entry],
    ) -> None:
        """Store receipts over those of the same requests, and append to the ledger, as one."""
        ...

    async def unsettled(self, *, before: int, limit: int) -> list[ReceiptRecord]:
        """One-sided receipts that came before that time and aren't settled, oldest first."""
        ...

    async def ledger(self, *, after: int, limit: int) -> list[LedgerRow]:
        """Entries with a position above `after` (-1 for all), in order, `limit` at most."""
        ...

    async def ledger_tip(self) -> tuple[int, bytes]:
        """(how many entries, hash of the last one or GENESIS)."""
        ...

    async def add_live(self, *, hour: int, scarcities: Mapping[str, int]) -> None:
        """Note that rigs were live in an hour (hours since 1970); the first note of it counts."""
        ...

    async def live_hours(self, *, day: int) -> list[LiveHours]:
        """What was noted of a day (days since 1970), by node id."""
        ...

    async def live_days(self, node_id: str, *, since: int) -> dict[int, int]:
        """In how many hours of each day from `since` on a rig was seen live: day → 1 … 24.

        Days since 1970. Days without any are left out, and so is what was forgotten.
        """
        ...

    async def first_live_day(self) -> int | None:
        """The earliest day of which something is noted."""
        ...

    async def close_day(self, *, day: int, entries: Sequence[Entry]) -> None:
        """Append entries, and forget the live hours up to the end of that day, as one.

        How many there were on each day is kept, for the LIVE_DAYS_KEPT days up to that one.
        """
        ...

    async def prune(self, *, before: int, held: Collection[str] = ()) -> int:
        """Forget settled receipts, and timings, from before that time; return how many.

        The ledger keeps what counted. held: ids under a legal hold; what names one stays.
        """
        ...

    async def timings(self, *, node_id: str | None, since: int) -> list[TimingRecord]:
        """The timings shared at `since` or later, of one rig or of all, in no particular order."""
        ...


class UserStore(Protocol):
    """Users, the keys that they gave up, invites, and quotas. Durable and atomic like the Store.

    Uses of quotas are counted in the step they are for, or not at all: whoever meets a limit gets
    PeerError rate_limited, and nothing else changed.
    """

    async def user(self, user_id: str) -> UserRecord | None:
        """The user whose key that is today."""
        ...

    async def register(
        self, user: UserRecord, *, invite_hash: str | None, uses: Sequence[Use], now: float
    ) -> UserRecord:
        """Remember a new user; one that is registered already stays as it is, and costs nothing.

        invite_hash: take a use of that invite. Raises PeerError rate_limited, key_replaced,
        registration_required for an invite that doesn't count.
        """
        ...

    async def promote(self, accounts: Collection[str], *, now: int) -> int:
        """Make contributors of those accounts' users who aren't yet; return how many."""
        ...

    async def hand_over(
        self, handover: HandoverRecord, *, uses: Sequence[Use], now: float
    ) -> HandoverRecord:
        """Move a user, registered or not, to a new key; the old one is nobody afterwards.

        The same pair again changes nothing, costs nothing and returns what is stored. Raises
        PeerError key_replaced if the old key gave way to another one, handover_conflict if the new
        one is or was anybody, rate_limited.
        """
        ...

    async def handover(self, old_user_id: str) -> HandoverRecord | None:
        """What a key gave way to, if it did."""
        ...

    async def first_id(self, user_id: str) -> str:
        """Where the hand-overs up to this key began; the key itself if there are none."""
        ...

    async def latest_id(self, user_id: str) -> str:
        """Where the hand-overs from this key end; the key itself if there are none."""
        ...

    async def all_ids(self, user_id: str) -> list[str]:
        """Every key of the chain of hand-overs that this key is in, the first one first."""
        ...

    async def put_invite(self, invite: InviteRecord) -> None:
        """Remember an invite. Raises StoreError if its hash was used before."""
        ...

    async def prune(self, *, now: int) -> int:
        """Forget counters and invites that ended at `now` or earlier, and invites that are used up.

        Returns how many counters.
        """
        ...


class NoteStore(Protocol):
    """Tuning notes and who reproduced them. Durable and atomic like the Store."""

    async def put_note(self, note: NoteRecord) -> None:
        """Store a version. Raises StoreError if there is one with that id and version."""
        ...

    async def versions(self, note_id: str) -> list[NoteRecord]:
        """All versions of a note, the newest first."""
        ...

    async def notes_of(self, node_id: str) -> list[NoteRecord]:
        """The newest version of each note about a rig, in no particular order."""
        ...

    async def notes_by(self, author_ids: Collection[str]) -> list[str]:
        """The ids of all notes that those users wrote, sorted."""
        ...

    async def put_reproduction(
        self, reproduction: ReproductionRecord, entries: Sequence[Entry]
    ) -> bool:
        """Store one, and append to the ledger, as one. False: the user had said so before."""
        ...

    async def reproductions(self, note_ids: Collection[str]) -> list[ReproductionRecord]:
        """Who got what these notes say."""
        ...

    async def reproducers(self) -> set[tuple[str, str]]:
        """(node id, user id) of everybody who got what any note about a rig says."""
        ...


class Store(Protocol):
    """Rigs, their health, the tokens issued for them, and all that hangs together with them.

    Durable: when a write returns, it survives the death of the process; in SQLite also a power
    cut. Atomic: a write happens as a whole or, when it raises, not at all; a cancelled caller
    doesn't know which of the two. In order: writes apply one after another, and a read sees every
    write that returned before it was called. Every method may raise StoreError.
    """

    @property
    def notes(self) -> NoteStore:
        """Tuning notes."""
        ...

    @property
    def contributions(self) -> ContributionStore:
        """What people did for each other."""
        ...

    @property
    def users(self) -> UserStore:
        """Who has a key here."""
        ...

    @property
    def cases(self) -> CaseStore:
        """Reports, and what operators decided."""
        ...

    @property
    def sessions(self) -> SessionStore:
        """Who is signed in, in which browser."""
        ...

    @property
    def people(self) -> PeopleStore:
        """All that is stored of one person."""
        ...

    async def put_descriptor(
        self, descriptor: NodeDescriptor, signed: bytes, *, now: int
    ) -> NodeRecord:
        """Publish a verified descriptor by the rule of domain.records.publish; return the record.

        Raises PeerError descriptor_conflict unless it is newer than, or equal to, the listed one.
        A descriptor that was replaced stays in the history. What changed the list is appended to
        the descriptor log in the same step.
        """
        ...

    async def node(self, node_id: str) -> NodeRecord | None:
        """The rig, or None if it was never published here."""
        ...

    async def nodes(self) -> list[NodeRecord]:
        """All rigs in no particular order; the list is the caller's to keep."""
        ...

    async def history(self, node_id: str) -> list[bytes]:
        """The signed descriptors that the rig was listed with, oldest first, today's last."""
        ...

    async def log(self, *, after: int, limit: int) -> list[LogEntry]:
        """The descriptor log's entries with an index above `after`, in order, `limit` at most."""
        ...

    async def log_head(self) -> LogTip:
        """Where the descriptor log ends."""
        ...

    async def put_health(self, reports: Mapping[str, Health]) -> None:
        """Set the health of many rigs at once: node_id → health. Unknown ids are skipped."""
        ...

    async def add_token(
        self, token: TokenRecord, *, uses: Sequence[Use] = (), now: float = 0
    ) -> None:
        """Remember an issued token, and count what it uses.

        Raises StoreError if its jti was used before, PeerError rate_limited when a limit is met.
        """
        ...

    async def token(self, jti: str) -> TokenRecord | None:
        """The token with that jti, or None if there was none or it was pruned."""
        ...

    async def tokens_of(self, user_id: str, *, since: int) -> int:
        """How many tokens the user got at `since` or later (Unix seconds), pruned ones aside."""
        ...

    async def tokens_given(self, user_ids: Collection[str], *, limit: int) -> list[TokenRecord]:
        """The tokens that these keys got, the newest first, `limit` at most."""
        ...

    async def revoke_tokens(self, user_ids: Collection[str], *, now: int) -> int:
        """Call back every token of these keys that is valid at `now`; return how many weren't."""
        ...

    async def put_wish(self, wish: WishRecord) -> None:
        """Remember what an owner wants; takes the place of an earlier wish about that rig."""
        ...

    async def wishes(self) -> list[WishRecord]:
        """What owners want, in no particular order."""
        ...

    async def prune_tokens(self, *, now: int, held: Collection[str] = ()) -> int:
        """Forget tokens that expired at `now` or earlier; return how many.

        held: ids under a legal hold; tokens that name one stay.

        Whoever counts tokens over a window prunes with a `now` that lies the window back.
        """
        ...

    async def revoked(self, *, now: int) -> set[tuple[str, str]]:
        """(node id, sub) of each token that is valid at `now`, and whose user called it back, or is
        banned then, by the decision that holds them, or has another key by now, or deleted their
        account."""
        ...

    async def aclose(self) -> None:
        """Finish what was begun and close. Nothing else may be called afterwards."""
        ...
