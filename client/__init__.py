"""The user's side of the network: the Python library, and all that asks a tracker or a rig.

    from luckrig.client import Client

Believes nobody more than it must: what a tracker says of a rig is compared with what the rig
itself signed, and every answer is bounded in size and time. Prints nothing; cli/ does. The names
below are imported when they are used, so that importing one module of this package costs no other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from luckrig.client.async_client import AsyncClient, ChatStream
    from luckrig.client.chat_events import (
        ChatEvent,
        Ended,
        Started,
        Text,
        Timing,
        Usage,
        Waiting,
    )
    from luckrig.client.chats import ChatReply
    from luckrig.client.sync_client import Client, SyncStream
    from luckrig.protocol.errors import LuckrigError
    from luckrig.protocol.wire import NodeView, TokenReply

__all__ = [
    "AsyncClient",
    "ChatEvent",
    "ChatReply",
    "ChatStream",
    "Client",
    "Ended",
    "LuckrigError",
    "NodeView",
    "Started",
    "SyncStream",
    "Text",
    "Timing",
    "TokenReply",
    "Usage",
    "Waiting",
]

_EVENTS: Final = "luckrig.client.chat_events"
_HOMES: Final = {
    "AsyncClient": "luckrig.client.async_client",
    "ChatEvent": _EVENTS,
    "ChatReply": "luckrig.client.chats",
    "ChatStream": "luckrig.client.async_client",
    "Client": "luckrig.client.sync_client",
    "Ended": _EVENTS,
    "LuckrigError": "luckrig.protocol.errors",
    "NodeView": "luckrig.protocol.wire",
    "Started": _EVENTS,
    "SyncStream": "luckrig.client.sync_client",
    "Text": _EVENTS,
    "Timing": _EVENTS,
    "TokenReply": "luckrig.protocol.wire",
    "Usage": _EVENTS,
    "Waiting": _EVENTS,
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
