"""How fast the memory of known hardware is: what bounds the tokens per second of one stream.

To make a token, an engine reads every active weight once, so memory bandwidth ÷ bytes read is the
most it can make. Figures are GB/s (10^9) of one card, the largest of the variants that share a
name, from the makers' data sheets and white papers: NVIDIA's Turing, Ampere, Ada and Blackwell
white papers and the Tesla, A-, L- and H-series data sheets; AMD's Radeon and Instinct product
pages; Intel's ARK; Apple's technical specifications. What isn't here is unknown, which is no fault.
"""

from collections.abc import Mapping
from typing import Final

from luckrig.protocol.names import gpu_key

GPU_GBPS: Final[Mapping[str, int]] = {
    # NVIDIA GeForce
    "gtx 1060": 192, "gtx 1070": 256, "gtx 1070 ti": 256, "gtx 1080": 352, "gtx 1080 ti": 484,
    "gtx 1650": 192, "gtx 1660": 192, "gtx 1660 super": 336, "gtx 1660 ti": 288,
    "rtx 2060": 336, "rtx 2060 super": 448, "rtx 2070": 448, "rtx 2070 super": 448,
    "rtx 2080": 448, "rtx 2080 super": 496, "rtx 2080 ti": 616,
    "rtx 3050": 224, "rtx 3060": 360, "rtx 3060 ti": 608, "rtx 3070": 448, "rtx 3070 ti": 608,
    "rtx 3080": 912, "rtx 3080 ti": 912, "rtx 3090": 936, "rtx 3090 ti": 1008,
    "rtx 4060": 272, "rtx 4060 ti": 288, "rtx 4070": 504, "rtx 4070 super": 504,
    "rtx 4070 ti": 504, "rtx 4070 ti super": 672, "rtx 4080": 717, "rtx 4080 super": 736,
    "rtx 4090": 1008, "rtx 5060": 448, "rtx 5060 ti": 448, "rtx 5070": 672, "rtx 5070 ti": 896,
    "rtx 5080": 960, "rtx 5090": 1792,
    # NVIDIA for workstations and servers
    "k80": 240, "m40": 288, "p4": 192, "p40": 347, "p100": 732, "t4": 320, "v100": 1134,
    "a2": 200, "a10": 600, "a16": 200, "a30": 933, "a40": 696, "a100": 2039,
    "l4": 300, "l40": 864, "l40s": 864, "h100": 3938, "h200": 4800, "gb10": 273,
    "rtx a2000": 288, "rtx a4000": 448, "rtx a5000": 768, "rtx a6000": 768,
    # AMD
    "rx 6600": 224, "rx 6700 xt": 384, "rx 6800": 512, "rx 6800 xt": 512, "rx 6900 xt": 512,
    "rx 7600": 288, "rx 7600 xt": 288, "rx 7700 xt": 432, "rx 7800 xt": 624, "rx 7900 xt": 800,
    "rx 7900 xtx": 960, "rx 9060 xt": 320, "rx 9070": 640, "rx 9070 xt": 640,
    "mi25": 484, "mi50": 1024, "mi60": 1024, "mi100": 1229, "mi210": 1638,
    # Intel
    "arc a380": 186, "arc a750": 512, "arc a770": 560, "arc b570": 380, "arc b580": 456,
    # Apple: the largest of each name
    "m1": 68, "m1 pro": 200, "m1 max": 400, "m1 ultra": 800, "m2": 100, "m2 pro": 200,
    "m2 max": 400, "m2 ultra": 800, "m3": 100, "m3 pro": 150, "m3 max": 400, "m3 ultra": 819,
    "m4": 120, "m4 pro": 273, "m4 max": 546,
}  # fmt: skip
"""By names.gpu_key."""

CPU_GBPS: Final = (
    ("raspberry pi 5", 17),
    ("raspberry pi 4", 13),
)
"""(words in a CPU's name, GB/s) where the memory is soldered on; elsewhere the owner chose it."""


def bandwidth_gbps(gpu: str | None, cpu: str | None) -> tuple[str, int] | None:
    """(what it is, GB/s of all its cards together), or None where nobody knows.

    Cards of several kinds, "A + B", are unknown.
    """
    if gpu is not None:
        if " + " in gpu:
            return None
        name = gpu_key(gpu)
        known = GPU_GBPS.get(name)
        return None if known is None else (name, known * card_count(gpu))
    text = (cpu or "").casefold()
    return next(((words, gbps) for words, gbps in CPU_GBPS if words in text), None)


def card_count(gpu: str) -> int:
    """How many cards a name counts: `2 x NVIDIA RTX 3090` and `rtx 3090 x2` are two."""
    words = gpu.casefold().replace("\N{MULTIPLICATION SIGN}", "x").split()
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word == "x" and (before.isdecimal() or after.isdecimal()):
            return _count(before if before.isdecimal() else after)
        digits = word.removesuffix("x") if word.endswith("x") else word.removeprefix("x")
        if digits != word and digits.isdecimal():
            return _count(digits)
    return 1


def _count(digits: str) -> int:
    return max(1, min(64, int(digits[:4])))
