"""Single operations of the hot paths, alone in a loop: where a change pays, before it is made."""

import asyncio
import base64
import os
import random
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from rich.table import Table

from bench import subtext
from bench.mock_engine import Replies
from bench.processes import cpu_pair
from bench.rig import NODE_ID, ROOT_ID, SIGNING_KEY, make_token
from luckrig.nodeproxy.engines.chunks import SseDecoder
from luckrig.nodeproxy.filters.pack import shipped_packs
from luckrig.nodeproxy.filters.rules import RuleSet
from luckrig.nodeproxy.filters.views import SEAM
from luckrig.nodeproxy.replies import StreamedReply
from luckrig.nodeproxy.timing import Meter
from luckrig.nodeproxy.tokens import TokenVerifier
from luckrig.protocol.descriptor import (
    EngineInfo,
    Hardware,
    NodeDescriptor,
    Offer,
    Policy,
    sign_descriptor,
    verify_descriptor,
)
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.openai.requests import parse_chat
from luckrig.protocol.tokens import verify
from luckrig.protocol.wire import NodePage, NodeStatus, QueueView
from luckrig.tracker.domain.listing import NodeQuery
from luckrig.tracker.domain.map_index import MapIndex
from luckrig.tracker.domain.records import Health, NodeRecord
from luckrig.tracker.domain.views import node_view

NOW: Final = 1_790_000_000
LIVE_NODES: Final = 10_000
BEST_OF: Final = 7
WINDOW_SECONDS: Final = 0.1
_LONG: Final = 400_000

Operation = tuple[str, Callable[[], object]]


def table() -> Table:
    """Best of a few short windows for each operation: noise only ever adds."""
    result = Table(title="One operation, best of a few windows")
    result.add_column("operation")
    result.add_column("µs", justify="right")
    with _pinned():
        parts = (_token(), _request(), _chunk(), subtext.operations(), _descriptor(), _listing())
        for operations in parts:
            for name, operation in operations:
                result.add_row(name, f"{_best_us(operation):,.2f}")
    return result


@contextmanager
def _pinned() -> Generator[None, None, None]:
    cpu, _ = cpu_pair()
    if cpu is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _best_us(operation: Callable[[], object]) -> float:
    """Microseconds for one call."""
    began = time.perf_counter()
    operation()
    count = max(1, int(WINDOW_SECONDS / max(1e-7, time.perf_counter() - began)))
    windows: list[float] = []
    for _ in range(BEST_OF):
        began = time.perf_counter()
        for _ in range(count):
            operation()
        windows.append((time.perf_counter() - began) / count)
    return min(windows) * 1e6


def _token() -> Iterator[Operation]:
    token = make_token(1, now=NOW)
    kid = SIGNING_KEY.public.thumbprint
    keys = {kid: SIGNING_KEY.public}
    verifier = TokenVerifier(issuer=ROOT_ID, node_id=NODE_ID, clock=lambda: NOW)
    verifier.replace_keys(keys, expires_at=NOW + 3600)
    yield (
        "token, cold (signature and claims)",
        lambda: verify(token, keys=keys, issuer=ROOT_ID, audience=NODE_ID, now=NOW),
    )
    yield "token, remembered", lambda: verifier.verify(token)


def _request() -> Iterator[Operation]:
    words = "The quick brown fox jumps over the lazy dog while the harbour bell rings twice. "
    messages = [
        {"role": role, "content": words * 7}
        for role in ("system", "user", "assistant", "user", "assistant", "user", "assistant")
    ]
    messages.append({"role": "user", "content": words * 7})
    body = {"model": "burst", "messages": messages, "stream": True, "temperature": 0.7}
    encoded = msgspec.json.encode(body)
    yield f"strict parse of a chat, {len(encoded):,} bytes", lambda: parse_chat(encoded)
    yield from _rules(words)


def _rules(words: str) -> Iterator[Operation]:
    rules = RuleSet(shipped_packs())
    letters = "Der Fuchs läuft über die Brücke, während die Glocke läutet. "
    turn = SEAM.join(
        (
            "You answer briefly, and you say so when in doubt. " * 8,
            "Why does the tide come twice a day, and not once? " * 8,
        )
    )
    texts = {
        "a chat of 0.8 KB": turn,
        "a chat of 4.5 KB": SEAM.join([words * 7] * 8),
        "4 KB with accents": (letters * 80)[:4096],
    } | _long_texts(words)
    for name, text in texts.items():
        yield f"rules over {name}", partial(rules.first_hit, [text])


def _long_texts(words: str) -> dict[str, str]:
    """400 KB each of what people paste."""
    sources = sorted(Path(asyncio.__file__).parent.glob("*.py"))
    random_bytes = random.Random(1).randbytes(_LONG * 3 // 4)  # noqa: S311 -- the same each time
    japanese = (
        "港の鐘が二度鳴る間に、子どもたちは学校へ行きました。天気がいいので、散歩しましょう。"
    )
    loop = "for (let i = 0; i < n; i++) { if (a[i] != b[i] || !ok) { x += a[i] * 2; } }\n"
    texts = {
        "English": words * (_LONG // len(words) + 1),
        "Japanese": japanese * (_LONG // len(japanese.encode())),
        "code": "".join(source.read_text("utf-8") for source in sources),
        "repetitive code": loop * (_LONG // len(loop)),
        "base64": base64.b64encode(random_bytes).decode(),
    }
    texts["mixed"] = "".join(
        text[start : start + 16_000]
        for start in range(0, 80_000, 16_000)
        for text in texts.values()
    )
    return {f"400 KB, {name}": text[:_LONG] for name, text in texts.items()}


def _chunk() -> Iterator[Operation]:
    framed = Replies(20).token("burst", " tok001")
    event = framed.split(b"\r\n", 1)[1].removesuffix(b"\r\n")
    decoder = SseDecoder(model="burst")
    renaming = SseDecoder(model="another-name")
    reply = StreamedReply(include_usage=True)
    meter = Meter(queue_seconds=0.0, monotonic=time.monotonic)

    def pass_on() -> None:
        chunks = decoder.feed(event)
        meter.see(chunks)
        reply.pass_on(chunks)

    yield "one SSE chunk: decode, meter, pass on", pass_on
    yield "one SSE chunk: decode only", lambda: decoder.feed(event)
    yield "one SSE chunk: decode only, model renamed", lambda: renaming.feed(event)


def _node(number: int, node_id: str, owner_id: str) -> NodeDescriptor:
    gpu = ("NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 4090", "AMD Radeon RX 7900 XTX")
    size = (8, 14, 32, 70)[number % 4]
    offer = Offer(
        model=f"qwen3:{size}b",
        family="qwen3",
        parameters=size * 10**9,
        quantization="Q4_K_M",
        context_length=32_768,
        capabilities=["chat", "completion", "tools"],
    )
    return NodeDescriptor(
        node_id=node_id,
        owner_id=owner_id,
        seq=NOW * 1000,
        created_at=NOW,
        name=f"Rig {number}",
        note="In the cellar, water-cooled.",
        endpoints=[f"https://rig-{number}.example.org"],
        engine=EngineInfo(kind="llama-server", version="b11549-0123abc"),
        hardware=Hardware(
            gpu=gpu[number % 3], vram_bytes=24 << 30, cpu="AMD Ryzen 9 7950X", ram_bytes=64 << 30
        ),
        offers=[offer],
        policy=Policy(max_active=1, max_queue=32),
    )


def _descriptor() -> Iterator[Operation]:
    node_key, owner_key = PrivateKey(b"node" * 8), PrivateKey(b"user" * 8)
    ids = derive_id("n1", node_key.public), derive_id("u1", owner_key.public)
    signed = sign_descriptor(_node(1, *ids), node_key=node_key, owner_key=owner_key)
    yield f"descriptor, two signatures, {len(signed):,} bytes", lambda: verify_descriptor(signed)


def _listing() -> Iterator[Operation]:
    statuses: tuple[NodeStatus, ...] = ("available", "busy", "available", "unavailable")
    nodes = [
        NodeRecord(
            descriptor=_node(number, f"n1{number:052}", f"u1{number:052}"),
            signed=b"",
            listed_at=NOW + number * 7919 % 86_400,
            health=Health(
                status=statuses[number % 4],
                queue=QueueView(active=0, waiting=0, max_active=1),
                checked_at=NOW,
                last_seen_at=NOW,
                misses=0,
            ),
        )
        for number in range(LIVE_NODES)
    ]
    index = MapIndex()
    index.follow(nodes)
    index.count_scarcity()

    def page(query: NodeQuery) -> bytes:
        index.follow(nodes)
        chosen, total, following = index.select(query)
        views = [node_view(row.node, row.scarcity) for row in chosen]
        return msgspec.json.encode(NodePage(nodes=views, total=total, next=following))

    title = f"tracker, {LIVE_NODES:,} nodes"
    yield f"{title}: a page of 50", lambda: page(NodeQuery())
    filtered = NodeQuery(gpu="rtx 4090", text="cellar", status="available")
    yield f"{title}: a page of 50, filtered by words", lambda: page(filtered)
    yield f"{title}: scarcity (at most each 2 s)", index.count_scarcity
