"""One request at the sidecar: it ends when its client leaves, and every error becomes an answer."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from luckrig.client.sidecar.asgi import (
    ClientGone,
    RawHeaders,
    Receive,
    Scope,
    Send,
    abort,
    read_body,
    send_error,
    send_json,
    until_gone,
)
from luckrig.client.sidecar.guard import Headers
from luckrig.protocol.errors import LuckrigError, PeerError

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class Exchange:
    """One request and its answer, on whatever server."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._is_started = False
        self._is_read = scope["method"] == "GET"

    @property
    def headers(self) -> Headers:
        """The request's, with lower-case names."""
        headers: Headers = self.scope["headers"]
        return headers

    async def run(self, answer: Callable[["Exchange"], Awaitable[None]]) -> None:
        """Answer it. Never raises: what is left to do is to drop the connection."""
        try:
            await answer(self)
        except ClientGone:
            pass
        except asyncio.CancelledError:
            abort(self.scope)  # the server ends; its log needn't say so
        except TimeoutError:
            abort(self.scope)  # a program that neither sends nor reads
        except LuckrigError as error:
            await self._refuse(error)
        except Exception as error:  # the one place where a bug of ours becomes an answer
            # Type and place alone: the message could quote the prompt.
            where = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("%s at %s:%s", type(error).__qualname__, where.filename, where.lineno)
            await self._refuse(LuckrigError("internal_error", "The sidecar made a mistake."))

    async def body(self) -> bytes:
        """The request's body."""
        body = await read_body(self._receive)
        self._is_read = True
        return body

    async def while_connected(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What the work gives; it is cancelled, and ClientGone raised, when the client leaves.

        The body must have been read.
        """
        working = asyncio.create_task(work)
        leaving = asyncio.create_task(until_gone(self._receive))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientGone
            return await working
        finally:
            leaving.cancel()
            working.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def json(self, status: int, document: object) -> None:
        """A whole answer."""
        self._is_started = True
        await send_json(self._send, status, document, [])

    async def start(self, status: int, headers: RawHeaders) -> None:
        """The head of an answer whose body comes in pieces."""
        self._is_started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes, *, more: bool) -> None:
        """Some of its body, or the last of it."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _refuse(self, error: LuckrigError) -> None:
        if self._is_started:
            abort(self.scope)  # so that the client sees that something is missing
            return
        await send_error(self._send, error, is_read=self._is_read)


def not_allowed(method: str) -> PeerError:
    """The refusal of another method than the one that a route takes."""
    return PeerError("method_not_allowed", f"This route takes {method}.")
