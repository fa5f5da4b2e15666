"""The kinds of load, and one round of each on each server."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from bench.load import Job, Result
from bench.machine import NOISE_LIMIT, NoiseMeter
from bench.mock_engine import Listening
from bench.processes import Child, cpu_pair
from bench.servers import SERVERS, Absent, Server

CHUNKS: Final = 20
WARMUP_SECONDS: Final = 0.15
REPEATS: Final = 5
"""Of noisy heats in a whole run: on a machine that is always noisy it must end too."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """See load.Job for the fields. longer: how many times longer its windows are."""

    name: str
    title: str
    model: str
    stream: bool = True
    connections: int = 32
    rate: float | None = None
    longer: float = 1.0

    def job(self, server: Server, *, seconds: float, warmup_seconds: float) -> Job:
        """One window of it on that server."""
        return Job(
            port=server.port,
            model=self.model,
            stream=self.stream,
            connections=self.connections,
            rate=self.rate,
            warmup_seconds=warmup_seconds,
            seconds=seconds * self.longer,
            counts_all=server.is_slow,
            chunks=CHUNKS,
            tokens=server.tokens,
            pids=server.pids,
        )


SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="one", title="one client, stream in one write", model="burst", connections=1),
        Scenario(name="short", title="32 clients, 20-chunk streams", model="split"),
        Scenario(name="burst", title="32 clients, stream in one write", model="burst"),
        Scenario(name="whole", title="32 clients, not streamed", model="burst", stream=False),
        Scenario(
            name="paced",
            title="50 requests/s, 20 chunks, one each 10 ms",
            model="paced",
            connections=16,
            rate=50.0,
            longer=2.0,
        ),
    )
}


Figures = dict[tuple[str, str], list[Result]]
"""(scenario, server) → its windows, one for each round."""


@dataclass(frozen=True, kw_only=True)
class Heat:
    """One window on each server, in turns. noise: CPUs' worth of others' work meanwhile."""

    windows: dict[str, Result]
    noise: float


class Laboratory:
    """The engine, the load client and the servers, as long as its `with` block runs."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._stack = ExitStack()
        self.servers: list[Server] = []
        self.notes: list[str] = []
        self._repeats = REPEATS

    def __enter__(self) -> "Laboratory":
        server_cpu, load_cpu = cpu_pair()
        with ExitStack() as stack:
            engine = self._child(stack, "mock_engine", str(CHUNKS), cpu=load_cpu)
            port = engine.read(Listening).port
            self._load = self._child(stack, "load", cpu=load_cpu)
            for name in self._names:
                try:
                    self.servers.append(SERVERS[name](stack, port, server_cpu))
                except Absent as absent:
                    self.notes.append(f"{name} is left out: {absent}.")
            for server in self.servers:
                self.measure(SCENARIOS["short"], server, WARMUP_SECONDS)
            self._noise = NoiseMeter((server_cpu, load_cpu))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def quiet_heat(self, scenario: Scenario, number: int, seconds: float) -> Heat:
        """One heat. A noisy one is run again, as long as there are REPEATS, and the quietest
        counts."""
        heats = [self._heat(scenario, number, seconds)]
        while heats[-1].noise > NOISE_LIMIT and self._repeats > 0:
            self._repeats -= 1
            heats.append(self._heat(scenario, number, seconds))
        return min(heats, key=lambda heat: heat.noise)

    def _heat(self, scenario: Scenario, number: int, seconds: float) -> Heat:
        """Servers take turns, and another one begins each time."""
        self._noise.lap()
        turn = number % len(self.servers)
        order = self.servers[turn:] + self.servers[:turn]
        windows = {server.name: self.measure(scenario, server, seconds) for server in order}
        return Heat(windows=windows, noise=self._noise.lap())

    def measure(self, scenario: Scenario, server: Server, seconds: float) -> Result:
        """One window."""
        warmup_seconds = WARMUP_SECONDS if scenario.rate is None else 2 * WARMUP_SECONDS
        if server.is_slow:
            warmup_seconds = 0.0
        self._load.ask(scenario.job(server, seconds=seconds, warmup_seconds=warmup_seconds))
        return self._load.read(Result)

    @staticmethod
    def _child(stack: ExitStack, name: str, *arguments: str, cpu: int | None) -> Child:
        child = Child.module(name, *arguments, cpu=cpu)
        stack.callback(child.stop)
        return child
