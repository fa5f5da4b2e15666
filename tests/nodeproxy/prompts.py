"""Writes out the prompts in corpus/: those that must pass and those that must not."""

import re
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Final

CORPUS: Final = Path(__file__).parent / "corpus"
_CHOICE: Final = re.compile(r"\[([^\]\[]*\|[^\]\[]*)\]|\{(\w+)\}")
MOST_OF_A_TEMPLATE: Final = 60


def benign_prompts() -> dict[str, list[str]]:
    """By topic: different prompts, the same ones each time."""
    data = tomllib.loads((CORPUS / "benign.toml").read_text("utf-8"))
    return {
        topic: [prompt for template in templates for prompt in _some(template, data["words"])]
        for topic, templates in data["templates"].items()
    }


def forbidden_prompts() -> list[tuple[str, str]]:
    """Category and prompt."""
    data: dict[str, list[str]] = tomllib.loads((CORPUS / "forbidden.toml").read_text("utf-8"))
    return [(category, prompt) for category, prompts in data.items() for prompt in prompts]


def _some(template: str, words: dict[str, list[str]]) -> list[str]:
    """All prompts of a template, or as many of them, spread evenly."""
    prompts = list(dict.fromkeys(_written_out(template, words)))
    step = max(1, -(-len(prompts) // MOST_OF_A_TEMPLATE))
    return prompts[::step]


def _written_out(template: str, words: dict[str, Any]) -> Iterator[str]:
    pieces: list[list[str]] = []
    end = 0
    for found in _CHOICE.finditer(template):
        choices = words[found[2]] if found[2] else found[1].split("|")
        pieces += [[template[end : found.start()]], choices]
        end = found.end()
    pieces.append([template[end:]])
    for chosen in product(*pieces):
        text = "".join(chosen)
        yield from _written_out(text, words) if "{" in text and _has_name(text, words) else [text]


def _has_name(text: str, words: dict[str, Any]) -> bool:
    return any(f"{{{name}}}" in text for name in words)
