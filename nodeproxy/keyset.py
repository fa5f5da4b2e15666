"""Follows the tracker's keyset, so that tokens can be checked without asking anyone."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

from luckrig.nodeproxy.tokens import TokenVerifier
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keyset import verify_keyset
from luckrig.protocol.wire import KeysetReply

REFRESH_SECONDS: Final = 300.0
RETRY_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class KeysetSource(Protocol):
    """Where keysets come from: the tracker, over a connection that needs no trust."""

    async def keyset(self) -> KeysetReply:
        """The tracker's current keyset, unchecked. Raises LuckrigError."""
        ...


class KeysetFollower:
    """root_id: the r1… in the tracker's address; it alone decides whose keys are trusted."""

    def __init__(
        self,
        source: KeysetSource,
        verifier: TokenVerifier,
        *,
        root_id: str,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._verifier = verifier
        self._root_id = root_id
        self._clock = clock
        self._seq = 0

    async def refresh(self) -> None:
        """Fetch the keyset and trust it, if the root signed it and it isn't older than the last."""
        reply = await self._source.keyset()
        keyset = verify_keyset(
            reply.keyset, root_id=self._root_id, min_seq=self._seq, now=self._clock()
        )
        self._seq = keyset.seq
        self._verifier.replace_keys(keyset.by_kid(), expires_at=keyset.exp)

    async def run(self) -> NoReturn:
        """Refresh every few minutes until cancelled; while that fails, keep the old keys.

        The tracker may be away: tokens that it signed before go on being accepted.
        """
        while True:
            try:
                await self.refresh()
                pause_seconds = REFRESH_SECONDS
            except LuckrigError as error:
                _log.warning("keyset not refreshed: %s", error.message)
                pause_seconds = RETRY_SECONDS
            await asyncio.sleep(pause_seconds)
