"""How the machine is now: memory, GPUs. What it is made of is hardware.py's.

Drivers and files may be absent, old, wrong or stuck. So a thread of its own asks them, nobody waits
for it, what can't be read is None, and what is out of bounds counts as not read.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple, get_type_hints

import msgspec
import pynvml

from luckrig.nodeproxy.hardware import (
    INTEGRATED_VRAM_BYTES,
    Machine,
    amd_cards,
    ram_bytes,
    this_machine,
)
from luckrig.protocol.telemetry import MAX_GPUS, GpuReading, Telemetry

INTERVAL_SECONDS: Final = 10.0
STALE_SECONDS: Final = 60.0
"""A sensor that is stuck says nothing any more, not for ever what it said last."""

_GPU_TYPES: Final = get_type_hints(GpuReading, include_extras=True)
_TYPES: Final = get_type_hints(Telemetry, include_extras=True)
_PAGE: Final = re.compile(r"page size of (\d{1,9}) bytes")
_USED_PAGES: Final = ("Anonymous pages", "Pages wired down", "Pages occupied by compressor")
"""What the Activity Monitor calls used; what can be purged comes off again."""

_log = logging.getLogger(__name__)


class Condition(NamedTuple):
    """What the sensors say. Everything is missing where there is nothing to ask."""

    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    gpus: tuple[GpuReading, ...] = ()


class Sensors:
    """Reads the machine every INTERVAL_SECONDS while it runs.

    machine: this one by default. nvidia: the GPUs that NVIDIA's library knows. monotonic: seconds
    from any origin.
    """

    def __init__(
        self,
        machine: Machine | None = None,
        nvidia: Callable[[], Sequence[GpuReading]] | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._machine = machine or this_machine()
        self._nvidia = nvidia or Nvml().read
        self._monotonic = monotonic
        self._latest = Condition()
        self._read_at = monotonic()
        self._is_failing = False

    def latest(self) -> Condition:
        """What was read last; nothing when that is too long ago. Never waits."""
        is_stale = self._monotonic() - self._read_at > STALE_SECONDS
        return Condition() if is_stale else self._latest

    def gpus(self) -> Sequence[GpuReading]:
        """The same of the GPUs alone."""
        return self.latest().gpus

    @contextmanager
    def running(self) -> Generator[None, None, None]:
        """Read while the block runs. A thread that is stuck is left behind, so nobody waits."""
        stop = threading.Event()
        threading.Thread(
            target=self._run, args=(stop,), name="luckrig-sensors", daemon=True
        ).start()
        try:
            yield
        finally:
            stop.set()

    def read(self) -> Condition:
        """Ask the machine. Blocks for as long as it takes."""
        used, total = _memory(self._machine)
        gpus = [*self._nvidia()]
        if self._machine.system == "Linux":
            gpus += _read_amd(self._machine, is_alone=not gpus)
        return Condition(
            _sane(used, _TYPES["memory_used_bytes"]),
            _sane(total, _TYPES["memory_total_bytes"]),
            tuple(gpus[:MAX_GPUS]),
        )

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                latest = self.read()
                self._is_failing = False
            except Exception as error:  # a driver's binding may raise anything
                if not self._is_failing:  # said once, not every few seconds
                    _log.warning("sensors can't be read: %s", type(error).__qualname__)
                self._is_failing = True
                latest = Condition()
            self._latest, self._read_at = latest, self._monotonic()
            stop.wait(INTERVAL_SECONDS)


def _sane(value: float | None, within: Any) -> Any:
    """The value where protocol/telemetry.py allows it, or else None. within: a field's type."""
    try:
        return msgspec.convert(value, within)
    except msgspec.ValidationError:
        return None


def _gpu(**fields: float | None) -> GpuReading:
    return GpuReading(**{name: _sane(value, _GPU_TYPES[name]) for name, value in fields.items()})


def _number(text: str) -> int | None:
    """A whole number that stands alone in a file."""
    text = text.strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None


def _scaled(number: int | None, by: float) -> float | None:
    return None if number is None else number / by


# Memory


def _memory(machine: Machine) -> tuple[int | None, int | None]:
    """(used, total) in bytes."""
    total = ram_bytes(machine)
    if machine.system == "Darwin":
        return _mac_used(machine.run(("vm_stat",))), total
    found = re.search(
        r"^MemAvailable:\s*(\d{1,12}) kB$", machine.read_text("/proc/meminfo"), re.MULTILINE
    )
    if found is None or total is None:
        return None, total
    return total - (int(found[1]) << 10), total


def _mac_used(printed: str) -> int | None:
    page = _PAGE.search(printed)
    pages = dict(re.findall(r'^"?([A-Za-z -]+)"?:\s+(\d{1,15})\.$', printed, re.MULTILINE))
    if page is None or not all(name in pages for name in _USED_PAGES):
        return None
    used = sum(int(pages[name]) for name in _USED_PAGES) - int(pages.get("Pages purgeable", 0))
    return used * int(page[1])


# AMD


def _read_amd(machine: Machine, *, is_alone: bool) -> list[GpuReading]:
    """From the amdgpu driver's files. GPUs inside a CPU count only where there is no other."""
    cards = [
        (card, _number(_read(machine, card, "mem_info_vram_total"))) for card in amd_cards(machine)
    ]
    own = [card for card, total in cards if total is not None and total >= INTEGRATED_VRAM_BYTES]
    if own:
        return [_amd_gpu(machine, card, has_memory=True) for card in own]
    return [_amd_gpu(machine, card, has_memory=False) for card, _ in cards] if is_alone else []


def _amd_gpu(machine: Machine, card: str, *, has_memory: bool) -> GpuReading:
    """has_memory: of its own; another's figure says nothing of the models it runs."""
    monitors = machine.list_paths(f"{card}/hwmon/hwmon*")
    monitor = monitors[0] if monitors else f"{card}/hwmon/hwmon0"
    power = _read(machine, monitor, "power1_average") or _read(machine, monitor, "power1_input")
    used = _number(_read(machine, card, "mem_info_vram_used"))
    total = _number(_read(machine, card, "mem_info_vram_total"))
    return _gpu(
        memory_used_bytes=used if has_memory else None,
        memory_total_bytes=total if has_memory else None,
        utilization=_scaled(_number(_read(machine, card, "gpu_busy_percent")), 100),
        celsius=_scaled(_number(_read(machine, monitor, "temp1_input")), 1000),
        watts=_scaled(_number(power), 1_000_000),
    )


def _read(machine: Machine, folder: str, name: str) -> str:
    return machine.read_text(f"{folder}/{name}")


# NVIDIA


class Nvml:
    """NVIDIA's library, which is absent on most machines. library: the binding.

    It stays open: opening it wakes sleeping GPUs up, every time.
    """

    def __init__(self, library: Any = pynvml) -> None:
        self._library = library
        self._is_open = False

    def read(self) -> list[GpuReading]:
        """One reading for each GPU, in the library's order; none where there is no driver."""
        library = self._library
        try:
            if not self._is_open:
                library.nvmlInit()
                self._is_open = True
            count = min(library.nvmlDeviceGetCount(), MAX_GPUS)
            handles = [library.nvmlDeviceGetHandleByIndex(number) for number in range(count)]
        except (library.NVMLError, OSError):
            self._close()  # after a new driver was loaded it must be opened again
            return []
        return [self._read_gpu(handle) for handle in handles]

    def _read_gpu(self, handle: Any) -> GpuReading:
        memory = self._ask("nvmlDeviceGetMemoryInfo", handle)
        rates = self._ask("nvmlDeviceGetUtilizationRates", handle)
        return _gpu(
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_total_bytes=None if memory is None else int(memory.total),
            utilization=None if rates is None else rates.gpu / 100,
            celsius=self._ask("nvmlDeviceGetTemperature", handle, 0),  # 0: the GPU's own sensor
            watts=_scaled(self._ask("nvmlDeviceGetPowerUsage", handle), 1000),
        )

    def _ask(self, function: str, *arguments: Any) -> Any:
        """None where this GPU doesn't have that."""
        try:
            return getattr(self._library, function)(*arguments)
        except self._library.NVMLError:
            return None

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            with suppress(self._library.NVMLError):
                self._library.nvmlShutdown()
