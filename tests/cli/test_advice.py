"""What luckrig says to a machine without an engine."""

import pytest

from luckrig.cli.advice.fit import (
    CONTEXTS,
    ENGINE_BYTES,
    cache_bytes,
    fitting,
    usable_bytes,
    weight_bytes,
)
from luckrig.cli.advice.install import recipe
from luckrig.cli.advice.models import MODELS, Model
from luckrig.protocol.descriptor import Hardware

GIB = 1 << 30
BY_NAME = {model.name: model for model in MODELS}


def hardware(
    *, gpu: str | None = None, vram: int | None = None, ram: int | None = None
) -> Hardware:
    return Hardware(
        gpu=gpu,
        vram_bytes=None if vram is None else vram * GIB,
        cpu="a CPU",
        ram_bytes=None if ram is None else ram * GIB,
    )


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    # The size of the published file, in GB (10^9): ollama's library, Q4_K_M.
    [("llama3.1:8b", 4.9), ("qwen3:32b", 20), ("llama3.3:70b", 43), ("gpt-oss:20b", 12.1)],
)
def test_weights_take_what_the_published_files_take(name: str, gigabytes: float) -> None:
    assert weight_bytes(BY_NAME[name]) / 1e9 == pytest.approx(gigabytes, rel=0.05)


def test_keys_and_values_are_counted_from_the_models_own_figures() -> None:
    """llama.cpp reports 1,024 MiB for Llama 3.1 8B at 8,192 tokens: 128 KiB a token."""
    assert cache_bytes(BY_NAME["llama3.1:8b"], 8192) == 1024 << 20


def test_windowed_layers_stop_growing_with_the_context() -> None:
    model = BY_NAME["gemma3:12b"]
    grown = cache_bytes(model, 32_768) - cache_bytes(model, 16_384)
    assert grown == 2 * model.layers * 16_384 * model.kv_heads * model.head_size * 2


@pytest.mark.parametrize(
    ("machine", "largest"),
    [
        (hardware(gpu="NVIDIA GeForce RTX 4090", vram=24, ram=64), "qwen3:32b"),
        (hardware(gpu="NVIDIA GeForce RTX 3060", vram=12, ram=32), "qwen3:14b"),
        (hardware(gpu="Apple M4 Max", ram=128), "gpt-oss:120b"),
        (hardware(ram=8), "mistral:7b"),
        (hardware(ram=1), None),
        (hardware(), None),
    ],
)
def test_the_largest_model_that_fits(machine: Hardware, largest: str | None) -> None:
    names = [fit.model.name for fit in fitting(machine)]
    assert (names[0] if names else None) == largest


def test_what_fits_really_fits_and_a_longer_context_would_not() -> None:
    for gigabytes in range(1, 200):
        machine = hardware(gpu="a card", vram=gigabytes)
        for fit in fitting(machine):
            assert fit.total_bytes <= usable_bytes(machine)
            assert fit.total_bytes == fit.weight_bytes + fit.cache_bytes + ENGINE_BYTES
            assert fit.context_length <= fit.model.max_context
            longer = [c for c in CONTEXTS if fit.context_length < c <= fit.model.max_context]
            for context in longer:
                more = fit.weight_bytes + cache_bytes(fit.model, context) + ENGINE_BYTES
                assert more > usable_bytes(machine)


def test_the_table_is_in_order_and_sane() -> None:
    assert len(BY_NAME) == len(MODELS)
    sizes = [weight_bytes(model) for model in MODELS]
    assert sizes == sorted(sizes, reverse=True)
    for model in MODELS:
        _check(model)


def _check(model: Model) -> None:
    assert model.layers > 0
    assert (model.windowed_layers > 0) == (model.window > 0)
    assert model.head_size in (64, 128, 256)
    assert model.max_context >= CONTEXTS[-1]


@pytest.mark.parametrize("system", ["Linux", "Darwin", "Windows"])
def test_a_recipe_ends_with_the_model(system: str) -> None:
    why, commands = recipe(system, hardware(gpu="NVIDIA GeForce RTX 4090", vram=24), "qwen3:32b")
    assert "4090" in why
    assert commands[-1] == "ollama pull qwen3:32b"


def test_a_system_without_ollama_gets_another_way() -> None:
    assert "llama.cpp" in recipe("FreeBSD", hardware(ram=16), "qwen3:8b").why
