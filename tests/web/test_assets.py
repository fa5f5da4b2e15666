"""Static files and the headers that go with pages."""

import hashlib
import re
from pathlib import Path

from luckrig.web import assets
from luckrig.web.headers import CONTENT_SECURITY_POLICY, PAGE_HEADERS, STATIC_HEADERS

FOLDER = Path(assets.__file__).parent / "static"


def test_every_file_is_served_under_its_hash() -> None:
    files = assets.static_files()
    assert {file.name for file in files.values()} == {path.name for path in FOLDER.iterdir()}
    for url, file in files.items():
        digest = hashlib.sha256(file.content).hexdigest()[:12]
        stem, _, suffix = file.name.rpartition(".")
        assert url == f"/static/{stem}.{digest}.{suffix}"
        assert file.content == (FOLDER / file.name).read_bytes()


def test_media_types() -> None:
    types = {file.name: file.media_type for file in assets.static_files().values()}
    assert types == {
        "app.css": "text/css; charset=utf-8",
        "desk.css": "text/css; charset=utf-8",
        "forms.css": "text/css; charset=utf-8",
        "app.js": "text/javascript; charset=utf-8",
        "icon.svg": "image/svg+xml",
        "texts.css": "text/css; charset=utf-8",
    }


def test_static_files_ask_nobody_else_for_anything() -> None:
    for file in assets.static_files().values():
        text = file.content.decode().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(
            r"https?:|//[a-z]|@import|url\(|eval\(|innerHTML|document\.write", text
        )


def test_policy_allows_this_host_only() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "*" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; ")
    assert PAGE_HEADERS["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert PAGE_HEADERS["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in STATIC_HEADERS["Cache-Control"]
