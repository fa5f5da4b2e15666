"""What every stand-in is: a server on 127.0.0.1 that ends its connections when it stops."""

import asyncio
import ssl
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self


class StandIn(ABC):
    """For `async with`, or start() and stop(). Sub-classes speak in converse(). url: the origin."""

    line_bytes: ClassVar[int] = 1 << 16
    """How much a reader takes before it stops the sender; asyncio's own bound."""

    def __init__(self) -> None:
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @abstractmethod
    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which is closed after it. May be cancelled; may raise ConnectionError or
        IncompleteReadError, which mean that it is over."""

    async def start(self, port: int = 0, *, ssl_context: ssl.SSLContext | None = None) -> Self:
        """Listen; port 0 takes a free one."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", port, limit=self.line_bytes, ssl=ssl_context
        )
        address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.url = f"https://{address}" if ssl_context else f"http://{address}"
        return self

    async def stop(self) -> None:
        """Close all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()


def serve_by_hand(make: Callable[[], StandIn], port: int) -> None:
    """Print the origin, and serve until interrupted."""

    async def serve() -> None:
        stand_in = await make().start(port)
        sys.stdout.write(f"{stand_in.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        pass
