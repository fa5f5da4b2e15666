"""A tracker and rigs on real sockets, with real keys, tokens, proofs and receipts, and scripts.

They check what honest ones check, and each next request can be answered by a script instead.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec

from luckrig.client.calling.network import CallSettings, Network, Surroundings, open_network
from luckrig.client.calling.sending import Deadlines
from luckrig.client.calls import Ask
from luckrig.client.wanted import Wanted
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor import (
    EngineInfo,
    Hardware,
    NodeDescriptor,
    Offer,
    Policy,
    sign_descriptor,
)
from luckrig.protocol.errors import LuckrigError, PeerError, error_body
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.keyset import Keyset, sign_keyset
from luckrig.protocol.proofs import verify_proof
from luckrig.protocol.receipts import Receipt, sign_receipt
from luckrig.protocol.replays import ProofCache
from luckrig.protocol.subtext.carrier import CarrierWriter, request_payload
from luckrig.protocol.subtext.hpke import SEED_BYTES, Kem, SealingPrivateKey
from luckrig.protocol.subtext.items import ItemWriter
from luckrig.protocol.subtext.keyring import (
    SEALING_PATH,
    PublishedKey,
    SealingReply,
    sign_sealing_keys,
)
from luckrig.protocol.subtext.reply import NONCE_BYTES, ReplySealer
from luckrig.protocol.subtext.request import Binding, key_id_of, open_request
from luckrig.protocol.tokens import Claims, Confirmation, Limits, issue, verify
from luckrig.protocol.wire import (
    KeysetReply,
    NodeDetail,
    NodePage,
    NodeStatus,
    NodeView,
    ReceiptResult,
    ReceiptsReply,
    ReceiptsRequest,
    RegistrationInfo,
    SignedReceipt,
    TimingsReply,
    TimingView,
    TokenReply,
    TokenRequest,
)
from tests.client.wire_server import Answer, Request, Wire, wire_server

NOW = 1_900_000_000.0
USER = PrivateKey(bytes([9]) * 32)
OWNER = PrivateKey(bytes([7]) * 32)
SIGNING = PrivateKey(b"sign" * 8)
ROOT = PrivateKey(b"root" * 8)
ROOT_ID = derive_id("r1", ROOT.public)
CHAT = "/v1/chat/completions"
MODEL = "qwen3:8b"
WORDS = ("Hello", ", ", "world", "!")


class World:
    """Time that stands still but for sleep(), which goes on at once and counts."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        """Unix seconds."""
        return NOW + self.passed

    def monotonic(self) -> float:
        """Seconds."""
        return 1000 + self.passed

    async def sleep(self, seconds: float) -> None:
        """Goes on as soon as the others had a turn."""
        self.slept.append(seconds)
        self.passed += seconds
        await asyncio.sleep(0)

    async def linger(self, seconds: float) -> None:
        """What background work waits; the time stands still."""
        await asyncio.sleep(0)

    @property
    def surroundings(self) -> Surroundings:
        """For open_network(), with dice that always fall the same."""
        return Surroundings(
            clock=self.clock,
            monotonic=self.monotonic,
            sleep=self.sleep,
            linger=self.linger,
            rng=random.Random(7),  # noqa: S311 -- picks rigs, guards nothing
        )


@dataclass
class Rig:
    """One rig. script: how the next requests with a prompt are answered; then honestly.

    asked: the inner requests that it took. seals: the kems it offers. swapped: the key that signs
    its sealing keys in its place. claims_tokens: on its receipts.
    """

    number: int
    world: World
    name: str = ""
    models: Sequence[str] = (MODEL,)
    gpu: str | None = "NVIDIA GeForce RTX 4090"
    quant: str | None = "Q4_K_M"
    context: int | None = 8192
    status: NodeStatus = "available"
    scarcity: float = 0.0
    seals: Sequence[Kem] = ("mlkem768-x25519", "x25519")
    swapped: PrivateKey | None = None
    claims_tokens: int = 4
    keys_last: int = 86_400
    """Seconds until its sealing keys expire."""
    script: list[Answer] = field(default_factory=list[Answer])
    asked: list[Request] = field(default_factory=list[Request])
    paths: list[str] = field(default_factory=list[str])
    codes: list[str] = field(default_factory=list[str])
    origin: str = ""
    seq: int = 1
    _replays: ProofCache = field(default_factory=ProofCache)

    def __post_init__(self) -> None:
        self.key = PrivateKey(self.number.to_bytes(2, "big") * 16)
        self.node_id = derive_id("n1", self.key.public)
        self.name = self.name or f"rig {self.number}"
        self.new_sealing_keys()

    def new_sealing_keys(self) -> None:
        """Forget those that it had."""
        self.sealing = [
            SealingPrivateKey(kem, random.Random(f"{self.number}{kem}{self.seq}").randbytes(size))  # noqa: S311
            for kem in self.seals
            for size in [SEED_BYTES[kem]]
        ]
        self.seq += 1

    @property
    def descriptor(self) -> NodeDescriptor:
        """What it says of itself."""
        return NodeDescriptor(
            node_id=self.node_id,
            owner_id=derive_id("u1", OWNER.public),
            seq=self.seq,
            created_at=int(NOW),
            name=self.name,
            note="",
            endpoints=[self.origin],
            engine=EngineInfo(kind="llama-server"),
            hardware=Hardware(gpu=self.gpu, vram_bytes=None, cpu="A CPU", ram_bytes=None),
            offers=[
                Offer(model=model, quantization=self.quant, context_length=self.context)
                for model in self.models
            ],
            policy=Policy(max_active=2, max_queue=8),
        )

    @property
    def view(self) -> NodeView:
        """How an honest tracker shows it."""
        signed = self.descriptor
        names = ("name", "hardware", "offers", "note", "engine", "policy", "owner_id", "seq")
        return NodeView(
            id=self.node_id,
            status=self.status,
            scarcity=self.scarcity,
            queue=None,
            base_url=f"{self.origin}/v1",
            listed_at=int(NOW),
            last_seen_at=int(NOW),
            **{name: getattr(signed, name) for name in names},
        )

    async def answer(self, request: Request, wire: Wire) -> None:
        """One request."""
        self.paths.append(request.path)
        try:
            await self._answer(request, wire)
        except LuckrigError as error:
            self.codes.append(error.code)
            headers: dict[str, str] = {}
            if error.retry_after_seconds is not None:
                headers["retry_after"] = str(error.retry_after_seconds)
            await wire.json(error_body(error), error.status, **headers)

    async def _answer(self, request: Request, wire: Wire) -> None:
        if request.path == SEALING_PATH:
            await self._show_keys(wire)
            return
        if self.script:
            await self.script.pop(0)(request, wire)
            return
        token, claims = self.admit(request)
        if request.json["model"] == "luckrig/subtext":
            await self._answer_sealed(request, token, claims, wire)
            return
        self.asked.append(request)
        status, kind, pieces = self.reply(request, claims)
        await wire.head(status, content_type=kind, luckrig_node=self.node_id)
        for piece in pieces:
            await wire.chunk(piece)
        await wire.chunk(b"")

    def admit(self, request: Request) -> tuple[str, Claims]:
        """Check token and proof, as a rig does."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        claims = verify(
            token,
            keys={SIGNING.public.thumbprint: SIGNING.public},
            issuer=ROOT_ID,
            audience=self.node_id,
            now=self.world.clock(),
        )
        assert scheme == "DPoP"
        assert claims.cnf is not None
        proof = verify_proof(
            request.headers["dpop"],
            method=request.method,
            urls=[self.origin + request.path],
            now=self.world.clock(),
            access_token=token,
        )
        assert proof.key.thumbprint == claims.cnf.jkt
        proof.check_body(request.body)
        self._replays.use(proof, now=self.world.clock())
        return token, claims

    def reply(self, request: Request, claims: Claims) -> tuple[int, str, list[bytes]]:
        """(status, content type, pieces of the body) of an honest reply."""
        own = self.own_part(claims, streamed=bool(request.json.get("stream")))
        if request.json.get("stream"):
            return 200, "text/event-stream; charset=utf-8", [*stream_of(WORDS), *ending(own)]
        message = {"role": "assistant", "content": "".join(WORDS)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        document = {"object": "chat.completion", "choices": [choice], "usage": USAGE, **own}
        return 200, "application/json", [msgspec.json.encode(document)]

    def own_part(self, claims: Claims, *, streamed: bool) -> dict[str, Any]:
        """The last document's `luckrig`, with a receipt."""
        receipt = Receipt(
            iss=self.node_id,
            jti=claims.jti,
            req=f"request-{len(self.asked):012}",
            iat=int(self.world.clock()),
            model=self.models[0],
            prompt_tokens=3,
            completion_tokens=self.claims_tokens,
            streamed=streamed,
            finish="stop",
            queue_ms=0.0,
        )
        timing = {"queue_ms": 0.0, "ttft_ms": 12.5, "completion_tokens": 4, "streamed": streamed}
        signed = sign_receipt(receipt, node_key=self.key)
        return {"luckrig": {"timing": timing, "receipt": signed}}

    async def _show_keys(self, wire: Wire) -> None:
        if not self.sealing:
            raise PeerError("not_found", "No such route.")
        keys = [
            PublishedKey(each.public, int(self.world.clock()) + self.keys_last)
            for each in self.sealing
        ]
        text = sign_sealing_keys(keys, node_key=self.key, now=self.world.clock())
        if self.swapped is not None:
            text = sign_sealing_keys(keys, node_key=self.swapped, now=self.world.clock())
        await wire.json(SealingReply(sealing=text))

    async def _answer_sealed(
        self, request: Request, token: str, claims: Claims, wire: Wire
    ) -> None:
        payload = request_payload(request.json["messages"][0]["content"])
        fitting = [key for key in self.sealing if key.public.key_id == key_id_of(payload)]
        if not fitting:
            raise PeerError("sealing_key_unknown", "Sealed to a key that this rig doesn't have.")
        opened = open_request(
            payload, key=fitting[0], binding=Binding(self.node_id, token), now=self.world.clock()
        )
        inner = Request("POST", opened.inner.path, request.headers, opened.inner.body)
        self.asked.append(inner)
        status, kind, pieces = self.reply(inner, claims)
        items, sealer = (
            ItemWriter(),
            ReplySealer(opened.secret, opened.encapsulation, bytes(NONCE_BYTES)),
        )
        carrier = CarrierWriter("id", int(NOW))
        sealer.add(items.head(status, kind, {"luckrig-node": self.node_id}))
        if not request.json["stream"]:
            sealer.add(items.body(b"".join(pieces)) + items.end())
            await wire.json(carrier.document(sealer.last_frames()))
            return
        await wire.head(content_type="text/event-stream")
        for piece in pieces:
            await wire.chunk(carrier.event(sealer.next_frame()))
            sealer.add(items.body(piece))
        sealer.add(items.end())
        for frame in sealer.last_frames():
            await wire.chunk(carrier.event(frame))
        await wire.chunk(carrier.ending())
        await wire.chunk(b"")


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def event(document: Any) -> bytes:
    """One event of a stream."""
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


def stream_of(words: Sequence[str]) -> list[bytes]:
    """Chunks with these texts."""
    return [
        event({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
        for word in words
    ]


def ending(own: dict[str, Any]) -> list[bytes]:
    """The last events of a whole stream."""
    nothing: dict[str, str] = {}
    last = {"choices": [{"index": 0, "delta": nothing, "finish_reason": "stop"}]}
    return [event(last), event({"choices": [], "usage": USAGE, **own}), b"data: [DONE]\n\n"]


@dataclass
class Tracker:
    """The tracker. refuses: what it answers to whoever wants a token. away: it hangs up on all.

    receipts: what it was handed. listed: whether rigs are on its list; they have their page anyhow.
    root, signing: the keys behind its id, and behind its tokens.
    """

    world: World
    rigs: list[Rig]
    origin: str = ""
    refuses: LuckrigError | None = None
    away: bool = False
    listed: bool = True
    root: PrivateKey = ROOT
    signing: PrivateKey = SIGNING
    ttl_seconds: int = 900
    requests: int = 100
    timings: list[TimingView] = field(default_factory=list[TimingView])
    receipts: list[SignedReceipt] = field(default_factory=list[SignedReceipt])
    seen: list[str] = field(default_factory=list[str])
    came: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: Any = field(default_factory=count)

    def count(self, path: str) -> int:
        """How often that path was asked for."""
        return self.seen.count(path)

    async def answer(self, request: Request, wire: Wire) -> None:
        """One request."""
        self.seen.append(request.path)
        if self.away:
            wire.cut()
            return
        try:
            await wire.json(msgspec.json.encode(self._answer(request)))
        except LuckrigError as error:
            await wire.json(error_body(error), error.status)

    def _answer(self, request: Request) -> Any:
        match request.path:
            case "/api/v1/nodes":
                views = [rig.view for rig in self.rigs if self.listed]
                return NodePage(nodes=views, total=len(views), next=None)
            case "/api/v1/tokens":
                return self._token(request)
            case "/api/v1/registration":
                return RegistrationInfo(mode="open", work_bits=0)
            case "/api/v1/keyset":
                return self._keyset()
            case "/api/v1/timings":
                return TimingsReply(timings=self.timings)
            case "/api/v1/receipts":
                brought = msgspec.json.decode(request.body, type=ReceiptsRequest).receipts
                self.receipts += brought
                self.came.set()
                return ReceiptsReply(results=[ReceiptResult(state="two-sided") for _ in brought])
            case path:
                return self._detail(path.removeprefix("/api/v1/nodes/"))

    def _rig(self, node_id: str) -> Rig:
        for rig in self.rigs:
            if rig.node_id == node_id:
                return rig
        raise PeerError("node_not_found", "No rig with that id.")

    def _detail(self, node_id: str) -> NodeDetail:
        rig = self._rig(node_id)
        signed = sign_descriptor(rig.descriptor, node_key=rig.key, owner_key=OWNER)
        return NodeDetail(node=rig.view, descriptor=msgspec.Raw(signed))

    def _keyset(self) -> KeysetReply:
        now, keys = int(self.world.clock()), [SIGNING.public.jwk]
        root_id = derive_id("r1", self.root.public)
        keyset = Keyset(iss=root_id, seq=1, iat=now, exp=now + 86_400, keys=keys)
        return KeysetReply(root_id=root_id, keyset=sign_keyset(keyset, root=self.root))

    def _token(self, request: Request) -> TokenReply:
        if self.refuses is not None:
            raise self.refuses
        now = int(self.world.clock())
        proof = verify_proof(
            request.headers["dpop"], method="POST", urls=[f"{self.origin}{request.path}"], now=now
        )
        proof.check_body(request.body)
        wanted = msgspec.json.decode(request.body, type=TokenRequest)
        assert wanted.bound
        rig = self._rig(wanted.node_id)
        limits = Limits(requests=self.requests, output_tokens=1000, concurrency=8, priority=0)
        claims = Claims(
            iss=ROOT_ID,
            aud=rig.node_id,
            sub="pseudonym-of-a-user",
            iat=now,
            exp=now + self.ttl_seconds,
            jti=f"token-{next(self._numbers):012}",
            tier="limited",
            lim=limits,
            cnf=Confirmation(jkt=proof.key.thumbprint),
        )
        return TokenReply(
            token=issue(claims, key=self.signing),
            token_type="DPoP",
            expires_at=claims.exp,
            node_id=rig.node_id,
            base_url=f"{rig.origin}/v1",
            models=list(rig.models),
            tier="limited",
            limits=limits,
        )


@dataclass
class Scene:
    """A whole network, and a client in it."""

    world: World
    tracker: Tracker
    rigs: list[Rig]
    network: Network

    @property
    def address(self) -> TrackerAddress:
        """The tracker's, with nothing pinned."""
        return TrackerAddress(self.tracker.origin, None)

    async def text(self, **wanted: Any) -> str:
        """What a streamed chat answers, as it came."""
        async with await self.network.call(ask(**wanted)) as reply:
            assert reply.status == 200
            return b"".join([piece async for piece in reply]).decode()


def ask(*, stream: bool = True, path: str = CHAT, **wanted: Any) -> Ask:
    """A chat of one message."""
    body = {"messages": [{"role": "user", "content": "Hi"}], "model": "x", "stream": stream}
    return Ask(path=path, body=body, wanted=Wanted(**wanted))


@asynccontextmanager
async def scene(
    *rigs: Rig,
    world: World,
    share_timings: bool = False,
    deadlines: Deadlines | None = None,
    user_key: PrivateKey = USER,
    pinned: str | None = None,
) -> AsyncGenerator[Scene, None]:
    """Everything on its own port. pinned: the root id in the tracker's address."""
    tracker = Tracker(world, list(rigs))
    async with AsyncExitStack() as stack:
        for rig in rigs:
            rig.origin = await stack.enter_async_context(wire_server(rig.answer))
        tracker.origin = await stack.enter_async_context(wire_server(tracker.answer))
        settings = CallSettings(share_timings=share_timings, deadlines=deadlines or Deadlines())
        network = await stack.enter_async_context(
            open_network(
                TrackerAddress(tracker.origin, pinned),
                user_key,
                settings=settings,
                world=world.surroundings,
            )
        )
        yield Scene(world, tracker, list(rigs), network)
