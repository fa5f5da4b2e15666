"""config.toml: what comes back is what was saved, and what is wrong is named by its key."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.cli.config import (
    Config,
    IdleSection,
    LimitsSection,
    RigSection,
    ScheduleSection,
    config_text,
    read_config,
    write_config,
)
from luckrig.nodeproxy.opening import Wishes
from luckrig.protocol.errors import LuckrigError

FULL = Config(
    rig=RigSection(
        name='Attic "4090"',
        note="Line one\nline two \\ 320 W \N{DEGREE SIGN}",
        engine="http://127.0.0.1:11434",
        models=["qwen3:8b", "gpt-oss:20b"],
        tracker="https://map.example#r1" + "a" * 32,
        listen="[::1]:8788",
        endpoint="https://rig.example",
    ),
    schedule=ScheduleSection(
        open=["weekdays 22:00-07:00", "weekend 09:00-18:00"], timezone="Europe/Berlin"
    ),
    limits=LimitsSection(
        max_active=2, max_queue=0, tokens_per_day=10**6, max_celsius=80.5, max_watts=350.0
    ),
    idle=IdleSection(only=True, busy_percent=40),
)


def test_everything_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert write_config(path, FULL) is None
    assert read_config(path) == FULL
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_file_is_no_choice(tmp_path: Path) -> None:
    assert read_config(tmp_path / "config.toml") == Config()
    assert Config().wishes("UTC") == Wishes()


def test_an_empty_config_is_all_comments_and_each_example_is_a_good_one() -> None:
    text = config_text(Config())
    assert tomllib.loads(text) == {"rig": {}, "schedule": {}, "limits": {}, "idle": {}}
    for section, kind in Config.__annotations__.items():
        for key in kind.__struct_fields__:
            assert f"\n# {key} = " in text.partition(f"[{section}]")[2].partition("\n[")[0], key
    lines = [
        line.removeprefix("# ")
        for line in text.splitlines()
        if line.startswith(("[", "# ")) and (line.startswith("[") or " = " in line)
    ]
    taken = "\n".join(line for line in lines if "…" not in line)
    assert set(tomllib.loads(taken)) == {"rig", "schedule", "limits", "idle"}


def test_the_file_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('# mine\n[rig]\nname = "Old"\n', encoding="utf-8")
    kept = write_config(path, FULL)
    assert kept is not None
    assert kept.read_text("utf-8").startswith("# mine")
    assert write_config(path, FULL) is None
    assert kept.read_text("utf-8").startswith("# mine")


def test_choices_become_wishes() -> None:
    wishes = FULL.wishes("UTC")
    assert wishes.schedule is not None
    assert [window.opens for window in wishes.schedule.windows] == ["22:00", "09:00"]
    assert (wishes.timezone, wishes.busy_share, wishes.idle_only) == ("Europe/Berlin", 0.4, True)
    assert (wishes.tokens_per_day, wishes.max_celsius, wishes.max_watts) == (10**6, 80.5, 350.0)
    local = Config(schedule=ScheduleSection(open="daily 01:00-02:00")).wishes("Asia/Kolkata")
    assert local.schedule is not None
    assert local.schedule.timezone == "Asia/Kolkata"
    assert Config(schedule=ScheduleSection(open=["", " "])).wishes("UTC").schedule is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[rig", "no TOML"),
        ("\xff", "no TOML"),
        ("[rig]\nfoo = 1", "rig.foo is no key; there are name, note, engine"),
        ("[rug]", "rug is no key; there are rig, schedule, limits, idle"),
        ("rig = 1", "rig: expected `object`"),
        ("[rig]\nname = 5", "rig.name: expected `str`, got `int`"),
        ("[rig]\nname = ''", "rig.name: "),
        ("[rig]\nnote = '\u202e'", "rig.note: "),
        ("[rig]\nengine = 'ftp://x'", "rig.engine: expected auto, tiny, or a URL"),
        ("[rig]\nmodels = []", "rig.models: expected `array` of length >= 1"),
        ("[rig]\nmodels = ['a', 1]", "rig.models[1]: expected `str`"),
        ("[rig]\ntracker = 'x'", "rig.tracker: a tracker's address looks like"),
        ("[rig]\nlisten = 'x'", "rig.listen: expected HOST:PORT"),
        ("[rig]\nendpoint = 'https://x/y'", "rig.endpoint: an endpoint looks like"),
        ("[schedule]\nopen = 'noon'", "schedule.open: 'noon' is no window"),
        ("[schedule]\ntimezone = 'Berlin'", "schedule.timezone: 'Berlin' is no time zone"),
        ("[limits]\nmax_active = 0", "limits.max_active: expected `int` >= 1"),
        ("[limits]\nmax_queue = '3'", "limits.max_queue: expected `int`, got `str`"),
        ("[limits]\nmax_celsius = nan", "limits.max_celsius: "),
        ("[idle]\nonly = 1", "idle.only: expected `bool`"),
        ("[idle]\nbusy_percent = 101", "idle.busy_percent: expected `int` <= 100"),
        ("#" * 70_000, "longer than 65536 bytes"),
    ],
)
def test_what_is_wrong_is_named(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode("latin-1" if text == "\xff" else "utf-8"))
    with pytest.raises(LuckrigError) as caught:
        read_config(path)
    assert str(path) in caught.value.message
    assert why in caught.value.message


def test_nothing_is_written_that_could_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    with pytest.raises(LuckrigError, match=r"rig\.endpoint"):
        write_config(path, Config(rig=RigSection(endpoint="nowhere")))
    assert not path.exists()


@given(st.text(max_size=60), st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_any_text_is_written_so_that_toml_reads_it(note: str, models: list[str]) -> None:
    if any("\ud800" <= character <= "\udfff" for character in note + "".join(models)):
        return
    rig = RigSection(note=note, models=models)
    assert tomllib.loads(config_text(Config(rig=rig)))["rig"] == {"note": note, "models": models}
