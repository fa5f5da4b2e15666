"""Static files, read once, each under a URL that holds the hash of its content.

A changed file is a changed URL, so browsers may keep the old one for ever and never ask again. The
files of folders are scripts that import one another by name, so all folders share a hash, of all of
them: versions never mix, and nothing has to be built.
"""

import gzip
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
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_PACKED_ALREADY: Final = (".png",)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file to serve. name: its path under static/, as templates ask for it.

    packed: the content as gzip, for those who take it; None for what is packed by itself.
    """

    name: str
    content: bytes
    media_type: str
    packed: bytes | None = None


def static_files() -> Mapping[str, StaticFile]:
    """All by URL path: "/static/app.0f343b093112.css", "/static/modules.7be9024c11d5/x/y.js"."""
    files: dict[str, StaticFile] = {}
    modules: list[StaticFile] = []
    for path in sorted(_FOLDER.iterdir()):
        if path.is_dir():
            modules += [
                file for each in sorted(path.iterdir()) if (file := _read(each)) is not None
            ]
        elif (file := _read(path)) is not None:
            files[f"/static/{path.stem}.{_digest(file.content)}{path.suffix}"] = file
    return MappingProxyType(files | _under_one_hash(modules))


def _under_one_hash(files: list[StaticFile]) -> dict[str, StaticFile]:
    # The hash of each, so that bytes which move from one file to the next change it, too.
    digest = _digest("".join(file.name + _digest(file.content) for file in files).encode())
    return {f"/static/modules.{digest}/{file.name}": file for file in files}


def _read(path: Path) -> StaticFile | None:
    """None for what isn't served, such as what an editor left behind."""
    media_type = _MEDIA_TYPES.get(path.suffix)
    if media_type is None:
        return None
    content = path.read_bytes()
    packed = None if path.suffix in _PACKED_ALREADY else gzip.compress(content, mtime=0)
    return StaticFile(path.relative_to(_FOLDER).as_posix(), content, media_type, packed)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_HASH_CHARS]
