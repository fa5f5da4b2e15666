"""Rigs like a given one: with the same GPU, or, without a GPU, with about as much memory."""

from dataclasses import dataclass
from typing import Final

from luckrig.tracker.domain.traits import Traits

NEAR: Final = 1.5
"""RAM is near up to this factor: 64 GB is like 48 and 96, and unlike 32 and 128."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What rigs must share. gpu: the key of the GPU, `cpu` for none.

    ram_bytes: (least, most) of a rig without a GPU that says how much it has; None asks nothing.
    """

    gpu: str
    ram_bytes: tuple[int, int] | None

    def holds(self, traits: Traits) -> bool:
        """Whether a rig is like that; the rig itself always is."""
        if traits.gpu != self.gpu:
            return False
        if self.ram_bytes is None:
            return True
        least, most = self.ram_bytes
        return traits.ram_bytes is not None and least <= traits.ram_bytes <= most


def likeness_of(traits: Traits) -> Likeness:
    """What a rig's likes share with it."""
    ram_bytes = None
    if traits.vendor == "cpu" and traits.ram_bytes is not None:
        ram_bytes = int(traits.ram_bytes / NEAR), int(traits.ram_bytes * NEAR) + 1
    return Likeness(gpu=traits.gpu, ram_bytes=ram_bytes)
