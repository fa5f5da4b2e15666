"""A rig that nobody can connect to: on the map within seconds, and the stock client streams."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.networks import (
    HOME_ADDRESS,
    ROUTER_ADDRESS,
    Side,
    Sides,
    behind_a_router,
    listening_ports,
    two_addresses,
)

JOIN: Final = ("register", "--yes", "--engine", "tiny", "--json")
"""What an owner types; the tracker's address follows."""

WATCH: Final = """
import sys, time
import httpx2
print("watching", flush=True)
with httpx2.Client(trust_env=False) as http:
    while True:
        nodes = http.get(sys.argv[1] + "/api/v1/nodes").json()["nodes"]
        if any(node["status"] in ("available", "busy") for node in nodes):
            print(time.monotonic(), flush=True)
            break
        time.sleep(0.02)  # a map is asked again and again: it can't tell when it changes
"""
CHAT: Final = """
import json, sys
import openai
token = json.load(sys.stdin)
client = openai.OpenAI(base_url=token["base_url"], api_key=token["token"], max_retries=0)
stream = client.chat.completions.create(
    model=token["models"][0], stream=True,
    messages=[{"role": "user", "content": "Tell me a long story."}],
)
print(json.dumps([chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]))
"""
KNOCK: Final = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1).close()
    print("open")
except OSError as error:
    print("closed", error)
"""
LISTEN: Final = """
import socket
with socket.create_server(("0.0.0.0", 7777)):
    print("listening", flush=True)
    input()
"""


@contextmanager
def started(side: Side, *args: str, home: Path) -> Generator["subprocess.Popen[str]", None, None]:
    """Python on that side while the block runs."""
    process = side.python(*args, home=home, stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=15)


def line_of(process: "subprocess.Popen[str]") -> str:
    """Its next line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return line


def told(side: Side, *args: str, home: Path, stdin: str = "") -> str:
    """What Python on that side prints until it ends."""
    process = side.python(*args, home=home, stdin=subprocess.PIPE)
    out, err = process.communicate(stdin, timeout=60)
    assert process.returncode == 0, err
    return out


def luckrig(*args: str) -> tuple[str, ...]:
    """A command line of ours, for Python."""
    return ("-m", "luckrig.cli.main", *args)


@pytest.mark.timeout(120)  # five processes start in turn
@pytest.mark.parametrize(
    "network",
    [
        pytest.param(behind_a_router, id="three-namespaces-with-nat"),
        pytest.param(two_addresses, id="two-loopback-addresses"),
    ],
)
def test_rig_without_a_way_in_serves_the_world(
    network: Callable[[], AbstractContextManager[Sides]],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    with network() as sides:
        listen = luckrig(
            "tracker", "--allow-private", "--json", "--listen", f"{sides.world.address}:0"
        )
        with started(sides.world, *listen, home=tmp_path / "t") as process:
            tracker = json.loads(line_of(process))
            assert sides.world.address in tracker["tracker"]
            if sides.is_nat:
                assert_no_way_in(sides, tmp_path)
            seconds, rig, ports = joined(sides, tracker, tmp_path)
            record_property("seconds_until_on_the_map", seconds)
            sys.stdout.write(f"\non the map {seconds:.2f} s after the owner's command\n")
            assert ports == [], "a rig behind a tunnel listens nowhere"
            assert rig["base_url"].startswith(f"{tracker['tracker']}/n/")


def joined(
    sides: Sides, tracker: dict[str, Any], folder: Path
) -> tuple[float, dict[str, Any], list[int]]:
    """Let a rig come up at home and the world use it.

    (seconds from its start until the map shows it, what it announced, ports that it listens at)
    """
    with started(sides.world, "-c", WATCH, tracker["tracker"], home=folder / "w") as watcher:
        line_of(watcher)
        began = time.monotonic()
        join = luckrig(*JOIN, tracker["address"])
        with started(sides.home, *join, home=folder / "o") as process:
            seconds = float(line_of(watcher)) - began
            rig: dict[str, Any] = json.loads(line_of(process))
            ask = luckrig("token", rig["node_id"], "--tracker", tracker["address"], "--json")
            token = told(sides.world, *ask, home=folder / "u")
            pieces = json.loads(told(sides.world, "-c", CHAT, home=folder / "u", stdin=token))
            assert len(pieces) > 3
            assert "".join(pieces).strip()
            return seconds, rig, listening_ports(process.pid)


def assert_no_way_in(sides: Sides, folder: Path) -> None:
    """Not even to a port that is open at home, neither at its address nor at the router's."""
    with started(sides.home, "-c", LISTEN, home=folder) as process:
        line_of(process)
        assert told(sides.home, "-c", KNOCK, HOME_ADDRESS, "7777", home=folder) == "open\n"
        for address in (HOME_ADDRESS, ROUTER_ADDRESS):
            answer = told(sides.world, "-c", KNOCK, address, "7777", home=folder)
            assert answer.startswith("closed"), answer
