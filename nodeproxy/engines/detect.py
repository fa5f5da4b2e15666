"""Finds engines, and asks them how they are. The one module here that does I/O.

An answer of an engine may be anything: it is bounded in size and time, decoded into types, and what
doesn't fit counts as no answer. Nothing here raises because of an engine.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from luckrig.nodeproxy.engines.base import Dialect, EngineState, Question, Survey
from luckrig.nodeproxy.engines.llama_server import LlamaServer, Props
from luckrig.nodeproxy.engines.models import read_answer
from luckrig.nodeproxy.engines.ollama import Ollama, Version
from luckrig.nodeproxy.engines.openai_compatible import OpenAiCompatible
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


class Found(NamedTuple):
    """An engine. url: its origin, as given to detect()."""

    url: str
    dialect: Dialect
    state: EngineState


async def detect(url: str, *, api_key: str | None = None) -> Found | None:
    """Find out which engine answers at the URL; None if none that we know.

    url: with or without /v1 at its end. An engine that is loading or wants a key is found as well.
    Raises ValueError when url is no http(s) origin.
    """
    return await _detect(url, api_key=api_key, timeout_seconds=ANSWER_TIMEOUT_SECONDS)


async def find_local(ports: Sequence[int] = CANDIDATE_PORTS) -> list[Found]:
    """The engines on this machine, in the order of the ports, all asked at once."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                _detect(
                    f"http://127.0.0.1:{port}",
                    api_key=None,
                    timeout_seconds=LOCAL_TIMEOUT_SECONDS,
                )
            )
            for port in ports
        ]
    return [found for task in tasks if (found := task.result()) is not None]


async def probe(
    upstream: Upstream, dialect: Dialect, *, timeout_seconds: float = ANSWER_TIMEOUT_SECONDS
) -> EngineState:
    """Ask the engine how it is now. timeout_seconds: for each of the two or three questions."""
    return await _run(dialect.survey(), upstream, timeout_seconds)


async def _detect(url: str, *, api_key: str | None, timeout_seconds: float) -> Found | None:
    url = url.rstrip("/").removesuffix("/v1").rstrip("/")
    upstream = Upstream(url, api_key=api_key, connect_timeout_seconds=timeout_seconds)
    try:
        dialect = await _recognise(upstream, timeout_seconds)
        if dialect is None:
            return None
        state = await probe(upstream, dialect, timeout_seconds=timeout_seconds)
        return None if state.status == "down" else Found(url, dialect, state)
    finally:
        await upstream.aclose()


async def _recognise(upstream: Upstream, timeout_seconds: float) -> Dialect | None:
    """By answers that only one kind gives. Status codes prove nothing: LM Studio answers every
    route with 200. llama-server names itself in a header, also while it loads or wants a key."""
    answer = await _ask(Question("/api/version"), upstream, timeout_seconds)
    if answer is None or _is_luckrig(answer):
        return None
    if read_answer(answer, Version) is not None:
        return Ollama()
    if b"llama.cpp" in answer.headers.get(b"server", b""):
        return LlamaServer()
    answer = await _ask(Question("/props"), upstream, timeout_seconds)
    if read_answer(answer, Props) is not None:  # behind a proxy that drops the header
        return LlamaServer()
    return OpenAiCompatible()  # its survey tells


def _is_luckrig(answer: Answer) -> bool:
    """A node proxy in front of an engine isn't one: two in a row would answer for each other."""
    return any(name.startswith(b"luckrig-") for name in answer.headers)


async def _run(survey: Survey, upstream: Upstream, timeout_seconds: float) -> EngineState:
    question = next(survey)
    while True:
        answer = await _ask(question, upstream, timeout_seconds)
        try:
            question = survey.send(answer)
        except StopIteration as stop:
            state: EngineState = stop.value
            return state


async def _ask(question: Question, upstream: Upstream, timeout_seconds: float) -> Answer | None:
    try:
        return await upstream.fetch_answer(
            question.method,
            question.path,
            question.body,
            max_bytes=MAX_ANSWER_BYTES,
            timeout_seconds=timeout_seconds,
        )
    except UpstreamError:
        return None
