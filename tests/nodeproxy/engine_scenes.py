"""What the tests of the engine dialects share: surveys without a network, replies in pieces."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from luckrig.nodeproxy.engines.base import Decoder, Dialect, EngineState, Question
from luckrig.nodeproxy.engines.chunks import Chunk
from luckrig.nodeproxy.upstream import Answer
from luckrig.protocol.openai.requests import (
    ChatRequest,
    CompletionRequest,
    parse_chat,
    parse_completion,
)

HELLO = [{"role": "user", "content": "Hello"}]


def json_answer(document: object, *, status: int = 200) -> Answer:
    """An engine's answer to a survey's question."""
    return Answer(status, {}, msgspec.json.encode(document))


def run_survey(
    dialect: Dialect, answers: Mapping[str, Answer]
) -> tuple[EngineState, list[Question]]:
    """Answer a survey from a table of paths; what isn't in it stays unanswered."""
    survey = dialect.survey()
    asked = [next(survey)]
    while True:
        try:
            asked.append(survey.send(answers.get(asked[-1].path)))
        except StopIteration as stop:
            return stop.value, asked


def chat_request(**fields: Any) -> ChatRequest:
    """A chat as a client sends it; the fields replace those of a plain one."""
    return parse_chat(msgspec.json.encode({"model": "m", "messages": HELLO} | fields))


def completion_request(**fields: Any) -> CompletionRequest:
    """The same for a completion."""
    return parse_completion(msgspec.json.encode({"model": "m", "prompt": "Once"} | fields))


def decode_all(decoder: Decoder, wire: bytes, *, seed: int | None = None) -> list[Chunk]:
    """Feed a whole reply; seed: in pieces of random sizes."""
    chunks = [chunk for piece in pieces(wire, seed) for chunk in decoder.feed(piece)]
    decoder.end()
    return chunks


def pieces(wire: bytes, seed: int | None) -> Iterator[bytes]:
    """Cut bytes at random places."""
    if seed is None:
        yield wire
        return
    rng = random.Random(seed)  # noqa: S311
    while wire:
        size = rng.randint(1, rng.choice((3, 40, 400)))
        yield wire[:size]
        wire = wire[size:]


def as_facts(chunks: list[Chunk]) -> list[tuple[object, ...]]:
    """What must be the same however the bytes were cut."""
    return [(c.raw, c.text, c.finish_reason, c.usage, c.timings, c.done) for c in chunks]
