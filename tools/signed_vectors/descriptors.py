"""What a rig says of itself, signed by it and by its owner."""

from typing import Any

import msgspec

from luckrig.protocol.descriptor import (
    EngineInfo,
    Hardware,
    NodeDescriptor,
    Offer,
    Policy,
    sign_descriptor,
)
from luckrig.protocol.ids import derive_id
from luckrig.protocol.schedule import Schedule, parse_windows
from signed_vectors.given import GOOD, NODE, NOW, OWNER


def descriptors() -> dict[str, Any]:
    descriptor = NodeDescriptor(
        node_id=GOOD.aud,
        owner_id=derive_id("u1", OWNER.public),
        seq=NOW * 1000,
        created_at=NOW,
        name="Attic 4090",
        note="Undervolted to 320 W.\nOpen at night.",
        endpoints=["https://rig.example"],
        engine=EngineInfo(kind="llama-server", version="b7000"),
        hardware=Hardware(
            gpu="NVIDIA GeForce RTX 4090",
            vram_bytes=24 << 30,
            cpu="AMD Ryzen 9 7950X",
            ram_bytes=64 << 30,
        ),
        offers=[
            Offer(
                model="qwen3:8b",
                family="qwen3",
                parameters=8_190_000_000,
                quantization="Q4_K_M",
                context_length=32_768,
                capabilities=["chat", "completion", "tools"],
            )
        ],
        policy=Policy(max_active=2, max_queue=32),
    )
    signed = sign_descriptor(descriptor, node_key=NODE, owner_key=OWNER)
    windows = parse_windows(["weekdays 22:00-07:00", "sat,sun 00:00-24:00"])
    schedule = Schedule(windows=windows, timezone="Europe/Berlin")
    policy = msgspec.structs.replace(descriptor.policy, schedule=schedule)
    at_night = msgspec.structs.replace(descriptor, policy=policy)
    return {
        "node_seed": NODE.seed.hex(),
        "owner_seed": OWNER.seed.hex(),
        "descriptor": msgspec.to_builtins(descriptor),
        "signed": signed.decode(),
        "descriptor_with_schedule": msgspec.to_builtins(at_night),
        "signed_with_schedule": sign_descriptor(at_night, node_key=NODE, owner_key=OWNER).decode(),
    }
