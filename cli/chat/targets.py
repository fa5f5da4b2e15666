"""What a word on the command line names: a model, a rig, both, or nothing of that kind. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from luckrig.client.wanted import AUTO, MAX_MODEL_CHARS, MIN_PREFIX_CHARS, OWN_NAMES
from luckrig.protocol.names import model_key
from luckrig.protocol.wire import NodeView

_MODEL: Final = re.compile(r"[\w.+-]+(?:/[\w.+-]+)*:[\w.+-]+")
"""`qwen3:8b`, `org/name:tag`: nobody begins a question like that."""
_RIG_ID: Final = re.compile(rf"n1[a-z2-7]{{{MIN_PREFIX_CHARS - 2},32}}")


def read_target(text: str, rigs: Iterable[NodeView]) -> str | None:
    """The same as a request's model, which client/wanted.py reads; None for any other text.

    A model or `MODEL@RIG`; a rig's id, the first characters of it, or its exact name. What looks
    like the first or the second is one even if no rig on the map has it, so that a slip of the
    finger is told and isn't sent to somebody as a prompt.
    """
    listed = list(rigs)
    if not text or len(text) > MAX_MODEL_CHARS:
        return None
    if any(rig.name == text for rig in listed) or _RIG_ID.fullmatch(text):
        return f"{AUTO}@{text}"
    model, at, node = text.partition("@")
    if at and node and _is_model(model, listed):
        return text
    return text if not at and _is_model(text, listed) else None


def _is_model(text: str, rigs: Iterable[NodeView]) -> bool:
    if text.startswith(OWN_NAMES) or _MODEL.fullmatch(text):
        return True
    key = model_key(text)
    return any(
        offer.model == text or (key and model_key(offer.model) == key)
        for rig in rigs
        for offer in rig.offers
    )
