"""What a rig is made of: GPU, VRAM, CPU, RAM. Read once, when a node registers or starts.

Detection asks drivers and files that may be absent, old or wrong, so it never raises: what can't
be read is None. Nothing here is a measurement; the map shows it as the owner's claim.
"""

import glob
import platform
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pynvml

from luckrig.protocol.descriptor import Hardware

MAX_NAME_CHARS: Final = 120  # a label on the map: protocol/text.py
COMMAND_TIMEOUT_SECONDS: Final = 10.0

INTEGRATED_VRAM_BYTES: Final = 2 << 30
"""An AMD GPU with less is part of a CPU and lives off the RAM: its own figure, often 512 MiB,
would say nothing about the models it runs."""

_CARDS: Final = "/sys/class/drm/card[0-9]*/device"
_MARKETING_NAMES: Final = "/usr/share/libdrm/amdgpu.ids"  # "744C, C8, AMD Radeon RX 7900 XTX"
_PCI_NAMES: Final = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")
_NVIDIA_SMI: Final = (
    "nvidia-smi",
    "--query-gpu=name,memory.total",
    "--format=csv,noheader,nounits",
)


class Gpu(NamedTuple):
    """One GPU. memory_bytes: its own memory, None if it has none or doesn't say."""

    name: str
    memory_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The ways to ask a machine. Each answers with nothing where there is nothing.

    system: as platform.system(). read_text: a file. list_paths: a glob, sorted. run: a command's
    standard output. nvml: the GPUs that NVIDIA's library knows.
    """

    system: str
    read_text: Callable[[str], str]
    list_paths: Callable[[str], Sequence[str]]
    run: Callable[[Sequence[str]], str]
    nvml: Callable[[], Sequence[Gpu]]
    processor: str = ""


def detect_hardware(machine: Machine | None = None) -> Hardware:
    """Describe the machine; this one by default. Runs commands, so it blocks for a moment.

    gpu and vram_bytes cover all GPUs together. vram_bytes is None where the GPU shares the RAM
    (Apple silicon, integrated GPUs, some NVIDIA boards): ram_bytes is then the bound.
    """
    machine = machine or this_machine()
    gpus = list(machine.nvml()) or _ask_nvidia_smi(machine)
    if machine.system == "Linux":
        gpus += _read_amd(machine)
    elif machine.system == "Darwin":
        gpus += _ask_system_profiler(machine)
    gpus = [gpu for gpu in gpus if gpu.memory_bytes] or gpus  # leave out what runs the screen
    return Hardware(
        gpu=_clean(_join_names([gpu.name for gpu in gpus])),
        vram_bytes=sum(gpu.memory_bytes or 0 for gpu in gpus) or None,
        cpu=_clean(_cpu_name(machine)),
        ram_bytes=ram_bytes(machine),
    )


def this_machine() -> Machine:
    """The machine we run on."""
    return Machine(
        system=platform.system(),
        read_text=_read_text,
        list_paths=lambda pattern: sorted(glob.glob(pattern)),
        run=_run,
        nvml=read_nvml,
        processor=platform.processor(),
    )


def _join_names(names: Sequence[str]) -> str:
    """Equal names are counted, and their order is kept: "2 x A + B"."""
    counts = Counter(names)
    return " + ".join(
        name if n == 1 else f"{n} \N{MULTIPLICATION SIGN} {name}" for name, n in counts.items()
    )


def _clean(name: str) -> str | None:
    """One printable line without trademark signs and clock rates; None if nothing is left."""
    name = re.sub(r"\((?:R|TM|C)\)|[®™]|@\s*[\d.]+\s*[GM]Hz", " ", name, flags=re.IGNORECASE)
    name = "".join(character if character.isprintable() else " " for character in name)
    return " ".join(name.split())[:MAX_NAME_CHARS].strip() or None


def _to_int(text: str) -> int | None:
    """A count of bytes or mebibytes, as files and commands print it; None for 0 and "[N/A]"."""
    digits = re.match(r"\s*(\d{1,15})", text)
    return (int(digits[1]) or None) if digits else None


# NVIDIA


def read_nvml(nvml: Any = pynvml) -> list[Gpu]:
    """Ask NVIDIA's library, which is absent on most machines. nvml: the binding."""
    try:
        nvml.nvmlInit()
    except (nvml.NVMLError, OSError):
        return []
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(n) for n in range(nvml.nvmlDeviceGetCount())]
        return [Gpu(_text(nvml.nvmlDeviceGetName(h)), _nvml_memory(nvml, h)) for h in handles]
    except (nvml.NVMLError, OSError):
        return []
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def _nvml_memory(nvml: Any, handle: Any) -> int | None:
    try:
        return int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    except nvml.NVMLError:  # not supported where GPU and CPU share the memory (GB10, Jetson)
        return None


def _text(value: object) -> str:
    """Old versions of the binding return bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _ask_nvidia_smi(machine: Machine) -> list[Gpu]:
    rows = (line.rpartition(",") for line in machine.run(_NVIDIA_SMI).splitlines())
    return [
        Gpu(name.strip(), mebibytes << 20 if (mebibytes := _to_int(memory)) else None)
        for name, comma, memory in rows
        if comma
    ]


# AMD


def _read_amd(machine: Machine) -> list[Gpu]:
    """From the amdgpu driver's files; ROCm isn't needed."""
    gpus: list[Gpu] = []
    for card in amd_cards(machine):
        vram = _to_int(machine.read_text(f"{card}/mem_info_vram_total"))
        is_own = vram is not None and vram >= INTEGRATED_VRAM_BYTES
        gpus.append(Gpu(_amd_name(machine, card), vram if is_own else None))
    return gpus


def amd_cards(machine: Machine) -> list[str]:
    """The folders of AMD's cards, sorted."""
    return [
        card
        for card in machine.list_paths(_CARDS)
        if machine.read_text(f"{card}/vendor").strip() == "0x1002"
    ]


def _amd_name(machine: Machine, card: str) -> str:
    """product_name exists on server cards only; for others ask the lists of libdrm and PCI."""
    if product := machine.read_text(f"{card}/product_name").strip():
        return product if product.startswith("AMD") else f"AMD {product}"
    device = machine.read_text(f"{card}/device").strip().removeprefix("0x").lower()
    revision = machine.read_text(f"{card}/revision").strip().removeprefix("0x")
    exact = rf"^{re.escape(device)},\s*{re.escape(revision)},\s*(.+)$"
    if match := re.search(exact, machine.read_text(_MARKETING_NAMES), re.MULTILINE | re.IGNORECASE):
        return match[1]
    for path in _PCI_NAMES:
        # Vendor lines start in column 0, their devices with one tab: "\t744c  Navi 31 [Radeon …]".
        _, _, vendor = machine.read_text(path).partition("\n1002  ")
        block = re.split(r"\n(?=[0-9a-f])", vendor, maxsplit=1)[0]
        if match := re.search(rf"^\t{re.escape(device)}  (?:.*\[)?([^\]\n]+)", block, re.MULTILINE):
            return f"AMD {match[1]}"
    return f"AMD GPU {device}".strip()


# Apple


class _Display(msgspec.Struct):
    sppci_model: str = ""
    sppci_cores: str = ""
    spdisplays_vram: str = ""


class _Displays(msgspec.Struct):
    SPDisplaysDataType: list[_Display] = []


def _ask_system_profiler(machine: Machine) -> list[Gpu]:
    printed = machine.run(("system_profiler", "SPDisplaysDataType", "-json"))
    try:
        displays = msgspec.json.decode(printed.encode(), type=_Displays).SPDisplaysDataType
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return []
    return [_mac_gpu(display) for display in displays if display.sppci_model]


def _mac_gpu(display: _Display) -> Gpu:
    """Apple's GPUs have no memory of their own; their cores tell an M2 Max from an M2 Max."""
    cores = f" ({display.sppci_cores}-core GPU)" if display.sppci_cores else ""
    amount = _to_int(display.spdisplays_vram)  # "8 GB", "1536 MB"
    shift = 30 if display.spdisplays_vram.rstrip().endswith("GB") else 20
    return Gpu(display.sppci_model + cores, amount << shift if amount else None)


# CPU and RAM


def _cpu_name(machine: Machine) -> str:
    if machine.system == "Darwin":
        return machine.run(("sysctl", "-n", "machdep.cpu.brand_string"))
    if machine.system != "Linux":
        return machine.processor
    cpuinfo = machine.read_text("/proc/cpuinfo")
    # x86 has "model name"; ARM kernels name the board, here or in the device tree, or nothing.
    for key in ("model name", "Model"):
        if match := re.search(rf"^{key}\s*:\s*(\S.*)$", cpuinfo, re.MULTILINE):
            return match[1]
    if board := machine.read_text("/proc/device-tree/model").strip("\0 \n"):
        return board
    match = re.search(r"^Model name:\s*(\S.*)$", machine.run(("lscpu",)), re.MULTILINE)
    return match[1] if match else machine.processor


def ram_bytes(machine: Machine) -> int | None:
    """How much memory the machine has; None where it doesn't say."""
    if machine.system == "Darwin":
        return _to_int(machine.run(("sysctl", "-n", "hw.memsize")))
    match = re.search(
        r"^MemTotal:\s*(\d{1,12}) kB$", machine.read_text("/proc/meminfo"), re.MULTILINE
    )
    return int(match[1]) << 10 if match else None


# This machine


def _read_text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""


def _run(command: Sequence[str]) -> str:
    program = shutil.which(command[0])
    if program is None:
        return ""
    try:
        finished = subprocess.run(  # noqa: S603 - fixed commands, no shell
            [program, *command[1:]],
            capture_output=True,
            check=False,
            timeout=COMMAND_TIMEOUT_SECONDS,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return finished.stdout if finished.returncode == 0 else ""
