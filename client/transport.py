"""One tracker's HTTP API as bytes in, bytes out, seen from a user's machine.

Every failure is a LuckrigError whose text tells the user what to do. A tracker is a stranger: its
answers are bounded (MAX_ANSWER_BYTES, timeout_seconds for the whole of one), redirects are not
followed and compressed bodies are refused.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, NoReturn, TypeVar

import httpx2
import msgspec

from luckrig.protocol.errors import CODES, LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.wire import ErrorBody, ErrorReply

MAX_ANSWER_BYTES: Final = 8 * 2**20
"""A page of 200 rigs with the longest notes is about 2 MiB."""
TIMEOUT_SECONDS: Final = 10.0

_MAX_MESSAGE_CHARS: Final = 500

Answer = TypeVar("Answer")


class TrackerUnreachable(LuckrigError):
    """No tracker answers at that address. Caught by whoever knows a second tracker to ask."""

    def __init__(self, origin: str, why: str) -> None:
        """why: completes "The tracker at URL …", without the full stop."""
        super().__init__(
            "tracker_unreachable",
            f"The tracker at {origin} {why}. Check its address (--tracker or LUCKRIG_TRACKER).",
        )


@dataclass(frozen=True)
class _Request:
    """What is asked. path: from the origin. params: its query. body: None for none.

    max_bytes: of the answer. timeout_seconds: for the whole of it, None for the usual.
    """

    method: str
    path: str
    params: Mapping[str, str] | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    max_bytes: int = MAX_ANSWER_BYTES
    timeout_seconds: float | None = None


class Transport:
    """Asks one tracker.

    origin: https://host[:port]. http: made with trust_env=False. clock: Unix seconds. new_jti:
    fresh random base64url, 16 to 64 characters. timeout_seconds: for one whole answer.
    """

    def __init__(
        self,
        origin: str,
        http: httpx2.AsyncClient,
        *,
        clock: Callable[[], float],
        new_jti: Callable[[], str],
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.origin = origin
        self._http = http
        self._clock = clock
        self._new_jti = new_jti
        self._timeout_seconds = timeout_seconds

    async def get(
        self, path: str, kind: type[Answer], *, params: Mapping[str, str] | None = None
    ) -> Answer:
        """What is at a path, as that type."""
        return await self._ask(_Request("GET", path, params=params), kind)

    async def get_signed(
        self,
        path: str,
        kind: type[Answer],
        *,
        key: PrivateKey,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """The same with a proof of that key."""
        return self.decode(await self.fetch_signed(path, key=key, params=params), kind)

    async def fetch_signed(
        self,
        path: str,
        *,
        key: PrivateKey,
        params: Mapping[str, str] | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
        timeout_seconds: float | None = None,
    ) -> bytes:
        """The same as it was sent. timeout_seconds: for the whole answer, None for the usual."""
        request = _Request(
            "GET",
            path,
            params=params,
            headers={"dpop": self._proof("GET", path, b"", key)},
            max_bytes=max_bytes,
            timeout_seconds=timeout_seconds,
        )
        return await self._fetch(request)

    async def post(self, path: str, body: bytes, kind: type[Answer]) -> Answer:
        """The answer to JSON that nobody signs, or that carries its signatures."""
        headers = {"content-type": "application/json"}
        return await self._ask(_Request("POST", path, body=body, headers=headers), kind)

    async def post_signed(
        self, path: str, request: msgspec.Struct, kind: type[Answer], *, key: PrivateKey
    ) -> Answer:
        """The answer to a request with a proof of that key."""
        body = msgspec.json.encode(request)
        headers = {
            "content-type": "application/json",
            "dpop": self._proof("POST", path, body, key),
        }
        return await self._ask(_Request("POST", path, body=body, headers=headers), kind)

    def _proof(self, method: str, path: str, body: bytes, key: PrivateKey) -> str:
        return make_proof(
            key=key,
            method=method,
            url=f"{self.origin}{path}",
            body=body,
            now=self._clock(),
            jti=self._new_jti(),
        )

    async def _ask(self, request: _Request, kind: type[Answer]) -> Answer:
        """What a 200 answer says; every other outcome is raised."""
        return self.decode(await self._fetch(request), kind)

    async def _fetch(self, request: _Request) -> bytes:
        """The body of a 200 answer; every other outcome is raised."""
        response, answer = await self._exchange(request)
        if response.status_code != 200:
            raise self._refusal(response, answer)
        return answer

    async def date(self) -> float | None:
        """Unix seconds by its clock; None where it doesn't say. Raises TrackerUnreachable."""
        response, _ = await self._exchange(_Request("GET", "/health"))
        try:
            return parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            return None

    async def _exchange(self, request: _Request) -> tuple[httpx2.Response, bytes]:
        """An answer of any status, and its body."""
        timeout_seconds = request.timeout_seconds or self._timeout_seconds
        try:
            async with (
                asyncio.timeout(timeout_seconds),
                self._http.stream(
                    request.method,
                    f"{self.origin}{request.path}",
                    params=request.params,
                    content=request.body,
                    # What isn't compressed can't be a bomb.
                    headers={**request.headers, "accept-encoding": "identity"},
                    timeout=timeout_seconds,
                    follow_redirects=False,
                ) as response,
            ):
                answer = await self._read(response, request.max_bytes)
        except (TimeoutError, httpx2.TimeoutException) as error:
            why = f"didn't answer within {timeout_seconds:g} seconds"
            raise TrackerUnreachable(self.origin, why) from error
        except httpx2.ConnectError as error:
            why = f"can't be reached: {_connect_problem(error)}"
            raise TrackerUnreachable(self.origin, why) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise TrackerUnreachable(self.origin, "broke off the connection") from error
        return response, answer

    async def _read(self, response: httpx2.Response, max_bytes: int) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            self.nonsense("compresses its answer although it was asked not to")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > max_bytes:
                self.nonsense(f"sends an answer of more than {max_bytes} bytes")
        return bytes(body)

    def decode(self, body: bytes, kind: type[Answer]) -> Answer:
        """Unknown fields are fine: the tracker may be newer than this client."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.nonsense(cause=error)

    def _refusal(self, response: httpx2.Response, body: bytes) -> LuckrigError:
        """The tracker's own error, made fit to print. Its code, if this client knows it."""
        if response.is_redirect:
            why = "answers with a redirect, which luckrig doesn't follow"
            return TrackerUnreachable(self.origin, why)
        return printable_error(
            self.decode(body, ErrorReply).error,
            unknown_code=_code_of_status(response.status_code),
            retry_after=response.headers.get("retry-after", ""),
        )

    def nonsense(
        self,
        why: str = "gives an answer that isn't a luckrig tracker's",
        *,
        cause: Exception | None = None,
    ) -> NoReturn:
        raise TrackerUnreachable(self.origin, why) from cause


def no_cookies() -> CookieJar:
    """What an HTTP client keeps cookies in when it keeps none: one would tell a tracker or a rig
    which requests are the same user's, and there is no bound to how many it may set."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def _connect_problem(error: httpx2.ConnectError) -> str:
    """Why a connection failed, in words that don't depend on the system's language."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its TLS certificate isn't valid for that name"
    if "SSL" in text or "TLS" in text:
        return "it doesn't speak TLS as https needs it"
    if "Name or service" in text or "nodename" in text or "name resolution" in text:
        return "no machine has that name"
    return "nothing answers there"


def _code_of_status(status: int) -> str:
    """The nearest of our codes, for a tracker that has newer ones."""
    nearest = {401: "proof_invalid", 403: "operators_only", 404: "not_found", 429: "rate_limited"}
    return nearest.get(status, "internal_error" if status >= 500 else "invalid_request")


def printable_error(error: ErrorBody, *, unknown_code: str, retry_after: str) -> LuckrigError:
    """A stranger's error, made fit to print.

    unknown_code: instead of a code that this client doesn't know. retry_after: the header, or "".
    """
    code = error.code if error.code in CODES else unknown_code
    return LuckrigError(
        code,
        one_line(error.message) or CODES[code].meaning,
        param=None if error.param is None else one_line(error.param),
        retry_after_seconds=retry_after_seconds(retry_after),
    )


def one_line(text: str) -> str:
    """A stranger's text as one printable line: isprintable() is false for every control,
    formatting and surrogate character and for line separators."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return line.strip()[:_MAX_MESSAGE_CHARS]


def retry_after_seconds(text: str) -> int | None:
    """The header's seconds; None for a date, which nobody of ours sends, and for nonsense."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None
