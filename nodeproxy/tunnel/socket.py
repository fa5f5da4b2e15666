"""The WebSocket under the tunnel, by the `websockets` library."""

import asyncio
import contextlib
import logging
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from luckrig.protocol.surface import TUNNEL_PATH
from luckrig.protocol.tunnel.frames import MAX_FRAME_BYTES, Violation

OPEN_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 2.0
WRITE_BYTES: Final = 64 * 1024
QUEUE_FRAMES: Final = 64
_NO_LOG: Final = logging.Logger("websockets", logging.CRITICAL + 1)
"""The library would write frames, and so prompts, to a log that somebody set to DEBUG."""


class Unreachable(Exception):
    """No WebSocket. is_refusal: the tracker answered, and the same again will hardly help.

    The text is for the rig's owner.
    """

    def __init__(self, message: str, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.is_refusal = is_refusal


class _Connect(connect):
    """Goes where it was told and nowhere else."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """A redirect is a refusal: the proof names the origin that the owner typed."""
        return exc


class WebSocket:
    """Implements session.Socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, data: bytes) -> None:
        """See session.Socket."""
        try:
            await self._connection.send(data)
        except WebSocketException as error:
            raise OSError("closed") from error

    async def receive(self) -> bytes:
        """See session.Socket."""
        try:
            data = await self._connection.recv()
        except WebSocketException as error:
            raise OSError("closed") from error
        if isinstance(data, str):
            raise Violation("a text message came")
        return data

    async def close(self) -> None:
        """See session.Socket."""
        with contextlib.suppress(WebSocketException, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS + 1):
                await self._connection.close()

    def abort(self) -> None:
        """See session.Socket."""
        self._connection.transport.abort()


async def open_websocket(origin: str) -> WebSocket:
    """Connect to the tracker's tunnel. origin: http(s)://host[:port]. Raises Unreachable.

    No redirect is followed, no proxy of the environment is used, no Origin and no compression is
    offered.
    """
    scheme, _, rest = origin.partition("://")
    url = f"{'wss' if scheme == 'https' else 'ws'}://{rest}{TUNNEL_PATH}"
    try:
        connection = await _Connect(
            url,
            compression=None,
            proxy=None,
            user_agent_header="luckrig",
            logger=_NO_LOG,
            max_size=MAX_FRAME_BYTES,
            max_queue=QUEUE_FRAMES,
            write_limit=WRITE_BYTES,
            ping_interval=None,  # the tunnel has its own
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        text = f"The tracker answered {status} instead of opening a tunnel."
        raise Unreachable(text, is_refusal=status < 500 and status != 429) from error
    except InvalidHandshake as error:
        raise Unreachable("What answers there speaks no WebSocket.", is_refusal=True) from error
    except (OSError, TimeoutError, WebSocketException) as error:
        text = f"No tracker answers at {origin} ({type(error).__name__})."
        raise Unreachable(text) from error
    return WebSocket(connection)
