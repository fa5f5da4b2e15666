"""What an owner claims against what the engine says and what users measured.

Passive: nobody is sent a prompt to find anything out. An accusation needs figures that no honest
rig can have; whatever could be explained (weights read from disk, speculative decoding, a mixture
whose active part nobody named) is `unknown`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from luckrig.protocol.descriptor import NodeDescriptor, Offer
from luckrig.protocol.evidence import AuditField, Finding, Verdict
from luckrig.protocol.wire import TimingView
from luckrig.tracker.domain.bandwidths import bandwidth_gbps
from luckrig.tracker.domain.model_claims import Claims, bits_of, name_claims, note_claims

SIZE_TOLERANCE: Final = 0.6
"""A "7b" has 4.2 to 11.7 billion: names round, and leave out embeddings or eyes."""
DISK_FACTOR: Final = 2.0
"""Weights beyond the memory can be read from disk, at a snail's pace; beyond twice of it nobody
does."""
SPEED_SLACK: Final = 1.25
"""Overclocked memory, and rounded data sheets."""
SPECULATION_FACTOR: Final = 5.0
"""What drafting tokens ahead gains at the very most, over whole replies."""
SLOW_FRACTION: Final = 0.05
MIN_USERS: Final = 5
"""Who measured something that contradicts; fewer could be one person."""

_DENSE_FAMILIES: Final = frozenset(
    {"llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "granite"}
)
"""As engines name architectures in which each token reads all weights."""
_KV_BYTES: Final = (
    ("qwen2", 7, 57_344), ("qwen2", 14, 196_608), ("qwen2", 72, 327_680),
    ("qwen3", 8, 147_456), ("qwen3", 14, 163_840), ("qwen3", 32, 262_144),
)  # fmt: skip
"""(family, billions of parameters, bytes of one token's keys and values in 16 bits):
2 · layers · heads for keys · head size · 2 bytes, from the models' own configurations."""
_KV_SQUEEZE: Final = 4
"""Keys and values can be kept in 4 bits."""


def audit(descriptor: NodeDescriptor, timings: Sequence[TimingView]) -> list[Finding]:
    """Findings for each offer, in the order of the offers. timings: of this rig."""
    # A note of a rig with several models could be about any of them.
    alone = len(descriptor.offers) == 1
    note = note_claims(descriptor.note if alone else "")
    findings: list[Finding] = []
    for offer in descriptor.offers:
        name = name_claims(offer.model)
        found = (
            _quantization(offer, name, note),
            _parameters(offer, name),
            _context(offer, note),
            _weights(descriptor, offer),
            _context_memory(descriptor, offer),
            _speed(descriptor, offer, name, [t for t in timings if t.model == offer.model]),
        )
        findings += [each for each in found if each is not None]
    return findings


def _finding(
    offer: Offer, field: AuditField, verdict: Verdict, claimed: str, evidence: str
) -> Finding:
    return Finding(
        model=offer.model, field=field, verdict=verdict, claimed=claimed, evidence=evidence
    )


def _quantization(offer: Offer, name: Claims, note: Claims) -> Finding | None:
    claimed = name.bits or note.bits
    if not claimed:
        return None
    where = "Its name" if name.bits else "The owner's note"
    said = f"{where} says {_list(claimed)} bits a weight."
    actual = bits_of(offer.quantization)
    if actual is None:
        evidence = "The engine doesn't say how the model is quantised."
        return _finding(offer, "quantization", "unknown", said, evidence)
    evidence = f"The engine says {offer.quantization}."
    if actual in claimed:
        return _finding(offer, "quantization", "consistent", said, evidence)
    # Dynamic quantisations mix neighbours, and MXFP4 files are sold as F16.
    close = min(abs(actual - bits) for bits in claimed) <= 1 or {actual, *claimed} == {4, 16}
    is_unclear = len(claimed) > 1 or close
    return _finding(
        offer, "quantization", "unknown" if is_unclear else "contradicts", said, evidence
    )


def _parameters(offer: Offer, name: Claims) -> Finding | None:
    if not name.sizes:
        return None
    said = f"Its name says {' or '.join(map(_short, sorted(name.sizes)))} weights."
    if offer.parameters is None:
        evidence = "The engine doesn't say how many there are."
        return _finding(offer, "parameters", "unknown", said, evidence)
    evidence = f"The engine says {_short(offer.parameters)}."
    ratios = [offer.parameters / size for size in name.sizes]
    if any(SIZE_TOLERANCE <= ratio <= 1 / SIZE_TOLERANCE for ratio in ratios):
        return _finding(offer, "parameters", "consistent", said, evidence)
    verdict: Verdict = "unknown" if len(ratios) > 1 else "contradicts"
    return _finding(offer, "parameters", verdict, said, evidence)


def _context(offer: Offer, note: Claims) -> Finding | None:
    if not note.contexts:
        return None
    claimed = max(note.contexts)
    said = f"The owner's note says a context of {claimed:,} tokens."
    if offer.context_length is None:
        evidence = "The engine doesn't say how long it is."
        return _finding(offer, "context_length", "unknown", said, evidence)
    evidence = f"The engine gives one request {offer.context_length:,}."
    # 10 %: 32k is 32,768 to some and 32,000 to others.
    if offer.context_length >= claimed * 0.9:
        return _finding(offer, "context_length", "consistent", said, evidence)
    verdict: Verdict = "unknown" if len(note.contexts) > 1 else "contradicts"
    return _finding(offer, "context_length", verdict, said, evidence)


def _memory_bytes(descriptor: NodeDescriptor) -> int | None:
    """VRAM and RAM together; None when one that there must be isn't known."""
    hardware = descriptor.hardware
    return None if hardware.ram_bytes is None else hardware.ram_bytes + (hardware.vram_bytes or 0)


def _weight_bytes(offer: Offer) -> float | None:
    bits = bits_of(offer.quantization)
    if offer.parameters is None or bits is None:
        return None
    return offer.parameters * bits / 8


def _weights(descriptor: NodeDescriptor, offer: Offer) -> Finding | None:
    needed, there = _weight_bytes(offer), _memory_bytes(descriptor)
    if needed is None or there is None:
        return None
    said = f"The rig has {_memory(there)} of memory, all kinds together."
    evidence = f"The weights of this model take {_memory(needed)} or more."
    if needed <= there:
        return _finding(offer, "weights", "consistent", said, evidence)
    if needed <= there * DISK_FACTOR:
        evidence += " The rest could be read from disk, slowly."
        return _finding(offer, "weights", "unknown", said, evidence)
    return _finding(offer, "weights", "contradicts", said, evidence)


def _context_memory(descriptor: NodeDescriptor, offer: Offer) -> Finding | None:
    there = _memory_bytes(descriptor)
    if offer.context_length is None or offer.parameters is None or there is None:
        return None
    billions = offer.parameters / 1e9
    for family, size, kv_bytes in _KV_BYTES:
        if family == offer.family and 0.9 * size <= billions <= 1.2 * size:
            needed = offer.context_length * kv_bytes / _KV_SQUEEZE
            said = f"The context is {offer.context_length:,} tokens."
            evidence = f"So much takes {_memory(needed)} or more; the rig has {_memory(there)}."
            verdict: Verdict = "contradicts" if needed > there else "consistent"
            return _finding(offer, "context_memory", verdict, said, evidence)
    return None


def _speed(
    descriptor: NodeDescriptor, offer: Offer, name: Claims, timings: Iterable[TimingView]
) -> Finding | None:
    fastest = max(timings, key=lambda each: each.tokens_per_second.p50, default=None)
    if fastest is None:
        return None
    measured = fastest.tokens_per_second.p50
    users = "1 user" if fastest.users == 1 else f"{fastest.users} users"
    evidence = f"{users} measured {measured:,.1f} tokens per second."
    hardware = descriptor.hardware
    known, read = bandwidth_gbps(hardware.gpu, hardware.cpu), _bytes_per_token(offer, name)
    if known is None or read is None:
        said = "Nobody here knows how fast such hardware can be with this model."
        return _finding(offer, "speed", "unknown", said, evidence)
    label, gbps = known
    bound = gbps * 1e9 / read
    said = f"Memory of {label}, {gbps:,} GB/s, allows {bound:,.0f} tokens per second at most."
    if measured <= bound * SPEED_SLACK:
        if measured < bound * SLOW_FRACTION:
            evidence += " That is slower than such hardware usually is."
        return _finding(offer, "speed", "consistent", said, evidence)
    if measured <= bound * SPECULATION_FACTOR or fastest.users < MIN_USERS:
        evidence += " Tokens drafted ahead could explain it."
        return _finding(offer, "speed", "unknown", said, evidence)
    return _finding(offer, "speed", "contradicts", said, evidence)


def _bytes_per_token(offer: Offer, name: Claims) -> float | None:
    """At least so much is read for each token; None for mixtures that don't say."""
    bits = bits_of(offer.quantization)
    if bits is None:
        return None
    if name.active is not None:
        return name.active * bits / 8
    is_mixture = "moe" in offer.model.casefold() or "x" in offer.model.casefold().rpartition("/")[2]
    if offer.family not in _DENSE_FAMILIES or offer.parameters is None or is_mixture:
        return None
    return offer.parameters * bits / 8


def _list(bits: Iterable[int]) -> str:
    return " or ".join(map(str, sorted(bits)))


def _short(parameters: float) -> str:
    unit, suffix = (1e9, "billion") if parameters >= 1e9 else (1e6, "million")
    return f"{parameters / unit:.3g} {suffix}"


def _memory(size_bytes: float) -> str:
    if size_bytes < 2**30:
        return f"{size_bytes / 2**20:,.1f} MiB"
    return f"{size_bytes / 2**30:,.1f} GiB"
