"""Files grow one good reason at a time, so a test holds the line."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("cli", "client", "engine", "nodeproxy", "protocol", "tracker", "web")
LIMIT = 500
ALLOWED: dict[str, str] = {}  # path -> why it may be longer


def test_no_source_file_is_longer_than_the_limit() -> None:
    long = {
        str(path.relative_to(ROOT))
        for part in PARTS
        for path in (ROOT / part).rglob("*.py")
        if len(path.read_text().splitlines()) > LIMIT
    }
    assert long == set(ALLOWED)
