"""One request after another through the node proxy, from the bytes that a client's socket gives to
the bytes that it gets, with transports in memory: no kernel, no timing, the same each time.

`python -m bench.hotpath burst 120` asks so often after a warm-up; with `short`, each chunk comes in
a read of its own. Under `valgrind --tool=callgrind`, the difference between 20 and 120 requests is
what a hundred cost. With a file's name as well, it writes a cProfile there.
"""

import asyncio
import cProfile
import sys
import time
from typing import Any, Final, cast

from bench.chat import encode_request, is_whole_stream, unchunked
from bench.mock_engine import Replies
from bench.rig import make_node, make_token
from luckrig.cli.loop import run, spare_collector
from luckrig.nodeproxy.engines.base import EngineState
from luckrig.nodeproxy.engines.detect import Found
from luckrig.nodeproxy.engines.llama_server import LlamaServer
from luckrig.nodeproxy.node import Node
from luckrig.nodeproxy.server import ConnectionCounts, ServerLimits
from luckrig.nodeproxy.server.connection import ClientConnection, RequestHead
from luckrig.nodeproxy.server.head import DateHeader
from luckrig.nodeproxy.settings import NodeSettings
from luckrig.nodeproxy.upstream import Answer
from luckrig.nodeproxy.upstream.connection import Connection

CHUNKS: Final = 20
PORT: Final = 9
WARM_UP: Final = 300
"""Requests before the counted ones: caches are full, and the interpreter has adapted its code."""


class _Transport:
    """What the protocol objects use of uvloop's."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1)

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def abort(self) -> None:
        pass


class _EngineTransport(_Transport):
    """Answers what is written to it, each piece in a turn of the loop, as reads would come."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self.connection: Connection

    def write(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        for piece in self._pieces:
            loop.call_soon(self._read, piece)

    def _read(self, piece: bytes) -> None:
        self.connection.get_buffer(len(piece))[: len(piece)] = piece
        self.connection.buffer_updated(len(piece))


class _Keeper:
    """Implements server.connection.Keeper."""

    def __init__(self, node: Node) -> None:
        self.limits = ServerLimits()
        self.counts = ConnectionCounts()
        self.date = DateHeader()
        self.is_stopping = False
        self._app = node.app

    def adopt(self, connection: ClientConnection, address: str) -> bool:
        return True

    def forget(self, connection: ClientConnection, address: str) -> None:
        pass

    def answer(self, connection: ClientConnection, head: RequestHead) -> "asyncio.Task[None]":
        return asyncio.get_running_loop().create_task(self._app(connection, head))


def _survey(dialect: LlamaServer, model: str) -> EngineState:
    """What it learns from an engine that lists one model and says no more."""
    survey = dialect.survey()
    next(survey)
    answer: Answer | None = Answer(200, {}, b'{"data":[{"id":"%s"}]}' % model.encode())
    while True:
        try:
            survey.send(answer)
        except StopIteration as end:
            state: EngineState = end.value
            return state
        answer = None


def _node(model: str) -> Node:
    dialect = LlamaServer()
    return make_node(
        NodeSettings(
            origins=frozenset({f"http://127.0.0.1:{PORT}"}), max_active=256, max_queue=256
        ),
        Found(url="http://127.0.0.1:1", dialect=dialect, state=_survey(dialect, model)),
    )


class _Bench:
    """One client, one engine connection."""

    def __init__(self, node: Node, pieces: list[bytes], request: bytes) -> None:
        engine = _EngineTransport(pieces)
        connection = Connection(node.upstream)
        engine.connection = connection
        connection.connection_made(cast("asyncio.Transport", engine))
        node.upstream.release(connection)
        self._client: Any = ClientConnection(_Keeper(node))
        self._transport = _Transport()
        self._client.connection_made(cast("asyncio.Transport", self._transport))
        self._request = request

    async def ask(self, times: int) -> bytes:
        """The last reply."""
        reply = b""
        written = self._transport.written
        for _ in range(times):
            self._client.data_received(self._request)
            while not written or not written[-1].endswith(b"\r\n0\r\n\r\n"):
                await asyncio.sleep(0)
            reply = b"".join(written)
            written.clear()
            while self._client._task is not None:
                await asyncio.sleep(0)
        return reply


def _pieces(scenario: str) -> tuple[str, list[bytes]]:
    pieces = Replies(CHUNKS).pieces["split" if scenario == "short" else "burst"]
    return ("split", pieces) if scenario == "short" else ("burst", [b"".join(pieces)])


async def _run(scenario: str, times: int, profile: str) -> None:
    model, pieces = _pieces(scenario)
    node = _node(model)
    await node.follower.refresh()
    token = make_token(1, now=int(time.time()))
    request = encode_request(PORT, model, token=token, stream=True)
    bench = _Bench(node, pieces, request)
    reply = bytearray(await bench.ask(WARM_UP))
    body = unchunked(reply, reply.find(b"\r\n\r\n") + 4)
    if not is_whole_stream(body, CHUNKS):
        raise RuntimeError(f"not a whole reply: {body[-2000:]!r}")
    spare_collector()
    if profile:
        with cProfile.Profile() as calls:
            await bench.ask(times)
        calls.dump_stats(profile)
    else:
        await bench.ask(times)


if __name__ == "__main__":
    run(_run(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""))
