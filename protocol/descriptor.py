"""The node descriptor: what a rig says of itself, signed by it and by its owner.

JWS in JSON serialisation (RFC 7515 §7.2.1): one payload, exactly two signatures in this order:

| # | header, exactly                        | key must hash to     |
|---|----------------------------------------|----------------------|
| 0 | {alg, jwk, typ: "lr-node+jws"}         | payload's `node_id`  |
| 1 | {alg, jwk, typ: "lr-owner+jws"}        | payload's `owner_id` |

A tracker can list or hide it but can't alter a byte. Among descriptors of one node the highest
`seq` wins.
"""

from typing import Annotated, Final, Literal

import msgspec

from luckrig.protocol.address import is_origin
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId, UserId, derive_id
from luckrig.protocol.jws_json import SignedByTwo, sign_by_two
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.schedule import Schedule, check_schedule
from luckrig.protocol.strictjson import decode
from luckrig.protocol.surface import relay_endpoint
from luckrig.protocol.text import check_label, check_name, check_note

NODE_TYPE: Final = "lr-node+jws"
OWNER_TYPE: Final = "lr-owner+jws"
MAX_DESCRIPTOR_BYTES: Final = 65_536

Capability = Literal["chat", "completion", "embedding", "tools", "vision"]
EngineKind = Literal["llama-server", "ollama", "lm-studio", "vllm", "openai-compatible"]

_Bytes = Annotated[int, msgspec.Meta(ge=1, le=2**50)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Hardware(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """gpu: None on a CPU-only rig. vram_bytes: all GPUs together. A claim, shown as a claim."""

    gpu: str | None
    vram_bytes: _Bytes | None
    cpu: str | None
    ram_bytes: _Bytes | None


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which engine answers behind the node proxy."""

    kind: EngineKind
    version: str | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model that the rig serves.

    parameters: how many weights the model has. context_length: tokens that one request can really
    use, prompt and reply together. None where the engine doesn't say.
    """

    model: str
    family: str | None = None
    parameters: Annotated[int, msgspec.Meta(ge=1, le=10**14)] | None = None
    quantization: str | None = None
    context_length: Annotated[int, msgspec.Meta(ge=1, le=10**9)] | None = None
    capabilities: Annotated[list[Capability], msgspec.Meta(max_length=8)] = []


class Policy(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """How much the owner lets in. max_active: requests running at once; max_queue: waiting.

    schedule: opening hours, left out where there are none. A promise; whether the rig is open now
    is what it says at /health.
    """

    max_active: Annotated[int, msgspec.Meta(ge=1, le=1024)]
    max_queue: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    schedule: Schedule | None = None


class NodeDescriptor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rig says of itself. endpoints: base URLs without path, where its node proxy listens;
    or {tracker}/n/{node_id}, where that tracker relays to it.

    seq: grows with every change; nodes use the Unix time in milliseconds.
    """

    node_id: NodeId
    owner_id: UserId
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    created_at: _Seconds
    name: str
    note: str
    endpoints: Annotated[list[str], msgspec.Meta(min_length=1, max_length=4)]
    engine: EngineInfo
    hardware: Hardware
    offers: Annotated[list[Offer], msgspec.Meta(min_length=1, max_length=64)]
    policy: Policy


class SignedDescriptor(SignedByTwo, frozen=True):
    """The wire form: the node's signature, then the owner's."""


def sign_descriptor(
    descriptor: NodeDescriptor, *, node_key: PrivateKey, owner_key: PrivateKey
) -> bytes:
    """The descriptor as signed JSON. Raises ValueError if the ids aren't those of the keys."""
    ids = derive_id("n1", node_key.public), derive_id("u1", owner_key.public)
    if ids != (descriptor.node_id, descriptor.owner_id):
        raise ValueError("the descriptor's ids don't belong to these keys")
    payload = msgspec.json.encode(descriptor)
    return sign_by_two(payload, (NODE_TYPE, node_key), (OWNER_TYPE, owner_key))


def verify_descriptor(body: bytes) -> NodeDescriptor:
    """The descriptor inside signed JSON, with both signatures, every bound and text checked.

    Raises PeerError: signature_invalid for anything about the signatures, unsafe_text for
    deceptive text, invalid_json or invalid_request for the rest.
    """
    if len(body) > MAX_DESCRIPTOR_BYTES:
        raise PeerError("body_too_large", f"A descriptor has at most {MAX_DESCRIPTOR_BYTES} bytes.")
    signed = decode(body, SignedDescriptor)
    try:
        node_key, owner_key = signed.signer(0, NODE_TYPE), signed.signer(1, OWNER_TYPE)
    except ValueError as error:
        raise _forged(str(error)) from error
    descriptor = decode(signed.content, NodeDescriptor)
    if derive_id("n1", node_key) != descriptor.node_id:
        raise _forged("the first signature is not made with the key of node_id")
    if derive_id("u1", owner_key) != descriptor.owner_id:
        raise _forged("the second signature is not made with the key of owner_id")
    _check_public_texts(descriptor)
    _check_endpoints(descriptor)
    if descriptor.policy.schedule is not None:
        check_schedule(descriptor.policy.schedule, field="policy.schedule")
    return descriptor


def _check_public_texts(descriptor: NodeDescriptor) -> None:
    check_name(descriptor.name, field="name")
    check_note(descriptor.note, field="note")
    labels: dict[str, str | None] = {
        "hardware.gpu": descriptor.hardware.gpu,
        "hardware.cpu": descriptor.hardware.cpu,
        "engine.version": descriptor.engine.version,
    }
    for index, offer in enumerate(descriptor.offers):
        labels[f"offers[{index}].model"] = offer.model
        labels[f"offers[{index}].family"] = offer.family
        labels[f"offers[{index}].quantization"] = offer.quantization
    for field, label in labels.items():
        if label is not None:
            check_label(label, field=field)
    if len({offer.model for offer in descriptor.offers}) != len(descriptor.offers):
        raise PeerError("invalid_request", "Each model may be offered once.", param="offers")


def _check_endpoints(descriptor: NodeDescriptor) -> None:
    behind_tunnel = relay_endpoint("", descriptor.node_id)
    for index, endpoint in enumerate(descriptor.endpoints):
        if not is_origin(endpoint.removesuffix(behind_tunnel)):
            raise PeerError(
                "invalid_request",
                "An endpoint is http(s)://host[:port] without path, query or user name; or, behind "
                "a tunnel, its tracker's address with /n/ and the rig's own id.",
                param=f"endpoints[{index}]",
            )


def _forged(why: str) -> PeerError:
    return PeerError("signature_invalid", f"The descriptor's signatures don't hold: {why}.")
