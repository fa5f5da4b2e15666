"""One request to a rig and its reply, piece by piece, with a replay in the end. Prints nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from luckrig.client.calls import Ask, Caller, Reply, check_size
from luckrig.client.chat_events import Ended, Waiting
from luckrig.client.chats import ChatReader, read_error, read_reply
from luckrig.client.history.documents import hear
from luckrig.client.history.replay import Outcome, Piece, Replay, Rig, make_replay_id
from luckrig.client.history.take import Question, Take, rig_of
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.events import SseSplitter


@dataclass(frozen=True, kw_only=True)
class Moments:
    """The outside world. clock: Unix seconds. monotonic: seconds. new_salt: of make_replay_id."""

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    new_salt: Callable[[], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A rig took the request; from now on nobody else is asked. subtext: sealed both ways."""

    rig: Rig
    subtext: bool


TurnEvent = Found | Waiting | Piece
"""Found, then the places in its queue, then the pieces of its reply."""


class Turn:
    """One request. replay: of what came, once run() has ended however it did; None where no rig
    answered. finish_reason: of a whole reply."""

    def __init__(self, caller: Caller, ask: Ask, *, tracker: str | None, moments: Moments) -> None:
        """tracker: its origin."""
        self._caller = caller
        self._ask = ask
        self._tracker = tracker
        self._moments = moments
        self._sent_at = 0.0
        self.replay: Replay | None = None
        self.finish_reason: str | None = None

    async def run(self, show: Callable[[TurnEvent], None]) -> None:
        """Ask, and show what comes. Cancelling it ends the request at the rig.

        Raises LuckrigError: what no rig can do, what the rig refuses, what breaks the reply.
        """
        created_at, asked_at = self._moments.clock(), self._moments.monotonic()
        reply = await self._caller.call(self._ask)
        self._sent_at = asked_at if reply.sent_at is None else reply.sent_at
        take = Take(self._question(reply, created_at), reply, is_stream=self._ask.is_stream)
        outcome: Outcome = "cut"
        code: str | None = None
        try:
            async with reply:
                show(Found(rig=rig_of(reply), subtext=reply.subtext))
                await self._read(reply, take, show)
            outcome = "complete"
        except LuckrigError as error:
            outcome, code = "failed", error.code
            raise
        finally:
            self.replay = take.end(outcome, self._moments.monotonic(), code)

    def _question(self, reply: Reply, created_at: float) -> Question:
        body: Mapping[str, Any] = {**self._ask.body, "model": reply.model}
        return Question(
            replay_id=make_replay_id(created_at, self._moments.new_salt()),
            created_at=created_at,
            at=self._sent_at,
            tracker=self._tracker,
            path=self._ask.path,
            body=msgspec.json.encode(body),
        )

    async def _read(self, reply: Reply, take: Take, show: Callable[[TurnEvent], None]) -> None:
        if reply.status != 200 or not reply.is_stream:
            await self._read_whole(reply, take, show)
            return
        reader, splitter, size = ChatReader(), SseSplitter(), 0
        async for data in reply:
            size += len(data)
            check_size(size)
            at = self._moments.monotonic()
            take.piece(data, at)
            for document in splitter.feed(data):
                self._show_pieces(document.data, at, show)
            # Its texts are left out: those above have a tool call's name too, as in the replay.
            for event in reader.feed(data):
                if isinstance(event, Waiting):
                    show(event)
                elif isinstance(event, Ended):
                    self.finish_reason = event.finish_reason
        if not reader.is_whole:
            raise LuckrigError("rig_lost", "The rig broke off its reply.")

    async def _read_whole(
        self, reply: Reply, take: Take, show: Callable[[TurnEvent], None]
    ) -> None:
        body = await reply.read()
        at = self._moments.monotonic()
        take.whole(body, at)
        if reply.status != 200:
            raise read_error(body)
        whole = read_reply(body, rig=reply.rig, model=reply.model, subtext=reply.subtext)
        self.finish_reason = whole.finish_reason
        self._show_pieces(body, at, show)

    def _show_pieces(self, document: bytes, at: float, show: Callable[[TurnEvent], None]) -> None:
        heard = hear(document)
        if heard is None:
            return
        at_ms = max(0.0, at - self._sent_at) * 1000
        for kind, text in heard[0]:
            show(Piece(at_ms, kind, text))
