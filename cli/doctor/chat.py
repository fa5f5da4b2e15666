"""One short streamed chat through a rig's public address, as any client would have it."""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

import httpx2
import msgspec

from luckrig.cli.doctor.result import CheckResult, failed, ok
from luckrig.protocol.errors import CODES, LuckrigError, UpstreamError
from luckrig.protocol.events import SseSplitter
from luckrig.protocol.wire import ErrorReply, TokenReply

MAX_TOKENS: Final = 8
CHAT_SECONDS: Final = 60.0
"""An engine may have to load the model first."""
MAX_ANSWER_BYTES: Final = 262_144

_PROMPT: Final = "Say hello."
_FIXES: Final = {
    "engine_error": "Read the engine's log, and ask it directly",
    "engine_unavailable": "Start the engine, or read its log",
    "engine_loading": "Look again when the engine has loaded its model",
    "moderation_unavailable": "Start your moderation service, or unset LUCKRIG_MODERATION_URL",
    "content_filter": "Look at your own rules: luckrig filter test 'Say hello.'",
    "queue_full": "Look again when your rig is less busy",
    "queue_timeout": "Look again when your rig is less busy",
    "rate_limited": "Look again in a minute",
    "rig_offline": "Look again in half a minute; then at luckrig node status",
    "token_invalid": "Start the rig with this tracker's full address",
    "tracker_unreachable": "Try it from another network: routers often don't lead back inside",
}


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)


class _Problem(msgspec.Struct):
    code: str | int | None = None
    message: str = ""


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    error: _Problem | None = None


class Streamed(NamedTuple):
    """first_seconds: from the request to the first text. pieces: how many there were."""

    first_seconds: float
    pieces: int


async def stream_chat(
    token: TokenReply,
    model: str,
    *,
    monotonic: Callable[[], float],
    timeout_seconds: float = CHAT_SECONDS,
) -> Streamed:
    """Ask for MAX_TOKENS tokens. Raises LuckrigError when they don't come whole and streamed."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": _PROMPT}],
        "max_tokens": MAX_TOKENS,
        "stream": True,
    }
    headers = {"authorization": f"Bearer {token.token}", "accept-encoding": "identity"}
    began = monotonic()
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            httpx2.AsyncClient(trust_env=False, timeout=timeout_seconds) as http,
            http.stream(
                "POST",
                f"{token.base_url}/chat/completions",
                json=body,
                headers=headers,
                follow_redirects=False,
            ) as response,
        ):
            if response.status_code != 200:
                raise await _refusal(response)
            return await _read(response, began, monotonic)
    except TimeoutError as error:
        text = f"No whole reply within {timeout_seconds:g} s"
        raise LuckrigError("engine_unavailable", text) from error
    except httpx2.ConnectError as error:
        text = f"Nothing answers at {token.base_url} from here"
        raise LuckrigError("tracker_unreachable", text) from error
    except httpx2.HTTPError as error:
        raise LuckrigError("rig_lost", "The reply was broken off") from error


def check_chat(model: str, outcome: Streamed | LuckrigError) -> CheckResult:
    """What came of it, for that model."""
    name = "chat"
    if isinstance(outcome, LuckrigError):
        fix = _FIXES.get(outcome.code, "luckrig node status lists the last errors")
        text = outcome.message.partition(". ")[0].rstrip(".")
        return failed(name, f"{model}, through that address: {text} ({outcome.code})", fix)
    count = f"{outcome.pieces} token{'s' * (outcome.pieces != 1)}"
    first = f"{outcome.first_seconds * 1000:,.0f} ms"
    text = f"{count} of {model} through that address, the first after {first}"
    return ok(name, f"{text}; your own request")


async def _read(
    response: httpx2.Response, began: float, monotonic: Callable[[], float]
) -> Streamed:
    splitter, size, pieces, first = SseSplitter(), 0, 0, 0.0
    async for data in response.aiter_raw():
        size += len(data)
        if size > MAX_ANSWER_BYTES:
            break
        for event in _events(splitter, data):
            if event == b"[DONE]":
                if pieces:
                    return Streamed(first, pieces)
                raise LuckrigError("engine_error", "The reply has no text")
            if _has_text(event):
                first = first if pieces else monotonic() - began
                pieces += 1
    raise LuckrigError("rig_lost", "The reply ended before it was whole")


def _events(splitter: SseSplitter, data: bytes) -> list[bytes]:
    try:
        return [event.data for event in splitter.feed(data)]
    except UpstreamError as error:
        raise LuckrigError("engine_error", "The reply is no stream of events") from error


def _has_text(data: bytes) -> bool:
    try:
        chunk = msgspec.json.decode(data, type=_Chunk)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LuckrigError("engine_error", "The reply is no chat") from error
    if chunk.error is not None:
        raise _known(str(chunk.error.code), chunk.error.message)
    deltas = [choice.delta for choice in chunk.choices]
    return any(delta.content or delta.reasoning or delta.reasoning_content for delta in deltas)


async def _refusal(response: httpx2.Response) -> LuckrigError:
    body = bytearray()
    async for data in response.aiter_raw():
        body += data
        if len(body) > MAX_ANSWER_BYTES:
            break
    try:
        error = msgspec.json.decode(body, type=ErrorReply).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = f"The answer is {response.status_code}, and not a rig's"
        return LuckrigError("rig_lost", text)
    return _known(error.code, error.message)


def _known(code: str, message: str) -> LuckrigError:
    return LuckrigError(code if code in CODES else "engine_error", message[:500])
