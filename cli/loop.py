"""What a command needs around its event loop: signals, the collector, listening sockets.

It serves nothing. What does is heavy to import: serve.py for the tracker, and nodeproxy/server/.
"""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from luckrig.protocol.errors import LuckrigError

Result = TypeVar("Result")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """asyncio.run, on uvloop where it exists."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def spare_collector() -> None:
    """Tell the garbage collector that what exists now stays. Call it when a server has started.

    It would look at a hundred thousand old objects again and again, and requests leave next to
    no cycles behind: a tenth of a rig's CPU, by bench/.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@asynccontextmanager
async def stop_on_signals() -> AsyncGenerator[asyncio.Event, None]:
    """An event that SIGINT and SIGTERM set while the block runs."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def plain_ctrl_c() -> AsyncGenerator[None, None]:
    """For code that blocks a running loop: Ctrl-C raises KeyboardInterrupt there, at once.

    asyncio would wait until the loop runs again. A Ctrl-C from before the block, which asyncio
    only noted, ends the task here, rather than after a question was answered in vain.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        await asyncio.sleep(0)
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Raises LuckrigError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's algorithm off only where it is: without
    # that, the end of each stream waits 40 ms for the client's delayed acknowledgement.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        raise LuckrigError(
            "invalid_request",
            f"Can't listen on {host} port {port}: {error.strerror}. "
            "Choose another port, or 0 for a free one.",
        ) from error
    return sock


def origin_of(sock: socket.socket) -> str:
    """http://host:port of a bound socket."""
    return f"http://{authority_of(sock)}"


def authority_of(sock: socket.socket) -> str:
    """host:port of a bound socket, as it stands in a Host header."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
