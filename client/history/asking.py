"""What a request asked, whichever of OpenAI's endpoints it was for. Pure.

A request of one's own is read as far as it can be understood, and never refused.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from luckrig.client.history.replay import MAX_TITLE_CHARS

_TEXT_KEYS: Final = ("text", "input_text", "output_text", "output", "arguments")


@dataclass(frozen=True)
class Said:
    """One message. role: "system", "user", "assistant", "tool", or what else it is."""

    role: str
    text: str


def messages_of(request: bytes) -> list[Said]:
    """The messages of a chat, the items of a response, or the prompt of a completion, in order."""
    asked = _object(_decoded(request))
    first = [Said("system", text)] if (text := _text(asked.get("instructions"))) else []
    for name in ("messages", "input", "prompt"):
        found = asked.get(name)
        if isinstance(found, str):
            return [*first, Said("user", found)]
        if items := _list(found):
            return [*first, *map(_said, items)]
    return first


def title_of(request: bytes) -> str:
    """The first line of the last thing that the user said."""
    said = [message.text for message in messages_of(request) if message.role == "user"]
    lines = said[-1].strip().splitlines() if said else []
    return lines[0].strip()[:MAX_TITLE_CHARS] if lines else ""


def _said(item: Any) -> Said:
    if isinstance(item, str):
        return Said("user", item)
    message = _object(item)
    role = message.get("role") or message.get("type")
    parts = [_text(message.get("content")), *(_text(message.get(key)) for key in _TEXT_KEYS)]
    for call in _list(message.get("tool_calls")):
        function = _object(_object(call).get("function"))
        parts.append(f"{_text(function.get('name'))}\n{_text(function.get('arguments'))}")
    return Said(role if isinstance(role, str) else "user", "\n".join(filter(None, parts)))


def _text(content: Any) -> str:
    """A text, or the texts of a list of parts; of an image only that there is one."""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in map(_object, _list(content)):
        found = next((part[key] for key in _TEXT_KEYS if isinstance(part.get(key), str)), None)
        kind = part.get("type")
        texts.append(found if found is not None else f"[{kind if isinstance(kind, str) else '?'}]")
    return "\n".join(texts)


def _decoded(request: bytes) -> Any:
    try:
        return msgspec.json.decode(request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return list(cast("Any", value)) if isinstance(value, list) else []
