"""The prober against real sockets: proofs first, then health, and any other answer is none."""

import asyncio
import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from luckrig.protocol.endpoint_proof import PROOF_PATH
from luckrig.protocol.ids import derive_id
from luckrig.protocol.wire import NodeHealth
from luckrig.tracker.domain.health import next_health
from luckrig.tracker.domain.probe_budget import (
    PER_ADDRESS,
    PER_DOMAIN,
    PER_NETWORK,
    ProbeBudget,
    address_costs,
    name_costs,
)
from luckrig.tracker.domain.reach import MESSAGES, PROOF_SECONDS, ReachBook
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.probe import MAX_HEALTH_BYTES, HttpProber
from luckrig.tracker.service.monitor import HealthMonitor
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.doors import (
    LOOPBACK,
    Door,
    http_answer,
    open_door,
    probing,
    problem_of,
    rig_at,
    says,
)
from tests.tracker.factories import NOW, make_health, make_node, node_key, seeded
from tests.tracker.trackers import Clock, healthy


@asynccontextmanager
async def running_rig(
    clock: Clock, *, seed: int = 1, **changes: Any
) -> AsyncGenerator[tuple[Door, NodeRecord], None]:
    """An honest rig, or one whose proofs claim something else."""
    found: list[tuple[Door, NodeRecord]] = []
    handler = rig_at(lambda: found[0][0], lambda: found[0][1], clock, seed=seed, **changes)
    async with open_door(handler) as door:
        found.append((door, make_node(1, endpoints=[f"http://127.0.0.1:{door.port}"])))
        yield found[0]


def proofs(door: Door) -> int:
    return sum(path.startswith(PROOF_PATH) for path in door.paths)


async def test_an_endpoint_is_proven_before_health_is_asked() -> None:
    clock = Clock()
    async with running_rig(clock) as (door, rig), probing(clock=clock) as prober:
        assert await prober.probe(rig) == healthy(rig)
        assert (door.paths[0][: len(PROOF_PATH)], door.paths[1]) == (PROOF_PATH, "/health")
        view = prober.reach.view(rig)
        assert view is not None
        assert (view.proven, view.proven_at, view.problem) == (True, NOW, None)


async def test_a_proof_holds_for_a_day_and_nonces_never_come_again() -> None:
    clock = Clock()
    async with running_rig(clock) as (door, rig), probing(clock=clock) as prober:
        for _ in range(49):  # a look each hour, for two days
            assert await prober.probe(rig) is not None
            clock.now += 3600
        assert proofs(door) == 3
        assert len(set(door.paths)) == 4


async def test_who_moves_proves_again() -> None:
    clock = Clock()
    async with running_rig(clock) as (door, rig), probing(clock=clock) as prober:
        await prober.probe(rig)
        moved = make_node(1, seq=2, endpoints=[f"http://localhost:{door.port}"])
        assert prober.reach.view(moved) is None
        answer = await prober.probe(moved)  # the rig still proves the old one
        assert answer is not None
        assert answer.status == "unknown"
        assert problem_of(prober, moved) == "proof"
        assert proofs(door) == 2


async def test_a_name_that_leads_elsewhere_is_proven_there() -> None:
    """Else somebody could prove a name at their own machine and turn it on another."""
    clock = Clock()
    async with (
        running_rig(clock) as (door, rig),
        probing(LOOPBACK, LOOPBACK, ["127.0.0.2"], clock=clock, timeout_seconds=1) as prober,
    ):
        await prober.probe(rig)
        await prober.probe(rig)
        assert proofs(door) == 1
        assert await prober.probe(rig) is None  # nothing listens there
        assert prober.reach.of(rig, now=clock.now).address == "127.0.0.1"


STRANGER = derive_id("n1", node_key(2).public)
FALSE_PROOFS: dict[str, dict[str, Any]] = {
    "for another tracker": {"aud": "r1" + "a" * 32},
    "of another endpoint": {"endpoint": "https://victim.example"},
    "of another nonce": {"nonce": "A" * 43},
    "of yesterday": {"iat": NOW - 86_400},
    "of another rig": {"iss": STRANGER, "seed": 2},
}


@pytest.mark.parametrize("changes", FALSE_PROOFS.values(), ids=FALSE_PROOFS)
async def test_who_proves_something_else_is_unknown(changes: dict[str, Any]) -> None:
    clock = Clock()
    async with running_rig(clock, **changes) as (door, rig), probing(clock=clock) as prober:
        answer = await prober.probe(rig)
        assert answer is not None
        assert next_health(rig.health, answer, now=NOW).status == "unknown"
        assert problem_of(prober, rig) == "proof"
        assert "/health" not in door.paths


async def test_who_stops_proving_loses_its_place_at_once() -> None:
    """The proof of a day ago was good; today somebody else answers."""
    clock, claims = Clock(), dict[str, Any]()
    async with running_rig(clock) as (_, rig), probing(clock=clock) as prober:
        await prober.probe(rig)
        claims["aud"] = "r1" + "a" * 32
        clock.now += PROOF_SECONDS
        thief = rig_at(Door, lambda: rig, clock, **claims)
        async with open_door(thief) as door:
            gone = replace(prober, resolve=prober.resolve)
            moved = make_node(1, endpoints=[f"http://127.0.0.1:{door.port}"])
            gone.reach.note_proof(moved, "127.0.0.1", now=clock.now - PROOF_SECONDS)
            answer = await gone.probe(moved)
            assert answer is not None
            assert answer.status == "unknown"
            assert not gone.reach.of(moved, now=clock.now).is_proven


async def test_after_a_restart_good_rigs_go_on_and_prove_within_the_day() -> None:
    """Else a tracker that starts again knocks at thousands of doors at once."""
    clock = Clock()
    async with running_rig(clock) as (door, rig), probing(clock=clock) as prober:
        known = replace(rig, health=make_health())
        assert await prober.probe(known) == healthy(rig)
        assert proofs(door) == 0
        clock.now += PROOF_SECONDS
        assert await prober.probe(known) == healthy(rig)
        assert proofs(door) == 1


@pytest.mark.parametrize("status", ["unknown", "unavailable"])
async def test_after_a_restart_all_others_prove_first(status: str) -> None:
    clock = Clock()
    async with running_rig(clock) as (door, rig), probing(clock=clock) as prober:
        known = replace(rig, health=replace(make_health(), status=status))  # type: ignore[arg-type]
        await prober.probe(known)
        assert proofs(door) == 1


def test_first_proofs_after_a_restart_are_spread_over_the_day() -> None:
    book, due = ReachBook(), list[float]()
    for seed in range(1, 200):
        due.append(book.of(make_node(seed, health=make_health()), now=NOW).renew_at - NOW)
    assert min(due) < PROOF_SECONDS * 0.1 < PROOF_SECONDS * 0.9 < max(due)


def test_every_problem_has_words_that_say_what_to_do() -> None:
    assert all(len(text) > 60 and text.endswith(".") for text in MESSAGES.values())


# Answers that are none

RIG = make_node(1)
GOOD = msgspec.json.encode(healthy(RIG))


async def probe_with(answer: bytes, *, proven: bool = True, **options: Any) -> NodeHealth | None:
    """What the prober makes of an answer, to the proof or to the question after it."""
    async with open_door(says(answer)) as door, probing(**options) as prober:
        rig = make_node(1, endpoints=[f"http://127.0.0.1:{door.port}"])
        if proven:
            prober.reach.note_proof(rig, "127.0.0.1", now=NOW)
        outcome = await prober.probe(rig)
        assert door.knocks == 1
        assert problem_of(prober, rig) == (None if outcome else "answer")
        return outcome


async def test_good_answer_is_read() -> None:
    assert await probe_with(http_answer(GOOD)) == healthy(RIG)


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 100,
        b"HTTP/1.1 200 OK\r\n\r\n",
        http_answer(GOOD)[:-5],
        http_answer(b""),
        http_answer(b"{}"),
        http_answer(b"[" * 5000),
        http_answer(b"not json"),
        http_answer(b'"\xff"'),
        http_answer(GOOD.replace(b"available", b"splendid")),
        http_answer(GOOD.replace(b'"active":0', b'"active":"0"')),
        http_answer(GOOD, status=b"500 Oh"),
        http_answer(GOOD, status=b"204 No"),
        http_answer(b"", b"Location: http://127.0.0.1:1/", status=b"302 Found"),
        http_answer(msgspec.json.encode(healthy(make_node(2)))),
        http_answer(GOOD + b" " * MAX_HEALTH_BYTES),
        http_answer(gzip.compress(GOOD), b"Content-Encoding: gzip"),
        http_answer(gzip.compress(b" " * 50_000_000), b"Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"hello, this is HTTP/0.9\n",
    ],
)
async def test_any_other_answer_is_no_answer(answer: bytes, proven: bool) -> None:
    assert await probe_with(answer, proven=proven) is None


@pytest.mark.parametrize("framing", [b"", b"Transfer-Encoding: chunked\r\n"])
async def test_endless_answer_is_cut_at_the_bound(framing: bytes) -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n")
        piece = b"x" * 4096
        while True:
            writer.write(b"1000\r\n" + piece + b"\r\n" if framing else piece)
            await writer.drain()
            sent += 4096

    async with open_door(endless) as door, probing() as prober:
        rig = make_node(1, endpoints=[f"http://127.0.0.1:{door.port}"])
        assert await prober.probe(rig) is None
    assert sent < 100 * MAX_HEALTH_BYTES


@pytest.mark.parametrize("drip", [b"", b"H", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n["])
async def test_silence_and_drops_end_at_the_deadline(drip: bytes) -> None:
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(drip)
        await reader.read()
        gone.set()

    async with open_door(silent) as door, probing(timeout_seconds=0.05) as prober:
        rig = make_node(1, endpoints=[f"http://127.0.0.1:{door.port}"])
        assert await prober.probe(rig) is None
        assert problem_of(prober, rig) == "connect"
        await gone.wait()


# How often a stranger's door is knocked at

MINUTES = 10


async def no_uptime(_: object) -> None:
    """Nobody counts hours here."""


async def watch(
    prober: HttpProber, rigs: list[NodeRecord], clock: Clock, *, minutes: int
) -> MemoryStore:
    """Let a monitor watch these rigs for so long, on a clock that jumps."""
    store = MemoryStore()
    for rig in rigs:
        await store.put_descriptor(rig.descriptor, rig.signed, now=NOW)
    monitor = HealthMonitor(
        store, prober, interval_seconds=30, on_looked=no_uptime, clock=clock, rng=seeded(1)
    )
    for _ in range(minutes * 6):
        await monitor.check_due()
        clock.now += 10
    return store


@pytest.mark.parametrize("host", ["victim.example", "r{}.victim.example", "127.0.0.1"])
async def test_a_thousand_rigs_at_one_victim_knock_no_more_than_a_dozen(host: str) -> None:
    """Whatever names lead there."""
    clock = Clock()
    async with (
        open_door(says(http_answer(b"no rig", status=b"404 Not Found"))) as door,
        probing(clock=clock) as prober,
    ):
        rigs = [
            make_node(seed, endpoints=[f"http://{host.format(seed)}:{door.port}"])
            for seed in range(1, 1001)
        ]
        store = await watch(prober, rigs, clock, minutes=MINUTES)
        assert 0 < door.knocks <= PER_ADDRESS * (MINUTES + 1)
        assert len(getattr(prober.resolve, "asked")) <= PER_DOMAIN * (MINUTES + 1) or "127" in host  # noqa: B009 -- a stand-in's
        states = {node.health.status for node in await store.nodes()}
        assert states <= {"unknown", "unavailable"}


async def test_false_rigs_take_no_good_one_off_the_map() -> None:
    """A good rig that has proven itself is looked at, whatever floods its address."""
    clock = Clock()
    async with running_rig(clock) as (door, rig), probing(clock=clock) as prober:
        assert await prober.probe(rig) == healthy(rig)
        false = [make_node(seed, endpoints=[f"http://127.0.0.1:{door.port}"])
                 for seed in range(2, 300)]  # fmt: skip
        store = await watch(prober, [*false, rig], clock, minutes=MINUTES)
        seen = await store.node(rig.node_id)
        assert seen is not None
        assert (seen.health.status, seen.health.misses) == ("available", 0)
        clock.now = NOW + PROOF_SECONDS  # and so is one whose proof can't be renewed just then
        for other in false[: 2 * PER_ADDRESS]:
            await prober.probe(other)
        assert await prober.probe(rig) == healthy(rig)


def test_networks_and_domains_are_counted_too() -> None:
    budget = ProbeBudget()
    took = [budget.take(address_costs(f"203.0.113.{n}"), now=NOW) for n in range(256)]
    assert sum(took) == PER_NETWORK
    took = [budget.take(address_costs(f"2001:4860:0:{n:x}::1"), now=NOW) for n in range(256)]
    assert sum(took) == PER_NETWORK
    assert sum(budget.take(name_costs(f"a{n}.b.victim.org"), now=NOW) for n in range(200)) == (
        PER_DOMAIN
    )
    assert name_costs("203.0.113.1") == []
    assert not budget.take(address_costs("203.0.113.1"), now=NOW + 59)
    assert budget.take(address_costs("203.0.113.1"), now=NOW + 60)


def test_the_budget_remembers_one_window_only() -> None:
    budget = ProbeBudget()
    for minute in range(20):
        for n in range(200):
            budget.take(address_costs(f"10.{n}.{minute}.1"), now=NOW + 60 * minute)
    assert len(budget) <= 2 * 2 * 200
