"""A real tracker and real rigs, a process each, in front of stand-in engines in this process."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.e2e.commands import Owner, running
from tests.fake_engines.knobs import FakeModel
from tests.fake_engines.llama_server import FakeLlamaServer

MODEL = "qwen3:8b"
CHAT_PATH = "/v1/chat/completions"

Result = TypeVar("Result")


class EngineRoom:
    """An event loop in a thread, for stand-in engines whose knobs a synchronous test turns."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engines")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do that there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def call(self, turn: Callable[[], None]) -> None:
        """Turn a knob there."""
        self._loop.call_soon_threadsafe(turn)

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True)
class Stall:
    """One rig. engine: its stand-in. room: where that runs. process: the node proxy's."""

    name: str
    node_id: str
    engine: FakeLlamaServer
    room: EngineRoom
    process: Any

    @property
    def asked(self) -> Any:
        """The JSON of the last chat that reached the engine; the node proxy asks for more."""
        return self.chats[-1]

    @property
    def chats(self) -> list[Any]:
        """All of them."""
        return [each.json for each in self.engine.requests if each.path == CHAT_PATH]

    def left(self) -> None:
        """Return when a client went away in the middle of a reply."""
        self.room.run(self.engine.left.acquire())

    def kill(self) -> None:
        """End the node proxy as a power cut does."""
        psutil.Process(self.process.pid).kill()


@dataclass(frozen=True)
class Field:
    """Everything. user: somebody without a key yet."""

    user: Owner
    rigs: list[Stall]


@contextmanager
def rig_field(
    folder: Path,
    *engines: FakeLlamaServer,
    names: Sequence[str] = ("Attic", "Cellar", "Barn"),
    tracker_variables: Mapping[str, str] | None = None,
) -> Generator[Field, None, None]:
    """A rig for each engine, which serves MODEL. tracker_variables: its settings."""
    room = EngineRoom()
    try:
        with ExitStack() as stack:
            tracker_command = ("tracker", "--allow-private", "--listen", "127.0.0.1:0")
            _, tracker = stack.enter_context(
                running(folder / "tracker", *tracker_command, variables=tracker_variables)
            )
            stalls: list[Stall] = []
            for name, engine in zip(names, engines, strict=False):
                engine.models = [FakeModel(MODEL)]
                room.run(engine.start())
                stack.callback(_stop, room, engine)
                rig_command = (
                    "node", "start", "--engine", engine.url, "--listen", "127.0.0.1:0",
                    "--name", name, "--tracker", tracker["address"],
                )  # fmt: skip
                process, announced = stack.enter_context(running(folder / name, *rig_command))
                stalls.append(Stall(name, announced["node_id"], engine, room, process))
            yield Field(Owner(folder / "user", tracker["address"]), stalls)
    finally:
        room.close()


def _stop(room: EngineRoom, engine: FakeLlamaServer) -> None:
    room.run(engine.stop())
