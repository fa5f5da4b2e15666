"""Hardware detection on recorded machines: no GPU of any kind is needed."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.nodeproxy.hardware import Gpu, Machine, detect_hardware, read_nvml
from luckrig.protocol.descriptor import Hardware
from luckrig.protocol.text import check_label

GIB = 1 << 30
SMI = "nvidia-smi --query-gpu=name,memory.total --format=csv,noheader,nounits"
CARD = "/sys/class/drm/card1/device"

LINUX = {
    "/proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz\n",
    "/proc/meminfo": "MemTotal:       65806684 kB\nMemFree:        1000 kB\n",
}
PCI_IDS = """\
1001  Kolter Electronic
\t744c  Not this one
1002  Advanced Micro Devices, Inc. [AMD/ATI]
\t73bf  Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]
\t164e  Raphael
\t\t1002 0001  Board
1003  ULSI Systems
\t744d  Not this one either
"""
AMDGPU_IDS = (
    "# List of AMDGPU IDs\n1.0.0\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n744C,\tCC,\tAMD 7900 XT\n"
)

M2_MAX = """{"SPDisplaysDataType": [{"_name": "Apple M2 Max", "spdisplays_mtlgpufamilysupport":
"spdisplays_metal3", "spdisplays_ndrvs": [{"_name": "Color LCD"}], "spdisplays_vendor":
"sppci_vendor_Apple", "sppci_bus": "spdisplays_builtin", "sppci_cores": "38", "sppci_device_type":
"spdisplays_gpu", "sppci_model": "Apple M2 Max"}]}"""
INTEL_MAC = """{"SPDisplaysDataType": [
{"sppci_model": "Intel UHD Graphics 630", "spdisplays_vram_shared": "1536 MB"},
{"sppci_model": "AMD Radeon Pro 5500M", "spdisplays_vram": "8 GB"}]}"""


def machine(
    files: dict[str, str] | None = None,
    *,
    system: str = "Linux",
    commands: dict[str, str] | None = None,
    nvml: Sequence[Gpu] = (),
) -> Machine:
    """A machine made of recorded files and command outputs."""
    known = files if files is not None else LINUX

    def list_paths(pattern: str) -> list[str]:
        folders = {path.rpartition("/")[0] for path in known}
        return sorted(folder for folder in folders if fnmatch(folder, pattern))

    return Machine(
        system=system,
        read_text=lambda path: known.get(path, ""),
        list_paths=list_paths,
        run=lambda command: (commands or {}).get(" ".join(command), ""),
        nvml=lambda: nvml,
        processor="Some64 Family 6",
    )


def amd_card(number: int, **files: str) -> dict[str, str]:
    """The amdgpu driver's files of one card."""
    folder = f"/sys/class/drm/card{number}/device"
    return {f"{folder}/vendor": "0x1002\n"} | {
        f"{folder}/{name}": text for name, text in files.items()
    }


def test_a_machine_without_gpu_is_described_by_cpu_and_ram() -> None:
    assert detect_hardware(machine()) == Hardware(
        gpu=None, vram_bytes=None, cpu="Intel Xeon CPU E5-2680 v4", ram_bytes=65806684 << 10
    )


def test_equal_gpus_are_counted_and_their_memory_summed() -> None:
    rtx_3090 = Gpu("NVIDIA GeForce RTX 3090", 24 * GIB)
    found = detect_hardware(machine(nvml=[rtx_3090, rtx_3090]))
    assert (found.gpu, found.vram_bytes) == ("2 \u00d7 NVIDIA GeForce RTX 3090", 48 * GIB)
    mixed = detect_hardware(machine(nvml=[rtx_3090, Gpu("NVIDIA RTX A4000", 16 * GIB), rtx_3090]))
    assert mixed.gpu == "2 \u00d7 NVIDIA GeForce RTX 3090 + NVIDIA RTX A4000"
    assert mixed.vram_bytes == 64 * GIB


def test_nvidia_smi_answers_where_the_library_does_not() -> None:
    commands = {SMI: "NVIDIA GeForce GTX 1080 Ti, 11264\nNVIDIA GB10, [N/A]\nnoise\n"}
    found = detect_hardware(machine(commands=commands))
    assert (found.gpu, found.vram_bytes) == ("NVIDIA GeForce GTX 1080 Ti", 11 * GIB)
    found = detect_hardware(machine(commands={SMI: "NVIDIA GB10, [N/A]\n"}))
    assert (found.gpu, found.vram_bytes) == ("NVIDIA GB10", None)


@pytest.mark.parametrize(
    ("files", "gpu"),
    [
        ({"product_name": "AMD Instinct MI210\n"}, "AMD Instinct MI210"),
        ({"product_name": "Radeon Pro V620"}, "AMD Radeon Pro V620"),
        ({"device": "0x744c\n", "revision": "0xc8\n"}, "AMD Radeon RX 7900 XTX"),
        ({"device": "0x73bf"}, "AMD Radeon RX 6800/6800 XT / 6900 XT"),
        ({"device": "0x744d"}, "AMD GPU 744d"),
        ({}, "AMD GPU"),
    ],
)
def test_amd_cards_get_the_best_name_there_is(files: dict[str, str], gpu: str) -> None:
    lists = {"/usr/share/libdrm/amdgpu.ids": AMDGPU_IDS, "/usr/share/misc/pci.ids": PCI_IDS}
    card = amd_card(1, mem_info_vram_total=f"{24 * GIB}\n", **files)
    found = detect_hardware(machine(LINUX | lists | card))
    assert (found.gpu, found.vram_bytes) == (gpu, 24 * GIB)


def test_an_integrated_gpu_counts_only_where_it_is_the_only_one() -> None:
    lists = {"/usr/share/hwdata/pci.ids": PCI_IDS}
    integrated = amd_card(0, device="0x164e", mem_info_vram_total=str(512 << 20))
    alone = detect_hardware(machine(LINUX | lists | integrated))
    assert (alone.gpu, alone.vram_bytes) == ("AMD Raphael", None)
    beside = machine(LINUX | lists | integrated, nvml=[Gpu("NVIDIA RTX A4000", 16 * GIB)])
    assert detect_hardware(beside).gpu == "NVIDIA RTX A4000"


def test_cards_of_other_makers_are_left_to_their_own_drivers() -> None:
    files = LINUX | {f"{CARD}/vendor": "0x8086\n", f"{CARD}/device": "0x56a0\n"}
    assert detect_hardware(machine(files)).gpu is None


def test_apple_silicon_shares_its_memory() -> None:
    commands = {
        "system_profiler SPDisplaysDataType -json": M2_MAX,
        "sysctl -n machdep.cpu.brand_string": "Apple M2 Max\n",
        "sysctl -n hw.memsize": "68719476736\n",
    }
    assert detect_hardware(machine({}, system="Darwin", commands=commands)) == Hardware(
        gpu="Apple M2 Max (38-core GPU)", vram_bytes=None, cpu="Apple M2 Max", ram_bytes=64 * GIB
    )


def test_an_intel_mac_shows_its_separate_gpu() -> None:
    commands = {"system_profiler SPDisplaysDataType -json": INTEL_MAC}
    found = detect_hardware(machine({}, system="Darwin", commands=commands))
    assert (found.gpu, found.vram_bytes) == ("AMD Radeon Pro 5500M", 8 * GIB)


@pytest.mark.parametrize(
    ("files", "commands", "cpu"),
    [
        (
            {"/proc/cpuinfo": "Model\t\t: Raspberry Pi 5 Model B Rev 1.0\n"},
            {},
            "Raspberry Pi 5 Model B Rev 1.0",
        ),
        ({"/proc/device-tree/model": "NVIDIA Jetson AGX Orin\0"}, {}, "NVIDIA Jetson AGX Orin"),
        ({}, {"lscpu": "Architecture: aarch64\nModel name:   Neoverse-N1\n"}, "Neoverse-N1"),
        ({}, {}, "Some64 Family 6"),
    ],
    ids=["cpuinfo", "device-tree", "lscpu", "nothing"],
)
def test_arm_boards_are_named_too(
    files: dict[str, str], commands: dict[str, str], cpu: str
) -> None:
    assert detect_hardware(machine(files, commands=commands)).cpu == cpu


def test_other_systems_give_what_python_knows() -> None:
    found = detect_hardware(machine({}, system="Windows", nvml=[Gpu("NVIDIA X", 8 * GIB)]))
    assert found == Hardware(
        gpu="NVIDIA X", vram_bytes=8 * GIB, cpu="Some64 Family 6", ram_bytes=None
    )


@given(st.text(), st.sampled_from(["Linux", "Darwin"]))
def test_no_text_makes_detection_raise_or_print_nonsense(text: str, system: str) -> None:
    noisy = Machine(
        system=system,
        read_text=lambda path: "0x1002" if path.endswith("vendor") else text,
        list_paths=lambda pattern: [CARD],
        run=lambda command: text,
        nvml=lambda: [Gpu(text, None)],
        processor=text,
    )
    found = detect_hardware(noisy)
    for name in (found.gpu, found.cpu):
        assert name is None or (name.isprintable() and name == name.strip() and len(name) <= 120)


def test_names_fit_the_label_rules_of_the_map() -> None:
    found = detect_hardware(machine(nvml=[Gpu("NVIDIA\u200b GeForce\x00 " + "X" * 200, GIB)] * 2))
    assert found.gpu is not None
    check_label(found.gpu, field="gpu")


class NoDriver(Exception):
    """What the stand-in library raises."""


class FakeNvml:
    """NVIDIA's binding, as far as it is used. faults: functions that raise."""

    NVMLError = NoDriver

    def __init__(self, name: object = "NVIDIA L4", faults: frozenset[str] = frozenset()) -> None:
        self._name = name
        self._faults = faults

    def __getattr__(self, function: str) -> Callable[..., Any]:
        def call(*arguments: object) -> object:
            if function in self._faults:
                raise NoDriver
            memory = type("Memory", (), {"total": 24 * GIB})
            answers = {"nvmlDeviceGetCount": 1, "nvmlDeviceGetName": self._name}
            return answers.get(function, memory)

        return call


@pytest.mark.parametrize(
    ("library", "gpus"),
    [
        (FakeNvml(), [Gpu("NVIDIA L4", 24 * GIB)]),
        (FakeNvml(name=b"NVIDIA L4"), [Gpu("NVIDIA L4", 24 * GIB)]),
        (FakeNvml(faults=frozenset({"nvmlDeviceGetMemoryInfo"})), [Gpu("NVIDIA L4", None)]),
        (FakeNvml(faults=frozenset({"nvmlInit"})), []),
        (FakeNvml(faults=frozenset({"nvmlDeviceGetName", "nvmlShutdown"})), []),
    ],
    ids=["string", "bytes", "unified-memory", "no-driver", "broken"],
)
def test_nvidias_library_may_be_old_or_absent(library: FakeNvml, gpus: list[Gpu]) -> None:
    assert read_nvml(library) == gpus


def test_this_machine_can_be_described() -> None:
    found = detect_hardware()
    assert found.cpu
    assert found.ram_bytes
