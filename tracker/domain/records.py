"""What the tracker remembers, and the rule by which a new descriptor takes an old one's place."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from luckrig.protocol.descriptor import NodeDescriptor
from luckrig.protocol.errors import PeerError
from luckrig.protocol.wire import NodeStatus, QueueView


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What the last looks at a rig showed. Times are Unix seconds.

    queue: as of the last good answer; None when it says nothing about now. checked_at: the last
    look; last_seen_at: the last good answer. misses: looks in a row that got no good answer.
    """

    status: NodeStatus
    queue: QueueView | None
    checked_at: int | None
    last_seen_at: int | None
    misses: int


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
    """

    jti: str
    user_id: str
    node_id: str
    sub: str
    issued_at: int
    expires_at: int
    requests: int
    note_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BanRecord:
    """An operator's decision that a user or a rig stays out. Times are Unix seconds.

    subject_id: u1… or n1…, as the kind says. expires_at: None for good. decided_by: the operator's
    user id.
    """

    subject_kind: Literal["user", "node"]
    subject_id: str
    reason: str
    created_at: int
    expires_at: int | None
    decided_by: str

    def in_force(self, now: float) -> bool:
        """Whether it holds at `now`."""
        return self.expires_at is None or now < self.expires_at


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
