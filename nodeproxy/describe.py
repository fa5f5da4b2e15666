"""Makes the descriptor that a node publishes, and the headers that name the rig in its answers."""

from dataclasses import dataclass

from luckrig.nodeproxy.engines.base import EngineState
from luckrig.nodeproxy.server.head import header_block
from luckrig.protocol.descriptor import (
    EngineInfo,
    Hardware,
    NodeDescriptor,
    Policy,
    sign_descriptor,
)
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What the owner decides: name, note, where the node answers, how much it lets in."""

    name: str
    note: str
    endpoints: list[str]
    policy: Policy


def describe_node(
    listing: Listing,
    state: EngineState,
    hardware: Hardware,
    *,
    node_key: PrivateKey,
    owner_key: PrivateKey,
    now: float,
) -> bytes:
    """The signed descriptor, ready to be published. now: Unix seconds; becomes created_at and seq.

    Raises ValueError when the engine offers nothing.
    """
    if not state.offers:
        raise ValueError("the engine offers no model")
    descriptor = NodeDescriptor(
        node_id=derive_id("n1", node_key.public),
        owner_id=derive_id("u1", owner_key.public),
        seq=int(now * 1000),
        created_at=int(now),
        name=listing.name,
        note=listing.note,
        endpoints=listing.endpoints,
        engine=EngineInfo(kind=state.kind, version=state.version),
        hardware=hardware,
        offers=list(state.offers),
        policy=listing.policy,
    )
    return sign_descriptor(descriptor, node_key=node_key, owner_key=owner_key)


def rig_headers(node_id: str, hardware: Hardware, state: EngineState) -> bytes:
    """Header lines for every answer: which rig, GPU and engine; nothing to store or to guess."""
    return header_block(
        [
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"luckrig-node", node_id.encode("ascii")),
            (b"luckrig-gpu", _header_value(hardware.gpu or "none")),
            (b"luckrig-engine", _header_value(state.kind)),
        ]
    )


def _header_value(text: str) -> bytes:
    """HTTP headers are ASCII in practice; a GPU's name may not be."""
    printable = "".join(character if " " <= character <= "~" else "?" for character in text)
    return printable.encode("ascii")
