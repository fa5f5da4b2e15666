"""What a user says stays between the app and the rig that answers: a marker is looked for in what
tracker, rig and sidecar print and keep, and, sealed, in every byte that the relay sees.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import pytest

from luckrig.cli.loop import bind
from tests.e2e.sidecars import free_port, until_on_the_map
from tests.e2e.test_sentinels import MARKER, PATHS, Echo, bodies, files_with, talkative
from tests.fake_engines.engine import Fault

FAULTS: Final[tuple[Fault | None, ...]] = (None, "garbage", "reset")


@dataclass
class Wiretap:
    """A TCP proxy that keeps what passes. upstream: the port behind it, set before anybody comes.

    up, down: to it and from it, all connections together.
    """

    port: int
    upstream: int = 0
    up: bytes = b""
    down: bytes = b""

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, inner_writer, is_up=True))
                both.create_task(self._pump(inner_reader, writer, is_up=False))
        finally:
            inner_writer.close()
            writer.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_up: bool
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if is_up:
                    self.up += data
                else:
                    self.down += data
                writer.write(data)
                await writer.drain()
            writer.write_eof()


@asynccontextmanager
async def wiretap() -> AsyncGenerator[Wiretap]:
    """A tap on a free port."""
    sock = bind("127.0.0.1", 0)
    tap = Wiretap(sock.getsockname()[1])
    server = await asyncio.start_server(tap.pass_on, sock=sock)
    try:
        yield tap
    finally:
        server.close()


@dataclass
class World:
    """What runs, and where it keeps things. tap: in front of the tracker, for everybody."""

    tap: Wiretap
    engine: Echo
    http: httpx2.AsyncClient
    key: str
    model: str
    homes: tuple[Path, Path, Path]


@asynccontextmanager
async def world(folder: Path, mode: str) -> AsyncGenerator[World]:
    """Tracker, a rig behind its tunnel, and `luckrig connect`, with every log they can write."""
    homes = operator, owner, user = (folder / "operator", folder / "owner", folder / "user")
    async with AsyncExitStack() as stack:
        enter = stack.enter_context
        engine = await stack.enter_async_context(Echo(reply=[MARKER, MARKER], fault_after=1))
        tap = await stack.enter_async_context(wiretap())
        origin = f"http://127.0.0.1:{tap.port}"
        tap.upstream = free_port()
        tracker = ("tracker", "--allow-private", "--listen", f"127.0.0.1:{tap.upstream}")
        public = {"LUCKRIG_TRACKER_PUBLIC_URL": origin}
        _, told = await asyncio.to_thread(enter, talkative(operator, *tracker, **public))
        address = told["address"]
        node = ("node", "start", "--tunnel", "--engine", engine.url, "--tracker", address)
        _, rig = await asyncio.to_thread(enter, talkative(owner, *node))
        await asyncio.to_thread(until_on_the_map, origin, 1)
        connect = ("connect", "--port", "0", "--no-replays", "--tracker", address, f"--{mode}")
        _, sidecar = await asyncio.to_thread(enter, talkative(user, *connect))
        http = await stack.enter_async_context(
            httpx2.AsyncClient(
                base_url=sidecar["base_url"].removesuffix("/v1"), trust_env=False, timeout=None
            )
        )
        key = (user / "connect.key").read_text().strip()
        yield World(tap, engine, http, key, rig["models"][0], homes)


async def say_it(world: World) -> list[int]:
    """The marker wherever text can stand, and where it can't; the statuses."""
    headers = {"authorization": f"Bearer {world.key}", "content-type": "application/json"}
    statuses: list[int] = []

    async def post(path: str, body: bytes, headers: dict[str, str]) -> None:
        try:
            statuses.append(
                (await world.http.post(path, content=body, headers=headers)).status_code
            )
        except httpx2.HTTPError:
            statuses.append(0)

    for path, body in bodies(world.model):
        await post(path, body, headers)
    for path in PATHS:
        for name in ("authorization", "content-type", "host", "origin", "luckrig-gpu"):
            await post(path, b"{}", headers | {name: MARKER})
        await post(f"{path}?{MARKER}", f'{{"model":"{MARKER}"}}'.encode(), headers)
        await post(f"/{MARKER}", b"{}", headers)
    return statuses


@pytest.mark.timeout(150)  # three processes, in Python's development mode
@pytest.mark.parametrize("mode", ["plain", "subtext"])
async def test_a_marker_is_in_no_log_and_sealed_in_no_byte_on_the_way(
    tmp_path: Path, mode: str
) -> None:
    seen: list[int] = []
    async with world(tmp_path, mode) as running:
        for fault in FAULTS:
            running.engine.fault = fault
            seen += await say_it(running)
        running.engine.fault, running.engine.is_cross = None, True
        seen += await say_it(running)
        tap, key = running.tap, running.key
    assert {200, 400, 401, 403, 404, 415} <= set(seen)
    assert 500 not in seen
    for home in running.homes:
        assert files_with(MARKER, home) == []
    assert files_with(key, tmp_path) == ["user/connect.key"]
    tokens = [
        line.split(b" ")[2]
        for line in tap.up.split(b"\r\n")
        if line.lower().startswith(b"authorization: dpop ")
    ]
    assert tokens
    for token in set(tokens):
        assert files_with(token.decode(), tmp_path) == []
    # The tap hears everything: what the sidecar sends, what the tracker gives the rig, what it
    # gives back. A rig's WebSocket is masked, but the same bytes leave the tracker once more.
    passed = tap.up + tap.down
    assert running.engine.requests, "the rig did answer"
    assert (MARKER.encode() in passed) is (mode == "plain")
    assert key.encode() not in passed
    if mode == "subtext":
        assert b'"luckrig/subtext"' in tap.up
