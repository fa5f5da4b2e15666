"""Static files, read once, each under a URL that holds the hash of its content.

A changed file is a changed URL, so browsers may keep the old one for ever and never ask again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

_FOLDER: Final = Path(__file__).parent / "static"
_HASH_CHARS: Final = 12
"""48 bits: a collision between two versions of one file would need bad luck or bad intent, and
whoever can place files here needs no collision."""

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file to serve. name: its file name, as templates ask for it."""

    name: str
    content: bytes
    media_type: str


def static_files() -> Mapping[str, StaticFile]:
    """Every static file by URL path, e.g. "/static/app.0f343b0931126.css"."""
    files: dict[str, StaticFile] = {}
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _MEDIA_TYPES:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:_HASH_CHARS]
            url = f"/static/{path.stem}.{digest}{path.suffix}"
            files[url] = StaticFile(path.name, content, _MEDIA_TYPES[path.suffix])
    return MappingProxyType(files)
