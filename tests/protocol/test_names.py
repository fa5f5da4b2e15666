"""Names as they are found in the wild, and what they have in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.names import (
    Vendor,
    gpu_key,
    gpu_vendor,
    model_family,
    model_key,
    quantization_bits,
    quantization_key,
)

GPUS: dict[str, tuple[Vendor, list[str | None]]] = {
    "rtx 4090": (
        "nvidia",
        ["NVIDIA GeForce RTX 4090", "rtx4090", "4090 24GB", "RTX 4090 (24 GB)", "2x RTX 4090"],
    ),
    "rtx 4090 laptop": ("nvidia", ["NVIDIA GeForce RTX 4090 Laptop GPU", "4090 laptop"]),
    "rtx 4070 ti super": ("nvidia", ["NVIDIA GeForce RTX 4070 Ti SUPER", "RTX 4070Ti Super 16GB"]),
    "rtx 5070": ("nvidia", ["GeForce RTX 5070", "5070"]),
    "gtx 1080 ti": ("nvidia", ["NVIDIA GeForce GTX 1080 Ti", "gtx1080ti", "1080 Ti"]),
    "p40": ("nvidia", ["Tesla P40", "NVIDIA Tesla P40 24GB", "P40 x 2", "4 \u00d7 P40"]),
    "a100": ("nvidia", ["NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe", "A100"]),
    "h100": ("nvidia", ["NVIDIA H100 80GB HBM3", "NVIDIA H100 NVL", "H100 SXM5"]),
    "l40s": ("nvidia", ["NVIDIA L40S", "l40s"]),
    "rtx a6000": ("nvidia", ["NVIDIA RTX A6000", "A6000"]),
    "rtx 6000 ada": ("nvidia", ["NVIDIA RTX 6000 Ada Generation"]),
    "quadro rtx 6000": ("nvidia", ["Quadro RTX 6000"]),
    "rtx pro 6000 blackwell": (
        "nvidia",
        ["NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTX PRO 6000 Blackwell"],
    ),
    "gb10": ("nvidia", ["NVIDIA GB10"]),
    "titan rtx": ("nvidia", ["NVIDIA TITAN RTX"]),
    "rx 7900 xtx": ("amd", ["AMD Radeon RX 7900 XTX", "7900xtx", "RX7900XTX 24GB"]),
    "rx 9070 xt": ("amd", ["AMD Radeon RX 9070 XT", "9070 XT"]),
    "mi50": ("amd", ["AMD Instinct MI50", "MI50 32GB"]),
    "arc a770": ("intel", ["Intel(R) Arc(TM) A770 Graphics", "A770 16GB", "arc a770"]),
    "arc b580": ("intel", ["Intel(R) Arc(TM) B580 Graphics", "B580"]),
    "m3 max": ("apple", ["Apple M3 Max", "M3 Max (40-core GPU)", "m3max"]),
    "m4": ("apple", ["Apple M4"]),
    "cpu": ("cpu", [None]),
    "hailo 10h": ("other", ["Hailo 10H"]),
}


@pytest.mark.parametrize(
    ("key", "vendor", "spelling"),
    [
        (key, vendor, spelling)
        for key, (vendor, spellings) in GPUS.items()
        for spelling in spellings
    ],
)
def test_spellings_of_a_gpu_share_its_key(key: str, vendor: Vendor, spelling: str | None) -> None:
    assert (gpu_key(spelling), gpu_vendor(spelling)) == (key, vendor)


@pytest.mark.parametrize("gpu", ["NVIDIA GPU", "(R)", "x2", "\u00d7", "-"])
def test_a_gpu_name_of_noise_alone_is_its_own_key(gpu: str) -> None:
    assert gpu_key(gpu) == gpu.casefold()


@pytest.mark.parametrize(
    ("key", "family", "spellings"),
    [
        (
            "qwen38b",
            "qwen",
            [
                "qwen3:8b",
                "Qwen3-8B",
                "Qwen/Qwen3-8B-GGUF",
                "hf.co/bartowski/Qwen3-8B-Instruct-GGUF:Q4_K_M",
                "qwen3-8b-q4_k_m.gguf",
                "Qwen3-8B-UD-Q4_K_XL",
            ],
        ),
        ("llama3.18b", "llama", ["llama3.1:8b", "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf"]),
        ("llama3.1", "llama", ["llama3.1", "llama3.1:latest"]),
        ("codellama13b", "llama", ["codellama:13b", "CodeLlama-13B-Instruct"]),
        ("gemma327b", "gemma", ["gemma3:27b", "google/gemma-3-27b-it"]),
        ("gptoss20b", "gpt", ["gpt-oss:20b", "openai/gpt-oss-20b-MXFP4"]),
        ("deepseekr1distillqwen32b", "deepseek", ["DeepSeek-R1-Distill-Qwen-32B"]),
        ("dolphinmistral7b", "mistral", ["dolphin-mistral:7b"]),
        ("mixtral8x7b", "mixtral", ["mixtral:8x7b", "mistralai/Mixtral-8x7B-Instruct-GPTQ"]),
        ("phi4", "phi", ["phi4", "phi-4"]),
    ],
)
def test_spellings_of_a_model_share_its_key_and_family(
    key: str, family: str, spellings: list[str]
) -> None:
    assert {(model_key(name), model_family(name)) for name in spellings} == {(key, family)}


@pytest.mark.parametrize(
    ("model", "engine_says", "family"),
    [
        ("mistral:7b", "llama", "mistral"),
        ("qwn3:8b", "qwen3", "qwen"),
        ("nomic-embed-text", "nomic-bert", "nomic-bert"),
        ("nomic-embed-text", None, "nomicembedtext"),
    ],
)
def test_a_family_is_known_by_the_model_then_by_the_engine(
    model: str, engine_says: str | None, family: str
) -> None:
    assert model_family(model, engine_says) == family


def test_keys_can_be_typed_where_names_can() -> None:
    assert all(gpu_key(key) == key for key in GPUS)
    for name in ("qwen3:8b", "mistral:7b", "nomic-embed-text", "yi:34b"):
        assert model_family(model_family(name)) == model_family(name)


@pytest.mark.parametrize(
    ("key", "spellings"),
    [
        ("q4km", ["Q4_K_M", "q4_k_m", "Q4-K-M"]),
        ("f16", ["F16", "fp16", "FP16"]),
        ("bf16", ["BF16", "bfloat16"]),
        ("mxfp4", ["MXFP4"]),
        ("iq2xxs", ["IQ2_XXS"]),
        ("", [None, ""]),
    ],
)
def test_spellings_of_a_quantisation_share_its_key(key: str, spellings: list[str | None]) -> None:
    assert {quantization_key(spelling) for spelling in spellings} == {key}


@given(st.text(max_size=120))
def test_any_text_has_keys(text: str) -> None:
    """Owners write these names; no text may break the list for everybody."""
    for value in (gpu_key(text), gpu_vendor(text), model_key(text), model_family(text, text)):
        assert isinstance(value, str)
    quantization_key(text)


@pytest.mark.parametrize(
    ("quantization", "bits"),
    [
        ("Q4_K_M", 4), ("q8_0", 8), ("IQ2_XXS", 2), ("UD-Q5_K_XL", 5), ("BF16", 16), ("fp16", 16),
        ("F32", 32), ("FP8", 8), ("MXFP4", 4), ("4bit", 4), ("AWQ", 4), ("GPTQ-Int8", 8),
        ("w4a16", 4), (None, None), ("", None), ("unknown", None),
    ],
)  # fmt: skip
def test_a_quantisation_has_as_many_bits_as_its_name_says(
    quantization: str | None, bits: int | None
) -> None:
    assert quantization_bits(quantization) == bits
