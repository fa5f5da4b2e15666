"""Memory and GPUs of recorded machines, and sensors that raise, lie or hang."""

import threading
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.nodeproxy.hardware import Machine
from luckrig.nodeproxy.sensors import STALE_SECONDS, Condition, Nvml, Sensors
from luckrig.protocol.telemetry import MAX_GPUS, GpuReading, Telemetry
from tests.nodeproxy.test_hardware import FakeNvml, NoDriver

GIB = 1 << 30
MEMINFO = """\
MemTotal:       65806684 kB
MemFree:         1203340 kB
MemAvailable:   41206684 kB
Buffers:          812344 kB
"""
VM_STAT = """\
Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               42017.
Pages active:                            911340.
Pages inactive:                          893216.
Pages speculative:                        17235.
Pages throttled:                              0.
Pages wired down:                       1048576.
Pages purgeable:                          10000.
"Translation faults":                 834231457.
Pages copy-on-write:                   31337007.
Anonymous pages:                        600000.
Pages stored in compressor:              120000.
Pages occupied by compressor:             50000.
"""
CARD = "/sys/class/drm/card1/device"
RX_7900 = {
    f"{CARD}/vendor": "0x1002\n",
    f"{CARD}/gpu_busy_percent": "97\n",
    f"{CARD}/mem_info_vram_used": f"{18 * GIB}\n",
    f"{CARD}/mem_info_vram_total": f"{24 * GIB}\n",
    f"{CARD}/hwmon/hwmon4/temp1_input": "61000\n",
    f"{CARD}/hwmon/hwmon4/power1_average": "287000000\n",
}
RADEON = GpuReading(
    memory_used_bytes=18 * GIB,
    memory_total_bytes=24 * GIB,
    utilization=0.97,
    celsius=61.0,
    watts=287.0,
)


def machine(
    files: dict[str, str] | None = None,
    *,
    system: str = "Linux",
    commands: dict[str, str] | None = None,
) -> Machine:
    """A machine made of recorded files and command outputs."""
    known = {"/proc/meminfo": MEMINFO} if files is None else files

    def list_paths(pattern: str) -> list[str]:
        parts = [path.split("/") for path in known]
        folders = {"/".join(part[:length]) for part in parts for length in range(2, len(part))}
        depth = pattern.count("/")
        return sorted(
            path for path in folders if path.count("/") == depth and fnmatch(path, pattern)
        )

    return Machine(
        system=system,
        read_text=lambda path: known.get(path, ""),
        list_paths=list_paths,
        run=lambda command: (commands or {}).get(" ".join(command), ""),
        nvml=list,
    )


def read(of: Machine, *nvidia: GpuReading) -> Condition:
    return Sensors(of, lambda: nvidia).read()


def test_linux_says_how_much_memory_is_available() -> None:
    assert read(machine()) == Condition(24_600_000 << 10, 65_806_684 << 10)


def test_a_mac_counts_as_used_what_its_activity_monitor_does() -> None:
    commands = {"vm_stat": VM_STAT, "sysctl -n hw.memsize": "68719476736\n"}
    pages = 600_000 - 10_000 + 1_048_576 + 50_000
    found = read(machine({}, system="Darwin", commands=commands))
    assert found == Condition(pages * 16_384, 64 * GIB)
    without = read(machine({}, system="Darwin", commands={"sysctl -n hw.memsize": "8589934592"}))
    assert without == Condition(None, 8 * GIB)


def test_an_old_kernel_tells_the_total_only() -> None:
    found = read(machine({"/proc/meminfo": "MemTotal:       65806684 kB\n"}))
    assert found == Condition(None, 65_806_684 << 10)


@pytest.mark.parametrize("system", ["Linux", "Darwin", "Windows", ""])
def test_a_machine_that_says_nothing_has_nothing(system: str) -> None:
    assert read(machine({}, system=system)) == Condition()


def test_amd_gpus_are_read_from_their_drivers_files() -> None:
    assert read(machine(RX_7900)).gpus == (RADEON,)
    newer = {path.replace("power1_average", "power1_input"): text for path, text in RX_7900.items()}
    assert read(machine(newer)).gpus == (RADEON,)


def test_an_integrated_gpu_counts_only_where_it_is_alone_and_has_no_memory_of_its_own() -> None:
    card = CARD.replace("card1", "card0")
    integrated = {
        f"{card}/vendor": "0x1002\n",
        f"{card}/gpu_busy_percent": "3\n",
        f"{card}/mem_info_vram_total": f"{512 << 20}\n",
    }
    nvidia = GpuReading(utilization=0.5)
    assert read(machine(integrated)).gpus == (GpuReading(utilization=0.03),)
    assert read(machine(integrated | RX_7900)).gpus == (RADEON,)
    assert read(machine(integrated), nvidia).gpus == (nvidia,)
    assert read(machine(RX_7900), nvidia).gpus == (nvidia, RADEON)


def test_cards_of_other_makers_are_not_asked() -> None:
    assert read(machine(RX_7900 | {f"{CARD}/vendor": "0x8086\n"})).gpus == ()


@pytest.mark.parametrize("nonsense", ["", "N/A", "-1e3", "9" * 30, "\x00", "١٢", "-274000000000"])
def test_what_is_out_of_bounds_was_not_read(nonsense: str) -> None:
    files = {path: text if "vendor" in path else nonsense for path, text in RX_7900.items()}
    assert read(machine(files)).gpus == (GpuReading(),)


class Gauges(FakeNvml):
    """NVIDIA's binding with what a GPU shows now."""

    def __init__(self, count: int = 1, faults: frozenset[str] = frozenset()) -> None:
        super().__init__(faults=faults)
        self.count, self.faults, self.opened = count, set(faults), 0

    def __getattr__(self, function: str) -> Callable[..., Any]:
        answers: dict[str, Any] = {
            "nvmlDeviceGetCount": self.count,
            "nvmlDeviceGetMemoryInfo": type("M", (), {"used": 20 * GIB, "total": 24 * GIB}),
            "nvmlDeviceGetUtilizationRates": type("U", (), {"gpu": 88, "memory": 40}),
            "nvmlDeviceGetTemperature": 71,
            "nvmlDeviceGetPowerUsage": 318_500,
        }

        def call(*arguments: object) -> object:
            self.opened += function == "nvmlInit"
            if function in self.faults:
                raise NoDriver
            return answers.get(function)

        return call


RTX_3090 = GpuReading(
    memory_used_bytes=20 * GIB,
    memory_total_bytes=24 * GIB,
    utilization=0.88,
    celsius=71.0,
    watts=318.5,
)


def test_nvidias_library_tells_all_and_is_opened_once() -> None:
    library = Gauges(count=2)
    nvml = Nvml(library)
    assert nvml.read() == nvml.read() == [RTX_3090, RTX_3090]
    assert library.opened == 1
    assert len(Nvml(Gauges(count=99)).read()) == MAX_GPUS


@pytest.mark.parametrize(
    ("fault", "missing"),
    [
        ("nvmlDeviceGetMemoryInfo", ("memory_used_bytes", "memory_total_bytes")),
        ("nvmlDeviceGetUtilizationRates", ("utilization",)),
        ("nvmlDeviceGetTemperature", ("celsius",)),
        ("nvmlDeviceGetPowerUsage", ("watts",)),
    ],
)
def test_a_gpu_that_lacks_a_sensor_has_the_others(fault: str, missing: tuple[str, ...]) -> None:
    nothing: dict[str, Any] = dict.fromkeys(missing)
    expected = msgspec.structs.replace(RTX_3090, **nothing)
    assert Nvml(Gauges(faults=frozenset({fault}))).read() == [expected]


def test_a_driver_that_goes_away_and_comes_back_is_opened_again() -> None:
    library = Gauges()
    nvml = Nvml(library)
    assert nvml.read() == [RTX_3090]
    library.faults = {"nvmlDeviceGetCount", "nvmlShutdown"}
    assert nvml.read() == []
    library.faults = {"nvmlInit"}
    assert nvml.read() == []
    library.faults = set()
    assert nvml.read() == [RTX_3090]


@given(st.text(), st.sampled_from(["Linux", "Darwin"]))
def test_no_text_makes_sensors_raise_or_leave_the_bounds(text: str, system: str) -> None:
    noisy = Machine(
        system=system,
        read_text=lambda path: "0x1002" if path.endswith("vendor") else text,
        list_paths=lambda pattern: [CARD],
        run=lambda command: text,
        nvml=list,
    )
    used, total, gpus = read(noisy)
    said = Telemetry(
        status="available", memory_used_bytes=used, memory_total_bytes=total, gpus=list(gpus)
    )
    assert msgspec.json.decode(msgspec.json.encode(said), type=Telemetry) == said


def test_this_machine_has_memory() -> None:
    used, total, _ = Sensors().read()
    assert used is not None
    assert total is not None
    assert 0 < used < total


# The thread


def wait_until(condition: Callable[[], bool]) -> None:
    """The test's timeout bounds it."""
    while not condition():
        threading.Event().wait(0.001)


def test_what_was_read_is_there_until_it_is_too_old() -> None:
    now = 0.0
    sensors = Sensors(machine(), list, monotonic=lambda: now)
    assert sensors.latest() == Condition()
    with sensors.running():
        wait_until(lambda: sensors.latest() != Condition())
    assert sensors.latest().memory_total_bytes == 65_806_684 << 10
    now = STALE_SECONDS + 1
    assert sensors.latest() == Condition()


def test_a_binding_that_raises_anything_is_no_end(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> list[GpuReading]:
        raise RuntimeError("secret path")

    sensors = Sensors(machine(), broken)
    with sensors.running():
        wait_until(lambda: bool(caplog.records))
    assert sensors.latest() == Condition()
    assert "RuntimeError" in caplog.text
    assert "secret path" not in caplog.text


def test_sensors_that_hang_hold_nobody_up() -> None:
    free, asked = threading.Event(), threading.Event()

    def stuck() -> list[GpuReading]:
        asked.set()
        free.wait()
        return []

    sensors = Sensors(machine(), stuck)
    with sensors.running():
        assert asked.wait(10)
        assert sensors.latest() == Condition()
    free.set()
