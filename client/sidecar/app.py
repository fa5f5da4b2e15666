"""The sidecar as a bare ASGI application: routes, and replies as they come."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import unquote

from luckrig.client.calls import Ask, Caller, Reply
from luckrig.client.history.replay import Mode, Outcome, make_replay_id
from luckrig.client.history.take import Question, Take
from luckrig.client.sidecar.asgi import Receive, Scope, Send, target_of
from luckrig.client.sidecar.exchange import Exchange, not_allowed
from luckrig.client.sidecar.finished import Finished, Keeper, ending
from luckrig.client.sidecar.guard import Guard
from luckrig.client.sidecar.models import find_model, list_models
from luckrig.client.sidecar.passing import reply_headers
from luckrig.client.sidecar.reading import Defaults, read_ask
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.openai.responses import ModelList

ENDPOINTS: Final = (
    "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings",
)  # fmt: skip
MODELS: Final = "/v1/models"
HEALTH: Final = "/health"
EACH_RIG: Final = b"rigs=1"
"""The query of /v1/models that lists single rigs, too."""
WRITE_SECONDS: Final = 30.0
"""How long a program may leave what was sent to it unread; then its rig's slot is free again."""


@dataclass(frozen=True, kw_only=True)
class Chances:
    """What is different at each run. clock: Unix seconds. monotonic: seconds. new_salt: six random
    digits of a-z0-9."""

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    new_salt: Callable[[], str]


class Sidecar:
    """tracker: its origin, for replays."""

    def __init__(
        self,
        caller: Caller,
        guard: Guard,
        keeper: Keeper,
        *,
        defaults: Defaults,
        tracker: str | None,
        chances: Chances,
    ) -> None:
        self._caller = caller
        self._guard = guard
        self._keeper = keeper
        self._defaults = defaults
        self._tracker = tracker
        self._chances = chances

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """What goes on beside the requests, while the block runs."""
        async with self._keeper.running():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Part of ASGI."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await Exchange(scope, receive, send).run(self._answer)
        else:  # a WebSocket; our server makes plain requests of those
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, exchange: Exchange) -> None:
        scope = exchange.scope
        target = target_of(scope)
        method: str = scope["method"]
        self._guard.check(method, target, exchange.headers)
        path = unquote(target.partition(b"?")[0].decode("latin-1"))
        if path in ENDPOINTS:
            if method != "POST":
                raise not_allowed("POST")
            await self._generate(exchange, path)
            return
        is_models = path == MODELS or path.startswith(f"{MODELS}/")
        if not is_models and path != HEALTH:
            raise PeerError("not_found", "No such route. The sidecar has OpenAI's API under /v1.")
        if method != "GET":
            raise not_allowed("GET")
        if is_models:
            await self._show_models(exchange, path)
        else:
            await exchange.json(200, {"status": "ok"})

    async def _show_models(self, exchange: Exchange, path: str) -> None:
        rigs = await exchange.while_connected(self._caller.rigs())
        if path == MODELS:
            each_rig = exchange.scope["query_string"] == EACH_RIG
            await exchange.json(200, ModelList(data=list_models(rigs, each_rig=each_rig)))
            return
        found = find_model(rigs, path.removeprefix(f"{MODELS}/"))
        if found is None:
            raise LuckrigError("model_not_found", "No rig offers that model now.", param="model")
        await exchange.json(200, found)

    async def _generate(self, exchange: Exchange, path: str) -> None:
        body = await exchange.body()
        now = self._chances.clock()
        question = Question(
            replay_id=make_replay_id(now, self._chances.new_salt()),
            created_at=now,
            at=self._chances.monotonic(),
            tracker=self._tracker,
            path=path,
            body=body,
        )
        try:
            ask = read_ask(path, body, exchange.headers, self._defaults)
        except LuckrigError as error:
            self._keeper.tell(Finished(path=path, status=error.status, error=error.code))
            raise
        await exchange.while_connected(self._pass(exchange, ask, question))

    async def _pass(self, exchange: Exchange, ask: Ask, question: Question) -> None:
        """Ask the network, and pass on what comes."""
        async with await self._call(ask) as reply:
            take = Take(question, reply, is_stream=ask.is_stream)
            outcome: Outcome = "cut"
            error_code: str | None = None
            try:
                if reply.is_stream:
                    await self._stream(exchange, reply, take)
                else:
                    await self._send_whole(exchange, reply, take)
                outcome = "complete"
            except LuckrigError as error:
                outcome, error_code = "failed", error.code
                raise
            finally:
                end = partial(ending, take, reply, ask.path)
                at = self._chances.monotonic()
                self._keeper.keep(partial(end, outcome=outcome, at=at, error=error_code))

    async def _call(self, ask: Ask) -> Reply:
        """A rig's reply. The end of a request that gets none is told here."""
        mode: Mode = "subtext" if ask.wanted.subtext else "plain"
        try:
            return await self._caller.call(ask)
        except LuckrigError as error:
            self._keeper.tell(
                Finished(path=ask.path, status=error.status, error=error.code, mode=mode)
            )
            raise
        except asyncio.CancelledError:
            self._keeper.tell(Finished(path=ask.path, status=0, outcome="cut", mode=mode))
            raise

    async def _stream(self, exchange: Exchange, reply: Reply, take: Take) -> None:
        monotonic = self._chances.monotonic
        # One timeout for all writes: it is moved, and stands still while the rig is thinking.
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WRITE_SECONDS) as deadline:
            await exchange.start(reply.status, reply_headers(reply))
            deadline.reschedule(None)
            async for piece in reply:
                deadline.reschedule(loop.time() + WRITE_SECONDS)
                await exchange.write(piece, more=True)
                deadline.reschedule(None)
                take.piece(piece, monotonic())
            deadline.reschedule(loop.time() + WRITE_SECONDS)
            await exchange.write(b"", more=False)

    async def _send_whole(self, exchange: Exchange, reply: Reply, take: Take) -> None:
        body = await reply.read()
        take.whole(body, self._chances.monotonic())
        headers = [*reply_headers(reply), (b"content-length", b"%d" % len(body))]
        async with asyncio.timeout(WRITE_SECONDS):
            await exchange.start(reply.status, headers)
            await exchange.write(body, more=False)


async def _lifespan(receive: Receive, send: Send) -> None:
    for _ in range(2):
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
