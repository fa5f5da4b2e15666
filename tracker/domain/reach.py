"""Which rigs have proven that they answer at their endpoint, and what stands in the others' way.

A proof is of an endpoint *and* of the address that its name had: whoever points a proven name at
somebody else's machine proves again, from there. It holds for a day. Kept in memory: after a
restart of the tracker a rig that was seen well goes on, and proves again within the day.
"""

import zlib
from dataclasses import dataclass, replace
from typing import Final

from luckrig.protocol.evidence import ReachProblem, ReachView
from luckrig.tracker.domain.records import NodeRecord

PROOF_SECONDS: Final = 86_400
"""How long a proof holds before the next is asked for."""
_WAS_PROVEN: Final = frozenset({"available", "busy", "starting", "paused"})
"""What no rig is shown as before it has proven its endpoint; moving makes it `unknown` again."""

MESSAGES: Final[dict[ReachProblem, str]] = {
    "address": "The endpoint's name has no public address. Check its DNS records, or use --tunnel.",
    "plain_http": "The endpoint is public and speaks plain http. Put TLS in front of it, for"
    " example with `caddy reverse-proxy`, or use --tunnel.",
    "connect": "Nothing answers at the endpoint in time. Check the port forwarding and firewall,"
    " or use --tunnel.",
    "tls": "TLS at the endpoint fails: its certificate is for another name, has expired or is"
    " signed by nobody known. `caddy reverse-proxy` gets a good one by itself.",
    "answer": "Something answers at the endpoint, but not as luckrig's node proxy does. Check where"
    " the reverse proxy leads, and the version of luckrig.",
    "proof": "What answers at the endpoint doesn't hold this rig's key, follows another tracker or"
    " lists another endpoint. Check --endpoint and --tracker, and the clock of the rig's machine.",
    "limited": "Too many rigs that proved nothing name this address. The tracker looks again in a"
    " few minutes.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """What is known of one rig's endpoint. Times are Unix seconds.

    address: where it was proven; None when that was before a restart. proven_at: None for never.
    renew_at: when the next proof is due.
    """

    endpoint: str
    address: str | None = None
    is_proven: bool = False
    proven_at: int | None = None
    renew_at: float = 0.0
    problem: ReachProblem | None = None


class ReachBook:
    """One entry for each rig that was looked at since the tracker started."""

    def __init__(self) -> None:
        self._entries: dict[str, Reach] = {}

    def of(self, node: NodeRecord, *, now: float) -> Reach:
        """What is known of a rig's present endpoint."""
        entry = self._entries.get(node.node_id)
        endpoint = node.descriptor.endpoints[0]
        if entry is not None and entry.endpoint == endpoint:
            return entry
        if entry is None and node.health.status in _WAS_PROVEN:
            # Spread over the day, and the same after each restart.
            wait_seconds = zlib.crc32(node.node_id.encode("ascii")) % PROOF_SECONDS
            entry = Reach(endpoint=endpoint, is_proven=True, renew_at=now + wait_seconds)
            self._entries[node.node_id] = entry
            return entry
        return Reach(endpoint=endpoint)

    def pin(self, node: NodeRecord, entry: Reach, address: str) -> Reach:
        """Take the address of a proof that is older than the tracker's last start."""
        self._entries[node.node_id] = entry = replace(entry, address=address)
        return entry

    def note_proof(self, node: NodeRecord, address: str, *, now: float) -> None:
        """It signed the nonce at that address."""
        self._entries[node.node_id] = Reach(
            endpoint=node.descriptor.endpoints[0],
            address=address,
            is_proven=True,
            proven_at=int(now),
            renew_at=now + PROOF_SECONDS,
        )

    def note_problem(
        self, node: NodeRecord, problem: ReachProblem | None, *, is_disproven: bool, now: float
    ) -> None:
        """What the last look met, or None. is_disproven: what was proven holds no longer."""
        entry = replace(self.of(node, now=now), problem=problem)
        if is_disproven:
            entry = replace(entry, is_proven=False, address=None)
        self._entries[node.node_id] = entry

    def view(self, node: NodeRecord) -> ReachView | None:
        """For people and programs; None before the first look."""
        entry = self._entries.get(node.node_id)
        if entry is None or entry.endpoint != node.descriptor.endpoints[0]:
            return None
        return ReachView(
            proven=entry.is_proven,
            proven_at=entry.proven_at,
            problem=entry.problem,
            message=None if entry.problem is None else MESSAGES[entry.problem],
        )
