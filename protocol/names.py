"""One key for the many spellings of a GPU, a model or a quantisation.

Keys compare and count; people see what the owner wrote. Rules before lists: a new card of a known
series needs no new line here, and an unknown name is its own key, in lower case and without noise.
"""

import re
from typing import Final, Literal, NamedTuple

Vendor = Literal["nvidia", "amd", "apple", "intel", "cpu", "other"]

CPU: Final = "cpu"
"""The GPU key of a rig without a GPU."""


class _Series(NamedTuple):
    """A line of cards. pattern: the word that tells the card, when `prefix` was left out."""

    vendor: Vendor
    prefix: str
    pattern: str


_SERIES: Final = (
    _Series("nvidia", "rtx", r"[2-5]0[5-9]0d?|a[24-6][05]00"),
    _Series("nvidia", "gtx", r"16[356]0|10[1-8]0|9[5-8]0|7[5-8]0"),
    _Series("nvidia", "quadro", r"gv100|gp100"),
    _Series("nvidia", "titan", r"titan"),
    _Series("nvidia", "", r"[abhlptv]\d{1,2}|[abhv][1-3]00|[kmpt]\d0|l40s|g[bh]\d+"),
    _Series("intel", "arc", r"a(310|380|580|750|770)|b(570|580)"),
    _Series("amd", "rx", r"[5-9][05-9][05-7]0"),
    _Series("amd", "", r"mi\d+x?"),
    _Series("apple", "", r"m[1-9]"),
)
_VENDORS: Final[tuple[Vendor, ...]] = ("nvidia", "amd", "apple", "intel")

_GPU_NOISE: Final = frozenset(
    "nvidia geforce tesla amd ati radeon instinct apple intel corporation graphics gpu "
    "generation edition workstation server founders pcie nvl".split()
)
_ASIDE: Final = re.compile(r"\([^()]*\)")
_MEMORY: Final = re.compile(r"\b\d+\s?gi?b\b|\b(hbm|sxm)\d?e?\b")
_COUNT: Final = re.compile(r"\b\d{1,2}\s?[x\u00d7]\s?|(?<![a-z])[x\u00d7]\s?\d{1,2}\b")
_GLUED_PREFIX: Final = re.compile(r"\b(rtx|gtx|rx|arc)(?=\d)")
_GLUED_SUFFIX: Final = re.compile(r"(?<=\d)(ti|super|xtx|xt|pro|max|ultra|laptop)\b")
_WORD: Final = re.compile(r"[^\W_]+")

_MODEL_QUANTIZATION: Final = re.compile(
    r"(?<![^\W_])(ud[-_])?(i?q\d\w*|b?f16|fp16|fp8|mxfp4|awq|gptq|int[48]|[48]bit)(?![^\W_])"
)
_MODEL_WORD: Final = re.compile(r"[^\W_]+(?:\.\d[^\W_]*)*")
_MODEL_NOISE: Final = frozenset("meta gguf instruct it chat hf latest".split())
_FAMILY: Final = re.compile(
    # At the start or the end of a word: qwen3, codellama, but not the phi in dolphin.
    r"(?<![^\W\d_])({0})|({0})(?![^\W\d_])".format(
        "llama|qwen|gemma|mixtral|ministral|mistral|phi|deepseek|gpt(?!q)|granite|smollm|glm|kimi"
        "|minimax|nemotron|olmo|falcon|starcoder|exaone|ernie"
    )
)

_BITS: Final = re.compile(r"q(\d)|(?:f|fp|int|w)(\d{1,2})|(\d)bit")
"""After Q one digit, for the next may be a version: Q8_0 is q80."""

_SAME_QUANTIZATION: Final = {"fp16": "f16", "fp32": "f32", "bfloat16": "bf16"}


def gpu_key(gpu: str | None) -> str:
    """`NVIDIA GeForce RTX 4090`, `rtx4090` and `4090 24GB` are all `rtx 4090`; None is `cpu`.

    Memory and number of cards are left out: they have fields, or make no other GPU.
    """
    if gpu is None:
        return CPU
    text = _ASIDE.sub(" ", gpu.casefold())
    text = _COUNT.sub(" ", _MEMORY.sub(" ", text))
    text = _GLUED_SUFFIX.sub(r" \1", _GLUED_PREFIX.sub(r"\1 ", text))
    words = [word for word in _WORD.findall(text) if word not in _GPU_NOISE]
    if not words:
        return gpu.casefold()
    series = _series_of(words[0])
    if series is not None and series.prefix not in ("", words[0]):
        words.insert(0, series.prefix)
    return " ".join(words)


def gpu_vendor(gpu: str | None) -> Vendor:
    """Who made the GPU, from its maker's name or its series."""
    if gpu is None:
        return "cpu"
    words = _WORD.findall(gpu.casefold())
    for vendor in _VENDORS:
        if vendor in words:
            return vendor
    series = _series_of(gpu_key(gpu).partition(" ")[0])
    return "other" if series is None else series.vendor


def _series_of(word: str) -> _Series | None:
    for series in _SERIES:
        if word == series.prefix or re.fullmatch(series.pattern, word):
            return series
    return None


def model_key(model: str) -> str:
    """`qwen3:8b`, `Qwen/Qwen3-8B-Instruct-GGUF` and `qwen3-8b-Q4_K_M.gguf` are all `qwen38b`."""
    text = _MODEL_QUANTIZATION.sub(" ", _last_part(model).casefold())
    return "".join(word for word in _MODEL_WORD.findall(text) if word not in _MODEL_NOISE) or text


def _last_part(model: str) -> str:
    """The name without registry and author."""
    return model.rpartition("/")[2]


def model_family(model: str, family: str | None = None) -> str:
    """The line a model comes from: `llama` for `llama3.1:8b` and for `Meta-Llama-3.1-8B`.

    family: what the engine says. A known name inside `model` goes first, because engines name an
    architecture: llama-server calls Mistral `llama`.
    """
    for text in (_last_part(model), family or ""):
        if known := _FAMILY.search(text.casefold()):
            return known[0]
    return (family or model_key(model)).casefold()


def quantization_key(quantization: str | None) -> str:
    """`Q4_K_M`, `q4_k_m` and `Q4-K-M` are all `q4km`; empty when the engine doesn't say."""
    key = "".join(_WORD.findall((quantization or "").casefold()))
    return _SAME_QUANTIZATION.get(key, key)


def quantization_bits(quantization: str | None) -> int | None:
    """Bits of a weight, by the name: 4 for `Q4_K_M` and `AWQ`, 16 for `BF16`; None if unknown."""
    key = quantization_key(quantization)
    found = _BITS.search(key)
    if found is not None:
        return int(found[1] or found[2] or found[3])
    return 4 if key in ("awq", "gptq") else None
