"""Options that several commands share, and what belongs to them."""

import logging
import re
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.core import ParameterSource

from luckrig.protocol.address import TrackerAddress, is_origin, parse_tracker_address

if TYPE_CHECKING:
    from luckrig.client.tracker import TrackerClient

DEFAULT_TRACKER: Final = "http://127.0.0.1:8787"
"""Where `luckrig demo` and `luckrig tracker` listen."""

_LISTEN: Final = re.compile(
    r"(?:(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):)?(?P<port>[0-9]{1,5})"
)

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")


@dataclass(frozen=True)
class ListenAddress:
    """Where a server listens. host: a name or an IP address. port: 0 for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written: what ListenAddressType reads."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class TrackerAddressType(click.ParamType[TrackerAddress]):
    """https://host, or https://host#r1… to pin the tracker's root key."""

    name = "URL"

    def convert(
        self, value: str | TrackerAddress, param: click.Parameter | None, ctx: click.Context | None
    ) -> TrackerAddress:
        """Part of click's interface."""
        if isinstance(value, TrackerAddress):
            return value
        try:
            return parse_tracker_address(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class ListenAddressType(click.ParamType[ListenAddress]):
    """HOST:PORT, [IPv6]:PORT, or PORT alone for this machine only."""

    name = "HOST:PORT"

    def convert(
        self, value: str | ListenAddress, param: click.Parameter | None, ctx: click.Context | None
    ) -> ListenAddress:
        """Part of click's interface."""
        if isinstance(value, ListenAddress):
            return value
        found = _LISTEN.fullmatch(value)
        if found is None or int(found["port"]) > 65_535:
            self.fail("expected HOST:PORT, such as 127.0.0.1:8787 or [::1]:8787.", param, ctx)
        return ListenAddress(found["v6"] or found["host"] or "127.0.0.1", int(found["port"]))


class EngineType(click.ParamType[str]):
    """auto, tiny, or an engine's URL, with or without the /v1 that people paste."""

    name = "auto|tiny|URL"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Part of click's interface."""
        if value in ("auto", "tiny"):
            return value
        origin = value.rstrip("/").removesuffix("/v1")
        if not is_origin(origin):
            self.fail("expected auto, tiny, or a URL such as http://127.0.0.1:11434.", param, ctx)
        return origin


def parse_text(kind: click.ParamType[Result], text: str) -> Result:
    """A text that doesn't come from the command line, read as if. Raises ValueError."""
    try:
        return kind.convert(text, None, None)
    except click.BadParameter as error:
        raise ValueError(error.message) from error


def is_given(name: str) -> bool:
    """Whether the running command got that argument from its command line or the environment."""
    source = click.get_current_context().get_parameter_source(name)
    return source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


def verbose_option(command: Command) -> Command:
    """-v, eager and without an argument of its own: log every request and round on stderr."""

    def configure(ctx: click.Context, param: click.Parameter, verbose: bool) -> None:
        level = logging.INFO if verbose else logging.WARNING
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
        logging.getLogger("luckrig").setLevel(level)

    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=configure,
        help="Log each request on stderr; never what is in it.",
    )(command)


def tracker_option(command: Command) -> Command:
    """--tracker URL, as the argument `tracker: TrackerAddress`."""
    return click.option(
        "--tracker",
        type=TrackerAddressType(),
        envvar="LUCKRIG_TRACKER",
        default=DEFAULT_TRACKER,
        show_default=True,
        show_envvar=True,
        help="The tracker to ask.",
    )(command)


def json_option(command: Command) -> Command:
    """--json, as the argument `as_json: bool`. Errors are JSON too, then: see main.py."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document, errors included."
    )(command)


def listen_option(default: str) -> Callable[[Command], Command]:
    """--listen HOST:PORT, as the argument `listen: ListenAddress`."""

    def decorate(command: Command) -> Command:
        return click.option(
            "--listen",
            type=ListenAddressType(),
            default=default,
            show_default=True,
            help="Where to listen; port 0 takes a free one.",
        )(command)

    return decorate


def engine_option(command: Command) -> Command:
    """--engine, as the argument `engine: str`: auto, tiny, or a URL without path."""
    return click.option(
        "--engine",
        type=EngineType(),
        default="auto",
        show_default=True,
        help="auto: the one that runs here, else tiny, a small model that comes with luckrig.",
    )(command)


def ask_tracker(address: TrackerAddress) -> "AbstractAsyncContextManager[TrackerClient]":
    """A client for the tracker, on this machine's clock and randomness."""
    from luckrig.client.tracker import open_tracker

    return open_tracker(address, clock=time.time, new_jti=lambda: secrets.token_urlsafe(16))
