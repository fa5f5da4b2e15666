"""Twelve rigs as people really have them, and as many more as somebody asks for.

For tests, for pictures of the pages and for looking at them: tools/sample_tracker.py.
"""

import hashlib
import random
from base64 import b32encode
from collections.abc import Sequence

from luckrig.protocol.descriptor import Capability, EngineInfo, Hardware, Offer, Policy
from luckrig.protocol.wire import NodeStatus, NodeView, QueueView

NOW = 1_795_216_000
GB = 2**30
TIMES = "\N{MULTIPLICATION SIGN}"

CHAT: list[Capability] = ["chat", "tools"]
SEES: list[Capability] = ["chat", "tools", "vision"]
EMBEDS: list[Capability] = ["embedding"]


def make_id(kind: str, seed: str) -> str:
    """An id of the right shape, the same for the same seed."""
    return kind + b32encode(hashlib.sha256(seed.encode()).digest()).decode().lower()[:32]


def offer(
    model: str,
    family: str | None,
    parameters: int | None,
    quantization: str | None,
    context_length: int | None,
    capabilities: list[Capability] | None = None,
) -> Offer:
    return Offer(
        model=model,
        family=family,
        parameters=parameters,
        quantization=quantization,
        context_length=context_length,
        capabilities=CHAT if capabilities is None else capabilities,
    )


def make_rig(
    name: str,
    *,
    gpu: str | None,
    vram_gb: float | None,
    offers: list[Offer],
    cpu: str | None = "AMD Ryzen 9 5950X 16-Core Processor",
    ram_gb: float | None = 64,
    status: NodeStatus = "available",
    scarcity: float = 0.5,
    note: str = "",
    engine: EngineInfo | None = None,
    queue: QueueView | None = None,
    policy: Policy | None = None,
    last_seen_at: int | None = NOW - 12,
) -> NodeView:
    node_id = make_id("n1", name)
    return NodeView(
        id=node_id,
        name=name,
        status=status,
        scarcity=scarcity,
        hardware=Hardware(
            gpu=gpu,
            vram_bytes=None if vram_gb is None else int(vram_gb * GB),
            cpu=cpu,
            ram_bytes=None if ram_gb is None else int(ram_gb * GB),
        ),
        offers=offers,
        note=note,
        engine=engine or EngineInfo(kind="llama-server", version="b7049"),
        policy=policy or Policy(max_active=2, max_queue=8),
        queue=queue,
        base_url=f"https://{node_id[2:10]}.rigs.example/v1",
        owner_id=make_id("u1", name),
        listed_at=NOW - 40 * 86_400,
        last_seen_at=last_seen_at,
        seq=NOW * 1000,
    )


def _queue(active: int, waiting: int, max_active: int) -> QueueView:
    return QueueView(active=active, waiting=waiting, max_active=max_active)


def twelve_rigs() -> list[NodeView]:
    """Scarcest first, as the tracker lists them."""
    ollama = EngineInfo(kind="ollama", version="0.13.0")
    rigs = [
        make_rig(
            "spark-on-the-shelf",
            gpu="NVIDIA GB10 (DGX Spark)",
            vram_gb=119.7,
            cpu=f"Cortex-X925 {TIMES} 10 + Cortex-A725 {TIMES} 10",
            ram_gb=119.7,
            scarcity=1.0,
            offers=[
                offer("gpt-oss:120b", "gptoss", 116_829_156_672, "MXFP4", 131_072),
                offer("qwen3-next:80b", "qwen3next", 81_324_862_720, "Q4_K_M", 262_144),
            ],
            note="Unified memory, so the big sparse models fit and stay cool. Prompt processing is "
            "good, generation is memory-bound: expect a calm reader's pace.",
            queue=_queue(1, 0, 4),
            policy=Policy(max_active=4, max_queue=16),
        ),
        make_rig(
            "寝室のP40",
            gpu="Tesla P40",
            vram_gb=22.5,
            cpu="Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz",
            ram_gb=125.8,
            scarcity=0.97,
            offers=[
                offer("qwen3:30b-a3b", "qwen3moe", 30_532_122_624, "Q4_K_M", 40_960),
                offer("elyza-jp:8b", "llama", 8_030_261_248, "Q8_0", 8192),
            ],
            note="2016年のカードです。ファンは3Dプリントのダクト付き。夜は静かにしたいので、22時から7時は休みます。\nFP16は遅いので、量子化モデルだけ。",
            engine=ollama,
            queue=_queue(0, 0, 1),
            policy=Policy(max_active=1, max_queue=4),
        ),
        make_rig(
            "kitchen pi",
            gpu=None,
            vram_gb=None,
            cpu="Raspberry Pi 5 Model B Rev 1.0",
            ram_gb=7.87,
            scarcity=0.95,
            offers=[offer("qwen3:0.6b", "qwen3", 751_632_384, "Q8_0", 4096)],
            note="27 W at the wall with everything on. It answers while the kettle boils.",
            engine=ollama,
            queue=_queue(1, 2, 1),
            status="busy",
            policy=Policy(max_active=1, max_queue=3),
            last_seen_at=NOW - 3,
        ),
        make_rig(
            "arc-nemesis",
            gpu="Intel Arc A770",
            vram_gb=15.9,
            cpu="13th Gen Intel(R) Core(TM) i5-13600K",
            ram_gb=31.1,
            scarcity=0.91,
            offers=[
                offer(
                    "mistral-small-3.2-24b-instruct-2506",
                    "llama",
                    23_572_403_200,
                    "IQ4_XS",
                    16_384,
                    SEES,
                ),
                offer("granite-4.0-h-tiny", None, None, "Q6_K", None, []),
            ],
            note="SYCL build, not Vulkan: about 30 % faster prompt reading on this card.",
            queue=_queue(0, 0, 2),
        ),
        make_rig(
            "garage-xeon",
            gpu=None,
            vram_gb=None,
            cpu=f"2 {TIMES} Intel Xeon Gold 6248R",
            ram_gb=755,
            scarcity=0.88,
            offers=[
                offer("deepseek-v3.1", "deepseek2", 671_026_419_200, "Q4_K_M", 65_536),
                offer("kimi-k2", "deepseek2", 1_026_408_232_448, "Q2_K", 32_768),
                offer("llama-3.1-405b", "llama", 405_853_388_800, "Q4_K_M", 16_384),
                offer("nomic-embed-text", "nomic-bert", 136_731_648, "F16", 2048, EMBEDS),
                offer("qwen3:235b-a22b", "qwen3moe", 235_093_634_560, "Q4_K_M", 40_960),
            ],
            note="No GPU, 12 channels of DDR4. Slow and huge: bring a long question and a coffee. "
            "It heats the garage, which in winter is the point of the whole exercise.",
            queue=_queue(1, 0, 1),
            status="busy",
            policy=Policy(max_active=1, max_queue=0),
        ),
        make_rig(
            "rote Rakete",
            gpu="AMD Radeon RX 7900 XTX",
            vram_gb=23.98,
            scarcity=0.74,
            offers=[offer("gemma-3-27b-it", "gemma3", 27_432_406_640, "Q5_K_M", 32_768, SEES)],
            note="ROCm 7, flash attention on.",
            queue=_queue(0, 0, 2),
            last_seen_at=NOW - 41,
        ),
        make_rig(
            "Loungeroom Mac",
            gpu="Apple M3 Max",
            vram_gb=96,
            cpu="Apple M3 Max",
            ram_gb=128,
            scarcity=0.66,
            offers=[
                offer("llama-3.3-70b-instruct", "llama", 70_553_706_560, "Q6_K", 65_536),
                offer("qwen3-coder:30b", "qwen3moe", 30_532_122_624, "Q8_0", 131_072),
            ],
            note="Mine between nine and six on weekdays. Own requests first.",
            engine=ollama,
            status="paused",
            last_seen_at=NOW - 3 * 3600,
        ),
        make_rig(
            "zwei-alte-freunde",
            gpu=f"2 {TIMES} NVIDIA GeForce RTX 3090",
            vram_gb=47.5,
            cpu="AMD EPYC 7302P 16-Core Processor",
            ram_gb=251.6,
            scarcity=0.58,
            offers=[
                offer("qwen2.5:72b", "qwen2", 72_706_203_648, "IQ4_XS", 32_768),
                offer("qwen3:32b", "qwen3", 32_762_123_264, "Q8_0", 40_960),
                offer("llava:34b", "llama", 34_388_917_248, "Q4_K_M", 4096, SEES),
                offer("bge-m3", "bert", 566_703_104, "F16", 8192, EMBEDS),
            ],
            note="NVLink bridge, both cards at 280 W: 4 % slower than full power, half the noise.",
            queue=_queue(2, 3, 2),
            status="busy",
        ),
        make_rig(
            "blackwell-under-desk",
            gpu="NVIDIA GeForce RTX 5090",
            vram_gb=31.84,
            cpu="AMD Ryzen 7 9800X3D 8-Core Processor",
            ram_gb=93.9,
            scarcity=0.55,
            offers=[
                offer("qwen3:32b", "qwen3", 32_762_123_264, "Q6_K", 40_960),
                offer("gpt-oss:20b", "gptoss", 20_914_757_184, "MXFP4", 131_072),
            ],
            note="",
            queue=_queue(0, 0, 4),
            policy=Policy(max_active=4, max_queue=32),
        ),
        make_rig(
            "old-faithful",
            gpu="NVIDIA GeForce GTX 1080 Ti",
            vram_gb=11,
            cpu=None,
            ram_gb=None,
            scarcity=0.46,
            offers=[offer("llama-3.1-8b-instruct", "llama", 8_030_261_248, "Q6_K", 16_384)],
            note="Nine years old, third thermal paste.",
            status="unavailable",
            last_seen_at=NOW - 6 * 86_400,
        ),
        make_rig(
            "mini-4060",
            gpu="NVIDIA GeForce RTX 4060",
            vram_gb=8,
            ram_gb=31.2,
            scarcity=0.31,
            offers=[offer("qwen3:8b", "qwen3", 8_190_735_360, "Q4_K_M", 16_384)],
            note="",
            queue=_queue(0, 0, 1),
            status="starting",
        ),
        make_rig(
            "another 3090",
            gpu="NVIDIA GeForce RTX 3090",
            vram_gb=23.7,
            scarcity=0.12,
            offers=[
                offer("qwen3:32b", "qwen3", 32_762_123_264, "Q4_K_M", 40_960),
                offer("qwen3:30b-a3b", "qwen3moe", 30_532_122_624, "Q4_K_M", 40_960),
            ],
            note="Undervolted to 0.8 V.",
            status="unknown",
            last_seen_at=None,
        ),
    ]
    return rigs


_MANY_GPUS: Sequence[tuple[str | None, float | None, float]] = (
    ("NVIDIA GeForce RTX 3090", 23.7, 0.12),
    ("NVIDIA GeForce RTX 4090", 23.99, 0.2),
    ("NVIDIA GeForce RTX 3060", 12, 0.18),
    ("NVIDIA GeForce RTX 4060 Ti", 16, 0.3),
    ("NVIDIA GeForce RTX 5090", 31.84, 0.45),
    ("NVIDIA GeForce GTX 1080 Ti", 11, 0.5),
    ("Apple M2 Ultra", 144, 0.7),
    ("Apple M4", 16, 0.35),
    ("AMD Radeon RX 6800 XT", 16, 0.62),
    ("Tesla P100", 16, 0.8),
    ("NVIDIA RTX A6000", 48, 0.72),
    (f"4 {TIMES} NVIDIA GeForce RTX 3090", 94.8, 0.86),
    (f"8 {TIMES} NVIDIA H100 80GB HBM3", 637, 0.98),
    (None, None, 0.55),
    ("NVIDIA GeForce GTX 1650", 4, 0.6),
)


def many_rigs(number: int) -> list[NodeView]:
    """Any number of rigs, scarcest first; common ones are frequent, as in life."""
    rng = random.Random(7)  # noqa: S311 -- sample data
    weights = [1 / (0.05 + scarcity) for _, _, scarcity in _MANY_GPUS]
    statuses: list[NodeStatus] = ["available", "busy", "paused", "unavailable"]
    rigs: list[NodeView] = []
    for index in range(number):
        gpu, vram_gb, scarcity = rng.choices(_MANY_GPUS, weights)[0]
        rigs.append(
            make_rig(
                f"rig {index}",
                gpu=gpu,
                vram_gb=vram_gb,
                scarcity=min(0.99, max(0.0, scarcity + rng.choice((-0.06, 0, 0, 0.04, 0.09)))),
                status=rng.choices(statuses, [6, 2, 1, 1])[0],
                queue=_queue(rng.randrange(3), 0, 2),
                note="Undervolted, quiet, on all night. " * rng.randrange(5),
                offers=[
                    offer(f"qwen3:{size}b", "qwen3", size * 10**9, "Q4_K_M", 40_960)
                    for size in rng.sample((4, 8, 14, 30, 32), rng.randrange(1, 4))
                ],
            )
        )
    return sorted(rigs, key=lambda rig: (-rig.scarcity, rig.id))
