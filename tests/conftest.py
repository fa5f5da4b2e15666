"""What holds for every test: it reads no clock, and the processes it starts hear Ctrl-C."""

import functools
import gc
import signal
import ssl
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import httpcore2
import pytest
from hypothesis import HealthCheck, settings
from jinja2 import BaseLoader, BytecodeCache, Environment, Template
from jinja2.bccache import Bucket

from luckrig.web import assets


def pytest_configure() -> None:
    """Make a run on a busy machine, or in the background, like any other."""
    _compile_templates_once()
    _pack_static_files_once()
    _trust_nobody()
    # Examples that take long are no fault; pytest's own timeout ends what hangs.
    settings.register_profile(
        "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("any-machine")
    # A shell starts what it runs in the background deaf to SIGINT, and deafness is inherited.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What was collected stays until the end: no need to look through it for garbage each time."""
    gc.collect()
    gc.freeze()


class _Compiled(BytecodeCache):
    """Templates that were compiled once: a tracker needs a tenth of a second for its first page,
    and hundreds of tests start one."""

    def __init__(self) -> None:
        self._codes: dict[str, Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get(bucket.key + bucket.checksum)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key + bucket.checksum] = bucket.code


def _compile_templates_once() -> None:
    compiled, load = _Compiled(), BaseLoader.load

    def load_compiled(
        loader: BaseLoader,
        environment: Environment,
        name: str,
        names: MutableMapping[str, Any] | None = None,
    ) -> Template:
        environment.bytecode_cache = compiled
        return load(loader, environment, name, names)

    pytest.MonkeyPatch().setattr(BaseLoader, "load", load_compiled)


def _pack_static_files_once() -> None:
    """To read and pack all of them takes 15 ms, again for each of a thousand trackers."""
    read, shipped = assets._read, assets._FOLDER  # pyright: ignore[reportPrivateUsage]
    keep = functools.cache(read)

    def read_once(path: Path) -> assets.StaticFile | None:
        return keep(path) if path.is_relative_to(shipped) else read(path)

    pytest.MonkeyPatch().setattr(assets, "_read", read_once)


def _trust_nobody() -> None:
    """No test speaks with the world: a client needn't read its 140 authorities, 25 ms each time."""

    def empty(**_: bool) -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    pytest.MonkeyPatch().setattr(httpcore2, "default_ssl_context", empty)
