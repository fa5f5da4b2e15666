"""`luckrig filter test`: what a rig would refuse, and why; only the owner sees why."""

import io
import json
from pathlib import Path

import pytest

from luckrig.cli.home import Home
from tests.cli.conftest import Luckrig
from tests.nodeproxy.test_rules import PACK

FORBIDDEN = "a nude 12 year old"


@pytest.fixture
def write(tmp_path: Path) -> Path:
    path = tmp_path / "prompt.txt"
    path.write_text(FORBIDDEN, "utf-8")
    return path


def test_a_text_that_breaks_a_rule_is_explained(luckrig: Luckrig, write: Path) -> None:
    result = luckrig("filter", "test", str(write))
    assert result.code == 1
    for part in ("sexual/minors", "baseline", "minors-sexual-en", "folded"):
        assert part in result.out
    assert FORBIDDEN not in result.out + result.err
    assert "promise nothing" in result.err


def test_an_ordinary_text_breaks_none(luckrig: Luckrig, write: Path) -> None:
    write.write_text("Explain gravity to a child.", "utf-8")
    result = luckrig("filter", "test", str(write))
    assert (result.code, result.out) == (0, "No rule is broken.\n")


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_text_comes_from_stdin(
    luckrig: Luckrig, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    for text, code in ((FORBIDDEN[::-1], 1), ("hello", 0)):
        stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
        monkeypatch.setattr("sys.stdin", stdin)
        assert luckrig("filter", "test", *arguments).code == code


def test_json_names_everything(luckrig: Luckrig, write: Path) -> None:
    result = luckrig("filter", "test", str(write), "--json")
    report = json.loads(result.out)
    assert (result.code, result.err, report["refused"]) == (1, "", True)
    assert report["hits"][0] == {
        "pack": "baseline",
        "rule_id": "minors-sexual-en",
        "category": "sexual/minors",
        "view": "folded",
    }
    assert "baseline" in report["packs"]


def test_packs_of_the_owner_come_from_home_or_a_folder(
    luckrig: Luckrig, home: Home, write: Path, tmp_path: Path
) -> None:
    write.write_text("apple and pear", "utf-8")
    assert luckrig("filter", "test", str(write)).code == 0
    for folder in (tmp_path / "mine", home.path / "rules"):
        folder.mkdir(parents=True)
        folder.joinpath("fruit.toml").write_bytes(PACK)
        arguments = () if folder.name == "rules" else ("--rules", str(folder))
        result = luckrig("filter", "test", str(write), *arguments)
        assert result.code == 1
        assert "test/pair" in result.out


def test_broken_pack_is_named(luckrig: Luckrig, home: Home, write: Path) -> None:
    folder = home.path / "rules"
    folder.mkdir(parents=True)
    folder.joinpath("fruit.toml").write_bytes(PACK.replace(b"'apple'", b"'('"))
    result = luckrig("filter", "test", str(write))
    assert result.code == 1
    assert "fruit.toml" in result.err
    assert "rule pair" in result.err


def test_bytes_that_are_no_text_are_refused(luckrig: Luckrig, write: Path) -> None:
    write.write_bytes(b"\xff\xfe")
    result = luckrig("filter", "test", str(write), "--json")
    assert result.code == 1
    assert json.loads(result.out)["error"]["code"] == "invalid_request"


def test_missing_file_is_wrong_usage(luckrig: Luckrig) -> None:
    assert luckrig("filter", "test", "nowhere.txt").code == 2
