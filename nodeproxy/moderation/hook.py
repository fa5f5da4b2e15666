"""Asks the moderation service, and believes nothing but a complete and proper answer.

    POST …/v1/moderations   {"model"?, "input": [text, …]}
    200 application/json    {"results": [{"flagged": bool, "categories"?: {label: bool | null}}, …]}

One result for each text, in their order. Everything else (no answer in time, another status, a
redirect, an encoding, a result too many or too few) is one fault: moderation_unavailable.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

import msgspec

from luckrig.nodeproxy.moderation.labels import OTHER, category_of
from luckrig.nodeproxy.settings import ModerationSettings
from luckrig.nodeproxy.upstream import Answer, Upstream
from luckrig.protocol import strictjson
from luckrig.protocol.errors import LuckrigError

MAX_PIECE_CHARS: Final = 32 * 1024
OVERLAP_CHARS: Final = 512
"""How much of a long text stands in two pieces, so that no sentence is seen only in halves."""
MAX_INPUTS: Final = 128
"""Pieces in one request. OpenAI's answer has about 2 kB and 60 values for each."""
MAX_ANSWER_BYTES: Final = 1 << 20
MAX_CONNECTIONS: Final = 16
RETRY_AFTER_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the service says. categories: OpenAI's names or `other`, sorted; none: not flagged."""

    categories: tuple[str, ...] = ()

    @property
    def flagged(self) -> bool:
        """Whether anything was found."""
        return bool(self.categories)


class Checker(Protocol):
    """Something that has an opinion on texts."""

    async def check(self, texts: Sequence[str]) -> Verdict:
        """Raises LuckrigError moderation_unavailable when there is no answer to rely on."""
        ...


class ModerationHook:
    """The moderation service. Implements Checker; many requests share its connections."""

    def __init__(self, settings: ModerationSettings) -> None:
        self._upstream = Upstream(
            settings.origin,
            max_idle=MAX_CONNECTIONS,
            api_key=settings.key,
            connect_timeout_seconds=settings.timeout_seconds,
        )
        self._path = settings.path
        self._model = settings.model
        self._timeout_seconds = settings.timeout_seconds
        self._connections = asyncio.Semaphore(MAX_CONNECTIONS)

    async def check(self, texts: Sequence[str]) -> Verdict:
        """See Checker. Texts that are empty or stand twice are asked about once or not at all;
        the first answer that flags ends the asking."""
        pieces = list(dict.fromkeys(piece for text in texts for piece in _split(text)))
        try:
            async with asyncio.timeout(self._timeout_seconds):
                for start in range(0, len(pieces), MAX_INPUTS):
                    verdict = await self._ask(pieces[start : start + MAX_INPUTS])
                    if verdict.flagged:
                        return verdict
        except TimeoutError:
            raise unavailable() from None
        return Verdict()

    async def aclose(self) -> None:
        """Close every connection. Idempotent."""
        await self._upstream.aclose()

    async def _ask(self, pieces: list[str]) -> Verdict:
        question: dict[str, object] = {"input": pieces}
        if self._model is not None:
            question["model"] = self._model
        body = msgspec.json.encode(question)
        async with self._connections:
            try:
                answer = await self._upstream.fetch_answer(
                    "POST",
                    self._path,
                    body,
                    max_bytes=MAX_ANSWER_BYTES,
                    timeout_seconds=self._timeout_seconds,
                )
            except LuckrigError:  # its text speaks of the engine
                raise unavailable() from None
        return read_answer(answer, expected=len(pieces))


_Label = Annotated[str, msgspec.Meta(max_length=200)]


class _Result(msgspec.Struct, frozen=True):
    """Scores and whatever else a service adds are not read. OpenAI's illicit may be null."""

    flagged: bool
    categories: Annotated[dict[_Label, bool | None], msgspec.Meta(max_length=256)] | None = None


class _Answer(msgspec.Struct, frozen=True):
    results: list[_Result]


def read_answer(answer: Answer, *, expected: int) -> Verdict:
    """What the results say together. Raises LuckrigError moderation_unavailable on any fault."""
    media_type = answer.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if (
        answer.status != 200
        or media_type != b"application/json"
        or b"content-encoding" in answer.headers
    ):
        raise unavailable()
    try:
        results = strictjson.decode(answer.body, _Answer).results
    except LuckrigError:
        raise unavailable() from None
    if len(results) != expected:
        raise unavailable()
    return Verdict(tuple(sorted({name for result in results for name in _categories(result)})))


def unavailable() -> LuckrigError:
    """No answer to rely on. No UpstreamError: the engine isn't at fault."""
    return LuckrigError(
        "moderation_unavailable",
        "This rig has texts checked by a moderation service, which gives no proper answer now.",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )


def _categories(result: _Result) -> Iterable[str]:
    """Where flag and categories disagree, the stricter one counts."""
    found = {category_of(label) for label, is_true in (result.categories or {}).items() if is_true}
    return found or ({OTHER} if result.flagged else ())


def _split(text: str) -> Iterator[str]:
    step = MAX_PIECE_CHARS - OVERLAP_CHARS
    for start in range(0, max(len(text) - OVERLAP_CHARS, min(len(text), 1)), step):
        yield text[start : start + MAX_PIECE_CHARS]
