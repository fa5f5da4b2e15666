"""What is measured: the engine alone, nginx in front of it, luckrig in front of it."""

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.mock_engine import Listening
from bench.processes import Child

START_SECONDS: Final = 5.0

NGINX_CONFIG: Final = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 64k;
    keepalive_requests 10000000;
    upstream engine {{
        server 127.0.0.1:{engine_port};
        keepalive 64;
        keepalive_requests 10000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://engine;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_buffer_size 16k;  # a whole burst in one read, as the others have it
            proxy_buffers 8 16k;
        }}
    }}
}}
"""


class Absent(Exception):
    """This server isn't on this machine; the text says what to install."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server under test. tokens: luckrig's, None where the server checks none. pids: whose CPU
    time counts; none for `direct`, where no proxy works."""

    name: str
    port: int
    pids: list[int]
    tokens: list[str] | None = None


Start = Callable[[ExitStack, int, int | None], Server]
"""(what ends the server, the engine's port, CPU) → the running server. Raises Absent."""


def _start_direct(stack: ExitStack, engine_port: int, cpu: int | None) -> Server:
    return Server(name="direct", port=engine_port, pids=[])


def _start_nginx(stack: ExitStack, engine_port: int, cpu: int | None) -> Server:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Absent("nginx isn't installed (Debian: nginx-light), so there are no ratios")
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="luckrig-bench-"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    config = Path(folder, "nginx.conf")
    config.write_text(NGINX_CONFIG.format(folder=folder, port=port, engine_port=engine_port))
    child = Child([program, "-p", folder, "-c", str(config)], cpu=cpu)
    stack.callback(child.stop)
    _wait_for(port, child)
    return Server(name="nginx", port=port, pids=child.pids())


def _start_luckrig(stack: ExitStack, engine_port: int, cpu: int | None) -> Server:
    child = Child.module("rig", f"http://127.0.0.1:{engine_port}", cpu=cpu)
    stack.callback(child.stop)
    ready = child.read(Listening)
    return Server(name="luckrig", port=ready.port, pids=child.pids(), tokens=ready.tokens)


SERVERS: Final[Mapping[str, Start]] = {
    "direct": _start_direct,
    "nginx": _start_nginx,
    "luckrig": _start_luckrig,
}


def _wait_for(port: int, child: Child) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.is_running:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise Absent("nginx didn't start, it says why above")
