"""Keeps banned users out: who they are, which of their exchanges run, and the tracker's list.

With that list comes what the rig's owner wants of it and said on the tracker's pages.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Final, NoReturn, Protocol

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.tokens import TokenVerifier
from luckrig.protocol.errors import Banned, LuckrigError
from luckrig.protocol.revocations import verify_revocations
from luckrig.protocol.wire import RevocationsReply
from luckrig.protocol.wishes import Wish, verify_wish

REFRESH_SECONDS: Final = 3.0

_log = logging.getLogger(__name__)


class RevocationSource(Protocol):
    """Where lists come from: the tracker, over a connection that needs no trust."""

    async def revocations(self, node_id: str) -> RevocationsReply:
        """The tracker's current list for a node, unchecked. Raises LuckrigError."""
        ...


class Bans:
    """The banned subs, and every authenticated exchange by its sub.

    For one event loop; nothing here awaits, so no exchange slips in between look and change.
    """

    def __init__(self) -> None:
        self._subs: frozenset[str] = frozenset()
        self._running: dict[str, set[Exchange]] = {}

    @property
    def running(self) -> int:
        """How many users have something running."""
        return len(self._running)

    def admit(self, exchange: Exchange, sub: str) -> None:
        """Let an exchange of that user on, until it closes or the user is banned. Raises Banned."""
        if sub in self._subs:
            raise Banned
        self._running.setdefault(sub, set()).add(exchange)
        exchange.on_close(lambda: self._leave(exchange, sub))

    def replace(self, subs: Collection[str]) -> None:
        """Ban these users and no others: whatever of theirs is running ends now."""
        self._subs = frozenset(subs)
        for sub in self._subs & self._running.keys():
            for exchange in self._running[sub]:
                exchange.cut(Banned())

    def _leave(self, exchange: Exchange, sub: str) -> None:
        running = self._running[sub]
        running.remove(exchange)
        if not running:
            del self._running[sub]


class RevocationFollower:
    """verifier: holds the keys that may sign a list. root_id: the tracker's.

    on_wish: told what the rig's owner wants, again and again; obeys what is news. May raise OSError
    when it can't be remembered.
    """

    def __init__(
        self,
        source: RevocationSource,
        verifier: TokenVerifier,
        bans: Bans,
        *,
        root_id: str,
        node_id: str,
        clock: Callable[[], float],
        on_wish: Callable[[Wish], Awaitable[None]],
    ) -> None:
        self._on_wish = on_wish
        self._source = source
        self._verifier = verifier
        self._bans = bans
        self._root_id = root_id
        self._node_id = node_id
        self._clock = clock
        self._seq = 0
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Refresh now: the tracker says that there is something new."""
        self._news.set()

    async def refresh(self) -> None:
        """Fetch the list and obey it, if the tracker signed it and it isn't older than the last."""
        reply = await self._source.revocations(self._node_id)
        revocations = verify_revocations(
            reply.revocations,
            keys=self._verifier.keys,
            issuer=self._root_id,
            audience=self._node_id,
            min_seq=self._seq,
            now=self._clock(),
        )
        self._seq = revocations.seq
        self._bans.replace(revocations.subs)
        if reply.wish is not None:
            await self._pass_on(reply.wish)

    async def _pass_on(self, text: str) -> None:
        wish = verify_wish(
            text,
            keys=self._verifier.keys,
            issuer=self._root_id,
            audience=self._node_id,
            now=self._clock(),
        )
        try:
            await self._on_wish(wish)
        except OSError as error:
            _log.warning("what the owner wants holds until a restart only: %s", error)

    async def run(self) -> NoReturn:
        """Refresh every few seconds until cancelled; while that fails, keep the old list.

        A rig without its tracker goes on serving: a banned user's tokens die of age in minutes.
        """
        following = True
        while True:
            self._news.clear()
            try:
                await self.refresh()
                following = True
            except LuckrigError as error:
                if following:  # said once, not every few seconds
                    _log.warning("list of banned users not refreshed: %s", error.message)
                following = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._news.wait()
