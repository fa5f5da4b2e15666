"""Which replay is meant: an id, the start of one, or `last`."""

from collections.abc import Sequence
from typing import Final

from luckrig.client.history.store import History
from luckrig.protocol.errors import LuckrigError

LAST: Final = "last"
HOW_TO_MAKE: Final = (
    "No replays yet. `luckrig chat` and `luckrig connect` keep one of each reply on this machine."
)

_SHORT_CHARS: Final = 15
"""Date and time of an id, to the second: as short as people can still tell them apart."""


def find_replay(history: History, text: str) -> str:
    """The id that is meant. Raises LuckrigError when it is none, or several."""
    ids = history.ids()
    if not ids:
        raise _refused(HOW_TO_MAKE)
    if text == LAST:
        return ids[0]
    found = [replay_id for replay_id in ids if replay_id.startswith(text)] if text else []
    if text in found or len(found) == 1:
        return text if text in found else found[0]
    if not found:
        raise _refused("No replay has an id that starts so. See: luckrig replay list")
    raise _refused(f"{len(found)} replays have ids that start with {text}. Give more of it.")


def find_replays(history: History, texts: Sequence[str]) -> list[str]:
    """The same of several; each once, in the order given."""
    return list(dict.fromkeys(find_replay(history, text) for text in texts))


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """For each id the shortest start that no other one of these has."""
    ordered = sorted(ids)
    short: dict[str, str] = {}
    for index, replay_id in enumerate(ordered):
        neighbours = ordered[max(index - 1, 0) : index] + ordered[index + 1 : index + 2]
        shared = max((_shared(replay_id, other) for other in neighbours), default=0)
        short[replay_id] = replay_id[: max(_SHORT_CHARS, shared + 1)]
    return short


def _shared(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def _refused(message: str) -> LuckrigError:
    return LuckrigError("invalid_request", message)
