"""Models worth a place on the map, with the figures that decide how much memory they take.

Each figure is from the model's own `config.json`: num_hidden_layers, num_key_value_heads, head_dim,
sliding_window, and the weights counted. Where weights are published in one format only, their size
is that file's.
"""

from dataclasses import dataclass
from typing import Final

BITS_PER_WEIGHT: Final = {"Q4_K_M": 4.85, "Q8_0": 8.5, "F16": 16.0}
"""llama.cpp's formats, scales included; Q4_K_M keeps some tensors in 6 bits, so it is a mean."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One open model.

    name: as `ollama pull` knows it. parameters: of all experts, for they all stay in memory. layers
    with full attention keep keys and values of the whole context; windowed_layers of the last
    `window` tokens. max_context: what it was trained for. weight_bytes: of a model that comes in
    one format, called `format`.
    """

    name: str
    parameters: int
    layers: int
    kv_heads: int
    head_size: int
    max_context: int
    windowed_layers: int = 0
    window: int = 0
    weight_bytes: int | None = None
    format: str = "Q4_K_M"


def _model(
    name: str, billions: float, layers: int, heads: tuple[int, int], max_context: int
) -> Model:
    """heads: (how many keep keys and values, size of one)."""
    return Model(
        name=name,
        parameters=round(billions * 1e9),
        layers=layers,
        kv_heads=heads[0],
        head_size=heads[1],
        max_context=max_context,
    )


MODELS: Final = (
    Model(
        name="gpt-oss:120b",
        parameters=116_800_000_000,
        layers=18,
        windowed_layers=18,
        window=128,
        kv_heads=8,
        head_size=64,
        max_context=131_072,
        weight_bytes=63_400_000_000,
        format="MXFP4",
    ),
    _model("llama3.3:70b", 70.6, 80, (8, 128), 131_072),
    _model("qwen3:32b", 32.8, 64, (8, 128), 40_960),
    _model("qwen3:30b-a3b", 30.5, 48, (4, 128), 40_960),
    Model(
        name="gemma3:27b",
        parameters=27_400_000_000,
        layers=10,
        windowed_layers=52,
        window=1024,
        kv_heads=16,
        head_size=128,
        max_context=131_072,
    ),
    _model("mistral-small:24b", 23.6, 40, (8, 128), 32_768),
    Model(
        name="gpt-oss:20b",
        parameters=20_900_000_000,
        layers=12,
        windowed_layers=12,
        window=128,
        kv_heads=8,
        head_size=64,
        max_context=131_072,
        weight_bytes=12_100_000_000,
        format="MXFP4",
    ),
    _model("qwen3:14b", 14.8, 40, (8, 128), 40_960),
    _model("phi4:14b", 14.7, 40, (10, 128), 16_384),
    Model(
        name="gemma3:12b",
        parameters=12_200_000_000,
        layers=8,
        windowed_layers=40,
        window=1024,
        kv_heads=8,
        head_size=256,
        max_context=131_072,
    ),
    _model("qwen3:8b", 8.19, 36, (8, 128), 40_960),
    _model("llama3.1:8b", 8.03, 32, (8, 128), 131_072),
    _model("mistral:7b", 7.25, 32, (8, 128), 32_768),
    _model("qwen3:4b", 4.02, 36, (8, 128), 40_960),
    _model("llama3.2:3b", 3.21, 28, (8, 128), 131_072),
    _model("qwen3:1.7b", 2.03, 28, (8, 128), 40_960),
    _model("llama3.2:1b", 1.24, 16, (8, 64), 131_072),
    _model("qwen3:0.6b", 0.75, 28, (8, 128), 40_960),
    _model("smollm2:135m", 0.135, 30, (3, 64), 8_192),
)
