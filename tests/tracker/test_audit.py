"""The passive audit: what is found, and above all what isn't accused."""

import msgspec
import pytest

from luckrig.protocol.descriptor import Hardware, Offer
from luckrig.protocol.evidence import Finding
from luckrig.protocol.names import gpu_key
from luckrig.protocol.wire import Quantiles, TimingView
from luckrig.tracker.domain.audit import audit
from luckrig.tracker.domain.bandwidths import GPU_GBPS, bandwidth_gbps, card_count
from luckrig.tracker.domain.model_claims import bits_of, name_claims, note_claims
from tests.tracker.factories import GIB, make_node
from tests.tracker.trackers import running_tracker

B = 10**9


def timing(model: str, speed: float, *, users: int = 9) -> TimingView:
    same = Quantiles(p10=speed, p50=speed, p90=speed)
    return TimingView(
        node_id=make_node().node_id, model=model, prompt_tokens_from=0, users=users,
        streams=users, ttft_ms=same, tokens_per_second=same,
    )  # fmt: skip


def found(
    model: str = "some-model",
    *,
    note: str = "",
    speed: float | None = None,
    users: int = 9,
    gpu: str | None = "NVIDIA GeForce RTX 3090",
    ram_gib: int | None = 64,
    **offer: object,
) -> dict[str, str]:
    """field → verdict, of a rig with that one model."""
    hardware = Hardware(
        gpu=gpu,
        vram_bytes=24 * GIB,
        cpu=None,
        ram_bytes=None if ram_gib is None else ram_gib * GIB,
    )
    made = msgspec.convert({"model": model, **offer}, Offer)
    node = make_node(hardware=hardware, offers=[made], note=note)
    timings = [] if speed is None else [timing(model, speed, users=users)]
    return {each.field: each.verdict for each in audit(node.descriptor, timings)}


@pytest.mark.parametrize(
    ("model", "engine", "verdict"),
    [
        ("qwen3-8b-Q4_K_M.gguf", "Q4_K_M", "consistent"),
        ("qwen3-8b-q4_k_m", "IQ4_XS - 4.25 bpw", "consistent"),
        ("qwen3-8b-Q8_0", "Q4_K_M", "contradicts"),
        ("qwen3-8b-bf16", "Q8_0", "contradicts"),
        ("qwen3-8b-UD-Q3_K_XL", "Q4_K_M", "unknown"),
        ("gpt-oss-20b-F16", "MXFP4", "unknown"),
        ("model-4bit", "Q8_0", "contradicts"),
        ("q4_0-and-q8_0-mix", "Q2_K", "unknown"),
        ("qwen3-8b-Q8_0", None, "unknown"),
        ("qwen3-8b", "Q4_K_M", None),
    ],
)
def test_quantisation_in_a_name(model: str, engine: str | None, verdict: str | None) -> None:
    assert found(model, quantization=engine).get("quantization") == verdict


@pytest.mark.parametrize(
    ("note", "verdict"),
    [
        ("Runs in Q8_0. Quiet at night.", "contradicts"),
        ("Runs in Q4_K_M.", "consistent"),
        ("Q8_0 didn't fit.", None),
        ("I tried Q8_0 before.", None),
        ("Faster than Q8_0!", None),
        ("KV cache in q8_0.", None),
        ("Q8 next month", None),
        ("", None),
    ],
)
def test_quantisation_in_a_note_counts_when_it_is_stated_plainly(
    note: str, verdict: str | None
) -> None:
    assert found(note=note, quantization="Q4_K_M").get("quantization") == verdict


def test_a_note_about_several_models_accuses_none() -> None:
    offers = [Offer(model="a", quantization="Q4_K_M"), Offer(model="b", quantization="Q8_0")]
    assert audit(make_node(offers=offers, note="Runs in F16.").descriptor, []) == []


@pytest.mark.parametrize(
    ("model", "billions", "verdict"),
    [
        ("qwen3:8b", 8.19, "consistent"), ("gemma-7b", 8.54, "consistent"),
        ("llama-2-7b", 6.74, "consistent"), ("mixtral:8x7b", 46.7, "consistent"),
        ("qwen3:30b-a3b", 30.5, "consistent"), ("moondream:1.8b", 1.42, "consistent"),
        ("smollm2:135m", 0.1345, "consistent"), ("kimi-k2-1t", 1026, "consistent"),
        ("Qwen2.5-7B-Instruct-1M", 7.6, "consistent"), ("qwen3.5-8b", 8.2, "consistent"),
        ("llama-3.1:70b", 8.03, "contradicts"), ("qwen3:8b", 0.6, "contradicts"),
        ("70b-distill-8b", 1.5, "unknown"), ("gemma3n:e4b", 6.9, None), ("phi-4", 14.7, None),
    ],
)  # fmt: skip
def test_size_in_a_name(model: str, billions: float, verdict: str | None) -> None:
    assert found(model, parameters=int(billions * B)).get("parameters") == verdict


@pytest.mark.parametrize(
    ("note", "context", "verdict"),
    [
        ("Context 32k.", 32_768, "consistent"), ("ctx=32768", 4096, "contradicts"),
        ("128k context", 8192, "contradicts"), ("Context of its own kind", 8192, None),
        ("32k context", 32_000, "consistent"), ("32k context", None, "unknown"),
        ("32k context would be nice", 4096, None),
    ],
)  # fmt: skip
def test_context_in_a_note(note: str, context: int | None, verdict: str | None) -> None:
    assert found(note=note, context_length=context).get("context_length") == verdict


@pytest.mark.parametrize(
    ("billions", "quantization", "ram_gib", "verdict"),
    [
        (8, "Q4_K_M", 64, "consistent"), (70, "Q8_0", 64, "consistent"),
        (235, "Q4_K_M", 64, "unknown"), (671, "Q4_K_M", 64, "contradicts"),
        (671, "Q4_K_M", None, None), (671, None, 64, None),
    ],
)  # fmt: skip
def test_weights_that_fit_nowhere(
    billions: int, quantization: str | None, ram_gib: int | None, verdict: str | None
) -> None:
    got = found(parameters=billions * B, quantization=quantization, ram_gib=ram_gib)
    assert got.get("weights") == verdict


@pytest.mark.parametrize(
    ("family", "context", "verdict"),
    [
        ("qwen3", 32_768, "consistent"), ("qwen3", 10_000_000, "contradicts"),
        ("mamba", 10_000_000, None), (None, 10_000_000, None),
    ],
)  # fmt: skip
def test_a_context_that_fits_nowhere(family: str | None, context: int, verdict: str | None) -> None:
    got = found(parameters=8 * B, family=family, context_length=context)
    assert got.get("context_memory") == verdict


@pytest.mark.parametrize(
    ("speed", "users", "changes", "verdict"),
    [
        (100, 9, {}, "consistent"),  # 936 GB/s over 4 GB: 234
        (250, 9, {}, "consistent"),
        (2, 9, {}, "consistent"),
        (600, 9, {}, "unknown"),
        (3000, 9, {}, "contradicts"),
        (3000, 4, {}, "unknown"),
        (3000, 9, {"family": "qwen3moe"}, "unknown"),
        (3000, 9, {"family": None}, "unknown"),
        (3000, 9, {"quantization": None}, "unknown"),
        (3000, 9, {"gpu": "Voodoo 5"}, "unknown"),
        (3000, 9, {"gpu": "NVIDIA GeForce RTX 3090 + NVIDIA H100"}, "unknown"),
        (1400, 9, {"gpu": "2 x NVIDIA GeForce RTX 3090"}, "unknown"),
    ],
)
def test_speed_beyond_the_memorys(
    speed: float, users: int, changes: dict[str, object], verdict: str
) -> None:
    rig: dict[str, object] = {"parameters": 8 * B, "quantization": "Q4_K_M", "family": "llama"}
    got = found("qwen3:8b", speed=speed, users=users, **(rig | changes))  # type: ignore[arg-type]
    assert got["speed"] == verdict


def test_a_mixture_reads_its_active_part_only() -> None:
    rig: dict[str, object] = {"parameters": 30 * B, "quantization": "Q4_K_M", "family": "qwen3moe"}
    assert found("qwen3:30b-a3b", speed=500, **rig)["speed"] == "consistent"  # type: ignore[arg-type]


def test_hardware_is_keyed_as_names_are() -> None:
    for name in GPU_GBPS:
        assert gpu_key(name) == name
    assert all(5 < gbps < 10_000 for gbps in GPU_GBPS.values())


@pytest.mark.parametrize(
    ("gpu", "cpu", "gbps"),
    [
        ("NVIDIA GeForce RTX 4090", None, 1008),
        ("2 \N{MULTIPLICATION SIGN} NVIDIA GeForce RTX 3090", None, 1872),
        ("rtx 3090 x4", None, 3744),
        ("Apple M3 Max", None, 400),
        ("Tesla P40", None, 347),
        (None, "Raspberry Pi 5 Model B Rev 1.0", 17),
        (None, "AMD EPYC 7302P", None),
        (None, None, None),
        ("mystery", None, None),
    ],
)
def test_bandwidth_of_hardware(gpu: str | None, cpu: str | None, gbps: int | None) -> None:
    known = bandwidth_gbps(gpu, cpu)
    assert (None if known is None else known[1]) == gbps


def test_card_counts_are_bounded() -> None:
    assert card_count("99999999999999999999 x RTX 3090") == 64
    assert card_count("0 x RTX 3090") == 1


HOSTILE = [
    "<script>alert(1)</script>", "9" * 120, "q" * 120, "8x" * 60, "1b" * 60, "a3b-" * 30,
    "٣b-q٤", "²b", "((((" * 30, "'; DROP TABLE nodes; --", "q4_" * 40, "ctx" * 40, "\u202e8b",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_notes_are_read_without_harm(text: str) -> None:
    name_claims(text)
    note_claims(text * 100)
    bits_of(text)
    bandwidth_gbps(text, text)
    found(text, note=text, gpu=text, quantization=text, family=text, speed=1e9)


async def test_the_api_and_the_page_show_claim_and_evidence() -> None:
    offer = Offer(model="<b>-70b-Q8_0", quantization="Q4_K_M", parameters=8 * B)
    node = make_node(1, offers=[offer])
    async with running_tracker() as tracker:
        await tracker.publish(node)
        detail = (await tracker.http.get(f"/api/v1/nodes/{node.node_id}")).json()
        findings = msgspec.convert(detail["audit"], list[Finding])
        verdicts = {each.field: each.verdict for each in findings}
        assert verdicts["quantization"] == verdicts["parameters"] == "contradicts"
        page = (await tracker.http.get(f"/nodes/{node.node_id}")).text
        assert "Claim and evidence" in page
        assert "&lt;b&gt;-70b-Q8_0" in page
        assert "<b>-70b" not in page
