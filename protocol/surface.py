"""The routes of a rig, for whoever stands in between and lets nothing else through."""

import re
from collections.abc import Mapping
from typing import Final

from luckrig.protocol.ids import is_node_id
from luckrig.protocol.subtext.keyring import SEALING_PATH

ROUTES: Final[Mapping[str, str]] = {
    "/v1/chat/completions": "POST",
    "/v1/completions": "POST",
    "/v1/responses": "POST",
    "/v1/embeddings": "POST",
    "/v1/models": "GET",
    "/health": "GET",
    SEALING_PATH: "GET",
}
"""Path → its method. A test compares it with the node proxy's own list."""

TICKET_METHODS: Final = ("GET", "DELETE")
RELAY: Final = "/n/"
"""Followed by a node id: the rig's place on its tracker, for rigs that are behind a tunnel."""
TUNNEL_PATH: Final = "/api/v1/tunnel"

_TICKET: Final = re.compile(r"/luckrig/queue/[A-Za-z0-9_-]{1,64}")


def methods_of(path: str) -> tuple[str, ...]:
    """What a rig takes at a path; nothing where it has no route."""
    if _TICKET.fullmatch(path):
        return TICKET_METHODS
    method = ROUTES.get(path)
    return () if method is None else (method,)


def relay_endpoint(public_url: str, node_id: str) -> str:
    """Where clients reach a rig that is behind a tunnel."""
    return f"{public_url}{RELAY}{node_id}"


def split_relay_path(path: str) -> tuple[str, str] | None:
    """/n/{node_id}/v1/… as (node id, /v1/…); None for anything else."""
    if not path.startswith(RELAY):
        return None
    node_id, slash, rest = path[len(RELAY) :].partition("/")
    return (node_id, slash + rest) if is_node_id(node_id) else None
