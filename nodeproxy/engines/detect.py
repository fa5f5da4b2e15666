"""Finds engines, and asks them how they are. The one module here that does I/O.

An answer of an engine may be anything: it is bounded in size and time, decoded into types, and what
doesn't fit counts as no answer. Nothing here raises because of an engine.

Engines are told apart by answers that only one kind gives, in this order. Status codes prove
nothing: LM Studio answers every route with 200.

| question                | answer                                                 | engine       |
|-------------------------|--------------------------------------------------------|--------------|
| /api/version            | a `version`                                            | ollama       |
| /api/version, any       | `Server: llama.cpp`, also while loading or locked      | llama-server |
| /props                  | `default_generation_settings`                          | llama-server |
| /api/v1/models, /api/v0/models | `loaded_instances`, `compatibility_type`        | LM Studio    |
| /api/v1/models          | 401 that names LM Studio                               | LM Studio    |
| /v1/models              | `owned_by: vllm`                                       | vLLM         |
| /v1/models              | a list, 401, or 503 while loading                      | any other    |
"""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from luckrig.nodeproxy.engines.advice import (
    NOTHING_LISTENS,
    TOO_SLOW,
    is_luckrig,
    why_silent,
    why_unknown,
)
from luckrig.nodeproxy.engines.base import Dialect, EngineState, Question, Survey
from luckrig.nodeproxy.engines.llama_server import LlamaServer, Props
from luckrig.nodeproxy.engines.lm_studio import LmStudio, ModelList, OldModelList
from luckrig.nodeproxy.engines.models import read_answer
from luckrig.nodeproxy.engines.ollama import Ollama, Version
from luckrig.nodeproxy.engines.openai_compatible import OpenAiCompatible
from luckrig.nodeproxy.engines.vllm import Cards, Vllm, is_vllm
from luckrig.nodeproxy.upstream import Answer, Upstream
from luckrig.protocol.errors import UpstreamError

CANDIDATE_PORTS: Final = (
    11434,  # ollama
    8080,  # llama-server
    9931,  # llama-server, newer default
    1234,  # LM Studio
    8000,  # vLLM, llama-cpp-python
    30000,  # SGLang
    5001,  # KoboldCpp
    5000,  # text-generation-webui, TabbyAPI
    1337,  # Jan
)
MAX_ANSWER_BYTES: Final = 1 << 20
ANSWER_TIMEOUT_SECONDS: Final = 3.0
LOCAL_TIMEOUT_SECONDS: Final = 1.0
"""On the own machine: an engine answers in milliseconds, or is busy with a prompt on its only
thread, and then a second is enough to tell it from a port where nothing listens."""
FIND_SECONDS: Final = 4.0
"""For all questions to one port: ollama is asked for each of its models."""


class Found(NamedTuple):
    """An engine. url: its origin, as given. state: it may be loading, or want a key."""

    url: str
    dialect: Dialect
    state: EngineState


class Missed(NamedTuple):
    """No engine that we know. why: and what to do, for the owner's terminal."""

    url: str
    why: str

    @property
    def is_silent(self) -> bool:
        """Whether nothing listens there at all."""
        return self.why == NOTHING_LISTENS


class Search(NamedTuple):
    """The engines of this machine. found and missed: in the order of the ports; together they are
    all that was tried."""

    found: list[Found]
    missed: list[Missed]


Examined: TypeAlias = Found | Missed


async def examine(url: str, *, api_key: str | None = None, num_ctx: int | None = None) -> Examined:
    """Find out which engine answers at the URL, or why none does.

    url: with or without /v1 at its end. An engine that is loading or wants a key is found as well.
    num_ctx: the context length that ollama shall load models with; the others have theirs.
    Raises ValueError when url is no http(s) origin.
    """
    return await _Examination(url, api_key, ANSWER_TIMEOUT_SECONDS, num_ctx).run()


async def detect(
    url: str, *, api_key: str | None = None, num_ctx: int | None = None
) -> Found | None:
    """The engine that answers at the URL; None if none that we know. See examine()."""
    examined = await examine(url, api_key=api_key, num_ctx=num_ctx)
    return examined if isinstance(examined, Found) else None


async def find_engines(
    ports: Sequence[int] = CANDIDATE_PORTS,
    *,
    api_key: str | None = None,
    num_ctx: int | None = None,
    deadline_seconds: float = FIND_SECONDS,
) -> Search:
    """Look for engines on this machine, at all ports at once.

    api_key, num_ctx: see examine(). The key goes to whatever listens at those ports.
    """
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_examine_before(url, api_key, num_ctx, deadline_seconds))
            for url in urls
        ]
    examined = [task.result() for task in tasks]
    return Search(
        found=[one for one in examined if isinstance(one, Found)],
        missed=[one for one in examined if isinstance(one, Missed)],
    )


async def probe(
    upstream: Upstream, dialect: Dialect, *, timeout_seconds: float = ANSWER_TIMEOUT_SECONDS
) -> EngineState:
    """Ask the engine how it is now. timeout_seconds: for each of the two or three questions."""
    return await _run(dialect.survey(), _Interview(upstream, timeout_seconds))


class _Interview:
    """Questions to one engine. heard: the last answer, or why there was none."""

    def __init__(self, upstream: Upstream, timeout_seconds: float) -> None:
        self._upstream = upstream
        self._timeout_seconds = timeout_seconds
        self.heard: Answer | UpstreamError | None = None

    async def ask(self, question: Question) -> Answer | None:
        try:
            answer = await self._upstream.fetch_answer(
                question.method,
                question.path,
                question.body,
                max_bytes=MAX_ANSWER_BYTES,
                timeout_seconds=self._timeout_seconds,
            )
        except UpstreamError as error:
            self.heard = error
            return None
        self.heard = answer
        return answer

    def why_not(self) -> str:
        """What is wrong with what was heard last."""
        if isinstance(self.heard, Answer):
            return why_unknown(self.heard)
        return TOO_SLOW if self.heard is None else why_silent(self.heard)


class _Examination:
    """One address: which engine is it, and how is it?"""

    def __init__(
        self, url: str, api_key: str | None, timeout_seconds: float, num_ctx: int | None
    ) -> None:
        self._url = url.rstrip("/").removesuffix("/v1").rstrip("/")
        self._upstream = Upstream(
            self._url, api_key=api_key, connect_timeout_seconds=timeout_seconds
        )
        self._interview = _Interview(self._upstream, timeout_seconds)
        self._num_ctx = num_ctx

    async def run(self) -> Examined:
        try:
            dialect = await self._recognise()
            if dialect is None:
                return Missed(self._url, self._interview.why_not())
            state = await _run(dialect.survey(), self._interview)
            if state.status == "down":
                return Missed(self._url, self._interview.why_not())
            return Found(self._url, dialect, state)
        finally:
            await self._upstream.aclose()

    async def _recognise(self) -> Dialect | None:
        """See the table at the top. None: nothing answers, or a node proxy does."""
        ask = self._interview.ask
        answer = await ask(Question("/api/version"))
        if answer is None or is_luckrig(answer):
            return None
        if read_answer(answer, Version) is not None:
            return Ollama(num_ctx=self._num_ctx)
        if b"llama.cpp" in answer.headers.get(b"server", b""):
            return LlamaServer()
        if read_answer(await ask(Question("/props")), Props) is not None:
            return LlamaServer()  # behind a proxy that drops the header
        if await self._is_lm_studio():
            return LmStudio()
        cards = read_answer(await ask(Question("/v1/models")), Cards)
        if cards is not None and is_vllm(cards):
            return Vllm()
        return OpenAiCompatible()  # its survey tells

    async def _is_lm_studio(self) -> bool:
        answer = await self._interview.ask(Question("/api/v1/models"))
        if read_answer(answer, ModelList) is not None:
            return True
        if answer is not None and answer.status == 401:
            return b"LM Studio" in answer.body
        older = await self._interview.ask(Question("/api/v0/models"))
        return read_answer(older, OldModelList) is not None


async def _examine_before(
    url: str, api_key: str | None, num_ctx: int | None, deadline_seconds: float
) -> Examined:
    try:
        async with asyncio.timeout(deadline_seconds):
            return await _Examination(url, api_key, LOCAL_TIMEOUT_SECONDS, num_ctx).run()
    except TimeoutError:
        return Missed(url, TOO_SLOW)


async def _run(survey: Survey, interview: _Interview) -> EngineState:
    question = next(survey)
    while True:
        answer = await interview.ask(question)
        try:
            question = survey.send(answer)
        except StopIteration as stop:
            state: EngineState = stop.value
            return state
