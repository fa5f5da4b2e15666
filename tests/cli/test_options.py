"""Options that several commands share."""

import click
import pytest

from luckrig.cli.options import (
    EngineType,
    ListenAddress,
    ListenAddressType,
    TrackerAddressType,
    engine_option,
    listen_option,
)
from luckrig.protocol.address import TrackerAddress


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8787", ListenAddress("127.0.0.1", 8787)),
        ("0.0.0.0:1", ListenAddress("0.0.0.0", 1)),  # noqa: S104 -- parsed, not bound
        ("localhost:0", ListenAddress("localhost", 0)),
        ("[::1]:65535", ListenAddress("::1", 65535)),
        ("9000", ListenAddress("127.0.0.1", 9000)),
    ],
)
def test_listen_addresses(text: str, address: ListenAddress) -> None:
    assert ListenAddressType().convert(text, None, None) == address
    assert ListenAddressType().convert(address, None, None) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        ":80",
        "host",
        "host:",
        "host:65536",
        "::1:80",
        "[::1]",
        "http://x:80",
        "a b:1",
        "host:-1",
        "host:٣",
    ],
)
def test_what_is_no_listen_address(text: str) -> None:
    with pytest.raises(click.BadParameter, match="HOST:PORT"):
        ListenAddressType().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        ("auto", "auto"),
        ("tiny", "tiny"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080"),
    ],
)
def test_engines(text: str, engine: str) -> None:
    assert EngineType().convert(text, None, None) == engine


@pytest.mark.parametrize("text", ["", "big", "127.0.0.1:11434", "file:///x", "http://x/api"])
def test_what_is_no_engine(text: str) -> None:
    with pytest.raises(click.BadParameter, match="auto, tiny"):
        EngineType().convert(text, None, None)


def test_tracker_addresses() -> None:
    root_id = "r1" + "a" * 32
    address = TrackerAddress("https://x.example", root_id)
    assert TrackerAddressType().convert(f"https://x.example/#{root_id}", None, None) == address
    assert TrackerAddressType().convert(address, None, None) == address


def test_options_become_arguments() -> None:
    @click.command()
    @listen_option("127.0.0.1:8788")
    @engine_option
    def command(listen: ListenAddress, engine: str) -> tuple[ListenAddress, str]:
        return listen, engine

    found = command.main([], standalone_mode=False)
    assert found == (ListenAddress("127.0.0.1", 8788), "auto")
    found = command.main(["--listen", "[::]:0", "--engine", "tiny"], standalone_mode=False)
    assert found == (ListenAddress("::", 0), "tiny")
