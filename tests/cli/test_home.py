"""Key files: never exposed, never overwritten, never followed through a link."""

import os
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from luckrig.cli.home import Home, id_of, key_to_pem, kind_of, write_new_file
from luckrig.client.key_files import key_from_pem
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey

KEY = PrivateKey(bytes(range(32)))
OPEN = serialization.NoEncryption()
LOCKED = serialization.BestAvailableEncryption(b"pass")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def place(home: Home, name: str, content: bytes, *, permissions: int = 0o600) -> Path:
    """Put a file where a key belongs, behind the Home's back."""
    home.keys_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home.key_path(name)
    path.write_bytes(content)
    path.chmod(permissions)
    return path


def test_home_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home.from_env({}).path == tmp_path / ".luckrig"
    assert Home.from_env({"LUCKRIG_HOME": ""}).path == tmp_path / ".luckrig"
    assert Home.from_env({"LUCKRIG_HOME": "~/rig"}).path == tmp_path / "rig"
    assert Home.from_env({"LUCKRIG_HOME": "/x"}).path == Path("/x")


def test_reading_makes_no_folder(home: Home) -> None:
    assert home.names() == []
    with pytest.raises(LuckrigError, match="luckrig keys create --name user"):
        home.load("user")
    assert not home.path.exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_ours_alone_whatever_the_umask(home: Home, umask: int) -> None:
    before = os.umask(umask)
    try:
        home.load_or_create("user")
    finally:
        os.umask(before)
    assert mode(home.path) == 0o700
    assert mode(home.keys_folder) == 0o700
    assert mode(home.key_path("user")) == 0o600


def test_key_is_made_once(home: Home) -> None:
    first = home.load_or_create("user")
    assert home.load_or_create("user").seed == first.seed
    assert home.load("user").seed == first.seed
    assert home.names() == ["user"]


def test_only_the_key_is_left_in_the_folder(home: Home) -> None:
    home.create("user", KEY)
    with pytest.raises(FileExistsError):
        home.create("user", PrivateKey(bytes(32)))
    assert [path.name for path in home.keys_folder.iterdir()] == ["user.key"]
    assert home.load("user").seed == KEY.seed


def test_many_starting_at_once_get_one_key(home: Home) -> None:
    barrier = threading.Barrier(8)
    seeds: list[bytes] = []

    def start() -> None:
        barrier.wait()
        seeds.append(home.load_or_create("user").seed)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seeds) == 8
    assert len(set(seeds)) == 1


@pytest.mark.parametrize("permissions", [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_key_that_others_can_reach_is_refused(home: Home, permissions: int) -> None:
    path = place(home, "user", key_to_pem(KEY), permissions=permissions)
    with pytest.raises(LuckrigError) as caught:
        home.load_or_create("user")
    assert f"chmod 600 {path}" in caught.value.message
    path.chmod(0o400)
    assert home.load("user").seed == KEY.seed


def test_links_are_not_followed(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    place(home, "user", b"").unlink()
    home.key_path("user").symlink_to(elsewhere)
    with pytest.raises(LuckrigError, match="symbolic link"):
        home.load("user")
    with pytest.raises(FileExistsError):
        home.create("user", KEY)
    assert not elsewhere.exists()


def test_what_is_no_file_is_refused_without_hanging(home: Home) -> None:
    place(home, "user", b"").unlink()
    os.mkfifo(home.key_path("user"), 0o600)
    home.key_path("node").mkdir(mode=0o700)
    for name in ("user", "node"):
        with pytest.raises(LuckrigError, match="is not a file"):
            home.load(name)


def _pem(
    key: Ed25519PrivateKey | EllipticCurvePrivateKey,
    encryption: serialization.KeySerializationEncryption,
) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "no private key"),
        (b"\x00" * 100, "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
        (key_to_pem(KEY)[:-40], "no private key"),
        (b"#" * 10_000 + key_to_pem(KEY), "no private key"),
        (_pem(generate_private_key(SECP256R1()), OPEN), "another kind"),
        (_pem(Ed25519PrivateKey.from_private_bytes(bytes(32)), LOCKED), "passphrase"),
    ],
)
def test_what_is_no_plain_ed25519_key_is_refused(home: Home, content: bytes, text: str) -> None:
    place(home, "user", content)
    with pytest.raises(LuckrigError, match=text):
        home.load_or_create("user")
    assert home.key_path("user").read_bytes() == content


def test_key_files_are_the_standard_ones() -> None:
    """Vector: RFC 8410, section 10.3."""
    pem = (
        b"-----BEGIN PRIVATE KEY-----\n"
        b"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
        b"-----END PRIVATE KEY-----\n"
    )
    key = key_from_pem(pem, source="the vector")
    assert key.seed.hex() == "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842"
    assert key_to_pem(key) == pem


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a.b", "A", "-a", "a" * 65, "a\n", "ä", "a\0"])
def test_names_that_could_leave_the_folder_are_refused(home: Home, name: str) -> None:
    with pytest.raises(LuckrigError):
        home.load_or_create(name)
    assert not home.path.exists()


def test_open_keys_folder_is_closed_but_the_home_is_left_alone(home: Home) -> None:
    """LUCKRIG_HOME may be a shared folder by mistake; changing that would surprise others."""
    home.keys_folder.mkdir(parents=True)
    home.path.chmod(0o755)
    home.keys_folder.chmod(0o777)
    home.create("user", KEY)
    assert (mode(home.path), mode(home.keys_folder)) == (0o755, 0o700)


def test_foreign_files_are_no_keys(home: Home) -> None:
    place(home, "user", key_to_pem(KEY))
    (home.keys_folder / "README").write_text("x")
    (home.keys_folder / "Über.key").write_text("x")
    assert home.names() == ["user"]


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_new_file(tmp_path / "missing" / "file", b"x")
    (tmp_path / "taken").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write_new_file(tmp_path / "taken", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert (tmp_path / "taken").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("user", "u1"), ("work", "u1"), ("node", "n1"), ("node-2", "n1"), ("nodes", "u1"),
     ("root", "r1"), ("root-old", "r1"), ("tracker-root", "r1")],
)  # fmt: skip
def test_a_keys_name_tells_its_kind(name: str, kind: str) -> None:
    assert kind_of(name) == kind
    assert id_of(name, KEY).startswith(kind)


def test_a_signing_key_has_a_thumbprint_instead_of_an_id() -> None:
    assert kind_of("tracker-signing") is None
    assert id_of("tracker-signing", KEY) == KEY.public.thumbprint


def test_secret_is_made_once_and_is_no_key(home: Home) -> None:
    secret = home.load_or_create_secret("tracker-pairwise")
    assert len(secret) == 32
    assert home.load_or_create_secret("tracker-pairwise") == secret
    assert home.load_or_create_secret("other") != secret
    assert home.names() == []
    assert {mode(path) for path in home.keys_folder.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("content", "permissions"),
    [(b"", 0o600), (b"00" * 31, 0o600), (b"x" * 64, 0o600), (b"\xff" * 64, 0o600),
     (b"00" * 32, 0o644)],
)  # fmt: skip
def test_bad_secret_is_refused_and_kept(home: Home, content: bytes, permissions: int) -> None:
    """Making a new one would turn every user of a tracker into a stranger at every rig."""
    path = place(home, "pairwise", b"").with_suffix(".secret")
    path.write_bytes(content)
    path.chmod(permissions)
    with pytest.raises(LuckrigError):
        home.load_or_create_secret("pairwise")
    assert path.read_bytes() == content
