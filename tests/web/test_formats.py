"""Numbers and times, by table."""

import msgspec
import pytest

from luckrig.protocol.wire import NodeStatus, QueueView
from luckrig.web import formats
from luckrig.web.languages import load_languages
from luckrig.web.pages import CAPABILITIES
from tests.web.rigs import TIMES, make_rig

GIB = 2**30


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (1, "1 MB"),
        (512 * 2**20, "512 MB"),
        (GIB, "1 GB"),
        (1_500_000_000, "1.4 GB"),
        (int(7.87 * GIB), "7.9 GB"),
        (8 * GIB, "8 GB"),
        (int(9.96 * GIB), "10 GB"),
        (25_757_220_864, "24 GB"),
        (25_769_803_776, "24 GB"),
        (80 * GIB, "80 GB"),
        (1023 * GIB, "1023 GB"),
        (1024 * GIB, "1 TB"),
        (1536 * GIB, "1.5 TB"),
    ],
)
def test_bytes(size_bytes: int, text: str) -> None:
    assert formats.format_bytes(size_bytes) == text


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (1, "1"),
        (999, "999"),
        (2048, "2k"),
        (32_768, "32k"),
        (32_000, "32k"),
        (40_960, "40k"),
        (131_072, "128k"),
        (5555, "5,555"),
        (16_385, "16,385"),
        (1_000_000, "1M"),
        (1_048_576, "1M"),
        (10_485_760, "10M"),
    ],
)
def test_tokens(tokens: int, text: str) -> None:
    assert formats.format_tokens(tokens) == text


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (1, "1"),
        (152_384, "152k"),
        (999_949, "1M"),
        (136_731_648, "137M"),
        (494_000_000, "494M"),
        (999_960_000, "1B"),
        (7_600_000_000, "7.6B"),
        (8_030_261_248, "8B"),
        (32_762_123_264, "32.8B"),
        (99_960_000_000, "100B"),
        (671_026_419_200, "671B"),
        (1_026_408_232_448, "1T"),
        (10**14, "100T"),
    ],
)
def test_parameters(parameters: int, text: str) -> None:
    assert formats.format_parameters(parameters) == text


NOW = 1_795_216_000
ENGLISH, JAPANESE = load_languages()["en"], load_languages()["ja"]


@pytest.mark.parametrize(
    ("age_seconds", "text"),
    [
        (-3600, "just now"),
        (0, "just now"),
        (4, "just now"),
        (5, "5 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (199, "3 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (2 * 86_400 - 1, "47 h ago"),
        (2 * 86_400, "2 days ago"),
        (30 * 86_400 - 1, "29 days ago"),
        (30 * 86_400, "2026-10-21"),
    ],
)
def test_age(age_seconds: int, text: str) -> None:
    assert formats.format_age(NOW - age_seconds, NOW, ENGLISH) == text


def test_times_are_utc() -> None:
    assert formats.format_time(NOW) == "2026-11-20 23:06 UTC"
    assert formats.format_iso_time(NOW) == "2026-11-20T23:06:40Z"


@pytest.mark.parametrize(
    ("scarcity", "word", "percent"),
    [
        (-1.0, "common", 0),
        (0.0, "common", 0),
        (0.299, "common", 29),
        (0.3, "uncommon", 30),
        (0.55, "rare", 55),
        (0.58, "rare", 58),
        (0.8, "very rare", 80),
        (0.999, "very rare", 99),
        (1.0, "only one", 100),
        (7.0, "only one", 100),
    ],
)
def test_scarcity(scarcity: float, word: str, percent: int) -> None:
    assert formats.describe_scarcity(scarcity, ENGLISH) == (word, percent)


@pytest.mark.parametrize(
    ("status", "active", "waiting", "text"),
    [
        ("available", 0, 0, "idle, 4 slots free"),
        ("available", 1, 0, "1 of 4 slots busy"),
        ("busy", 4, 3, "4 of 4 slots busy, 3 waiting"),
        ("busy", 0, 1, "0 of 4 slots busy, 1 waiting"),
        ("paused", 0, 0, ""),
        ("unavailable", 4, 3, ""),
    ],
)
def test_queue(status: NodeStatus, active: int, waiting: int, text: str) -> None:
    queue = QueueView(active=active, waiting=waiting, max_active=4)
    rig = make_rig("a", gpu=None, vram_gb=None, offers=[], status=status, queue=queue)
    assert formats.describe_queue(rig, ENGLISH) == text


def test_an_unseen_queue_is_not_described() -> None:
    rig = make_rig("a", gpu=None, vram_gb=None, offers=[], queue=None)
    assert formats.describe_queue(rig, ENGLISH) == ""
    single = msgspec.structs.replace(rig, queue=QueueView(active=0, waiting=0, max_active=1))
    assert formats.describe_queue(single, ENGLISH) == "idle, 1 slot free"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("NVIDIA GeForce RTX 5090", ("", "NVIDIA GeForce ", "RTX 5090", "")),
        (f"2 {TIMES} NVIDIA GeForce RTX 3090", (f"2 {TIMES} ", "NVIDIA GeForce ", "RTX 3090", "")),
        ("4x NVIDIA H100", ("4x ", "NVIDIA ", "H100", "")),
        ("Tesla P40", ("", "", "Tesla P40", "")),
        ("AMD Radeon RX 7900 XTX", ("", "AMD Radeon ", "RX 7900 XTX", "")),
        ("Intel Arc A770", ("", "Intel ", "Arc A770", "")),
        ("Apple M3 Max", ("", "Apple ", "M3 Max", "")),
        ("AMD EPYC 7302P 16-Core Processor", ("", "AMD ", "EPYC 7302P", " 16-Core Processor")),
        (
            "Raspberry Pi 5 Model B Rev 1.0",
            ("", "", "Raspberry Pi 5", " Model B Rev 1.0"),
        ),
        (
            "13th Gen Intel(R) Core(TM) i5-13600K",
            ("", "13th Gen Intel(R) ", "Core(TM) i5-13600K", ""),
        ),
        ("NVIDIA", ("", "", "NVIDIA", "")),
        ("<b>NVIDIA", ("", "", "<b>NVIDIA", "")),
        ("変な名前", ("", "", "変な名前", "")),
    ],
)
def test_hardware_names_are_cut_but_never_changed(name: str, parts: tuple[str, ...]) -> None:
    cut = formats.split_hardware_name(name)
    assert cut == parts
    assert "".join(cut) == name


def test_ids() -> None:
    node_id = "n1" + "abcdefgh" * 4
    assert formats.short_id(node_id) == "abcdefgh"
    assert formats.group_id(node_id) == ["n1", *["abcdefgh"] * 4]
    assert "".join(formats.group_id(node_id)) == node_id


def test_counts() -> None:
    counted = [formats.count(number, "rig", ENGLISH) for number in (0, 1, 1200)]
    assert counted == ["0 rigs", "1 rig", "1,200 rigs"]


def test_the_same_in_japanese() -> None:
    assert formats.count(1200, "rig", JAPANESE) == "リグ 1,200 台"
    assert formats.describe_scarcity(1, JAPANESE) == ("唯一", 100)
    ages = [formats.format_age(NOW - age, NOW, JAPANESE) for age in (0, 12, 200, 86_400, 172_800)]
    assert ages == ["たった今", "12 秒前", "3 分前", "24 時間前", "2 日前"]
    queue = QueueView(active=4, waiting=3, max_active=4)
    rig = make_rig("a", gpu=None, vram_gb=None, offers=[], status="busy", queue=queue)
    assert formats.describe_queue(rig, JAPANESE) == "4 スロット中 4 使用中、3 件待ち"


def test_every_capability_has_a_name() -> None:
    for words in load_languages().values():
        names = {formats.describe_capability(each, words) for each in CAPABILITIES}
        assert len(names) == len(CAPABILITIES)
