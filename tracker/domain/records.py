"""What the tracker remembers, and the rule by which a new descriptor takes an old one's place."""

from dataclasses import dataclass, replace
from typing import Final

from luckrig.protocol.descriptor import NodeDescriptor
from luckrig.protocol.errors import PeerError
from luckrig.protocol.wire import NodeStatus, QueueView


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What the last looks at a rig showed. Times are Unix seconds.

    queue: as of the last good answer; None when it says nothing about now. checked_at: the last
    look; last_seen_at: the last good answer. misses: looks in a row that got no good answer.
    opens_at: when a paused rig means to open. wish_at: the last wish of its owner that it knows,
    given by hand or as WishRecord.at; None where it doesn't say. No store keeps these two over a
    restart: the next look, seconds later, brings them again.
    """

    status: NodeStatus
    queue: QueueView | None
    checked_at: int | None
    last_seen_at: int | None
    misses: int
    opens_at: int | None = None
    wish_at: int | None = None


UNSEEN: Final = Health(status="unknown", queue=None, checked_at=None, last_seen_at=None, misses=0)
"""The health of a rig nobody has looked at yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRecord:
    """One listed rig.

    signed: the bytes that were published, verified before they came here. listed_at: Unix seconds
    of the rig's first descriptor; a later one doesn't change it.
    """

    descriptor: NodeDescriptor
    signed: bytes
    listed_at: int
    health: Health

    @property
    def node_id(self) -> str:
        """The rig's id."""
        return self.descriptor.node_id


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRecord:
    """A token that was issued: the one place that knows whose pseudonym `sub` is.

    requests: how many its `lim` allows. note_id: the note after which its rig was picked, if any.
    revoked: its user called it back.
    """

    jti: str
    user_id: str
    node_id: str
    sub: str
    issued_at: int
    expires_at: int
    requests: int
    note_id: str | None = None
    revoked: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WishRecord:
    """What the owner of a rig last asked of it on the tracker's pages: pause, or go on.

    at: Unix seconds, above that of the wish before. by: the user id that was signed in.
    """

    node_id: str
    paused: bool
    at: int
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteRecord:
    """One version of a note. signed: the author's JWS, verified before it came here."""

    note_id: str
    version: int
    author_id: str
    node_id: str
    signed: str
    created_at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReproductionRecord:
    """Somebody got what a version of a note says. signed: their JWS."""

    note_id: str
    user_id: str
    version: int
    signed: str
    created_at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UserRecord:
    """A registered user. Times are Unix seconds.

    user_id: today's key. account: the name in the ledger; outlives every key. contributor_since:
    None while limited; never taken back.
    """

    user_id: str
    account: str
    registered_at: int
    contributor_since: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoverRecord:
    """A key that gave way to another one. signed: by both keys, as it came."""

    old_user_id: str
    new_user_id: str
    signed: str
    received_at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InviteRecord:
    """An operator's leave for so many new keys. code_hash: SHA-256 of the code."""

    code_hash: str
    made_by: str
    made_at: int
    expires_at: int
    uses_left: int


def key_replaced() -> PeerError:
    """The refusal of a key that was handed over."""
    return PeerError(
        "key_replaced",
        "This key was handed over to another one and counts no longer. Use the new key;"
        " if you didn't do this yourself, tell the tracker's operator.",
    )


def handover_conflict() -> PeerError:
    """The refusal of a hand-over to a key that is, or was, somebody."""
    return PeerError(
        "handover_conflict",
        "The new key is known here already. Hand over to a key that was never used.",
    )


def invite_refused() -> PeerError:
    """One text for every invite that doesn't count, so that it teaches a guesser nothing."""
    return PeerError(
        "registration_required",
        "This invite doesn't count: it is wrong, used up or too old. Ask the operator for another.",
        param="invite",
    )


def publish(
    listed: NodeRecord | None, descriptor: NodeDescriptor, signed: bytes, *, now: int
) -> NodeRecord:
    """The record after a verified descriptor is published. listed: the rig's record so far.

    The same descriptor again changes nothing and returns `listed` itself. Health outlives an
    update, except one that moves the rig: nobody has looked at the new endpoints yet.
    Raises PeerError descriptor_conflict unless a changed descriptor has a higher seq.
    """
    if listed is None:
        return NodeRecord(descriptor=descriptor, signed=signed, listed_at=now, health=UNSEEN)
    if descriptor == listed.descriptor:
        return listed
    if descriptor.seq <= listed.descriptor.seq:
        raise PeerError(
            "descriptor_conflict",
            f"This rig's listed descriptor has seq {listed.descriptor.seq}. "
            "Publish a change with a higher seq.",
            param="seq",
        )
    moved = descriptor.endpoints != listed.descriptor.endpoints
    health = UNSEEN if moved else listed.health
    return replace(listed, descriptor=descriptor, signed=signed, health=health)
