"""What became of a request: figures for the terminal, and its replay for the user's own disk."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Final

import msgspec

from luckrig.client.calls import Reply
from luckrig.client.history.replay import Mode, Outcome, Replay
from luckrig.client.history.store import History
from luckrig.client.history.take import Take
from luckrig.protocol.errors import LuckrigError

MAX_WAITING: Final = 64
"""Ended requests that wait for disk and terminal; further ones are dropped, requests never wait."""
PRUNE_EVERY: Final = 64
"""Replays: old ones are removed at the first and then so often. It takes a look at every file."""

_log = logging.getLogger(__name__)


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """One request that is over; nothing in it says what was asked or answered.

    status: what the client got, 0 when it left before. error: the code of what went wrong. rig,
    name, gpu, model: of the rig that answered, None where none did. Times in milliseconds since the
    request was read. replay: the id of its replay, None where there is none.
    """

    path: str
    status: int
    mode: Mode = "plain"
    outcome: Outcome = "failed"
    error: str | None = None
    rig: str | None = None
    name: str | None = None
    gpu: str | None = None
    model: str | None = None
    streamed: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens_per_second: float | None = None
    ttft_ms: float | None = None
    total_ms: float | None = None
    replay: str | None = None


def ending(
    take: Take, reply: Reply, path: str, *, outcome: Outcome, at: float, error: str | None
) -> tuple[Finished, Replay]:
    """What became of a reply that passed by; takes as long as reading the request does.

    at: seconds of the monotonic clock of take's question.
    """
    replay = take.end(outcome, at, error)
    figures, counted = replay.figures, _counted_by_rig(replay.timing)
    finished = Finished(
        path=path,
        status=reply.status,
        mode=replay.mode,
        outcome=replay.outcome,
        error=replay.error_code,
        rig=reply.rig.id,
        name=reply.rig.name,
        gpu=reply.rig.hardware.gpu,
        model=reply.model,
        streamed=replay.streamed,
        prompt_tokens=figures.prompt_tokens,
        # Without `include_usage` a stream's usage isn't sent, and the rig's timing has it.
        completion_tokens=figures.completion_tokens if counted is None else counted,
        tokens_per_second=figures.rig_tokens_per_second or figures.tokens_per_second,
        ttft_ms=figures.ttft_ms,
        total_ms=figures.total_ms,
    )
    return finished, replay


class _Counted(msgspec.Struct):
    completion_tokens: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None


def _counted_by_rig(timing: msgspec.Raw | None) -> int | None:
    """The rig's count of tokens; None for what isn't one."""
    try:
        return msgspec.json.decode(timing or b"{}", type=_Counted).completion_tokens
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


Job = Callable[[], tuple[Finished, Replay | None]]


class Keeper:
    """Tells of requests that are over and writes their replays: one after the other, in a thread,
    so that neither a slow disk nor a slow terminal holds a request up.

    history: None to write none. clock: Unix seconds. on_finished: is called in that thread.
    """

    def __init__(
        self,
        history: History | None,
        *,
        clock: Callable[[], float],
        on_finished: Callable[[Finished], None],
    ) -> None:
        self._history = history
        self._clock = clock
        self._on_finished: Callable[[Finished], None] | None = on_finished
        self._jobs: asyncio.Queue[Job | None] = asyncio.Queue(MAX_WAITING)
        self._has_warned = False
        self._written = 0

    def tell(self, finished: Finished) -> None:
        """A request that no rig answered. Returns at once."""
        self.keep(lambda: (finished, None))

    def keep(self, job: Job) -> None:
        """A reply that is over. Returns at once."""
        try:
            self._jobs.put_nowait(job)
        except asyncio.QueueFull:
            self._warn("disk or terminal is too slow")

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Work while the block runs, and do what is left at its end."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            await self._jobs.put(None)
            await task

    async def _work(self) -> None:
        while (job := await self._jobs.get()) is not None:
            try:
                await asyncio.to_thread(self._do, job)
            except Exception as error:  # one request's end must not be the end of all others'
                _log.error("the end of a request isn't told: %s", type(error).__qualname__)

    def _do(self, job: Job) -> None:
        finished, replay = job()
        if replay is not None and self._is_written(replay):
            finished = msgspec.structs.replace(finished, replay=replay.replay_id)
        if self._on_finished is None:
            return
        try:
            self._on_finished(finished)
        except OSError:  # whoever read the lines has gone, like `head`; the apps haven't
            self._on_finished = None

    def _is_written(self, replay: Replay) -> bool:
        if self._history is None:
            return False
        try:
            prunes = self._written % PRUNE_EVERY == 0
            self._history.write(replay, now=self._clock(), prunes=prunes)
        except (LuckrigError, ValueError, OSError) as error:
            self._warn(type(error).__name__)
            return False
        self._written += 1
        return True

    def _warn(self, why: str) -> None:
        """Once: what keeps one replay from the disk keeps the next ones, too."""
        if not self._has_warned:
            self._has_warned = True
            _log.warning("replays aren't being kept: %s", why)
