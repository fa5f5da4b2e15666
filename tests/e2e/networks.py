"""A home with no way in, and the world outside: real network namespaces, or two addresses."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.commands import environ

HOME_ADDRESS = "192.168.77.2"
ROUTER_ADDRESS = "203.0.113.1"
WORLD_ADDRESS = "203.0.113.2"

RULES = """
table ip home {
    chain out { type nat hook postrouting priority srcnat; oifname "outside" masquerade; }
    chain pass {
        type filter hook forward priority filter; policy drop;
        iifname "inside" accept
        ct state established,related accept
    }
}
"""
"""What a home router does: many behind one address, and nobody comes in unasked."""


@dataclass(frozen=True)
class Side:
    """Where processes run. enter: the words before each command. address: to listen at."""

    address: str
    enter: tuple[str, ...] = ()

    def python(self, *args: str, home: Path, stdin: int | None = None) -> "subprocess.Popen[str]":
        """Start Python on this side, with pipes for its output."""
        return subprocess.Popen(  # noqa: S603 -- our own command line
            [*self.enter, sys.executable, *args], env=environ(home), text=True,
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


@dataclass(frozen=True)
class Sides:
    """home: the rig's. world: the tracker's and its users'. is_nat: a router is between them."""

    home: Side
    world: Side
    is_nat: bool


@contextmanager
def two_addresses() -> Generator[Sides, None, None]:
    """One machine: the only way in that there could be is a port that the rig opens."""
    yield Sides(Side("127.0.0.1"), Side("127.0.0.2"), is_nat=False)


@contextmanager
def behind_a_router() -> Generator[Sides, None, None]:
    """Home, a router with NAT, and the world: each a network namespace.

    Skips the test, with the reason, where they can't be made.
    """
    names = {side: f"luckrig-{os.getpid()}-{side}" for side in ("home", "router", "world")}
    enter = {side: ("ip", "netns", "exec", name) for side, name in names.items()}
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("network namespaces need Linux and root")
    if missing := [tool for tool in ("ip", "nft") if shutil.which(tool) is None]:
        pytest.skip(f"network namespaces with NAT need {' and '.join(missing)}")
    try:
        for name in names.values():
            _run("ip", "netns", "add", name)
        for side in enter.values():
            _run(*side, "ip", "link", "set", "lo", "up")
        _wire(
            names["home"], "lan", f"{HOME_ADDRESS}/24", names["router"], "inside", "192.168.77.1/24"
        )
        _wire(
            names["world"],
            "wan",
            f"{WORLD_ADDRESS}/24",
            names["router"],
            "outside",
            f"{ROUTER_ADDRESS}/24",
        )
        _run(*enter["home"], "ip", "route", "add", "default", "via", "192.168.77.1")
        _run(*enter["router"], "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        _run(*enter["router"], "nft", "-f", "-", stdin=RULES)
        home, world = Side(HOME_ADDRESS, enter["home"]), Side(WORLD_ADDRESS, enter["world"])
        yield Sides(home, world, is_nat=True)
    finally:
        for name in names.values():
            subprocess.run(  # noqa: S603 -- our own namespace
                ["ip", "netns", "delete", name],  # noqa: S607 -- wherever it is
                check=False, capture_output=True,
            )  # fmt: skip


def listening_ports(pid: int) -> list[int]:
    """The TCP ports at which that very process listens, in its own network namespace."""
    process = Path("/proc", str(pid))
    if not (process / "net" / "tcp").exists():
        found = psutil.Process(pid).net_connections("tcp")
        return [each.laddr.port for each in found if each.status == psutil.CONN_LISTEN]
    own = {os.readlink(descriptor) for descriptor in (process / "fd").iterdir()}
    ports: list[int] = []
    for table in ("tcp", "tcp6"):
        for line in (process / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                ports.append(int(fields[1].rpartition(":")[2], 16))
    return ports


def _wire(one: str, a: str, a_net: str, other: str, b: str, b_net: str) -> None:
    """A cable between two namespaces, with an address at each end."""
    _run("ip", "link", "add", a, "netns", one, "type", "veth", "peer", "name", b, "netns", other)
    for name, device, net in ((one, a, a_net), (other, b, b_net)):
        _run("ip", "-n", name, "address", "add", net, "dev", device)
        _run("ip", "-n", name, "link", "set", device, "up")


def _run(*command: str, stdin: str | None = None) -> None:
    done: subprocess.CompletedProcess[Any] = subprocess.run(  # noqa: S603 -- our own commands
        command, input=stdin, text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"{' '.join(command[:4])}: {done.stderr.strip()}")
