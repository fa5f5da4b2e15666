"""Hardware, models and limits in short words, for screens. All safe to print."""

from collections.abc import Sequence
from typing import Final

from luckrig.cli.output import safe_line
from luckrig.nodeproxy.opening import Wishes
from luckrig.protocol.descriptor import Hardware, Offer
from luckrig.protocol.schedule import describe_windows

_GIB: Final = 2**30


def gib(count: int) -> str:
    """24 GiB, 4.9 GiB: two digits are enough to compare."""
    value = count / _GIB
    return f"{value:.0f} GiB" if value >= 10 else f"{value:.1f} GiB"


def hardware_facts(hardware: Hardware) -> list[str]:
    """GPU with its memory, CPU, RAM: as far as they are known."""
    gpu = safe_line(hardware.gpu or "no GPU")
    if hardware.vram_bytes is not None:
        gpu += f", {gib(hardware.vram_bytes)}"
    facts = [gpu]
    if hardware.cpu:
        facts.append(safe_line(hardware.cpu))
    if hardware.ram_bytes is not None:
        facts.append(f"{gib(hardware.ram_bytes)} RAM")
    return facts


def offer_facts(offer: Offer) -> list[str]:
    """Name, parameters, quantisation, context: what the engine says."""
    facts = [safe_line(offer.model)]
    if offer.parameters is not None:
        facts.append(_parameters(offer.parameters))
    if offer.quantization:
        facts.append(safe_line(offer.quantization))
    if offer.context_length is not None:
        facts.append(f"{context(offer.context_length)} context")
    return facts


def context(tokens: int) -> str:
    """131072 as 128K, as model cards write it."""
    return f"{tokens // 1024}K" if tokens % 1024 == 0 else f"{tokens:,}"


def hours(wishes: Wishes) -> str:
    """When the rig is open."""
    if wishes.schedule is None:
        return "always"
    return safe_line(f"{describe_windows(wishes.schedule.windows)} ({wishes.schedule.timezone})")


def limits(wishes: Wishes, *, max_active: int | None, max_queue: int) -> str:
    """What the rig takes at most. max_active: None for as many as the engine can run."""
    at_once = (
        "as many at once as the engine can run" if max_active is None else f"{max_active} at once"
    )
    parts = [at_once, f"{max_queue} waiting"]
    if wishes.tokens_per_day is not None:
        parts.append(f"{wishes.tokens_per_day:,} tokens a day")
    if wishes.max_celsius is not None:
        parts.append(f"{wishes.max_celsius:g} °C")
    if wishes.max_watts is not None:
        parts.append(f"{wishes.max_watts:g} W")
    if wishes.idle_only:
        parts.append("only while you don't use the GPU")
    return ", ".join(parts)


def folded(lines: Sequence[str], most: int) -> list[str]:
    """The lines; if there are more than `most`, the last one says how many are left out."""
    if len(lines) <= most:
        return [*lines]
    return [*lines[: most - 1], f"and {len(lines) - most + 1} more"]


def _parameters(count: int) -> str:
    for size, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:,}"
