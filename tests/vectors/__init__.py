"""Frozen vectors: what the protocol must produce and refuse, byte for byte."""

import json
from pathlib import Path
from typing import Any


def load_vectors(name: str) -> Any:
    """The vectors of that name; tools/make_vectors.py or make_subtext_vectors.py made them."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text("utf-8"))
