"""The owner's own line to the running rig: a Unix socket that nobody else can open.

    $LUCKRIG_HOME/run/              mode 0700
    $LUCKRIG_HOME/run/node.lock     held by the rig that runs
    $LUCKRIG_HOME/run/node.sock     mode 0600

One JSON line goes in, a Command; one comes back, a Reply; then the connection ends. Who may open
the socket is the file system's business, so there are no passwords here.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Final

import msgspec

from luckrig.nodeproxy.counters import RecentError
from luckrig.nodeproxy.opening import Reason
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.schedule import Schedule

SOCKET_NAME: Final = "node.sock"
LOCK_NAME: Final = "node.lock"
MAX_LINE_BYTES: Final = 65_536
MAX_CONNECTIONS: Final = 8
READ_SECONDS: Final = 5.0
MAX_PAUSE_SECONDS: Final = 366 * 86_400
MAX_PATH_BYTES: Final = 100
"""Linux takes 107 for a socket's path, macOS 103."""

_FD_FOLDER: Final = Path("/proc/self/fd")


class Command(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="command"
):
    """What the owner wants."""


class ShowStatus(Command, frozen=True, kw_only=True, tag="status"):
    """Nothing but to know."""


class Pause(Command, frozen=True, kw_only=True, tag="pause"):
    """Take nothing new; seconds: for so long, None until resume."""

    seconds: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAUSE_SECONDS)] | None = None


class Resume(Command, frozen=True, kw_only=True, tag="resume"):
    """End a pause or a drain."""


class Drain(Command, frozen=True, kw_only=True, tag="drain"):
    """Finish what runs and waits, take nothing new; stop: then end the rig."""

    stop: bool = False


class SetNote(Command, frozen=True, kw_only=True, tag="note"):
    """Publish another note."""

    text: Annotated[str, msgspec.Meta(max_length=4000)]


AnyCommand = ShowStatus | Pause | Resume | Drain | SetNote


class TunnelView(msgspec.Struct, frozen=True, kw_only=True):
    """How a rig's tunnel is: phase and reason are words of nodeproxy/tunnel/client.py, message is
    for the owner."""

    phase: str
    reason: str
    message: str


class RigStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the rig is, for its owner. Times are Unix seconds; no text of any user.

    engine: its state, whether the rig is open or not. reason: why it is closed, None when it is
    open. from_tracker: the last pause or resume was asked for on the tracker's pages, not here.
    opens_at, changes_at: if known; changes_at is when time alone changes the answer next.
    served: replies since started_at, also those that were cut (ReceiptBook.signed), as in
    tokens_today, which are others'. blind: wishes without a sensor. tracker: its full address.
    engine_url: without its key. tunnel: None where the rig listens.
    """

    name: str
    note: str
    base_url: str
    page: str
    models: list[str]
    engine: str
    reason: Reason | None
    opens_at: int | None
    changes_at: int | None
    active: int
    waiting: int
    max_active: int
    max_queue: int
    served: int
    tokens_today: int
    tokens_per_day: int | None
    schedule: Schedule | None
    celsius: float | None
    watts: float | None
    busy_share: float | None
    blind: list[str]
    errors: list[RecentError]
    tokens_per_second: float | None
    started_at: int
    stops_when_drained: bool
    tracker: str = ""
    engine_url: str = ""
    tunnel: TunnelView | None = None
    from_tracker: bool = False


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a command wasn't done."""

    code: str
    message: str


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Exactly one of the two."""

    status: RigStatus | None = None
    error: Refusal | None = None


Handler = Callable[[AnyCommand], Awaitable[RigStatus]]


@contextmanager
def claimed_folder(folder: Path) -> Generator[Path, None, None]:
    """The run folder, made if need be, for this rig alone while the block runs.

    Raises LuckrigError when another rig runs there, or other people can reach it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise LuckrigError("invalid_request", f"{folder} isn't a folder of yours. Remove it.")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(folder / LOCK_NAME, flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise LuckrigError(
            "invalid_request",
            f"A rig runs already with {folder.parent}. `luckrig node status` shows it; another one "
            "needs a LUCKRIG_HOME of its own.",
        ) from error
    try:
        yield folder
    finally:
        os.close(lock)  # the kernel gives the lock back, after a crash too


@asynccontextmanager
async def serving_control(folder: Path, handle: Handler) -> AsyncGenerator[None, None]:
    """Answer the owner's commands while the block runs. folder: a claimed one."""
    # Whoever made a socket that is still there has crashed: the folder's lock is ours.
    (folder / SOCKET_NAME).unlink(missing_ok=True)
    slots = asyncio.Semaphore(MAX_CONNECTIONS)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with slots, asyncio.timeout(READ_SECONDS):
                line = await reader.readuntil(b"\n")
            writer.write(msgspec.json.encode(await _reply(line, handle)) + b"\n")
            async with asyncio.timeout(READ_SECONDS):
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asks like that waits for no answer
        finally:
            writer.close()

    with _bound(folder) as sock:
        server = await asyncio.start_unix_server(answer, sock=sock, limit=MAX_LINE_BYTES)
        try:
            yield
        finally:
            server.close()
            (folder / SOCKET_NAME).unlink(missing_ok=True)


async def _reply(line: bytes, handle: Handler) -> Reply:
    try:
        command = msgspec.json.decode(line, type=AnyCommand)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        refusal = Refusal(code="invalid_request", message=f"No command of a rig: {error}.")
        return Reply(error=refusal)
    try:
        return Reply(status=await handle(command))
    except LuckrigError as error:
        return Reply(error=Refusal(code=error.code, message=error.message))


@contextmanager
def _bound(folder: Path) -> Generator[socket.socket, None, None]:
    sock = socket.socket(socket.AF_UNIX)
    try:
        with _reachable(folder) as path:
            sock.bind(path)
        (folder / SOCKET_NAME).chmod(0o600)
        sock.listen(MAX_CONNECTIONS)
        sock.setblocking(False)
        yield sock
    finally:
        sock.close()


@contextmanager
def connected(folder: Path, *, timeout_seconds: float) -> Generator[socket.socket, None, None]:
    """A connection to the rig of that run folder. Raises OSError when none answers."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(timeout_seconds)
        with _reachable(folder) as path:
            sock.connect(path)
        yield sock
    finally:
        sock.close()


@contextmanager
def _reachable(folder: Path) -> Generator[str, None, None]:
    """The socket's path, by way of the open folder where it is too long for the kernel."""
    path = os.fspath(folder / SOCKET_NAME)
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield path
        return
    if not _FD_FOLDER.exists():
        raise LuckrigError(
            "invalid_request",
            f"{path} is too long for a socket. Choose a LUCKRIG_HOME with a shorter path.",
        )
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"{_FD_FOLDER}/{descriptor}/{SOCKET_NAME}"
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def ask_rig(folder: Path, command: AnyCommand, *, timeout_seconds: float) -> RigStatus:
    """Send a command to the rig that runs there. Blocks.

    Raises LuckrigError: what the rig said, or node_offline when none runs.
    """
    try:
        with connected(folder, timeout_seconds=timeout_seconds) as sock:
            sock.sendall(msgspec.json.encode(command) + b"\n")
            with sock.makefile("rb") as file:
                line = file.readline(4 * MAX_LINE_BYTES)
    except (FileNotFoundError, ConnectionError, NotADirectoryError) as error:
        raise _nobody(folder) from error
    except OSError as error:
        raise LuckrigError("node_offline", f"The rig doesn't answer: {error}.") from error
    if not line:
        raise _nobody(folder)
    try:
        reply = msgspec.json.decode(line, type=Reply)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LuckrigError(
            "node_offline", "What answers there isn't this luckrig's rig."
        ) from error
    if reply.error is not None:
        raise LuckrigError(reply.error.code, reply.error.message)
    if reply.status is None:
        raise _nobody(folder)
    return reply.status


def _nobody(folder: Path) -> LuckrigError:
    return LuckrigError(
        "node_offline",
        f"No rig runs with {folder.parent}. Start it with `luckrig node start`, or set "
        "LUCKRIG_HOME to the folder it was started with.",
    )
