"""What a model's name and an owner's note say of quantisation, size and context."""

import re
from dataclasses import dataclass
from typing import Final

_QUANTIZATION: Final = re.compile(
    r"(?<![^\W_])(?:ud[-_])?(?:(?:iq|tq|q)([1-8])(?![0-9])(?:[_-](?:k|m|s|l|xl|xs|xxs|nl|[0-9]))*"
    r"|(b?f16|fp16)|(mxfp4|nvfp4|fp4|awq)|(fp8)|int([48])|([2-8])[-_ ]?bit)(?![^\W_])"
)
_SIZE: Final = re.compile(
    r"(?<![^\W_])(?<!\d\.)(?:(\d{1,2})x)?(\d{1,4}(?:\.\d{1,3})?)(b|t|m)(?![^\W_])"
)
_ACTIVE: Final = re.compile(r"(?<![^\W_])a(\d{1,3}(?:\.\d{1,2})?)b(?![^\W_])")
_CONTEXT: Final = re.compile(
    r"(?<![^\W_])(?:(?:ctx|context|num[_-]ctx)\s*(?:length|size)?\s*[:=]?\s*(\d{1,4})(k|\d{3,4})"
    r"|(\d{1,4})k\s*(?:tokens\s*(?:of\s*)?)?(?:ctx|context))(?![^\W_])"
)
_NAME_CONTEXT: Final = re.compile(r"(?<![^\W_])(\d{1,4})k(?![^\W_])")
_HEDGE: Final = re.compile(
    r"\b(not|no|n't|never|too|than|instead|tried|try|was|were|used|before|earlier|soon|will|would|"
    r"next|if|could|can|ask|vs|versus|rather|slow|slower|better|worse|only|also|other|another|or|"
    r"from|to|up|cache|kv|draft|original|based)\b|n't\b|->|→|\?"
)
_SENTENCE: Final = re.compile(r"[.!;\n](?:\s|$)|\n")
MAX_READ_CHARS: Final = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """bits: of a weight, by each quantisation named. sizes: parameters. active: of them, for each
    token, where a mixture says. contexts: tokens."""

    bits: frozenset[int]
    sizes: frozenset[float]
    active: float | None
    contexts: frozenset[int]


def name_claims(model: str) -> Claims:
    """What a model's name says. model: at most 120 characters are expected, any text is read."""
    text = model[:MAX_READ_CHARS].casefold().rpartition("/")[2]
    active = _ACTIVE.search(text)
    return Claims(
        bits=_bits(text),
        sizes=frozenset(
            int(times or 1) * float(number) * {"m": 1e6, "b": 1e9, "t": 1e12}[unit]
            for times, number, unit in _SIZE.findall(text)
            if unit != "m" or float(number) >= 10  # 1m is a context
        ),
        active=float(active[1]) * 1e9 if active else None,
        contexts=frozenset(int(number) * 1024 for number in _NAME_CONTEXT.findall(text)),
    )


def note_claims(note: str) -> Claims:
    """What a note states plainly. Sentences that compare, deny or wish are left out: whoever writes
    "Q8 didn't fit" claims no Q8."""
    plain = [
        sentence
        for sentence in _SENTENCE.split(note[:MAX_READ_CHARS].casefold())
        if not _HEDGE.search(sentence)
    ]
    text = "\n".join(plain)
    contexts = {
        int(kilo) * 1024 if kilo else int(first) * 1024 if rest == "k" else int(first + rest)
        for first, rest, kilo in _CONTEXT.findall(text)
    }
    return Claims(bits=_bits(text), sizes=frozenset(), active=None, contexts=frozenset(contexts))


def bits_of(quantization: str | None) -> int | None:
    """Bits of a weight, as a quantisation's name says; less than it really reads. None: unknown."""
    found = _bits((quantization or "").casefold())
    if quantization is not None and quantization.casefold() in ("f32", "fp32"):
        return 32
    return next(iter(found)) if len(found) == 1 else None


def _bits(text: str) -> frozenset[int]:
    found: set[int] = set()
    for k_quant, half, four, eight, whole, bit in _QUANTIZATION.findall(text):
        found.add(
            int(k_quant or whole or bit or 0) or (16 if half else 4 if four else 8 if eight else 0)
        )
    return frozenset(found)
