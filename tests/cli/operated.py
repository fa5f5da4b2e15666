"""A real tracker on a real socket, with operators and people, each with a home of their own."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx2
import pytest
import uvicorn

from luckrig.cli.home import Home
from luckrig.cli.main import run
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.notes import Note, sign_note
from luckrig.tracker.app import create_app
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.factories import make_node, owner_key
from tests.tracker.trackers import FakeProber, make_keys

OPERATOR, SECOND, NOTIFIER, VISITOR = (PrivateKey(bytes([50 + n]) * 32) for n in range(4))
OWNER = owner_key(1)
KEYS = {
    "operator": OPERATOR,
    "second": SECOND,
    "notifier": NOTIFIER,
    "visitor": VISITOR,
    "owner": OWNER,
}
IDS = {name: derive_id("u1", key.public) for name, key in KEYS.items()}
NOTE_ID = "note-about-rig-one"


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass
class Operated:
    """The tracker, and whoever is at the keyboard. reason: 1 to 1000 characters."""

    origin: str
    store: MemoryStore
    folder: Path
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    @property
    def rig_id(self) -> str:
        """The listed rig."""
        return make_node(1).node_id

    def home(self, who: str) -> Home:
        """Somebody's home folder, with their key."""
        home = Home(self.folder / who)
        if not home.names():
            home.create("user", KEYS[who])
        return home

    def __call__(self, who: str, *args: str) -> Result:
        """Somebody runs a command."""
        self.patch.setenv("LUCKRIG_HOME", str(self.home(who).path))
        self.capsys.readouterr()
        code = run(args, os.environ)
        printed = self.capsys.readouterr()
        return Result(code, printed.out, printed.err)

    def publish(self, *, seq: int = 1, name: str = "rig 1", note: str = "") -> None:
        """List the rig, or a newer descriptor of it."""
        node = make_node(1, created_at=int(time.time()), seq=seq, name=name, note=note)
        self._post("/api/v1/nodes", node.signed)

    def write_note(self, text: str) -> None:
        """The owner's note NOTE_ID about the rig."""
        note = Note(
            note_id=NOTE_ID,
            version=1,
            node_id=self.rig_id,
            text=text,
            references=[],
            iat=int(time.time()),
        )
        signed = sign_note(note, author_key=OWNER)
        self._post("/api/v1/notes", b'{"note":"%s"}' % signed.encode())

    def _post(self, path: str, body: bytes) -> None:
        headers = {"content-type": "application/json"}
        reply = httpx2.post(f"{self.origin}{path}", content=body, headers=headers)
        assert reply.status_code == 200, reply.text


@contextmanager
def served(store: MemoryStore) -> Generator[str, None, None]:
    """A tracker in a thread until the block ends; its address. Its loops don't run."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_app(
        TrackerSettings(
            public_url=origin,
            allow_private_endpoints=True,
            operators=frozenset({IDS["operator"], IDS["second"]}),
            trusted_notifiers=frozenset({IDS["notifier"]}),
            reports_per_hour_prefix=1000,
        ),
        store,
        make_keys(since=int(time.time())),
        FakeProber(),
        clock=time.time,
        random_bytes=os.urandom,
        rng=Random(1),  # noqa: S311 -- jitter
        version="1",
    )
    config = uvicorn.Config(app, lifespan="off", ws="none", log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield origin
    finally:
        server.should_exit = True
        thread.join()
        asyncio.run(store.aclose())
