"""Whether a model fits a machine's memory: its weights, and the keys and values of its context."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from luckrig.cli.advice.models import BITS_PER_WEIGHT, MODELS, Model
from luckrig.protocol.descriptor import Hardware

ENGINE_BYTES: Final = 1 << 30
"""What an engine takes besides: compute buffers, the driver's own."""
VALUE_BYTES: Final = 2
"""Of one key or value: engines keep them as 16-bit floats unless told otherwise."""
SHARED_MEMORY_SHARE: Final = 0.7
"""Of the RAM, where the GPU or the CPU shares it with everything else on the machine."""
CONTEXTS: Final = (32_768, 16_384, 8_192, 4_096)
"""What is tried, the longest first. Below the last one a chat soon forgets its beginning."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A model on a machine. context_length: the longest of CONTEXTS that fits, in tokens."""

    model: Model
    context_length: int
    weight_bytes: int
    cache_bytes: int

    @property
    def total_bytes(self) -> int:
        """Everything, the engine's own needs too."""
        return self.weight_bytes + self.cache_bytes + ENGINE_BYTES


def weight_bytes(model: Model) -> int:
    """What its weights take."""
    if model.weight_bytes is not None:
        return model.weight_bytes
    return round(model.parameters * BITS_PER_WEIGHT[model.format] / 8)


def cache_bytes(model: Model, context_length: int) -> int:
    """What the keys and values of one context take."""
    tokens = model.layers * context_length
    tokens += model.windowed_layers * min(model.window, context_length)
    return 2 * tokens * model.kv_heads * model.head_size * VALUE_BYTES


def usable_bytes(hardware: Hardware) -> int:
    """The memory that a model may take: the GPU's own, or else a share of the RAM."""
    if hardware.vram_bytes is not None:
        return hardware.vram_bytes
    return int((hardware.ram_bytes or 0) * SHARED_MEMORY_SHARE)


def fitting(hardware: Hardware, models: Sequence[Model] = MODELS) -> list[Fit]:
    """The models that fit whole, in the order given, each with its longest context."""
    usable = usable_bytes(hardware)
    fits: list[Fit] = []
    for model in models:
        for context in (min(each, model.max_context) for each in CONTEXTS):
            fit = Fit(
                model=model,
                context_length=context,
                weight_bytes=weight_bytes(model),
                cache_bytes=cache_bytes(model, context),
            )
            if fit.total_bytes <= usable:
                fits.append(fit)
                break
    return fits
