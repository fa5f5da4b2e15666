"""Docs that can't rot: tables in docs/ are compared with the code."""

import re
from pathlib import Path
from typing import get_args

import pytest
from tools.make_data_table import PAGE, data_table

from luckrig.cli.main import COMMANDS
from luckrig.cli.node import COMMANDS as NODE_COMMANDS
from luckrig.client.history.replay import Figures, Kind, Replay, Rig
from luckrig.protocol.errors import CODES

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| `(\w+)` \| (.+) \|$", re.MULTILINE)


def test_error_table_is_the_codes() -> None:
    text = (ROOT / "docs" / "PROTOCOL.md").read_text("utf-8")
    table = {code: (int(status), kind, why) for code, status, kind, why in ROW.findall(text)}
    assert table == {name: tuple(code) for name, code in CODES.items()}


def test_every_setting_is_documented() -> None:
    """Each LUCKRIG_ variable that any part reads is in docs/ARCHITECTURE.md."""
    variable = re.compile(r'"(LUCKRIG_[A-Z_]+)"')
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    for part in ("cli", "client", "engine", "nodeproxy", "tracker"):
        for path in (ROOT / part).rglob("*.py"):
            for name in variable.findall(path.read_text("utf-8")):
                assert f"`{name}`" in text, f"{name}, read in {path}"


def test_the_page_of_what_is_stored_is_the_trackers_list() -> None:
    """Which tests/tracker/test_people.py compares with the database."""
    assert PAGE.read_text("utf-8") == data_table(), "run python tools/make_data_table.py"


def test_the_page_of_replays_names_every_field() -> None:
    text = (ROOT / "docs" / "REPLAYS.md").read_text("utf-8")
    cells = re.findall(r"^\| ((?:`\w+` ?)+)\|", text, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    fields = {name for kind in (Replay, Rig, Figures) for name in kind.__struct_fields__}
    assert fields <= named
    assert named - fields == {*get_args(Kind), "kind"}


def test_every_linked_file_exists() -> None:
    link = re.compile(r"\]\((?!https?:|#)([^)#]+)")
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bench").glob("*.md")]
    for page in pages:
        for target in link.findall(page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{target} in {page.name}"


@pytest.mark.parametrize("page", ["COMPLIANCE.md", "docs/SECURITY-TESTS.md"])
def test_pages_name_only_tests_that_exist(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / page).read_text("utf-8")))
    assert named
    files = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "tests").rglob("*_contract.py")]
    sources = [path.read_text("utf-8") for path in files]
    for name in named:
        assert any(f"def {name}(" in source for source in sources), name


def test_readme_names_only_commands_of_a_rig_that_exist() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"\bluckrig node ([a-z]+)", text))
    assert named
    assert named <= set(NODE_COMMANDS)


def test_readme_names_only_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for command in set(re.findall(r"`luckrig ([a-z]+)\b", text)):
        assert command in COMMANDS, command
