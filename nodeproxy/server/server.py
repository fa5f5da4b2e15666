"""The listening socket of a node proxy, and all who are connected to it."""

import asyncio
import contextlib
import ipaddress
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from luckrig.nodeproxy.server.connection import ClientConnection, RequestHead
from luckrig.nodeproxy.server.counts import ConnectionCounts
from luckrig.nodeproxy.server.head import DateHeader
from luckrig.nodeproxy.server.limits import ServerLimits

SEND_BUFFER_BYTES: Final = 128 * 1024
"""In the kernel, for each client. Left alone it grows to megabytes, and a client that stops reading
isn't noticed before they are full."""
GRACE_SECONDS: Final = 2.0
"""How long running answers may go on after the wish to stop."""

Application = Callable[[ClientConnection, RequestHead], Coroutine[Any, Any, None]]
"""Answers one request on its connection. Raises nothing; is cancelled when the client leaves."""


@asynccontextmanager
async def serving(
    app: Application,
    sock: socket.socket,
    limits: ServerLimits,
    counts: ConnectionCounts | None = None,
) -> AsyncGenerator[None, None]:
    """Serve the application on a listening socket while the block runs; it is closed afterwards.

    counts: kept up to date.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    server = _Server(app, limits, counts or ConnectionCounts())
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: ClientConnection(server), sock=sock, backlog=1024)
    try:
        yield
    finally:
        listener.close()
        await server.stop()
        sock.close()


class _Server:
    """Implements connection.Keeper."""

    def __init__(self, app: Application, limits: ServerLimits, counts: ConnectionCounts) -> None:
        self.limits = limits
        self.counts = counts
        self.date = DateHeader()
        self.is_stopping = False
        self._app = app
        self._connections: set[ClientConnection] = set()
        self._per_address: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def adopt(self, connection: ClientConnection, address: str) -> bool:
        """See connection.Keeper."""
        self._connections.add(connection)
        self._per_address[address] += 1
        self.counts.open = len(self._connections)
        has_room = not self.is_stopping and len(self._connections) <= self.limits.connections
        within = self._per_address[address] <= self.limits.connections_per_address
        is_adopted = has_room and (within or is_loopback(address))
        self.counts.turned_away += not is_adopted
        return is_adopted

    def forget(self, connection: ClientConnection, address: str) -> None:
        """See connection.Keeper."""
        self._connections.discard(connection)
        self.counts.open = len(self._connections)
        self._per_address[address] -= 1
        if self._per_address[address] <= 0:
            del self._per_address[address]

    def answer(self, connection: ClientConnection, head: RequestHead) -> "asyncio.Task[None]":
        """See connection.Keeper."""
        task = asyncio.get_running_loop().create_task(self._app(connection, head))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Let running answers end for a while, then end them."""
        self.is_stopping = True
        for connection in tuple(self._connections):
            connection.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        for connection in tuple(self._connections):
            connection.abort()
        while self._tasks:
            await asyncio.wait(self._tasks)


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own, for nobody else; not if it is none."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
