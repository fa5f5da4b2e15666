"""What a tracker acknowledged is there after it was killed: `python -m bench.durability`.

A real tracker writes under load and is killed with SIGKILL at random moments, 200 times, each time
started again on the same files. Clients note every write that was acknowledged; after the last
start a checker compares their notes with the database. The bar is 0 lost writes.
"""

import asyncio
import json
import secrets
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Protocol

import click
import msgspec

from bench.luckrig_process import Running, start
from luckrig.cli.options import ask_tracker
from luckrig.client.operators import ban
from luckrig.client.tracker import TrackerClient
from luckrig.protocol.address import parse_tracker_address
from luckrig.protocol.descriptor_log import LogEntry, verify_chain
from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.endpoint_proof import (
    PROOF_PATH,
    EndpointProof,
    EndpointProofReply,
    sign_endpoint_proof,
)
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.receipts import Receipt, countersign, sign_receipt
from luckrig.protocol.wire import ReceiptsRequest, SignedReceipt
from luckrig.tracker.domain.ledger import decode_entry
from luckrig.tracker.domain.ledger import verify_chain as verify_ledger
from tests.tracker.factories import make_node, node_key
from tests.tracker.trackers import healthy

OPERATOR = PrivateKey(b"operator" * 4)
RIG = 1
"""The rig whose tokens and receipts are written; _answer says that it is well."""
WRITERS_OF_EACH = 3
LIFE_SECONDS = (0.05, 0.8)
"""From the first writes to the kill, at random: it may hit a write in any state."""
UNPROVEN_SECONDS = 0.01
"""The tracker looks at a new rig's endpoint by itself; tokens are asked for again until it has."""


class Writer(Protocol):
    """Writes one kind of thing, and can tell from the database whether it is all there."""

    async def write_once(self, tracker: TrackerClient) -> None:
        """One write; noted when it was acknowledged. Raises LuckrigError when it wasn't."""
        ...

    def check(self, database: sqlite3.Connection) -> tuple[int, int]:
        """(acknowledged writes, how many of them the database doesn't have)."""
        ...


class Tokens:
    """Each by a user of its own."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.acknowledged: list[str] = []

    async def write_once(self, tracker: TrackerClient) -> None:
        reply = await tracker.token(
            make_node(RIG).node_id, user_key=PrivateKey(self._rng.randbytes(32))
        )
        self.acknowledged.append(jti_of(reply.token))

    def check(self, database: sqlite3.Connection) -> tuple[int, int]:
        return missing(self.acknowledged, database.execute("SELECT jti FROM tokens"))


class Descriptors:
    """One rig's, with a growing seq."""

    def __init__(self, number: int) -> None:
        self._rig = number
        self._seq = 1
        self.acknowledged: list[tuple[str, int]] = []

    async def write_once(self, tracker: TrackerClient) -> None:
        self._seq += 1  # a try that wasn't acknowledged may have been stored all the same
        node = make_node(self._rig, seq=self._seq, endpoints=["http://127.0.0.1:9"])
        await tracker.publish(node.signed)
        self.acknowledged.append((node.node_id, self._seq))

    def check(self, database: sqlite3.Connection) -> tuple[int, int]:
        rows = database.execute("SELECT node_id, seq FROM descriptor_log")
        return missing(self.acknowledged, rows)


class Bans:
    """Of users that nobody is."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.acknowledged: list[str] = []

    async def write_once(self, tracker: TrackerClient) -> None:
        subject = derive_id("u1", PrivateKey(self._rng.randbytes(32)).public)
        await ban(tracker, subject, reason="load", operator_key=OPERATOR)
        self.acknowledged.append(subject)

    def check(self, database: sqlite3.Connection) -> tuple[int, int]:
        return missing(self.acknowledged, database.execute("SELECT target_id FROM decisions"))


class Receipts:
    """Two-sided ones: each becomes a ledger entry in the same step."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.acknowledged: list[str] = []

    async def write_once(self, tracker: TrackerClient) -> None:
        user = PrivateKey(self._rng.randbytes(32))
        token = (await tracker.token(make_node(RIG).node_id, user_key=user)).token
        receipt = sign_receipt(
            Receipt(
                iss=make_node(RIG).node_id,
                jti=jti_of(token),
                req=secrets.token_hex(8),
                iat=int(time.time()),
                model="qwen3:8b",
                prompt_tokens=10,
                completion_tokens=100,
                streamed=True,
                finish="stop",
                queue_ms=0.0,
            ),
            node_key=node_key(RIG),
        )
        word = countersign(receipt, agrees=True, user_key=user, now=time.time())
        signed = SignedReceipt(receipt=receipt, countersignature=word)
        (result,) = (await tracker.send_receipts(ReceiptsRequest(receipts=[signed]))).results
        if result.state != "two-sided":
            raise RuntimeError(f"a good receipt became {result}")
        self.acknowledged.append(receipt)

    def check(self, database: sqlite3.Connection) -> tuple[int, int]:
        rows = database.execute("SELECT receipt FROM receipts WHERE state = 'two-sided'")
        acknowledged, lost = missing(self.acknowledged, rows)
        entries = database.execute("SELECT entry FROM ledger").fetchall()
        counted = sum(b'"kind":"receipt"' in entry for (entry,) in entries)
        return acknowledged, max(lost, acknowledged - counted)


def missing(acknowledged: Sequence[object], rows: sqlite3.Cursor) -> tuple[int, int]:
    """(acknowledged, lost): rows of one column are compared as values, others as tuples."""
    found = {row[0] if len(row) == 1 else tuple(row) for row in rows}
    return len(acknowledged), sum(each not in found for each in acknowledged)


def check_chains(database: sqlite3.Connection) -> None:
    """Raises unless both logs are whole, and SQLite finds nothing wrong with the file."""
    (integrity,) = database.execute("PRAGMA integrity_check").fetchone()
    if integrity != "ok":
        raise RuntimeError(f"integrity_check says {integrity}")
    columns = "position, node_id, seq, descriptor_hash, listed_at, hash"
    log = database.execute(f"SELECT {columns} FROM descriptor_log ORDER BY position")  # noqa: S608
    fields = LogEntry.__struct_fields__
    verify_chain(LogEntry(**dict(zip(fields, row, strict=True))) for row in log)
    rows = database.execute("SELECT entry, hash FROM ledger ORDER BY position").fetchall()
    entries = [decode_entry(entry) for entry, _ in rows]
    broken = verify_ledger(entries, [digest for _, digest in rows])
    if broken is not None:
        raise RuntimeError(f"the ledger breaks at entry {broken}")


def jti_of(token: str) -> str:
    """The id in a token."""
    jti: str = json.loads(b64url_decode(token.split(".")[1]))["jti"]
    return jti


@click.command()
@click.option("--kills", default=200, show_default=True)
def main(kills: int) -> None:
    """Kill a tracker under load, again and again."""
    rng = Random(1)  # noqa: S311 -- the same moments each time
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        writers, ready = asyncio.run(_load(home, kills, rng))
        with closing(sqlite3.connect(home / "tracker" / "tracker.db")) as database:
            check_chains(database)
            found = [writer.check(database) for writer in writers]
    ready.sort()
    acknowledged, lost = sum(each for each, _ in found), sum(each for _, each in found)
    sys.stdout.write(
        f"{kills} kills, {acknowledged} acknowledged writes, {lost} lost; ready after "
        f"{ready[len(ready) // 2]:.2f} s (median), {ready[-1]:.2f} s (longest)\n"
    )
    sys.exit(1 if lost else 0)


async def _load(home: Path, kills: int, rng: Random) -> tuple[list[Writer], list[float]]:
    writers: list[Writer] = []
    for number in range(WRITERS_OF_EACH):
        writers += [Tokens(rng), Descriptors(number + 2), Bans(rng), Receipts(rng)]
    ready: list[float] = []
    root_ids: list[str] = []  # of the tracker, which is the same one each time

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, root_ids[-1])

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as rig:
        port = rig.sockets[0].getsockname()[1]
        for _ in range(kills):
            began = time.monotonic()
            running = await asyncio.to_thread(_start, home)
            ready.append(time.monotonic() - began)
            root_ids.append(parse_tracker_address(str(running.announced["address"])).root_id or "")
            await _write_until_killed(running, writers, rng, f"http://127.0.0.1:{port}")
    last = await asyncio.to_thread(_start, home)  # what it finds is what is checked
    last.kill()
    return writers, ready


def _start(home: Path) -> Running:
    environ = {
        "LUCKRIG_TRACKER_OPERATORS": derive_id("u1", OPERATOR.public),
        "LUCKRIG_TRACKER_HEALTH_INTERVAL": "3600",
    }
    return start(home, "tracker", "--listen", "127.0.0.1:0", "--allow-private", environ=environ)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, root_id: str) -> None:
    """The rig: it proves its endpoint to the tracker, and is well whatever else is asked."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    path, host = head.split(" ")[1], head.lower().partition("\r\nhost: ")[2].split("\r\n")[0]
    body = msgspec.json.encode(healthy(make_node(RIG)))
    if path.startswith(PROOF_PATH):
        proof = EndpointProof(
            iss=make_node(RIG).node_id,
            aud=root_id,
            nonce=path.removeprefix(PROOF_PATH),
            endpoint=f"http://{host}",
            iat=int(time.time()),
        )
        signed = sign_endpoint_proof(proof, node_key=node_key(RIG))
        body = msgspec.json.encode(EndpointProofReply(proof=signed))
    start_line = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(start_line.encode() + b"\r\nConnection: close\r\n\r\n" + body)
    writer.close()


async def _write_until_killed(
    running: Running, writers: Sequence[Writer], rng: Random, endpoint: str
) -> None:
    address = parse_tracker_address(str(running.announced["address"]))
    async with ask_tracker(address) as tracker:
        await tracker.publish(make_node(RIG, endpoints=[endpoint]).signed)
        tasks = [asyncio.create_task(_write(writer, tracker)) for writer in writers]
        await asyncio.sleep(rng.uniform(*LIFE_SECONDS))
        await asyncio.to_thread(running.kill)
        await asyncio.gather(*tasks)


async def _write(writer: Writer, tracker: TrackerClient) -> None:
    """Write until the tracker is gone. Any other refusal is a fault of this measurement."""
    while True:
        try:
            await writer.write_once(tracker)
        except LuckrigError as error:
            if error.code == "tracker_unreachable":
                return
            if error.code != "node_offline":  # it hasn't proven its endpoint yet
                raise
            await asyncio.sleep(UNPROVEN_SECONDS)


if __name__ == "__main__":
    main()
