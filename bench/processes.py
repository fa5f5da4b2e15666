"""Child processes of a measurement: pinned to a CPU, talking JSON lines, never left behind."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import psutil

ROOT: Final = Path(__file__).resolve().parent.parent
STOP_SECONDS: Final = 5.0
UNLIMITED_FILES: Final = 65_536
"""Where the limit is said to be none, a system still refuses to set the soft one to that."""

T = TypeVar("T")


def cpu_pair() -> tuple[int | None, int | None]:
    """(CPU of the server under test, CPU of load and engine); None where pinning isn't possible.

    On a machine with one CPU both are the same, and the figures mean little.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[0], cpus[min(1, len(cpus) - 1)]


class Child:
    """A running process. The modules of bench end when their standard input does, so that they
    don't outlive a measurement that was killed."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cpu: int | None,
        environ: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        """environ: besides ours. log: a file for all it prints; without one, read() gets it."""

        def pin() -> None:
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        with ExitStack() as stack:
            file = None if log is None else stack.enter_context(log.open("wb"))
            self._process = subprocess.Popen(  # noqa: S603 -- commands are bench's own
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if file is None else file,
                stderr=file,
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
                preexec_fn=pin,  # before it starts threads or children
            )

    @classmethod
    def module(cls, name: str, *arguments: str, cpu: int | None) -> "Child":
        """A module of bench, in this interpreter."""
        return cls([sys.executable, "-m", f"bench.{name}", *arguments], cpu=cpu)

    @property
    def is_running(self) -> bool:
        """Whether it hasn't ended yet."""
        return self._process.poll() is None

    def pids(self) -> list[int]:
        """Its process id and its children's: nginx works in a child."""
        process = psutil.Process(self._process.pid)
        return [process.pid, *(child.pid for child in process.children(recursive=True))]

    def ask(self, question: msgspec.Struct) -> None:
        """Send one JSON line."""
        assert self._process.stdin is not None  # noqa: S101 -- narrows the type
        self._process.stdin.write(msgspec.json.encode(question) + b"\n")
        self._process.stdin.flush()

    def read(self, type: type[T]) -> T:
        """The next JSON line it prints. Raises RuntimeError when it ended instead."""
        assert self._process.stdout is not None  # noqa: S101 -- narrows the type
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return msgspec.json.decode(line, type=type)

    def stop(self) -> None:
        """End it, if need be by force."""
        assert self._process.stdin is not None  # noqa: S101 -- narrows the type
        self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def raise_file_limit() -> int:
    """As many open files as this process may have; its children inherit it. Returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = max(soft, UNLIMITED_FILES) if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return files


def own_bytes(pid: int) -> int:
    """Memory that would be free without this process (USS): what it shares doesn't count."""
    return psutil.Process(pid).memory_full_info().uss


def say(answer: msgspec.Struct) -> None:
    """From inside a child: print one JSON line."""
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that these processes have used so far, all threads."""
    return sum(map(_cpu_seconds, pids))


def _cpu_seconds(pid: int) -> float:
    """Linux counts nanoseconds in schedstat; elsewhere, and in stat, the unit is 10 ms, which is
    all that nginx uses for a second of paced streams."""
    files = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
    if files:
        return sum(int(file.read_text().split()[0]) for file in files) / 1e9
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
