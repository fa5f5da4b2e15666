"""Start the embedded engine as a child process, and be sure that it ends.

Three ways lead to its end: leaving `start_engine` (stdin closes, then SIGTERM, then SIGKILL, each
with a bounded wait), the death of this process (the kernel closes stdin), and its own crash, which
`RunningEngine.wait` reports. What runs inside the child is luckrig.engine.server.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from luckrig.protocol.errors import LuckrigError

logger = logging.getLogger(__name__)

LOG_TAIL_BYTES: Final = 4096
LOG_TAIL_LINES: Final = 5


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """What to serve. context_length: tokens in each slot, at most what the model was made for.

    threads: CPU threads that compute; one is best for a tiny model.
    """

    model_path: Path
    alias: str
    slots: int
    context_length: int
    embedding: bool = False
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How many seconds each step may take before the next one is tried."""

    start: float = 20.0  # until the engine listens; tiny.gguf takes 0.3
    close: float = 3.0  # after stdin was closed; usually 0.02, but a model is loaded to its end
    terminate: float = 2.0
    kill: float = 5.0


class EngineStartError(LuckrigError):
    """The engine did not start. The text ends with the last lines of its log."""

    def __init__(self, message: str) -> None:
        super().__init__("engine_unavailable", message)


class RunningEngine:
    """A llama.cpp server that answers at `url` until `start_engine` is left."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self.url = url

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait for the child's end, without causing it. Negative: the signal that ended it."""
        return await self._process.wait()


@asynccontextmanager
async def start_engine(
    spec: EngineSpec, *, log_path: Path, patience: Patience | None = None
) -> AsyncGenerator[RunningEngine, None]:
    """Run the engine for the length of the `async with` block.

    log_path: gets the engine's stderr; overwritten, readable by the owner only.
    Raises EngineStartError when it has not said in time where it listens.
    """
    patience = patience or Patience()
    log_file = _open_log(log_path)
    try:
        process = await asyncio.create_subprocess_exec(
            *_command(spec),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log_file,
        )
    finally:
        os.close(log_file)
    try:
        url = await _announced_url(process, log_path, patience)
        logger.info("engine started: pid %d, url %s", process.pid, url)
        yield RunningEngine(process, url)
    finally:
        await _stop(process, patience)


def _command(spec: EngineSpec) -> list[str]:
    # -P: a folder called `http` in the working directory must not replace Python's own.
    command = [sys.executable, "-P", "-m", "luckrig.engine.server"]
    command += ["--model", str(spec.model_path), "--alias", spec.alias]
    command += ["--slots", str(spec.slots), "--context", str(spec.context_length)]
    command += ["--threads", str(spec.threads)]
    return [*command, "--embedding"] if spec.embedding else command


async def _announced_url(
    process: asyncio.subprocess.Process, log_path: Path, patience: Patience
) -> str:
    """The URL from the child's only line on stdout."""
    stdout = process.stdout
    assert stdout is not None  # noqa: S101 - asked for with PIPE
    try:
        async with asyncio.timeout(patience.start):
            line = await stdout.readline()
            if not line:
                code = await process.wait()
                raise _start_error(f"The engine ended with exit code {code}.", log_path)
    except TimeoutError as error:
        reason = f"The engine did not listen within {patience.start:g} seconds."
        raise _start_error(reason, log_path) from error
    return str(json.loads(line)["url"])


async def _stop(process: asyncio.subprocess.Process, patience: Patience) -> None:
    """End the child, ever more firmly. Also when the caller is cancelled meanwhile."""
    stdin = process.stdin
    assert stdin is not None  # noqa: S101 - asked for with PIPE
    stdin.close()
    try:
        if await _ends_within(process, patience.close):
            return
        logger.warning("engine ignored its closed stdin: pid %d", process.pid)
        _signal(process, signal.SIGTERM)
        if await _ends_within(process, patience.terminate):
            return
    except asyncio.CancelledError:
        _signal(process, signal.SIGKILL)
        raise
    _signal(process, signal.SIGKILL)
    if not await _ends_within(process, patience.kill):
        logger.error("engine survived SIGKILL: pid %d", process.pid)


async def _ends_within(process: asyncio.subprocess.Process, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        return False
    return True


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


def _open_log(log_path: Path) -> int:
    """A file descriptor; an older file is emptied and loses wider rights."""
    log_file = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(log_file, 0o600)
    return log_file


def _start_error(reason: str, log_path: Path) -> EngineStartError:
    with log_path.open("rb") as log_file:
        log_file.seek(max(0, log_path.stat().st_size - LOG_TAIL_BYTES))
        lines = log_file.read().decode(errors="replace").splitlines()
    return EngineStartError("\n".join([reason, "Last lines of its log:", *lines[-LOG_TAIL_LINES:]]))
