"""What machine this is, and what else it did while something was measured."""

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

from bench.processes import cpu_seconds

NOISE_LIMIT: Final = 0.1
"""CPUs' worth of other people's work, on the two that are measured on, above which a figure says
nothing. An idle desktop has 0.02."""


def describe(versions: Sequence[str] = ()) -> str:
    """One line: CPU, cores, memory, kernel, Python, and what was compared with."""
    gigabytes = psutil.virtual_memory().total / 2**30
    parts = [
        f"{_cpu_model()}, {os.cpu_count()} CPUs, {gigabytes:.0f} GB",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
        *versions,
    ]
    return "; ".join(parts)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


class NoiseMeter:
    """How much of the CPUs that are measured on went to others: other processes, and other
    machines on the same host (steal)."""

    def __init__(self, cpus: Sequence[int | None]) -> None:
        self._cpus = {cpu for cpu in cpus if cpu is not None}
        self._before = self._look()

    def lap(self) -> float:
        """CPUs' worth of others' work since the last call; 0.1 is a tenth of one CPU."""
        at, all_seconds, our_seconds = before = self._look()
        since, all_before, ours_before = self._before
        self._before = before
        others = (all_seconds - all_before) - (our_seconds - ours_before)
        return max(0.0, others / max(1e-3, at - since))

    def _look(self) -> tuple[float, float, float]:
        """Now, what everybody used of these CPUs, what this process and its children used."""
        everybody = 0.0
        for number, times in enumerate(psutil.cpu_times(percpu=True)):
            if not self._cpus or number in self._cpus:
                # Interrupts aren't counted for processes, so they don't count here either.
                busy = times.user + times.system + getattr(times, "nice", 0.0)
                everybody += busy + getattr(times, "steal", 0.0)
        ours = psutil.Process()
        children = [child.pid for child in ours.children(recursive=True)]
        return time.monotonic(), everybody, cpu_seconds([ours.pid, *children])
