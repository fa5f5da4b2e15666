"""What the tracker needs of the ASGI server, beyond ASGI: dropping a connection, long answers."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

ABORT: Final = "luckrig.abort"
"""ASGI extension of our server (cli/serve.py): {"call": drop the connection at once}. Without it a
connection ends as the server likes, which waits for clients that don't read. An application adds
"endless": true for an answer that doesn't end by itself: a server that stops needn't wait."""

SEND_SECONDS: Final = 30.0
"""How long a client may leave a piece of a streamed answer unread."""


def abort_of(scope: MutableMapping[str, Any]) -> Callable[[], None]:
    """What drops the connection of a scope."""
    call: Callable[[], None] = _extension(scope).get("call", _do_nothing)
    return call


class Stream(Response):
    """An answer sent piece by piece. Ends when its client leaves; drops one that doesn't read.

    pieces: closed when it ends, however it ends. is_endless: they don't come to an end by
    themselves. place: held while it is sent; may raise PeerError, which is then the answer.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        *,
        media_type: str,
        headers: Mapping[str, str] | None = None,
        is_endless: bool = False,
        place: AbstractContextManager[None] | None = None,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        super().__init__(b"", 200, headers, media_type)
        del self.headers["content-length"]
        self._pieces = pieces
        self._is_endless = is_endless
        self._place = place or nullcontext()
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all."""
        with self._place:
            if self._is_endless:
                _extension(scope)["endless"] = True
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send_all(scope, send))
                watching = group.create_task(_until_gone(receive))
                await asyncio.wait((sending, watching), return_when=asyncio.FIRST_COMPLETED)
                sending.cancel()
                watching.cancel()

    async def _send_all(self, scope: Scope, send: Send) -> None:
        async def send_soon(message: Message) -> None:
            async with asyncio.timeout(self._send_seconds):
                await send(message)

        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        body: Message = {"type": "http.response.body", "more_body": True}
        try:
            async with aclosing(self._pieces) as pieces:
                await send_soon(start)
                if scope["method"] != "HEAD":
                    async for piece in pieces:
                        await send_soon({**body, "body": piece})
                await send_soon({**body, "body": b"", "more_body": False})
        except TimeoutError:
            abort_of(scope)()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _extension(scope: MutableMapping[str, Any]) -> dict[str, Any]:
    extensions: dict[str, Any] = scope.get("extensions") or {}
    extension: dict[str, Any] = extensions.get(ABORT) or {}
    return extension


def _do_nothing() -> None:
    """For servers without the extension."""
