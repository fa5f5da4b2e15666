"""A tracker full of sample rigs, to look at its pages: a real one, but nobody answers prompts.

    python -m tools.sample_tracker [--still] [--public-url https://…] [--rigs 50]

Prints where things are as one line of JSON and serves until its standard input ends (or Ctrl-C).
--still: time stands still, so that two runs make the same pages. Everything is kept in memory.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
from tools.sample_past import DAYS, give_past, sample_key
from tools.sample_rigs import NOW, many_rigs, twelve_rigs

from luckrig.cli.loop import bind, origin_of
from luckrig.cli.serve import serving
from luckrig.protocol.descriptor import NodeDescriptor, sign_descriptor
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.schedule import Schedule, parse_windows
from luckrig.protocol.surface import relay_endpoint
from luckrig.protocol.wire import NodeHealth, NodeView
from luckrig.tracker.app import create_app
from luckrig.tracker.domain.records import Health, NodeRecord
from luckrig.tracker.service.keyset import SigningKeys, TrackerKeys
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.memory import MemoryStore

OWNER: Final = PrivateKey(b"sample owner".ljust(32))
"""Owns the first rig, reads reports, and is who `login` signs in."""
_ROOT: Final = Path(__file__).resolve().parents[1]
_RELAYED_EVERY: Final = 2
"""Of the rigs, so many have an address of their own for each that is behind a tunnel."""
_SCHEDULE: Final = "weekdays 22:00-07:00; weekend 00:00-24:00"


@dataclass(frozen=True)
class Sample:
    """A running sample tracker. origin: where it listens; address: what it says of itself.

    rigs: ids in the order in which they were made, twelve_rigs() first. relayed: one behind a
    tunnel. paused: one that says when it opens. ticket: the path of a report. login: opens a page
    that signs OWNER in, once.
    """

    origin: str
    address: str
    rigs: Sequence[str]
    relayed: str
    paused: str
    ticket: str
    login: str


@contextmanager
def running_sample(*options: str) -> Generator[Sample, None, None]:
    """The tracker in a process of its own. options: of its command line."""
    process = subprocess.Popen(  # noqa: S603 -- our own command line
        [sys.executable, "-m", "tools.sample_tracker", *options],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 -- it is a pipe
        yield Sample(**json.loads(process.stdout.readline()))
    finally:
        process.communicate()  # ends its input


@dataclass(frozen=True)
class _NoAnswers:
    """Implements service.monitor.Prober: what rigs say is put into the store instead."""

    async def probe(self, node: NodeRecord) -> NodeHealth | None:
        """Nobody is there."""
        return None


class _Clock:
    """The time, or a moment that stands still; until the rigs are listed it is DAYS ago."""

    def __init__(self, *, is_still: bool) -> None:
        self._is_still = is_still
        self._past = DAYS * 86_400.0

    def __call__(self) -> float:
        """Unix seconds."""
        return (NOW if self._is_still else time.time()) - self._past

    def arrive(self) -> None:
        """It is now."""
        self._past = 0.0


@dataclass(frozen=True)
class _Making:
    """What it takes to fill a tracker that runs."""

    http: httpx2.AsyncClient
    store: MemoryStore
    public_url: str
    clock: "_Clock"

    async def post(self, path: str, body: bytes, **headers: str) -> Any:
        """The reply's JSON. Raises for a refusal."""
        headers = {"content-type": "application/json", **headers}
        reply = await self.http.post(path, content=body, headers=headers)
        reply.raise_for_status()
        return reply.json()

    async def list_rig(self, rig: NodeView, *, is_relayed: bool, owner: PrivateKey) -> str:
        """Register it; its id."""
        key = sample_key(f"rig {rig.name}")
        node_id = derive_id("n1", key.public)
        own = f"https://{node_id[2:10]}.rigs.example"
        descriptor = NodeDescriptor(
            node_id=node_id,
            owner_id=derive_id("u1", owner.public),
            seq=int(self.clock() * 1000),
            created_at=int(self.clock()),
            name=rig.name,
            note=rig.note,
            endpoints=[relay_endpoint(self.public_url, node_id) if is_relayed else own],
            engine=rig.engine,
            hardware=rig.hardware,
            offers=rig.offers,
            policy=rig.policy,
        )
        await self.post("/api/v1/nodes", sign_descriptor(descriptor, node_key=key, owner_key=owner))
        return node_id

    async def looked_at(self) -> None:
        """Wait until the tracker's own first look at each rig is over."""
        while any(node.health.checked_at is None for node in await self.store.nodes()):
            await asyncio.sleep(0.01)

    async def login(self) -> str:
        """What `luckrig login` prints."""
        proof = make_proof(
            key=OWNER,
            method="POST",
            url=f"{self.public_url}/api/v1/sessions",
            body=b"",
            now=self.clock(),
            jti=os.urandom(16).hex(),
        )
        url: str = (await self.post("/api/v1/sessions", b"", DPoP=proof))["url"]
        return url

    async def report(self, node_id: str) -> str:
        """Somebody reports a rig; the path of the report's page."""
        body = {
            "form_id": "sample-report-0000001",
            "subject_kind": "node",
            "subject_id": node_id,
            "category": "terms",
            "reason": "It says RTX 5090 and answers like a toaster.",
            "name": "Kim Example",
            "email": "kim@example.org",
            "good_faith": True,
        }
        reply = await self.post("/api/v1/reports", msgspec.json.encode(body))
        return f"/report/{reply['ticket']}"


async def _fill(making: _Making, number: int) -> dict[str, Any]:
    """number: of rigs, twelve at least."""
    rigs = _with_schedule([*twelve_rigs(), *many_rigs(number - 12)])
    ids: list[str] = []
    relayed = ""
    for index, rig in enumerate(rigs):
        is_relayed = index % (_RELAYED_EVERY + 1) == 0
        owner = OWNER if index == 0 else sample_key(f"owner {rig.name}")
        ids.append(await making.list_rig(rig, is_relayed=is_relayed, owner=owner))
        relayed = relayed or (ids[-1] if is_relayed and rig.status == "available" else "")
    await making.looked_at()
    making.clock.arrive()
    await give_past(making.store, list(zip(ids, rigs, strict=True)), clock=making.clock)
    now = int(making.clock())
    paused = [node_id for node_id, rig in zip(ids, rigs, strict=True) if rig.status == "paused"]
    reports = {
        node_id: Health(
            status=rig.status,
            queue=rig.queue,
            checked_at=now,
            last_seen_at=None if rig.last_seen_at is None else now - (NOW - rig.last_seen_at),
            misses=0,
            opens_at=now + 5 * 3600 if node_id == paused[0] else None,
        )
        for node_id, rig in zip(ids, rigs, strict=True)
    }
    await making.store.put_health(reports)
    ticket = await making.report(ids[5])
    return {
        "rigs": ids,
        "relayed": relayed,
        "paused": paused[0],
        "ticket": ticket,
        "login": await making.login(),
    }


def _with_schedule(rigs: list[NodeView]) -> list[NodeView]:
    """The first paused rig is one that keeps hours."""
    at = next(index for index, rig in enumerate(rigs) if rig.status == "paused")
    schedule = Schedule(windows=parse_windows([_SCHEDULE]), timezone="Europe/Berlin")
    policy = msgspec.structs.replace(rigs[at].policy, schedule=schedule)
    return [*rigs[:at], msgspec.structs.replace(rigs[at], policy=policy), *rigs[at + 1 :]]


@asynccontextmanager
async def _serving(options: argparse.Namespace) -> AsyncGenerator[dict[str, Any], None]:
    sock = bind("127.0.0.1", 0)
    origin, store = origin_of(sock), MemoryStore()
    public_url: str = options.public_url or origin
    clock = _Clock(is_still=options.still)
    keys = TrackerKeys(
        root=sample_key("root"),
        signing=SigningKeys(
            {int(clock()): sample_key("signing")}, make=lambda start: sample_key(str(start))
        ),
        pairwise=hashlib.sha256(b"pairwise").digest(),
    )
    chance = random.Random(7)  # noqa: S311 -- guards nothing, and pictures should repeat
    app = create_app(
        TrackerSettings(
            public_url=public_url,
            allow_private_endpoints=True,
            health_interval_seconds=3600,
            operators=frozenset({derive_id("u1", OWNER.public)}),
        ),
        store,
        keys,
        _NoAnswers(),
        clock=clock,
        random_bytes=chance.randbytes if options.still else os.urandom,
        rng=chance,
        version="0.1.0",
    )
    host = {"host": public_url.partition("://")[2]}
    async with (
        serving(app, sock),
        httpx2.AsyncClient(base_url=origin, headers=host, trust_env=False) as http,
    ):
        filled = await _fill(_Making(http, store, public_url, clock), options.rigs)
        yield {"origin": origin, "address": f"{public_url}#{keys.root_id}", **filled}


async def _serve(options: argparse.Namespace) -> None:
    async with _serving(options) as announced:
        print(json.dumps(announced), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve until nobody holds the other end of the standard input."""
    parser = argparse.ArgumentParser(description="A tracker full of sample rigs.")
    parser.add_argument("--still", action="store_true")
    parser.add_argument("--public-url", default="")
    parser.add_argument("--rigs", type=int, default=50)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
