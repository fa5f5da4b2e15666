"""A page with the product's own headers that has the subtext modules, and a rig to ask from it."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal, cast

from playwright.sync_api import Page

from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.subtext.carrier import CarrierWriter, request_payload
from luckrig.protocol.subtext.hpke import SealingPrivateKey
from luckrig.protocol.subtext.items import ItemWriter
from luckrig.protocol.subtext.keyring import PublishedKey, sign_sealing_keys
from luckrig.protocol.subtext.reply import ReplySealer
from luckrig.protocol.subtext.request import Binding, Opened, open_request
from luckrig.web.assets import static_files
from luckrig.web.headers import PAGE_HEADERS, STATIC_HEADERS

PROBE: Final = Path(__file__).with_name("probe.js")
HTML: Final = b"<!doctype html><html lang=en><title>subtext</title><p>A page.</p>"
NODE_KEY: Final = bytes(range(32))
NOW: Final = 1_795_000_000
TOKEN: Final = "header.claims.signature"


def modules() -> str:
    """The folder that the modules are served under."""
    files = static_files().items()
    return next(url.rpartition("/")[0] for url, file in files if file.name == "subtext/rig.js")


@dataclass
class Answer:
    """What a server says.

    chunks: sent one after the other. end: what happens then: the body's end, a broken connection,
    or nothing until the client has left, which is told to `has_left`.
    """

    status: int
    headers: dict[str, str]
    chunks: list[bytes]
    end: Literal["well", "cut", "held"] = "well"
    has_left: threading.Event = field(default_factory=threading.Event)


@dataclass
class Asked:
    """One request that reached the rig. opened: None unless it could be opened."""

    path: str
    headers: dict[str, str]
    body: bytes
    opened: Opened | None = None


class Rig:
    """Answers sealed requests as real rigs do, with luckrig's own Python code.

    reply: what it says inside, of the opened request: status, content type, headers, body parts.
    before: looks at each request first, and may answer instead. after: may change the answer.
    """

    def __init__(self, seed: bytes = b"\1" * 32) -> None:
        self.node_key = PrivateKey(NODE_KEY)
        self.node_id = derive_id("n1", self.node_key.public)
        self.sealing_key = SealingPrivateKey("x25519", seed)
        self.reply: Callable[[Opened], tuple[int, str, dict[str, str], list[bytes]]] = _echo
        self.before: Callable[[Asked], Answer | None] = lambda _: None
        self.after: Callable[[Answer], Answer] = lambda answer: answer
        self.asked: list[Asked] = []

    def keys(self) -> str:
        """Its signed list."""
        published = [PublishedKey(self.sealing_key.public, NOW + 86_400)]
        return sign_sealing_keys(published, node_key=self.node_key, now=NOW)

    def answer(self, asked: Asked) -> Answer:
        """Anything below /n/{id}."""
        self.asked.append(asked)
        if (instead := self.before(asked)) is not None:
            return instead
        if asked.path == "/luckrig/sealing":
            return json_answer(200, {"sealing": self.keys()})
        token = asked.headers["authorization"].split(" ")[1]
        message = json.loads(asked.body)["messages"][0]["content"]
        asked.opened = opened = open_request(
            request_payload(message),
            key=self.sealing_key, binding=Binding(self.node_id, token), now=NOW,
        )  # fmt: skip
        return self.after(seal_answer(opened, self.reply(opened), json.loads(asked.body)["stream"]))


def _echo(opened: Opened) -> tuple[int, str, dict[str, str], list[bytes]]:
    return 200, "application/json", {"luckrig-quant": "Q4_K_M"}, [opened.inner.body]


def json_answer(status: int, document: object) -> Answer:
    """A plain one."""
    return Answer(status, {"content-type": "application/json"}, [json.dumps(document).encode()])


def seal_answer(
    opened: Opened, reply: tuple[int, str, dict[str, str], list[bytes]], stream: bool
) -> Answer:
    """One event for each part of the body, or one document."""
    status, content_type, headers, parts = reply
    sealer = ReplySealer(opened.secret, opened.encapsulation, b"\7" * 32)
    items, carrier = ItemWriter(), CarrierWriter("abc", NOW)
    sealer.add(items.head(status, content_type, headers))
    frames = [sealer.next_frame()] if stream else []
    for part in parts:
        sealer.add(items.body(part))
        frames += [sealer.next_frame()] if stream else []
    sealer.add(items.end())
    frames += sealer.last_frames()
    if not stream:
        return Answer(200, {"content-type": "application/json"}, [carrier.document(frames)])
    events = [carrier.event(frame) for frame in frames]
    return Answer(200, {"content-type": "text/event-stream"}, [*events, carrier.ending()])


@dataclass
class Site:
    """The page's server. origin: its address. rig: behind /n/{id}, as behind a tracker's relay."""

    origin: str
    rig: Rig = field(default_factory=Rig)

    @property
    def base_url(self) -> str:
        """As the map would name it."""
        return f"{self.origin}/n/{self.rig.node_id}/v1"


class _Server(ThreadingHTTPServer):
    """files: URL path -> content and media type."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = Site(f"http://127.0.0.1:{self.server_port}")
        self.files = {url: (file.content, file.media_type) for url, file in static_files().items()}
        self.files["/probe.js"] = (PROBE.read_bytes(), "text/javascript; charset=utf-8")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def mine(self) -> _Server:
        return cast(_Server, self.server)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what is asked stands in the rig."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self._send({**PAGE_HEADERS, "content-type": "text/html; charset=utf-8"}, HTML)
        elif path in self.mine.files:
            content, media_type = self.mine.files[path]
            self._send({**STATIC_HEADERS, "content-type": media_type}, content)
        else:
            self._ask_rig(b"")

    def do_POST(self) -> None:
        self._ask_rig(self.rfile.read(int(self.headers["content-length"])))

    def _ask_rig(self, body: bytes) -> None:
        rig = self.mine.site.rig
        if not self.path.startswith(f"/n/{rig.node_id}/"):
            self._start(404, {"content-length": "0"})  # the icon that browsers ask for
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = rig.answer(Asked(self.path.removeprefix(f"/n/{rig.node_id}"), headers, body))
        self.close_connection = True
        self._start(answer.status, {**answer.headers, "transfer-encoding": "chunked"})
        if answer.end == "held":
            self._hold(answer)
            return
        self._write_chunks(answer)
        if answer.end == "well":
            self.wfile.write(b"0\r\n\r\n")

    def _hold(self, answer: Answer) -> None:
        with suppress(ConnectionError):  # it may leave before all of it is written
            self._write_chunks(answer)
            self.rfile.read(1)  # nothing more is sent: this is the connection's end
        answer.has_left.set()

    def _write_chunks(self, answer: Answer) -> None:
        for chunk in answer.chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))

    def _send(self, headers: dict[str, str], content: bytes) -> None:
        self._start(200, {**headers, "content-length": str(len(content))})
        self.wfile.write(content)

    def _start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def running_site() -> Generator[Site, None, None]:
    """A server on the loopback, in a thread."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Probe:
    """A tab with the probe. call: one of its functions, with JSON in and out."""

    page: Page
    site: Site

    def call(self, name: str, asked: object = None) -> Any:
        """What the function of probe.js returns."""
        script = "async ([probe, name, asked]) => (await import(probe))[name](asked)"
        return self.page.evaluate(script, [f"/probe.js?modules={modules()}", name, asked])


def pair(seed: bytes) -> dict[str, str]:
    """An X25519 key pair for the probe."""
    point = SealingPrivateKey("x25519", seed).public.raw
    return {"secret": b64url_encode(seed), "point": b64url_encode(point)}


def plain(texts: list[str]) -> list[bytes]:
    """What the probe wrote as base64url."""
    return [b64url_decode(text) for text in texts]
