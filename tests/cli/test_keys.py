"""`luckrig keys`: ids are shown, secrets only on request, and nothing is overwritten."""

import io
import json
import stat
import sys
from pathlib import Path

import pytest

from luckrig.cli.home import Home, id_of, key_to_pem
from luckrig.protocol.keys import PrivateKey
from tests.cli.conftest import Luckrig

SECRET = "PRIVATE KEY"


def test_create_makes_a_key_and_says_its_id(luckrig: Luckrig, home: Home) -> None:
    result = luckrig("keys", "create")
    key_id = id_of("user", home.load("user"))
    assert (result.code, result.err) == (0, "")
    assert result.out == f"Made key user {key_id} in {home.key_path('user')}\n"
    document = json.loads(luckrig("keys", "create", "--name", "node", "--json").out)
    assert document["name"] == "node"
    assert document["id"].startswith("n1")
    assert document["path"] == str(home.key_path("node"))


def test_create_never_overwrites(luckrig: Luckrig, home: Home) -> None:
    luckrig("keys", "create")
    before = home.key_path("user").read_bytes()
    result = luckrig("keys", "create")
    assert (result.code, result.out) == (1, "")
    assert "never overwrites" in result.err
    assert home.key_path("user").read_bytes() == before


def test_show_lists_ids_and_no_secrets(luckrig: Luckrig, home: Home) -> None:
    keys = {name: home.load_or_create(name) for name in ("user", "node", "root")}
    result = luckrig("keys", "show")
    assert result.code == 0
    for name, key in keys.items():
        assert id_of(name, key) in result.out
        assert key.seed.hex() not in result.out
    assert SECRET not in result.out
    listed = json.loads(luckrig("keys", "show", "--json").out)["keys"]
    assert [(each["name"], each["id"][:2]) for each in listed] == [
        ("node", "n1"),
        ("root", "r1"),
        ("user", "u1"),
    ]
    assert json.loads(luckrig("keys", "show", "--name", "root", "--json").out)["keys"] == [
        listed[1]
    ]


def test_show_without_keys_says_what_to_do(luckrig: Luckrig) -> None:
    result = luckrig("keys", "show")
    assert result.code == 0
    assert "luckrig keys create" in result.out
    assert luckrig("keys", "show", "--json").out == '{"keys":[]}\n'
    assert luckrig("keys", "show", "--name", "user").code == 1


def test_one_bad_file_hides_no_good_key(luckrig: Luckrig, home: Home) -> None:
    good = home.load_or_create("user")
    home.load_or_create("node")
    home.key_path("node").chmod(0o644)
    result = luckrig("keys", "show")
    assert result.code == 1
    assert id_of("user", good) in result.out
    assert "chmod 600" in result.out
    listed = json.loads(luckrig("keys", "show", "--json").out)["keys"]
    assert listed[0]["id"] is None
    assert "chmod 600" in listed[0]["problem"]


def test_export_and_import_bring_a_key_to_another_machine(
    luckrig: Luckrig, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = home.load_or_create("user")
    saved = tmp_path / "recovery.pem"
    result = luckrig("keys", "export", str(saved))
    assert (result.code, SECRET in result.out) == (0, False)
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    monkeypatch.setenv("LUCKRIG_HOME", str(tmp_path / "new"))
    result = luckrig("keys", "import", str(saved))
    assert (result.code, result.err) == (0, "")
    assert id_of("user", key) in result.out
    assert Home(tmp_path / "new").load("user").seed == key.seed


def test_export_overwrites_nothing(luckrig: Luckrig, home: Home, tmp_path: Path) -> None:
    home.load_or_create("user")
    taken = tmp_path / "taken"
    taken.write_text("precious")
    result = luckrig("keys", "export", str(taken))
    assert result.code == 1
    assert taken.read_text() == "precious"


def test_secret_is_printed_only_on_request(luckrig: Luckrig, home: Home) -> None:
    key = home.load_or_create("user")
    pem = key_to_pem(key).decode()
    assert luckrig("keys", "export", "--stdout").out == pem
    document = json.loads(luckrig("keys", "export", "--stdout", "--json").out)
    assert document == {"name": "user", "id": id_of("user", key), "pem": pem}
    assert luckrig("keys", "export").code == 2
    assert luckrig("keys", "export", "--stdout", "file").code == 2


def test_export_without_a_key_makes_none(luckrig: Luckrig, home: Home) -> None:
    result = luckrig("keys", "export", "--stdout")
    assert (result.code, result.out) == (1, "")
    assert home.names() == []


def test_import_never_overwrites(luckrig: Luckrig, home: Home, tmp_path: Path) -> None:
    mine = home.load_or_create("user")
    other = tmp_path / "other.pem"
    other.write_bytes(key_to_pem(PrivateKey(bytes(32))))
    other.chmod(0o600)
    assert luckrig("keys", "import", str(other)).code == 1
    assert home.load("user").seed == mine.seed
    assert luckrig("keys", "import", str(other), "--name", "work").code == 0


def test_import_warns_about_a_file_that_others_can_read(
    luckrig: Luckrig, home: Home, tmp_path: Path
) -> None:
    """A browser's downloads are; refusing them would only teach people chmod."""
    saved = tmp_path / "download.pem"
    saved.write_bytes(key_to_pem(PrivateKey(bytes(32))))
    saved.chmod(0o644)
    result = luckrig("keys", "import", str(saved))
    assert result.code == 0
    assert f"chmod 600 {saved}" in result.err
    assert stat.S_IMODE(home.key_path("user").stat().st_mode) == 0o600


def test_import_reads_stdin(luckrig: Luckrig, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = key_to_pem(PrivateKey(bytes(32)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pem)))
    assert luckrig("keys", "import", "-").code == 0
    assert home.load("user").seed == bytes(32)


@pytest.mark.parametrize("content", [None, b"", b"not a key", b"x" * 100_000])
def test_import_of_anything_else_is_refused(
    luckrig: Luckrig, home: Home, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    result = luckrig("keys", "import", str(file), "--json")
    assert result.code == 1
    assert str(file) in json.loads(result.out)["error"]["message"]
    assert home.names() == []
