"""The owner's socket: who may open it, what it takes, and what becomes of crashed rigs' files."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from luckrig.nodeproxy.control import (
    MAX_LINE_BYTES,
    SOCKET_NAME,
    AnyCommand,
    Drain,
    Pause,
    Resume,
    RigStatus,
    SetNote,
    ShowStatus,
    ask_rig,
    claimed_folder,
    serving_control,
)
from luckrig.protocol.errors import LuckrigError

STATUS = RigStatus(
    name="attic", note="", base_url="http://127.0.0.1:1/v1", page="http://127.0.0.1:2/nodes/n1",
    models=["m"], engine="ready", reason=None, opens_at=None, changes_at=None, active=0, waiting=0,
    max_active=1, max_queue=8, served=0, tokens_today=0, tokens_per_day=None, schedule=None,
    celsius=None, watts=None, busy_share=None, blind=[], errors=[], started_at=0,
    tokens_per_second=None,
    stops_when_drained=False,
)  # fmt: skip


class Desk:
    """Takes note of what it is told."""

    def __init__(self) -> None:
        self.told: list[AnyCommand] = []

    async def __call__(self, command: AnyCommand) -> RigStatus:
        self.told.append(command)
        if isinstance(command, SetNote):
            raise LuckrigError("unsafe_text", "No.")
        return STATUS


@asynccontextmanager
async def controlled(folder: Path) -> AsyncGenerator[Desk, None]:
    desk = Desk()
    with claimed_folder(folder) as claimed:
        async with serving_control(claimed, desk):
            yield desk


async def ask(folder: Path, command: AnyCommand) -> RigStatus:
    return await asyncio.to_thread(ask_rig, folder, command, timeout_seconds=10)


def raw(folder: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(folder / SOCKET_NAME))
        try:
            sock.sendall(line)
            sock.shutdown(socket.SHUT_WR)
            with sock.makefile("rb") as file:
                return file.read()
        except OSError:
            return b""


async def test_every_command_arrives_and_is_answered(tmp_path: Path) -> None:
    commands: list[AnyCommand] = [
        ShowStatus(), Pause(), Pause(seconds=60), Resume(), Drain(), Drain(stop=True)
    ]  # fmt: skip
    async with controlled(tmp_path / "run") as desk:
        for command in commands:
            assert await ask(tmp_path / "run", command) == STATUS
    assert desk.told == commands


async def test_a_refusal_comes_back_as_the_error_it_was(tmp_path: Path) -> None:
    async with controlled(tmp_path / "run"):
        with pytest.raises(LuckrigError) as caught:
            await ask(tmp_path / "run", SetNote(text="x"))
    assert (caught.value.code, caught.value.message) == ("unsafe_text", "No.")


async def test_nobody_else_can_reach_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    async with controlled(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / SOCKET_NAME).stat().st_mode & 0o777 == 0o600
    assert not (folder / SOCKET_NAME).exists()


@pytest.mark.parametrize(
    "line",
    [
        b"\n", b"{}\n", b"nonsense\n", b'{"command": "stop"}\n', b'{"command": "pause", "x": 1}\n',
        b'{"command": "pause", "seconds": 0}\n', b'{"command": "pause", "seconds": 1e99}\n',
        b'{"command": "drain", "stop": 1}\n', b"\xff\xfe\n",
        b'{"command": "note", "text": "' + b"x" * 4001 + b'"}\n',
    ],
)  # fmt: skip
async def test_nonsense_is_refused_and_told_to_nobody(line: bytes, tmp_path: Path) -> None:
    async with controlled(tmp_path / "run") as desk:
        reply = msgspec.json.decode(await asyncio.to_thread(raw, tmp_path / "run", line))
        assert reply["error"]["code"] == "invalid_request"
        assert desk.told == []
        assert await ask(tmp_path / "run", ShowStatus()) == STATUS


async def test_endless_and_broken_lines_are_hung_up_on(tmp_path: Path) -> None:
    async with controlled(tmp_path / "run") as desk:
        for line in (b"x" * (2 * MAX_LINE_BYTES), b'{"command": "status"}', b""):
            assert await asyncio.to_thread(raw, tmp_path / "run", line) == b""
        assert desk.told == []
        assert await ask(tmp_path / "run", ShowStatus()) == STATUS


async def test_a_crashed_rigs_socket_is_in_nobodys_way(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / SOCKET_NAME))
    with pytest.raises(LuckrigError, match="No rig runs"):
        await ask(folder, ShowStatus())
    async with controlled(folder):
        assert await ask(folder, ShowStatus()) == STATUS


async def test_a_second_rig_on_the_same_home_is_told_so(tmp_path: Path) -> None:
    async with controlled(tmp_path / "run"):
        with (
            pytest.raises(LuckrigError, match="A rig runs already"),
            claimed_folder(tmp_path / "run"),
        ):
            raise AssertionError("two rigs")
        assert await ask(tmp_path / "run", ShowStatus()) == STATUS
    async with controlled(tmp_path / "run"):
        pass


async def test_without_a_rig_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LuckrigError, match="luckrig node start"):
        await ask(tmp_path / "run", ShowStatus())


async def test_a_long_home_works_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "run"
    async with controlled(folder):
        assert await ask(folder, ShowStatus()) == STATUS


def test_a_link_to_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LuckrigError, match="isn't a folder"), claimed_folder(tmp_path / "run"):
        raise AssertionError("followed")
