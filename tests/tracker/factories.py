"""Real, signed rigs for tests. The same seed gives the same keys, so the same ids and bytes."""

from dataclasses import replace
from functools import cache
from random import Random

import msgspec

from luckrig.protocol.descriptor import (
    Capability,
    EngineInfo,
    Hardware,
    NodeDescriptor,
    Offer,
    Policy,
    sign_descriptor,
)
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import NodeStatus, Quantiles, QueueView, TimingView
from luckrig.tracker.domain.cases import DecisionRecord
from luckrig.tracker.domain.records import UNSEEN, Health, NodeRecord, TokenRecord

NOW = 1_800_000_000
"""Unix seconds: when the tests happen."""

GIB = 2**30


def seeded(seed: int | str) -> Random:
    """Chance that repeats itself."""
    return Random(seed)  # noqa: S311 -- a failed test must fail again


@cache
def node_key(seed: int) -> PrivateKey:
    """The key of rig number `seed`."""
    return PrivateKey(b"node" + seed.to_bytes(28))


@cache
def owner_key(seed: int) -> PrivateKey:
    """The key of the owner of rig number `seed`."""
    return PrivateKey(b"user" + seed.to_bytes(28))


def make_hardware(gpu: str | None = "NVIDIA GeForce RTX 3090", *, vram_gib: int = 24) -> Hardware:
    """A rig's hardware; without a GPU it has no VRAM."""
    vram_bytes = None if gpu is None else vram_gib * GIB
    return Hardware(gpu=gpu, vram_bytes=vram_bytes, cpu="AMD Ryzen 9 7900", ram_bytes=64 * GIB)


def make_offer(
    model: str = "qwen3:8b",
    *,
    quantization: str | None = "Q4_K_M",
    family: str | None = None,
    context_length: int | None = 32_768,
    capabilities: tuple[Capability, ...] = ("chat",),
) -> Offer:
    """One model."""
    return Offer(
        model=model,
        family=family,
        quantization=quantization,
        context_length=context_length,
        capabilities=list(capabilities),
    )


def make_node(
    seed: int = 1, *, listed_at: int = NOW, health: Health = UNSEEN, **changes: object
) -> NodeRecord:
    """Rig number `seed` with really signed bytes. changes: fields of its descriptor."""
    descriptor = NodeDescriptor(
        node_id=derive_id("n1", node_key(seed).public),
        owner_id=derive_id("u1", owner_key(seed).public),
        seq=1,
        created_at=NOW,
        name=f"rig {seed}",
        note="",
        endpoints=[f"https://rig{seed}.example"],
        engine=EngineInfo(kind="llama-server", version="b7000"),
        hardware=make_hardware(),
        offers=[make_offer()],
        policy=Policy(max_active=1, max_queue=8),
    )
    descriptor = msgspec.structs.replace(descriptor, **changes)
    signed = sign_descriptor(descriptor, node_key=node_key(seed), owner_key=owner_key(seed))
    return NodeRecord(descriptor=descriptor, signed=signed, listed_at=listed_at, health=health)


def make_health(status: NodeStatus = "available", *, seen_at: int = NOW) -> Health:
    """The health of a rig that just answered."""
    queue = QueueView(active=1, waiting=2, max_active=4)
    return Health(status=status, queue=queue, checked_at=seen_at, last_seen_at=seen_at, misses=0)


def make_timing(node: NodeRecord, model: str, tps: float, *, users: int = 1) -> TimingView:
    """What so many users measured, all alike."""
    return TimingView(
        node_id=node.node_id,
        model=model,
        prompt_tokens_from=0,
        users=users,
        streams=users,
        ttft_ms=Quantiles(p10=100.0, p50=100.0, p90=100.0),
        tokens_per_second=Quantiles(p10=tps, p50=tps, p90=tps),
    )


def make_token(number: int = 1, *, user: int = 1, issued_at: int = NOW) -> TokenRecord:
    """Token `number` of user `user` for rig 1, valid for 15 minutes."""
    return TokenRecord(
        jti=f"token-{number:016}",
        user_id=derive_id("u1", owner_key(user).public),
        node_id=derive_id("n1", node_key(1).public),
        sub=f"pseudonym-of-{user:08}",
        issued_at=issued_at,
        expires_at=issued_at + 900,
        requests=120,
    )


def make_decision(
    target_id: str = "u1" + "a" * 32,
    *,
    number: int = 1,
    reason: str = "spam",
    seconds: int | None = None,
    **changes: object,
) -> DecisionRecord:
    """Decision `number`, NOW, a ban unless changed. seconds: how long it lasts, None for good."""
    decision = DecisionRecord(
        decision_id=f"decision-{number:07}",
        case_id=None,
        target_kind="node" if target_id.startswith("n1") else "user",
        target_id=target_id,
        action="ban" if seconds is None else "suspend",
        category=None,
        ground="terms",
        rule="",
        reason=reason,
        decided_by="u1" + "o" * 32,
        decided_at=NOW,
        expires_at=None if seconds is None else NOW + seconds,
    )
    return replace(decision, **changes)  # type: ignore[arg-type]
