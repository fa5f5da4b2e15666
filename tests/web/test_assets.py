"""Static files and the headers that go with pages."""

import hashlib
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

from luckrig.web import assets
from luckrig.web.headers import CONTENT_SECURITY_POLICY, PAGE_HEADERS, STATIC_HEADERS

FOLDER = Path(assets.__file__).parent / "static"


def test_every_file_is_served() -> None:
    paths = [path for path in FOLDER.rglob("*") if path.is_file()]
    names = {path.relative_to(FOLDER).as_posix() for path in paths}
    assert {file.name for file in assets.static_files().values()} == names
    assert "subtext/rig.js" in names


def test_a_file_stands_under_its_hash() -> None:
    for url, file in assets.static_files().items():
        assert file.content == (FOLDER / file.name).read_bytes()
        if "/" not in file.name:
            digest = hashlib.sha256(file.content).hexdigest()[:12]
            stem, _, suffix = file.name.rpartition(".")
            assert url == f"/static/{stem}.{digest}.{suffix}"


def test_scripts_of_folders_stand_beside_each_other() -> None:
    """What one imports by its name is the other of the same version."""
    files = assets.static_files()
    modules = {url: file for url, file in files.items() if "/" in file.name}
    folders = {file.name.split("/")[0] for file in modules.values()}
    assert folders == {"me", "queue", "replays", "subtext", "taste"}
    (root,) = {url.removesuffix(f"/{file.name}") for url, file in modules.items()}
    assert re.fullmatch(r"/static/modules\.[0-9a-f]{12}", root)
    for url, file in modules.items():
        for name in re.findall(r'from "(.*?)"', file.content.decode()):
            assert name.startswith(("./", "../"))
            assert urljoin(url, name) in modules


def test_a_folders_hash_changes_with_any_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "_FOLDER", tmp_path)
    folder = tmp_path / "things"
    folder.mkdir()
    seen: set[str] = set()
    for one, other in (("ab", "c"), ("a", "bc"), ("a", "bcd"), ("abc", "")):
        (folder / "one.js").write_text(one)
        (folder / "other.js").write_text(other)
        (folder / "one.js.orig").write_text("what an editor left")
        urls = list(assets.static_files())
        assert [url.rpartition("/")[2] for url in urls] == ["one.js", "other.js"]
        seen.add(urls[0].rpartition("/")[0])
    assert len(seen) == 4


def test_media_types() -> None:
    types = {file.name: file.media_type for file in assets.static_files().values()}
    scripts = {name for name in types if name.endswith(".js")}
    assert {types[name] for name in scripts} == {"text/javascript; charset=utf-8"}
    assert {name: kind for name, kind in types.items() if name not in scripts} == {
        "app.css": "text/css; charset=utf-8",
        "compare.css": "text/css; charset=utf-8",
        "desk.css": "text/css; charset=utf-8",
        "forms.css": "text/css; charset=utf-8",
        "icon.svg": "image/svg+xml",
        "map.css": "text/css; charset=utf-8",
        "me.css": "text/css; charset=utf-8",
        "preview.png": "image/png",
        "queue.css": "text/css; charset=utf-8",
        "replays.css": "text/css; charset=utf-8",
        "rig.css": "text/css; charset=utf-8",
        "showcase.css": "text/css; charset=utf-8",
        "taste.css": "text/css; charset=utf-8",
        "texts.css": "text/css; charset=utf-8",
    }


def test_static_files_ask_nobody_else_for_anything() -> None:
    for file in assets.static_files().values():
        if file.media_type == "image/png":
            continue
        text = file.content.decode().replace('xmlns="http://www.w3.org/2000/svg"', "")
        text = text.replace("http://localhost:", "")  # an address that is shown, not asked
        assert not re.search(
            r"https?:|//[a-z]|@import|\burl\(|eval\(|innerHTML|document\.write", text
        )


def test_policy_allows_this_host_only() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "*" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; ")
    assert PAGE_HEADERS["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert PAGE_HEADERS["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in STATIC_HEADERS["Cache-Control"]
