"""SECURITY row 20: whatever lies in the folder or stands in an id, nothing outside is touched."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from luckrig.client.history.compare import compare
from luckrig.client.history.replay import MAX_REPLAY_BYTES, Rig, encode_replay
from luckrig.client.history.store import History
from luckrig.protocol.errors import LuckrigError
from tests.client.replays import CREATED_AT, NODE_ID, make_replay

NOW = CREATED_AT + 100
DAY = 86_400
SECRET = b"a file outside, which nothing may read, change or remove"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file beside the folder."""
    path = tmp_path / "outside.json"
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return path


@pytest.fixture
def history(tmp_path: Path, outside: Path) -> Iterator[History]:
    """A folder with one replay; what is outside must be as it was."""
    history = History(tmp_path / "home" / "history", max_age_seconds=None)
    history.write(make_replay(), now=NOW)
    yield history
    assert outside.read_bytes() == SECRET
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "outside.json"]


def test_a_replay_is_kept_privately(history: History) -> None:
    replay = make_replay()
    path = history.folder / f"{replay.replay_id}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(history.folder.stat().st_mode) == 0o700
    assert os.listdir(history.folder) == [path.name]
    assert history.read(replay.replay_id) == replay
    assert json.loads(path.read_bytes())["replay_id"] == replay.replay_id


def test_none_is_ever_replaced(history: History) -> None:
    other = make_replay(texts=["something else"])
    with pytest.raises(LuckrigError, match="never replaced"):
        history.write(other, now=NOW)
    assert history.read(other.replay_id) == make_replay()
    assert len(os.listdir(history.folder)) == 1


def test_what_could_not_be_read_again_is_not_written(history: History) -> None:
    bad = msgspec.structs.replace(make_replay(5), endpoint="no path")
    with pytest.raises(LuckrigError):
        history.write(bad, now=NOW)
    assert len(os.listdir(history.folder)) == 1


def test_the_newest_come_first_and_few_are_read(history: History) -> None:
    for number in range(1, 6):
        history.write(make_replay(number), now=NOW)
    listing = history.list(limit=3)
    assert [each.title for each in listing.replays] == ["Why is the sky blue?"] * 3
    ids = [each.replay_id for each in listing.replays]
    assert ids == [make_replay(number).replay_id for number in (5, 4, 3)]
    assert (listing.total, listing.unreadable) == (6, [])
    assert history.ids()[:3] == ids
    assert len(history.list().replays) == 6


def test_no_folder_is_an_empty_history(tmp_path: Path) -> None:
    history = History(tmp_path / "none")
    assert (history.ids(), history.list().replays) == ([], [])
    with pytest.raises(LuckrigError, match="There is no replay abc"):
        history.read("abc")
    with pytest.raises(LuckrigError, match="There is no replay abc"):
        history.delete("abc")
    assert not (tmp_path / "none").exists()


def test_a_replay_can_be_deleted(history: History) -> None:
    history.delete(make_replay().replay_id)
    assert history.ids() == []


HOSTILE_IDS = [
    "..",
    ".",
    "../outside",
    "../../outside",
    "/etc/passwd",
    "a/../../outside",
    "a\0b",
    "\0",
    "outside\n",
    "con",
    "nul",
    "com1",
    "C:\\outside",
    "..\\outside",
    "~root",
    "$HOME",
    "UPPER",
    "a.json",
    "%2e%2e%2foutside",
    "‥",
    "a" * 65,
    "",
    " ",
    "-\u202e",
]


@pytest.mark.parametrize("replay_id", HOSTILE_IDS)
def test_no_id_leads_outside(history: History, replay_id: str) -> None:
    for action in (history.read, history.delete):
        with pytest.raises(LuckrigError, match="1 to 64 characters"):
            action(replay_id)
    replay = msgspec.structs.replace
    with pytest.raises((LuckrigError, ValueError)):
        history.write(replay(make_replay(), replay_id=replay_id), now=NOW)
    assert len(os.listdir(history.folder)) == 1


Put = Callable[[Path, Path], None]
VALID = encode_replay(make_replay(7))
VALID_NAME = f"{make_replay(7).replay_id}.json"


def written(content: bytes, mode: int = 0o600) -> Put:
    def put(path: Path, outside: Path) -> None:
        path.write_bytes(content)
        path.chmod(mode)

    return put


def sparse(path: Path, outside: Path) -> None:
    written(VALID)(path, outside)
    os.truncate(path, 10 * 10**9)


def pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path, 0o600)


def unix_socket(path: Path, outside: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path may only have some 100 characters
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(here)


HOSTILE_FILES: dict[str, Put] = {
    "link to a file": lambda path, outside: path.symlink_to(outside),
    "relative link": lambda path, outside: path.symlink_to("../../outside.json"),
    "link to a folder": lambda path, outside: path.symlink_to(outside.parent),
    "link to nothing": lambda path, outside: path.symlink_to("nothing"),
    "link to itself": lambda path, outside: path.symlink_to(path.name),
    "link to a device": lambda path, outside: path.symlink_to("/dev/zero"),
    "pipe": pipe,
    "socket": unix_socket,
    "folder": lambda path, outside: path.mkdir(0o700),
    "10 GB": sparse,
    "one byte too much": written(VALID + b" " * (MAX_REPLAY_BYTES + 1 - len(VALID))),
    "empty": written(b""),
    "not JSON": written(b"\x7fELF" + bytes(1000)),
    "cut": written(VALID[:-20]),
    "deep": written(b'{"schema_version":' + b"[" * 1_000_000),
    "deep request": written(
        VALID.replace(b'"request":{', b'"request":{"a":' + b"[" * 60 + b"]" * 60 + b",")
    ),
    "duplicate key": written(VALID.replace(b'"mode":', b'"mode":"plain","mode":')),
    "wrong version": written(VALID.replace(b'"schema_version":1', b'"schema_version":2')),
    "wrong type": written(VALID.replace(b'"streamed":true', b'"streamed":1')),
    "unknown field": written(VALID.replace(b'"mode":', b'"html":"<script>","mode":')),
    "another id": written(encode_replay(make_replay(8))),
    "open to others": written(VALID, 0o644),
    "open to the group": written(VALID, 0o660),
    "latin-1": written(VALID.replace(b"Attic", b"Att\xefc")),
    "lone surrogate": written(VALID.replace(b"Attic", b"\\udfff")),
    "endless number": written(VALID.replace(b'"total_ms":', b'"total_ms":' + b"9" * 100_000)),
}


@pytest.mark.parametrize("hostile", HOSTILE_FILES)
def test_no_file_is_more_than_an_error(history: History, outside: Path, hostile: str) -> None:
    path = history.folder / VALID_NAME
    HOSTILE_FILES[hostile](path, outside)
    replay_id = path.stem
    with pytest.raises(LuckrigError) as refusal:
        history.read(replay_id)
    assert refusal.value.code == "invalid_request"
    assert SECRET.decode() not in refusal.value.message
    # The list says so, and shows the others. It doesn't look at what comes after the summary.
    listing = history.list()
    assert make_replay().replay_id in [each.replay_id for each in listing.replays]
    if hostile not in ("cut", "deep request"):
        assert [each.name for each in listing.unreadable] == [path.name]
    # A new replay of that id doesn't replace it.
    with pytest.raises(LuckrigError, match="already"):
        history.write(make_replay(7), now=NOW)
    # It is none of ours to count or to remove, but its owner may delete it.
    full = History(history.folder, max_bytes=0, max_age_seconds=0)
    if stat.S_ISREG(path.lstat().st_mode) and path.stat().st_size <= MAX_REPLAY_BYTES:
        return
    full.write(make_replay(9), now=NOW)
    assert os.path.lexists(path)
    if not path.is_dir() or path.is_symlink():
        history.delete(replay_id)
        assert not os.path.lexists(path)


def test_a_folder_cannot_be_deleted_as_a_replay(history: History) -> None:
    (history.folder / VALID_NAME).mkdir()
    with pytest.raises(LuckrigError, match="no file that can be deleted"):
        history.delete(Path(VALID_NAME).stem)


def test_files_of_other_names_are_told_and_left_alone(history: History) -> None:
    for name in ("notes.txt", "UPPER.json", ".hidden", "con.json"):
        (history.folder / name).write_bytes(b"x")
    assert [each.name for each in history.list().unreadable] == [
        ".hidden",
        "UPPER.json",
        "con.json",
        "notes.txt",
    ]
    History(history.folder, max_bytes=0, max_age_seconds=0).write(make_replay(1), now=NOW + 10**9)
    assert len(os.listdir(history.folder)) == 5


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "history").symlink_to(tmp_path / "real")
    history = History(tmp_path / "history")
    for action in (history.ids, history.list, lambda: history.write(make_replay(), now=NOW)):
        with pytest.raises(LuckrigError, match="link"):
            action()
    assert list((tmp_path / "real").iterdir()) == []


def test_an_open_folder_is_closed(history: History) -> None:
    history.folder.chmod(0o777)
    assert len(history.ids()) == 1
    assert stat.S_IMODE(history.folder.stat().st_mode) == 0o700


def test_the_oldest_go_when_it_is_too_much(history: History) -> None:
    size = (history.folder / f"{make_replay().replay_id}.json").stat().st_size
    small = History(history.folder, max_bytes=3 * size + size // 2, max_age_seconds=None)
    for number in range(1, 6):
        small.write(make_replay(number), now=NOW + number)
    assert small.ids() == [make_replay(number).replay_id for number in (5, 4, 3)]
    # One that was just asked for is never the one to go, whatever the clock says.
    small.write(make_replay(0), now=0)
    assert small.ids() == [make_replay(number).replay_id for number in (5, 4, 0)]
    # One that is larger than all may be is kept all the same: it was just asked for.
    tiny = History(history.folder, max_bytes=1, max_age_seconds=None)
    tiny.write(make_replay(6), now=NOW)
    assert tiny.ids() == [make_replay(6).replay_id]


def test_what_is_too_old_goes(history: History) -> None:
    (first,) = history.folder.iterdir()
    os.utime(first, (NOW - 91 * DAY, NOW - 91 * DAY))
    history.write(make_replay(1), now=NOW)
    assert len(history.ids()) == 2  # this history keeps them for ever
    (history.folder / f".{make_replay(2).replay_id}.json.00").write_bytes(b"a crash left it")
    os.utime(history.folder / f".{make_replay(2).replay_id}.json.00", (NOW - DAY, NOW - DAY))
    History(history.folder).write(make_replay(3), now=NOW)
    assert history.ids() == [make_replay(number).replay_id for number in (3, 1)]
    assert not list(history.folder.glob(".*"))


WRITER = """
import sys
from pathlib import Path
from luckrig.client.history.store import History
from tests.client.replays import make_replay
history = History(Path(sys.argv[1]), max_age_seconds=None)
sys.stdin.readline()
for number in range(int(sys.argv[2]), 40, 2):
    history.write(make_replay(number), now=1.0)
"""


@contextmanager
def writers(folder: Path) -> Generator[list["subprocess.Popen[str]"]]:
    processes = [
        subprocess.Popen(  # noqa: S603 -- our own code
            [sys.executable, "-c", WRITER, str(folder), str(parity)],
            stdin=subprocess.PIPE,
            text=True,
        )
        for parity in (0, 1)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    """Both begin with a folder that isn't there."""
    folder = tmp_path / "new" / "history"
    with writers(folder) as processes:
        for process in processes:
            process.communicate("go\n")
            assert process.returncode == 0
    history = History(folder)
    assert history.ids() == [make_replay(number).replay_id for number in reversed(range(40))]
    listing = history.list()
    assert (len(listing.replays), listing.unreadable) == (40, [])
    assert len(os.listdir(folder)) == 40


def test_two_of_one_id_keep_the_first(tmp_path: Path) -> None:
    """As if two processes had drawn the same id: one of them is told."""
    history = History(tmp_path)
    history.write(make_replay(1, texts=["first"]), now=NOW)
    with pytest.raises(LuckrigError):
        history.write(make_replay(1, texts=["second"]), now=NOW)
    assert history.read(make_replay(1).replay_id).text("text") == "first"


def test_replays_side_by_side() -> None:
    slow = make_replay(1, step=0.5, rig=Rig(node_id=NODE_ID, model="qwen3:4b"))
    quick, cut = make_replay(2), make_replay(3, step=0.001, outcome="cut")
    table = compare([slow, quick, cut])
    assert table.same_prompt
    assert table.fastest == {
        "ttft_ms": slow.replay_id,
        "tokens_per_second": quick.replay_id,
        "total_ms": quick.replay_id,
    }
    assert [each.rig.model for each in table.replays] == ["qwen3:4b", "qwen3:8b", "qwen3:8b"]
    other = make_replay(4, request=b'{"model":"m","messages":[{"role":"user","content":"Else?"}]}')
    assert not compare([quick, other]).same_prompt
    assert compare([cut, quick]).fastest["total_ms"] is None
