"""A small tracker on a real socket, with knobs for everything a bad one could do.

It checks proofs and signs nothing but its log. `FakeTracker.lie` replaces the answer to a path;
without it the answers are those of an honest tracker.
"""

import socket
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import msgspec
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from luckrig.protocol import work
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor import (
    EngineInfo,
    Hardware,
    NodeDescriptor,
    Offer,
    Policy,
    sign_descriptor,
)
from luckrig.protocol.errors import PeerError, error_body
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import verify_proof
from luckrig.protocol.tokens import Limits
from luckrig.protocol.wire import (
    NodeDetail,
    NodePage,
    NodeStatus,
    NodeView,
    RegistrationInfo,
    RegistrationReply,
    RegistrationRequest,
    TokenReply,
    TokenRequest,
    TrackerHealth,
)
from tests.client.fake_audit import FakeAudit
from tests.client.fake_log import FakeLog

NOW = 1_900_000_000.0
"""The time in these tests. The command line uses the real clock, see FakeTracker.clock."""
GIB = 2**30
TOKEN = "eyJh.eyJp.c2ln"
INVITE = "an-invite-of-theirs"
OWNER = PrivateKey(bytes([7]) * 32)


@dataclass(frozen=True)
class Rig:
    """A listed rig: what the tracker shows and the descriptor that was signed."""

    view: NodeView
    signed: bytes

    @property
    def detail(self) -> bytes:
        """The honest answer to GET /api/v1/nodes/{id}."""
        return msgspec.json.encode(NodeDetail(node=self.view, descriptor=msgspec.Raw(self.signed)))


def make_rig(
    number: int = 1,
    *,
    name: str = "attic",
    gpu: str | None = "NVIDIA GeForce RTX 4090",
    models: Iterable[str] = ("llama3.1:8b",),
    status: NodeStatus = "available",
    scarcity: float = 0.5,
    note: str = "",
) -> Rig:
    """A rig with a key of its own, signed as a real one."""
    node_key = PrivateKey(number.to_bytes(2, "big") * 16)
    descriptor = NodeDescriptor(
        node_id=derive_id("n1", node_key.public),
        owner_id=derive_id("u1", OWNER.public),
        seq=1,
        created_at=int(NOW),
        name=name,
        note=note,
        endpoints=[f"http://127.0.0.1:{9000 + number}"],
        engine=EngineInfo(kind="llama-server"),
        hardware=Hardware(
            gpu=gpu,
            vram_bytes=None if gpu is None else 24 * GIB,
            cpu="Raspberry Pi 5",
            ram_bytes=8 * GIB,
        ),
        offers=[
            Offer(model=model, quantization="Q4_K_M", context_length=131_072) for model in models
        ],
        policy=Policy(max_active=2, max_queue=8),
    )
    view = NodeView(
        id=descriptor.node_id,
        name=descriptor.name,
        status=status,
        scarcity=scarcity,
        hardware=descriptor.hardware,
        offers=descriptor.offers,
        note=descriptor.note,
        engine=descriptor.engine,
        policy=descriptor.policy,
        queue=None,
        base_url=descriptor.endpoints[0] + "/v1",
        owner_id=descriptor.owner_id,
        listed_at=int(NOW),
        last_seen_at=int(NOW),
        seq=descriptor.seq,
    )
    return Rig(view, sign_descriptor(descriptor, node_key=node_key, owner_key=OWNER))


@dataclass(frozen=True)
class Reply:
    """An answer. body: its pieces. hangs: sends nothing until the client has gone."""

    body: Iterable[bytes] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    hangs: bool = False


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeTracker:
    """The ASGI application. page_nodes: rigs on one page. asked: set by the first request.

    terms: what a new key has to bring; None when it needn't register.
    """

    rigs: list[Rig] = field(default_factory=list[Rig])
    root_id: str = "r1" + "a" * 32
    clock: Callable[[], float] = lambda: NOW
    page_nodes: int = 100
    log: FakeLog = field(default_factory=FakeLog)
    audit: FakeAudit = field(default_factory=FakeAudit)
    terms: RegistrationInfo | None = None
    origin: str = ""
    told: dict[str, Reply] = field(default_factory=dict[str, Reply])
    seen: list[Seen] = field(default_factory=list[Seen])
    asked: threading.Event = field(default_factory=threading.Event)

    def reset(self, *rigs: Rig) -> None:
        """Honest again, with these rigs: one server for a whole module of tests."""
        fresh = FakeTracker(rigs=list(rigs), origin=self.origin)
        self.__dict__.update(fresh.__dict__)

    def reset_rigs(self, *rigs: Rig) -> None:
        """List these rigs instead."""
        self.rigs = list(rigs)

    @property
    def address(self) -> TrackerAddress:
        """Where it listens, with nothing pinned."""
        return TrackerAddress(self.origin, None)

    def lies(self, reply: Reply, *, path: str = "/") -> None:
        """From now on, answer like that to every path with that beginning."""
        self.told[path] = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = await _read(scope, receive)
        self.seen.append(request)
        self.asked.set()
        told = [reply for path, reply in self.told.items() if request.path.startswith(path)]
        reply = told[-1] if told else self._honest(request)
        if reply.hangs:
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await _send(reply, send)

    def _honest(self, request: Seen) -> Reply:
        try:
            return Reply([self._answer(request)])
        except PeerError as error:
            return Reply([msgspec.json.encode(error_body(error))], status=error.status)

    def _answer(self, request: Seen) -> bytes:
        if request.path == "/health":
            return msgspec.json.encode(
                TrackerHealth(
                    status="ok",
                    version="1",
                    root_id=self.root_id,
                    nodes=len(self.rigs),
                    available=0,
                )
            )
        if request.path == "/api/v1/keyset":
            return self.log.keyset(int(self.clock()))
        if request.path == "/api/v1/log":
            return self.log.page(request.query, int(self.clock()))
        if request.path == "/api/v1/admin/audit":
            return self.audit.page(request.query, int(self.clock()))
        if request.path == "/api/v1/nodes":
            return msgspec.json.encode(self._page(request.query))
        if request.path == "/api/v1/registration":
            return self._registration(request)
        if request.path == "/api/v1/tokens":
            return msgspec.json.encode(self._token(request))
        return self._rig(request.path.removeprefix("/api/v1/nodes/")).detail

    def _page(self, query: dict[str, str]) -> NodePage:
        status = query.get("status")
        fitting = [rig.view for rig in self.rigs if status in (None, rig.view.status)]
        start = int(query.get("after", "0"))
        end = start + min(self.page_nodes, int(query.get("limit", "100")))
        following = str(end) if end < len(fitting) else None
        return NodePage(nodes=fitting[start:end], total=len(fitting), next=following)

    def _rig(self, node_id: str) -> Rig:
        for rig in self.rigs:
            if rig.view.id == node_id:
                return rig
        raise PeerError("node_not_found", "No rig with that id is on this tracker's map.")

    def _registration(self, request: Seen) -> bytes:
        """The terms; or a key is taken when it brings the work and the invite INVITE."""
        terms = self.terms or RegistrationInfo(mode="open", work_bits=0)
        if request.method == "GET":
            return msgspec.json.encode(terms)
        user_id = self._asker(request)
        brought = msgspec.json.decode(request.body, type=RegistrationRequest)
        if terms.mode == "invite" and brought.invite != INVITE:
            raise PeerError("registration_required", "This invite isn't good.", param="invite")
        if terms.work_bits and not work.check(
            brought.work or "", root_id=self.root_id, user_id=user_id, bits=terms.work_bits
        ):
            raise PeerError("registration_required", "This is not the work.", param="work")
        self.terms = None
        return msgspec.json.encode(RegistrationReply(user_id=user_id, tier="limited"))

    def _asker(self, request: Seen) -> str:
        """The user id of whoever signed the request."""
        proof = verify_proof(
            request.headers.get("dpop", ""),
            method="POST",
            urls=[f"{self.origin}{request.path}"],
            now=self.clock(),
        )
        proof.check_body(request.body)
        return derive_id("u1", proof.key)

    def _token(self, request: Seen) -> TokenReply:
        self._asker(request)
        if self.terms is not None:
            raise PeerError("registration_required", "This tracker doesn't know your key.")
        wanted = msgspec.json.decode(request.body, type=TokenRequest)
        return token_reply(
            self._rig(wanted.node_id).view,
            expires_at=int(self.clock()) + (wanted.ttl_seconds or 900),
        )


def token_reply(view: NodeView, *, expires_at: int = int(NOW) + 900) -> TokenReply:
    """What a tracker answers with when it hands out a token for that rig."""
    return TokenReply(
        token=TOKEN,
        token_type="Bearer",
        expires_at=expires_at,
        node_id=view.id,
        base_url=view.base_url,
        models=[offer.model for offer in view.offers],
        tier="limited",
        limits=Limits(requests=120, output_tokens=1024, concurrency=2, priority=0),
    )


@contextmanager
def serving(app: FakeTracker) -> Generator[FakeTracker]:
    """Serve on a free port of 127.0.0.1, in a thread, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    app.origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(app, lifespan="off", ws="none", log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield app
    finally:
        server.should_exit = True
        thread.join()


async def _read(scope: Scope, receive: Receive) -> Seen:
    body = b""
    more = True
    while more:
        message: Message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return Seen(
        method=scope["method"],
        path=scope["path"],
        query=dict(parse_qsl(scope["query_string"].decode())),
        headers={name.decode(): value.decode() for name, value in scope["headers"]},
        body=body,
    )


async def _send(reply: Reply, send: Send) -> None:
    headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    for piece in reply.body:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
