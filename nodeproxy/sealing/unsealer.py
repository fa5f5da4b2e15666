"""Opens a sealed request, and puts a sealed connection in the place of the plain one."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.sealing.connection import SealedConnection
from luckrig.nodeproxy.sealing.keys import SealingKeys
from luckrig.nodeproxy.settings import SubtextPace
from luckrig.protocol.errors import PeerError
from luckrig.protocol.openai.requests import ChatRequest, UserMessage
from luckrig.protocol.replays import ReplayCache
from luckrig.protocol.subtext.carrier import MODEL, CarrierWriter, request_payload
from luckrig.protocol.subtext.keyring import SEALING_PATH
from luckrig.protocol.subtext.reply import NONCE_BYTES, ReplySealer
from luckrig.protocol.subtext.request import (
    FRESH_SECONDS,
    Binding,
    Inner,
    key_id_of,
    open_request,
)

MAX_OPENED: Final = 100_000
"""Requests whose encapsulations are remembered, in 4 minutes; about 15 MB."""


@dataclass(frozen=True, kw_only=True)
class Unsealer:
    """Opens. clock: Unix seconds. random_bytes: secret ones. used: what was opened before."""

    node_id: str
    keys: SealingKeys
    pace: SubtextPace
    clock: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    used: ReplayCache = field(
        default_factory=lambda: ReplayCache(window_seconds=FRESH_SECONDS, max_names=MAX_OPENED)
    )

    def open(self, exchange: Exchange, carrier: ChatRequest) -> Inner:
        """What is really asked. From here on all that the exchange answers is sealed.

        Raises PeerError sealed_invalid, sealing_key_unknown, sealed_stale or rate_limited, and
        then the answer is as plain as any.
        """
        now = self.clock()
        payload = request_payload(_content(carrier))
        key = self.keys.find(key_id_of(payload))
        if key is None:
            raise PeerError(
                "sealing_key_unknown",
                "This rig doesn't have that key, or has it no longer: ask "
                f"GET {SEALING_PATH} again and seal the request anew.",
            )
        # Authentication took the same bytes for the token, and found it good.
        _, _, token = exchange.headers[b"authorization"].partition(b" ")
        binding = Binding(self.node_id, token.strip().decode("ascii"))
        opened = open_request(payload, key=key, binding=binding, now=now)
        # Noted only once it has opened: what somebody made up takes no place.
        if not self.used.use(hashlib.sha256(opened.encapsulation).digest(), now=now):
            raise PeerError(
                "sealed_stale", "This sealed text was used before. Seal each request anew."
            )
        nonce = self.random_bytes(NONCE_BYTES)
        connection = SealedConnection(
            exchange.connection,
            ReplySealer(opened.secret, opened.encapsulation, nonce),
            CarrierWriter(exchange.request_id, int(now)),
            is_streamed=bool(carrier.stream),
            pace=self.pace,
            loop=asyncio.get_running_loop(),
        )
        exchange.on_close(connection.close)
        exchange.connection, exchange.is_sealed = connection, True
        exchange.finish = connection.finish
        return opened.inner


def _content(carrier: ChatRequest) -> str:
    """The text of the one message; whatever else stands beside it would be read by nobody."""
    first = carrier.messages[0]
    if isinstance(first, UserMessage) and isinstance(first.content, str):
        message = UserMessage(content=first.content)
        if carrier == ChatRequest(model=MODEL, messages=[message], stream=carrier.stream):
            return first.content
    raise PeerError(
        "sealed_invalid",
        f"A request for {MODEL} has `model`, `stream` and one user message whose content is a "
        "string, and nothing else: all other fields go inside.",
    )
