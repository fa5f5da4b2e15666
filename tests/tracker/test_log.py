"""The descriptor log over HTTP, checked by the real client; and trackers that rewrite it."""

from collections.abc import Callable, Mapping

import msgspec
import pytest

from luckrig.client.tracker import TrackerClient
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor_log import (
    EMPTY_LOG,
    GENESIS_HASH,
    LogEntry,
    LogTip,
    descriptor_hash,
    next_entry,
)
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import LogPage
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.factories import NOW, make_node
from tests.tracker.store_contract import put
from tests.tracker.trackers import KEYS, URL, Tracker, running_tracker

Entries = list[LogEntry]
Rewrite = Callable[[Entries], Entries]


class RewrittenStore(MemoryStore):
    """The store of an operator who edits the log. The tracker signs whatever it ends with."""

    def __init__(self) -> None:
        super().__init__()
        self.rewrite: Rewrite = list

    async def log(self, *, after: int, limit: int) -> Entries:
        """Part of Store."""
        return self.rewrite(await super().log(after=0, limit=10_000))[after : after + limit]

    async def log_head(self) -> LogTip:
        """Part of Store."""
        entries = await self.log(after=0, limit=10_000)
        return LogTip(len(entries), entries[-1].hash)


def client_of(tracker: Tracker, *, root_id: str | None = KEYS.root_id) -> TrackerClient:
    address = TrackerAddress(URL, root_id)
    return TrackerClient(address, tracker.http, clock=tracker.clock, new_jti=lambda: "unused")


def remade(entries: Entries) -> Entries:
    """The same rigs with other descriptors: a chain that holds."""
    tip, made = EMPTY_LOG, Entries()
    for entry in entries:
        other = next_entry(
            tip, node_id=entry.node_id, seq=entry.seq, signed=b"{}", listed_at=entry.listed_at
        )
        made.append(other)
        tip = LogTip(other.index, other.hash)
    return made


async def test_an_honest_log_is_verified_and_grows() -> None:
    async with running_tracker() as tracker:
        client = client_of(tracker)
        empty = await client.log()
        assert (empty.iss, empty.size, empty.hash) == (KEYS.root_id, 0, GENESIS_HASH)
        await tracker.publish(make_node(1))
        await tracker.publish(make_node(2))
        first = await client.log(known_size=empty.size, known_hash=empty.hash)
        await tracker.publish(make_node(1, seq=2, name="renamed"))
        second = await client.log(known_size=first.size, known_hash=first.hash)
        assert (first.size, second.size) == (2, 3)
        assert await client.log(known_size=second.size, known_hash=second.hash) == second


async def test_a_long_log_is_read_in_pieces() -> None:
    store = MemoryStore()
    for seq in range(1, 2502):
        node = make_node(1, seq=1)
        descriptor = msgspec.structs.replace(node.descriptor, seq=seq)
        await store.put_descriptor(descriptor, node.signed, now=NOW)
    async with running_tracker(store) as tracker:
        assert (await client_of(tracker).log()).size == 2501


async def test_a_shown_descriptor_is_the_logged_one() -> None:
    async with running_tracker() as tracker:
        node = make_node(1)
        padded = b"\n " + node.signed + b"\r\n"
        headers = {"content-type": "application/json"}
        await tracker.http.post("/api/v1/nodes", content=padded, headers=headers)
        detail = await client_of(tracker).node(node.node_id)
        (entry,) = await tracker.store.log(after=0, limit=9)
        assert descriptor_hash(bytes(detail.descriptor)) == entry.descriptor_hash


REWRITES: Mapping[str, tuple[Rewrite, str | None]] = {
    "changed": (
        lambda log: [log[0], msgspec.structs.replace(log[1], listed_at=NOW - 1), *log[2:]],
        "entries[2]",
    ),
    "dropped": (lambda log: [log[0], *log[2:]], "entries[2]"),
    "swapped": (lambda log: [log[0], log[2], log[1], *log[3:]], "entries[2]"),
    "inserted": (lambda log: [*log[:2], log[1], *log[2:]], "entries[3]"),
    "cut": (lambda log: log[:3], "entries[4]"),
    "made anew": (remade, None),
}


@pytest.mark.parametrize("name", REWRITES)
async def test_a_log_that_was_rewritten_is_refused(name: str) -> None:
    rewrite, param = REWRITES[name]
    store = RewrittenStore()
    async with running_tracker(store) as tracker:
        for seed in range(1, 6):
            await put(store, make_node(seed))
        client = client_of(tracker)
        seen = await client.log()
        store.rewrite = rewrite
        with pytest.raises(PeerError) as caught:
            await client.log(known_size=seen.size, known_hash=seen.hash)
        assert (caught.value.code, caught.value.param) == ("signature_invalid", param)


async def test_a_log_of_another_tracker_is_refused() -> None:
    other = derive_id("r1", PrivateKey(b"othr" * 8).public)
    async with running_tracker() as tracker:
        with pytest.raises(PeerError) as caught:
            await client_of(tracker, root_id=other).log()
        assert caught.value.code == "signature_invalid"
        assert (await client_of(tracker, root_id=None).log()).iss == KEYS.root_id


async def test_an_old_head_is_refused_and_the_tracker_signs_it_anew() -> None:
    async with running_tracker() as tracker:
        await tracker.publish(make_node(1))
        client = client_of(tracker)
        first = await client.log()
        tracker.clock.now += 3599
        assert await client.log() == first
        tracker.clock.now += 1
        assert (await client.log()).iat == NOW + 3600


async def test_an_unchanged_log_is_not_sent_again() -> None:
    async with running_tracker() as tracker:
        await tracker.publish(make_node(1))
        first = await tracker.http.get("/api/v1/log")
        headers = {"if-none-match": first.headers["etag"]}
        assert (await tracker.http.get("/api/v1/log", headers=headers)).status_code == 304
        await tracker.publish(make_node(2))
        grown = await tracker.http.get("/api/v1/log", headers=headers)
        assert len(msgspec.json.decode(grown.content, type=LogPage).entries) == 2


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=x", "after=1&after=2", "limit=0", "limit=1001", f"after={2**64}", "q=x"],
)
async def test_wrong_queries_are_refused(query: str) -> None:
    async with running_tracker() as tracker:
        response = await tracker.http.get(f"/api/v1/log?{query}")
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
