"""Nothing that anybody says is told: a marker goes in everywhere, and is looked for everywhere.

Tracker and rig are real processes with every log they can write; the engine is a stand-in that says
the marker back, in its replies and in its errors.
"""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import pytest

from luckrig.nodeproxy.steps import obey_rules, read
from tests.e2e.commands import answer_of, environ
from tests.fake_engines.engine import Exchange, Fault, Refusal
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import Rig, make_token, running_rig

MARKER: Final = "xyzzy-sentinel-4711"
PUBLIC: Final = ("/health", "/metrics", "/luckrig/status", "/luckrig/queue/none")
PATHS: Final = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings")
FAULTS: Final[tuple[Fault | None, ...]] = (None, "reset", "garbage", "error", "half", "too-long")


class Echo(FakeOpenAi):
    """Says the marker, also when it refuses."""

    is_cross = False

    async def answer(self, exchange: Exchange) -> None:
        """Answer, or refuse with the marker in the message."""
        if self.is_cross and exchange.request.method == "POST":
            body = {"error": {"message": MARKER, "code": MARKER, "param": MARKER, "type": MARKER}}
            raise Refusal(400, body)
        await super().answer(exchange)


def bodies(model: str) -> Iterator[tuple[str, bytes]]:
    """(path, body): the marker wherever text can stand, and where it can't."""
    tool = {"name": MARKER, "description": MARKER, "parameters": {"title": MARKER}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": f'"{MARKER}"'}}
    chat: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": MARKER, "name": MARKER},
            {"role": "user", "content": [{"type": "text", "text": MARKER}]},
            {"role": "assistant", "content": MARKER, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": MARKER},
        ],
        "tools": [{"type": "function", "function": tool}],
        "stop": [MARKER], "user": MARKER, "metadata": {MARKER: MARKER},
        "response_format": {
            "type": "json_schema", "json_schema": {"name": "n", "schema": {"title": MARKER}}
        },
    }  # fmt: skip
    yield PATHS[0], msgspec.json.encode(chat)
    yield PATHS[0], msgspec.json.encode(chat | {"stream": True})
    yield PATHS[0], msgspec.json.encode(chat | {"model": MARKER})
    yield PATHS[0], msgspec.json.encode(chat | {"stream": MARKER, MARKER: MARKER})
    forbidden = [{"role": "user", "content": f"{MARKER} nude 12 year old"}]
    yield PATHS[0], msgspec.json.encode(chat | {"messages": forbidden})
    yield PATHS[1], msgspec.json.encode({"model": model, "prompt": MARKER, "suffix": MARKER})
    yield PATHS[2], msgspec.json.encode({"model": model, "input": MARKER, "instructions": MARKER})
    yield PATHS[2], msgspec.json.encode({"model": model, "input": MARKER, "stream": True})
    yield PATHS[3], msgspec.json.encode({"model": model, "input": [MARKER]})
    for path in PATHS:
        yield path, f'{{"model":"{model}","{MARKER}":"{MARKER}'.encode()
        yield path, f'{{"{MARKER}":1,"{MARKER}":2}}'.encode()
        yield path, MARKER.encode() + b"\xff"


async def say_it_everywhere(http: httpx2.AsyncClient, token: str, model: str) -> list[int]:
    """Every way to say the marker, one after the other; the statuses."""
    good = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    marked = good | {"x-marker": MARKER, "user-agent": MARKER, "referer": MARKER, "cookie": MARKER}
    statuses: list[int] = []

    async def send(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> None:
        try:
            answer = await http.request(method, target, headers=headers, content=body)
        except httpx2.HTTPError:
            statuses.append(0)  # the engine broke off in the middle of a stream
        else:
            statuses.append(answer.status_code)

    for path, body in bodies(model):
        await send("POST", path, good, body)
        await send("POST", f"{path}?{MARKER}={MARKER}", marked, body)
    for path in PATHS:
        await send("POST", path, marked | {"content-type": MARKER}, b"{}")
    for bad in (MARKER, f"Bearer {MARKER}", f"Bearer {token}{MARKER}", f"DPoP {MARKER}"):
        await send("POST", PATHS[0], good | {"authorization": bad}, b"{}")
    await send("POST", PATHS[0], good | {"dpop": MARKER}, b"{}")
    await send("POST", PATHS[0], good | {"host": MARKER}, b"{}")
    for target in (f"/{MARKER}", f"/v1/{MARKER}?{MARKER}", f"/luckrig/queue/{MARKER}"):
        for method in ("GET", "POST", "DELETE"):
            await send(method, target, marked)
    return statuses


async def say_it_raw(origin: str) -> None:
    """What is no HTTP, with the marker in it."""
    host, _, port = origin.removeprefix("http://").partition(":")
    for raw in (
        f"{MARKER}\r\n\r\n",
        f"GET /{MARKER} HTTP/9.9\r\nHost: {MARKER}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {MARKER}\r\n {MARKER}: {MARKER}\r\n\r\n",
        f"{MARKER} / HTTP/1.1\r\n\r\n",
        f"POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: {MARKER}\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw.encode())
        writer.write_eof()
        assert MARKER.encode() not in await reader.read()
        writer.close()


async def public_answers(http: httpx2.AsyncClient) -> str:
    """What the rig tells everybody; a route that isn't there is skipped."""
    answers = [await http.get(path) for path in PUBLIC]
    assert answers[0].status_code == 200
    return "\n".join(answer.text for answer in answers)


# In process: every record of every logger


@pytest.fixture
async def engine() -> AsyncIterator[Echo]:
    async with Echo(reply=[MARKER, MARKER], fault_after=1) as running:
        yield running


@pytest.fixture
async def rig(engine: Echo) -> AsyncIterator[Rig]:
    async with running_rig(engine.url) as running:
        yield running


def everything(caplog: pytest.LogCaptureFixture) -> str:
    """Each record as any handler could write it: message, arguments, traceback, fields."""
    return "\n".join(
        f"{record.getMessage()} {vars(record)!r} {caplog.handler.format(record)}"
        for record in caplog.records
        if not record.name.startswith(("httpx2", "httpcore2"))  # the client's, which is the test
    )


async def test_no_record_at_any_level_holds_a_marker(
    engine: Echo, rig: Rig, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.NOTSET)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("luckrig"):
            logging.getLogger(name).setLevel(logging.DEBUG)
    seen: set[int] = set()
    for fault in FAULTS:
        engine.fault = fault
        seen |= set(await say_it_everywhere(rig.http, make_token(), rig.models[0]))
    engine.fault, engine.is_cross = None, True
    seen |= set(await say_it_everywhere(rig.http, make_token(), rig.models[0]))
    await say_it_raw(rig.origin)
    assert seen >= {200, 400, 401, 404, 405, 415, 502}
    assert 500 not in seen
    found = everything(caplog)
    assert "luckrig" in found
    assert MARKER not in found
    assert MARKER not in await public_answers(rig.http)
    printed = capfd.readouterr()
    assert MARKER not in printed.out + printed.err


@pytest.mark.parametrize(
    "place", [(read, "to_chat"), (obey_rules, "texts_of")], ids=["translation", "rules"]
)
async def test_an_exception_in_a_step_tells_its_place_only(
    place: tuple[Any, str], rig: Rig, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def broken(*asked: object) -> None:
        raise RuntimeError(MARKER, asked)

    module, name = place
    monkeypatch.setattr(module, name, broken)
    caplog.set_level(logging.NOTSET)
    response = await rig.post(PATHS[2], {"model": rig.models[0], "input": MARKER})
    assert response.status_code == 500
    assert MARKER not in response.text
    found = everything(caplog)
    assert "RuntimeError at" in found
    assert MARKER not in found


# Real processes: what they print, and what they leave on disk


@contextmanager
def talkative(
    home: Path, *command: str, **variables: str
) -> Generator[tuple["subprocess.Popen[bytes]", Any], None, None]:
    """A luckrig command with all its logs; stdout and stderr go to files in its home."""
    home.mkdir(exist_ok=True)
    out, err = (home / f"{command[0]}.{name}" for name in ("out", "err"))
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = subprocess.Popen(  # noqa: S603 -- our own command line
        [sys.executable, "-X", "dev", "-m", "luckrig.cli.main", *command, "-v", "--json"],
        env={**environ(home), "LUCKRIG_DEBUG": "1", "PYTHONASYNCIODEBUG": "1", **variables},
        stdout=out_file, stderr=err_file,
        )  # fmt: skip
    try:
        while not out.read_bytes().endswith(b"\n"):
            with suppress(subprocess.TimeoutExpired):  # it gets the processor that it needs
                process.wait(timeout=0.02)
            assert process.returncode is None, err.read_text()
        yield process, json.loads(out.read_bytes())
    finally:
        process.terminate()
        process.wait(timeout=15)


def files_with(marker: str, folder: Path) -> list[str]:
    """Files that hold the marker, or have it in their name."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert len(found) >= 4
    return [
        str(path.relative_to(folder))
        for path in found
        if marker in path.name or marker.encode() in path.read_bytes()
    ]


@pytest.mark.timeout(120)  # three processes, in Python's development mode
async def test_processes_print_and_keep_no_marker(tmp_path: Path, engine: Echo) -> None:
    operator, owner, user = (tmp_path / name for name in ("operator", "owner", "user"))
    tracker = ("tracker", "--allow-private", "--listen", "127.0.0.1:0")
    async with AsyncExitStack() as stack:
        _, told = await asyncio.to_thread(stack.enter_context, talkative(operator, *tracker))
        node = (
            "node", "start", "--engine", engine.url, "--listen", "127.0.0.1:0",
            "--name", "Attic", "--tracker", told["address"],
        )  # fmt: skip
        _, rig = await asyncio.to_thread(stack.enter_context, talkative(owner, *node))
        token = await asyncio.to_thread(
            answer_of, user, "token", "Attic", "--tracker", told["address"]
        )
        origin = token["base_url"].removesuffix("/v1")
        http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=origin, trust_env=False, timeout=None)
        )
        seen: set[int] = set()
        for fault in (None, "garbage", "reset"):
            engine.fault = fault
            seen |= set(await say_it_everywhere(http, token["token"], rig["models"][0]))
        engine.is_cross = True
        seen |= set(await say_it_everywhere(http, token["token"], rig["models"][0]))
        await say_it_raw(origin)
        told_all = await public_answers(http)
        pages = httpx2.AsyncClient(base_url=told["tracker"], trust_env=False, timeout=None)
        async with pages:
            for path in ("/", f"/nodes/{rig['node_id']}", f"/api/v1/nodes/{rig['node_id']}"):
                told_all += (await pages.get(path)).text
    assert seen >= {400, 401, 404}
    assert 500 not in seen
    assert MARKER not in told_all
    for home in (operator, owner):
        assert files_with(MARKER, home) == []
        assert files_with(token["token"], home) == []
    log = (owner / "node.err").read_text()
    assert " chat done" in log  # it did log
    assert "Traceback" not in log
