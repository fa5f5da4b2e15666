"""How the owner's commands speak, and what each writes down; the rig itself is in tests/e2e."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace as replace_fields
from datetime import UTC, datetime

import click
import msgspec
import pytest

from luckrig.cli.home import Home
from luckrig.cli.options import ListenAddress, ListenAddressType
from luckrig.cli.owner import DurationType
from luckrig.nodeproxy.control import AnyCommand, Pause, RigStatus, claimed_folder, serving_control
from luckrig.nodeproxy.counters import RecentError
from luckrig.protocol.schedule import Schedule, parse_windows
from tests.cli.conftest import Luckrig
from tests.nodeproxy.test_control import STATUS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30 min", 1800), ("30m", 1800), ("2H", 7200), ("1d", 86_400)],
)
def test_durations(text: str, seconds: int) -> None:
    assert DurationType().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "-1h", "0s", "1.5h", "999999d", "2 weeks"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="30min"):
        DurationType().convert(text, None, None)


@pytest.mark.parametrize("text", ["127.0.0.1:8788", "[::1]:0", "rig.local:65535"])
def test_a_listen_address_is_written_as_it_is_read(text: str) -> None:
    address = ListenAddressType().convert(text, None, None)
    assert str(address) == text
    assert replace_fields(address) == ListenAddress(address.host, address.port)


class Rig:
    """Answers on the socket, in a thread. status: what it says. told: what it was told."""

    def __init__(self) -> None:
        self.status: RigStatus = STATUS
        self.told: list[AnyCommand] = []
        self.ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    async def __call__(self, command: AnyCommand) -> RigStatus:
        self.told.append(command)
        return self.status

    def run(self, home: Home) -> None:
        async def serve() -> None:
            with claimed_folder(home.run_folder) as folder:
                async with serving_control(folder, self):
                    self.ready.set()
                    await self._stop.wait()

        self._loop.run_until_complete(serve())
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)


@pytest.fixture
def rig(home: Home) -> Iterator[Rig]:
    running = Rig()
    thread = threading.Thread(target=running.run, args=(home,))
    thread.start()
    assert running.ready.wait(10)
    yield running
    running.stop()
    thread.join(10)


def test_an_open_rig_has_a_short_table(luckrig: Luckrig, rig: Rig) -> None:
    result = luckrig("node", "status")
    assert (result.code, result.err) == (0, "")
    lines = [line.split(maxsplit=1) for line in result.out.splitlines() if line.strip()]
    shown = {line[0]: line[1] for line in lines if len(line) > 1}
    assert shown["State"] == "open"
    assert shown["Queue"] == "0 of 1 running, 0 of 8 waiting"
    assert not {"GPU", "Note", "No", "Last", "Opening"} & set(shown)


def test_the_table_tells_everything_there_is(luckrig: Luckrig, rig: Rig) -> None:
    at = int(datetime(2033, 5, 18, 3, 33, tzinfo=UTC).timestamp())
    rig.status = msgspec.structs.replace(
        STATUS, name="attic\x1b[2J", reason="schedule", opens_at=at, tokens_today=1234,
        tokens_per_day=10_000, celsius=61.0, watts=320.4, busy_share=0.25, note="two\nlines",
        schedule=Schedule(windows=parse_windows(["weekdays 22:00-07:00"]), timezone="UTC"),
        blind=["limits.max_watts"], tokens_per_second=12.34,
        errors=[RecentError(at, "chat", "engine_error")],
    )  # fmt: skip
    out = luckrig("node", "status").out
    for fact in (
        "closed: outside its opening hours; opens 2033-05-18", "1,234 of 10,000",
        "25 % busy, 61 °C, 320 W", "12.3 tokens/s", "weekdays 22:00-07:00 (UTC)",
        "chat: engine_error",
        "limits.max_watts: nothing here can be read for it", "lines",
    ):  # fmt: skip
        assert fact in out
    assert "\x1b" not in out


def test_a_pause_is_told_and_answered(luckrig: Luckrig, rig: Rig) -> None:
    rig.status = msgspec.structs.replace(STATUS, reason="paused")
    assert luckrig("node", "pause", "--for", "2h").out == "closed: paused by you\n"
    assert rig.told == [Pause(seconds=7200)]


def test_a_resumed_rig_that_stays_closed_is_1(luckrig: Luckrig, rig: Rig) -> None:
    rig.status = msgspec.structs.replace(STATUS, reason="too_hot")
    result = luckrig("node", "resume")
    assert (result.code, result.out) == (1, "closed: too hot\n")


def test_a_drain_that_ends_the_rig_says_when(luckrig: Luckrig, rig: Rig) -> None:
    rig.status = msgspec.structs.replace(
        STATUS, reason="draining", active=1, waiting=2, stops_when_drained=True
    )
    assert "when 3 requests are done" in luckrig("node", "drain", "--stop").err


@pytest.mark.parametrize("args", [("status",), ("pause",), ("resume",), ("drain",), ("note", "x")])
def test_without_a_rig_each_says_what_to_do(luckrig: Luckrig, args: tuple[str, ...]) -> None:
    result = luckrig("node", *args)
    assert (result.code, result.out) == (1, "")
    assert "No rig runs" in result.err
    assert "luckrig node start" in result.err
