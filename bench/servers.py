"""What is measured: the engine alone, and in front of it nginx, HAProxy, LiteLLM, luckrig."""

import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench import server_configs as configs
from bench.fetch import LITELLM_VERSION, program
from bench.mock_engine import MODELS, Listening
from bench.processes import Child

START_SECONDS: Final = 60.0
"""LiteLLM needs 14 s."""
POLL_SECONDS: Final = 0.02
"""Foreign servers don't say when they listen, and a port without one refuses at once."""

_VERSION: Final = re.compile(r"\d+(?:\.\d+)+")


class Absent(Exception):
    """This server isn't on this machine; the text says what to install."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server under test. tokens: that it accepts, None where it checks none. pids: whose CPU
    time counts; none for `direct`, where no proxy works. is_slow: see load.Job.counts_all."""

    name: str
    port: int
    pids: list[int]
    version: str = ""
    tokens: list[str] | None = None
    is_slow: bool = False


Start = Callable[[ExitStack, int, int | None], Server]
"""(what ends the server, the engine's port, CPU) → the running server. Raises Absent."""


def _start_direct(stack: ExitStack, engine_port: int, cpu: int | None) -> Server:
    return Server(name="direct", port=engine_port, pids=[])


def _start_nginx(stack: ExitStack, engine_port: int, cpu: int | None) -> Server:
    program = _program("nginx")
    folder, port = _folder(stack), _free_port()
    config = folder / "nginx.conf"
    config.write_text(configs.NGINX.format(folder=folder, port=port, engine_port=engine_port))
    child = Child([str(program), "-p", str(folder), "-c", str(config)], cpu=cpu)
    stack.callback(child.stop)
    _wait_for("nginx", port, child)
    return Server(name="nginx", port=port, pids=child.pids(), version=_version(program, "-v"))


def _start_haproxy(stack: ExitStack, engine_port: int, cpu: int | None) -> Server:
    program = _program("haproxy")
    folder, port = _folder(stack), _free_port()
    config = folder / "haproxy.cfg"
    config.write_text(configs.HAPROXY.format(port=port, engine_port=engine_port))
    child = Child([str(program), "-db", "-f", str(config)], cpu=cpu)
    stack.callback(child.stop)
    _wait_for("haproxy", port, child)
    return Server(name="haproxy", port=port, pids=child.pids(), version=_version(program, "-v"))


def _start_litellm(stack: ExitStack, engine_port: int, cpu: int | None) -> Server:
    program = _program("litellm")
    folder, port = _folder(stack), _free_port()
    models = "".join(
        configs.LITELLM_MODEL.format(model=model, engine_port=engine_port) for model in MODELS
    )
    config, logging = folder / "config.yaml", folder / "logging.json"
    config.write_text(configs.LITELLM.format(models=models, key=configs.LITELLM_KEY))
    logging.write_bytes(msgspec.json.encode(configs.LITELLM_LOGGING))
    options = {
        "--config": config,
        "--host": "127.0.0.1",
        "--port": port,
        "--num_workers": 1,
        "--telemetry": False,
        "--log_config": logging,
    }
    command = [str(program), *(str(part) for option in options.items() for part in option)]
    child = Child(command, cpu=cpu, environ=configs.LITELLM_ENVIRON, log=folder / "log")
    stack.callback(child.stop)
    _wait_for("litellm", port, child)
    return Server(
        name="litellm",
        port=port,
        pids=child.pids(),
        version=f"LiteLLM {LITELLM_VERSION}",
        tokens=[configs.LITELLM_KEY],
        is_slow=True,
    )


def _start_luckrig(stack: ExitStack, engine_port: int, cpu: int | None) -> Server:
    child = Child.module("rig", f"http://127.0.0.1:{engine_port}", cpu=cpu)
    stack.callback(child.stop)
    ready = child.read(Listening)
    return Server(name="luckrig", port=ready.port, pids=child.pids(), tokens=ready.tokens)


SERVERS: Final[Mapping[str, Start]] = {
    "direct": _start_direct,
    "nginx": _start_nginx,
    "haproxy": _start_haproxy,
    "litellm": _start_litellm,
    "luckrig": _start_luckrig,
}


def _program(name: str) -> Path:
    found = program(name)
    if found is None:
        raise Absent("it isn't here, and `python -m bench.fetch` says how to get it")
    return found


def _folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="luckrig-bench-")))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _version(program: Path, option: str) -> str:
    """`nginx 1.22.1`: the first number with dots that it says, on whichever stream it says it."""
    done = subprocess.run(  # noqa: S603 -- a server that was found on PATH
        [program, option], capture_output=True, check=False, timeout=10
    )
    found = _VERSION.search((done.stdout + done.stderr).decode(errors="replace"))
    return f"{program.name} {found[0] if found else '?'}"


def _wait_for(name: str, port: int, child: Child) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.is_running:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return
    raise Absent(f"{name} didn't start")
