"""A rig in front of the mock engine, without anything to compare with."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.mock_engine import Listening
from bench.processes import Child, cpu_pair
from bench.scenarios import CHUNKS
from bench.servers import Server


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """A running rig. tokens: that it accepts, one user's each. child: to talk with it."""

    port: int
    tokens: list[str]
    child: Child

    @property
    def pid(self) -> int:
        """The rig's process id; it works in one process."""
        return self.child.pids()[0]

    @property
    def server(self) -> Server:
        """The rig, for the load client; its CPU time isn't asked for."""
        return Server(name="luckrig", port=self.port, pids=[], tokens=self.tokens)


@contextmanager
def workshop(*, streams: int | None = None, trace: bool = False) -> Generator[Workshop, None, None]:
    """Engine and rig while the block runs. streams, trace: see bench/rig.py."""
    server_cpu, load_cpu = cpu_pair()
    engine = Child.module("mock_engine", str(CHUNKS), cpu=load_cpu)
    try:
        url = f"http://127.0.0.1:{engine.read(Listening).port}"
        options = [str(streams)] if streams is not None else []
        options += ["--trace"] if trace else []
        rig = Child.module("rig", url, *options, cpu=server_cpu)
        try:
            ready = rig.read(Listening)
            yield Workshop(port=ready.port, tokens=ready.tokens, child=rig)
        finally:
            rig.stop()
    finally:
        engine.stop()
