"""Other taxonomies in OpenAI's words. The only place that knows any of them.

Every category that leaves this module is one of CATEGORIES, so that no service can put words of its
own into an error message or the flags file.
"""

import re
from collections.abc import Mapping
from typing import Final

OTHER: Final = "other"
"""Flagged, and nobody could say in OpenAI's words for what."""

OPENAI: Final = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)

CATEGORIES: Final = frozenset({*OPENAI, OTHER})

MLCOMMONS: Final[Mapping[str, tuple[str, str]]] = {
    "S1": ("Violent Crimes", "illicit/violent"),
    "S2": ("Non-Violent Crimes", "illicit"),
    "S3": ("Sex-Related Crimes", "sexual"),
    "S4": ("Child Sexual Exploitation", "sexual/minors"),
    "S5": ("Defamation", "harassment"),
    "S6": ("Specialized Advice", OTHER),
    "S7": ("Privacy", OTHER),
    "S8": ("Intellectual Property", OTHER),
    "S9": ("Indiscriminate Weapons", "illicit/violent"),
    "S10": ("Hate", "hate"),
    "S11": ("Suicide & Self-Harm", "self-harm"),
    "S12": ("Sexual Content", "sexual"),
    "S13": ("Elections", OTHER),
    "S14": ("Code Interpreter Abuse", "illicit"),
}
"""Llama Guard 3 and 4: number, name, OpenAI's category. Llama Guard 2 numbers from S5 on otherwise:
what it flags is flagged here, under a neighbour's name."""

GRANITE: Final[Mapping[str, str]] = {
    "harm": OTHER,
    "social_bias": "hate",
    "profanity": "harassment",
    "sexual_content": "sexual",
    "unethical_behavior": "illicit",
    "violence": "violence",
    "jailbreak": OTHER,
    "harm_engagement": OTHER,
    "evasiveness": OTHER,
}
"""Granite Guardian. Its groundedness and function-call risks are no content; where a service sends
one as true all the same, it is flagged like any label that isn't known."""

_NUMBERED: Final = re.compile(r"\s*[sS](1[0-4]|[1-9])(?![0-9A-Za-z])")
"""`S4`, `s4`, `S4: Child Sexual Exploitation.`"""


def _plain(label: str) -> str:
    """`self-harm/intent`, `self_harm_intent` and `Self-Harm Intent` are one label."""
    return "".join(filter(str.isalnum, label.casefold()))


_BY_LABEL: Final[Mapping[str, str]] = {
    **{_plain(name): category for name, category in MLCOMMONS.values()},
    **{_plain(name): category for name, category in GRANITE.items()},
    **{_plain(name): name for name in OPENAI},  # last: OpenAI's own names mean what OpenAI says
}


def category_of(label: str) -> str:
    """OpenAI's category for a service's label; `other` for one that nobody knows."""
    numbered = _NUMBERED.match(label)
    if numbered is not None:
        return MLCOMMONS[f"S{numbered[1]}"][1]
    return _BY_LABEL.get(_plain(label), OTHER)
