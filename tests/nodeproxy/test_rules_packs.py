"""Rule packs from files: what is wrong with one stops the start, with a reason."""

from pathlib import Path

import pytest

from luckrig.nodeproxy.filters.pack import (
    SHIPPED_FOLDER,
    RulePack,
    load_folder,
    owner_packs,
    shipped_packs,
)
from tests.nodeproxy.test_rules import PACK


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "name"),
        (b"name = 1", "str"),
        (PACK + PACK.partition(b"[[rule]]")[1] + PACK.partition(b"[[rule]]")[2], "pair stands"),
        (PACK.replace(b"'apple'", b"'('"), "rule pair"),
        (PACK.replace(b"within = 10", b"within = -1"), "within"),
        (PACK.replace(b"within = 10", b"within = 501"), "within"),
        (PACK.replace(b"within = 10", b"without = 10"), "without"),
        (PACK.replace(b"['apple', 'pear']", b"[]"), "all"),
        (PACK.replace(b"'apple'", b"'(?:a+)+$'"), "rule pair: a pattern runs away"),
        (PACK.replace(b"'apple'", rb"'(\w+\s?)+:'"), "rule pair: a pattern runs away"),
        (PACK.replace(b"'apple'", b"'a*'"), "rule pair: a pattern matches the empty text"),
        (PACK.replace(b"test/pair", b"Test Pair"), "category"),
        (PACK.replace(b'"en"', b'"English"'), "language"),
        (b"\xff", "utf-8"),
    ],
)
def test_broken_pack_is_refused_with_a_reason(text: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rule pack|rule pair") as refused:
        RulePack.from_toml(text)
    assert reason in str(refused.value)
    tmp_path.joinpath("mine.toml").write_bytes(text)
    with pytest.raises(ValueError, match=r"mine\.toml: rule"):
        load_folder(tmp_path)


def test_folder_gives_its_packs_by_file_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        pack = PACK.replace(b'"test"', f'"{name}"'.encode())
        tmp_path.joinpath(f"{name}.toml").write_bytes(pack)
    tmp_path.joinpath("README").write_text("no pack")
    assert [pack.name for pack in load_folder(tmp_path)] == ["a", "b"]
    assert load_folder(tmp_path / "missing") == []


def test_two_packs_of_one_name_and_huge_files_are_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("a.toml").write_bytes(PACK)
    tmp_path.joinpath("b.toml").write_bytes(PACK)
    with pytest.raises(ValueError, match="another rule pack has the name test"):
        load_folder(tmp_path)
    tmp_path.joinpath("a.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ValueError, match=r"a\.toml: a rule pack has at most"):
        load_folder(tmp_path)


def test_an_owner_cannot_take_a_shipped_packs_place(tmp_path: Path) -> None:
    for pack in shipped_packs():
        tmp_path.joinpath("mine.toml").write_bytes(PACK.replace(b"test", pack.name.encode(), 1))
        with pytest.raises(ValueError, match=rf"mine\.toml: another .* the name {pack.name}"):
            owner_packs(tmp_path)


def test_a_folder_that_cannot_be_read_is_no_empty_folder(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_bytes(PACK)
    tmp_path.joinpath("link").symlink_to("nowhere")
    for name in ("file", "link"):
        with pytest.raises(ValueError, match=f"{name}: can't read this folder"):
            owner_packs(tmp_path / name)
    tmp_path.joinpath("packs", "a.toml").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"a\.toml: can't read"):
        owner_packs(tmp_path / "packs")


def test_shipped_packs_are_sound_and_start_with_the_baseline() -> None:
    """The one place that lints them: a rig's start doesn't."""
    packs = load_folder(SHIPPED_FOLDER, lint=True)
    assert packs == shipped_packs()
    assert packs[0].name == "baseline"
    assert {rule.category for rule in packs[0].rules} == {"sexual/minors"}
    assert {rule.language for pack in packs for rule in pack.rules} >= {"en", "ja", "de", "zh"}
