"""What `luckrig register` decides before anything is published: engine, tracker, name, models."""

from pathlib import Path

import pytest

from luckrig.cli.config import Config, RigSection
from luckrig.cli.engine_choice import (
    LOADING_SECONDS,
    LOOK_SECONDS,
    Choice,
    NoEngine,
    engine_of,
    pick,
)
from luckrig.cli.home import Home
from luckrig.cli.no_engine import on_the_map
from luckrig.cli.pinning import pin, wanted_tracker, with_tracker
from luckrig.cli.questions import chosen_models, name_for, without_questions
from luckrig.nodeproxy.engines.base import EngineState, EngineStatus
from luckrig.nodeproxy.engines.detect import Examined, Found, Missed
from luckrig.nodeproxy.engines.openai_compatible import OpenAiCompatible
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor import Hardware, Offer
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.text import MAX_NAME_CHARS, check_name
from tests.cli.conftest import Luckrig
from tests.client.fake_tracker import FakeTracker, make_rig
from tests.fake_engines.openai_compatible import FakeOpenAi

OLD, NEW = (derive_id("r1", PrivateKey(bytes([number]) * 32).public) for number in (1, 2))
ORIGIN = "https://tracker.example"
OFFERS = [Offer(model=name) for name in ("a", "b", "c", "d")]


# The tracker's key


@pytest.mark.parametrize(
    ("given", "remembered", "expected", "is_remembered"),
    [
        (None, None, "http://127.0.0.1:8787", False),
        (ORIGIN, None, ORIGIN, False),
        (f"{ORIGIN}#{NEW}", None, f"{ORIGIN}#{NEW}", False),
        (None, f"{ORIGIN}#{OLD}", f"{ORIGIN}#{OLD}", True),
        (ORIGIN, f"{ORIGIN}#{OLD}", f"{ORIGIN}#{OLD}", True),
        (f"{ORIGIN}/", f"{ORIGIN}#{OLD}", f"{ORIGIN}#{OLD}", True),
        (f"{ORIGIN}#{NEW}", f"{ORIGIN}#{OLD}", f"{ORIGIN}#{NEW}", False),
        ("https://other.example", f"{ORIGIN}#{OLD}", "https://other.example", False),
        (None, ORIGIN, ORIGIN, False),
    ],
)
def test_which_tracker_and_whose_key(
    given: str | None, remembered: str | None, expected: str, is_remembered: bool
) -> None:
    address, from_memory = wanted_tracker(given, remembered)
    assert (str(address), from_memory) == (expected, is_remembered)


def test_a_wrong_address_says_what_one_looks_like() -> None:
    with pytest.raises(LuckrigError, match="looks like https://host"):
        wanted_tracker("tracker.example", None)


async def test_the_first_key_is_taken_and_kept(served: FakeTracker) -> None:
    served.reset()
    pinned = await pin(TrackerAddress(served.origin, None), is_remembered=False)
    assert pinned == (TrackerAddress(served.origin, served.root_id), True)
    assert with_tracker(Config(), pinned.address).rig.tracker == str(pinned.address)
    assert not (await pin(pinned.address, is_remembered=True)).is_first_use


async def test_another_key_is_refused_with_both_and_the_way_out(served: FakeTracker) -> None:
    served.reset()
    with pytest.raises(LuckrigError) as caught:
        await pin(TrackerAddress(served.origin, OLD), is_remembered=True)
    assert caught.value.code == "signature_invalid"
    for part in (OLD, served.root_id, "config.toml", f"'{served.origin}#{served.root_id}'"):
        assert part in caught.value.message


async def test_rigs_are_counted_by_model(served: FakeTracker) -> None:
    served.reset(make_rig(1), make_rig(2))
    assert set((await on_the_map(served.address) or {}).values()) == {2}
    assert await on_the_map(TrackerAddress("http://127.0.0.1:9", None)) is None


# The engine


def engine(status: EngineStatus = "ready", *, port: int = 1, offers: int = 1) -> Found:
    """An engine that was found."""
    state = EngineState(kind="openai-compatible", status=status, offers=tuple(OFFERS[:offers]))
    return Found(f"http://127.0.0.1:{port}", OpenAiCompatible(), state)


class Waiting:
    """A clock for pick(): notes how long it slept."""

    def __init__(self, *answers: Examined) -> None:
        self.answers = list(answers)
        self.seconds = 0.0
        self.told: list[str] = []

    async def look(self, url: str) -> Examined:
        """The next answer; the last one again and again."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def sleep(self, seconds: float) -> None:
        """No time passes."""
        self.seconds += seconds

    async def pick(self, *tried: Examined) -> Choice:
        """pick() with all that."""
        return await pick(list(tried), self.look, self.told.append, self.sleep)


async def test_the_first_usable_engine_is_taken_and_the_others_named() -> None:
    choice = await Waiting(engine()).pick(
        engine("locked", port=1), engine(port=2), Missed("x", "y"), engine(port=3)
    )
    assert choice.engine.url.endswith(":2")
    assert choice.others == ["http://127.0.0.1:3"]


async def test_one_that_is_loading_is_waited_for() -> None:
    waiting = Waiting(engine("loading"), engine("loading"), engine())
    choice = await waiting.pick(Missed("x", "y"), engine("loading"))
    assert choice.engine.state.status == "ready"
    assert waiting.seconds == 3 * LOOK_SECONDS
    assert "loading" in waiting.told[0]


async def test_but_not_for_ever() -> None:
    waiting = Waiting(engine("loading"))
    with pytest.raises(NoEngine) as caught:
        await waiting.pick(engine("loading"))
    assert waiting.seconds == LOADING_SECONDS
    assert len(caught.value.tried) == 1


async def test_one_that_dies_while_loading_is_none() -> None:
    waiting = Waiting(Missed("http://127.0.0.1:1", "gone"))
    with pytest.raises(NoEngine) as caught:
        await waiting.pick(engine("loading"), Missed("x", "y"))
    assert waiting.seconds == LOOK_SECONDS
    assert [each.url for each in caught.value.tried] == ["http://127.0.0.1:1", "x"]


async def test_the_key_of_the_environment_opens_a_locked_engine(tmp_path: Path) -> None:
    async with FakeOpenAi(api_key="sk-1") as locked:
        home = Home(tmp_path)
        with pytest.raises(NoEngine):
            async with engine_of(locked.url, home, {}, print):
                pass
        async with engine_of(locked.url, home, {"LUCKRIG_ENGINE_KEY": "sk-1"}, print) as choice:
            assert choice.engine.state.offers


# Name and models


@pytest.mark.parametrize(
    ("gpu", "name"),
    [
        ("NVIDIA GeForce RTX 4090", "RTX 4090 rig"),
        ("2 × NVIDIA GeForce RTX 3090", "2 RTX 3090 rig"),
        ("AMD Radeon RX 7900 XTX", "RX 7900 XTX rig"),
        ("Apple M2 Max (38-core GPU)", "M2 Max rig"),
        ("NVIDIA RTX A6000 + Tesla P40", "RTX A6000 rig"),
        (None, "CPU rig"),
        ("\u202e", "CPU rig"),
        ("x" * 200, None),
    ],
)
def test_a_rig_is_named_after_its_gpu(gpu: str | None, name: str | None) -> None:
    hardware = Hardware(gpu=gpu, vram_bytes=None, cpu=None, ram_bytes=None)
    found = name_for(hardware)
    check_name(found, field="name")
    assert len(found) <= MAX_NAME_CHARS
    assert name is None or found == name
    assert without_questions(Config(), hardware).rig.name == found
    kept = Config(rig=RigSection(name="Mine"))
    assert without_questions(kept, hardware) == kept


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("", None),
        ("1", ["a"]),
        ("3, 1", ["a", "c"]),
        ("2-4", ["b", "c", "d"]),
        ("1-4", None),
        ("1 1 2", ["a", "b"]),
    ],
)
def test_models_are_chosen_by_numbers(text: str, models: list[str] | None) -> None:
    assert chosen_models(text, OFFERS) == models


@pytest.mark.parametrize("text", ["0", "5", "a", "3-2", "1-", "-1", "1--2", "999"])
def test_wrong_numbers_are_asked_again(text: str) -> None:
    with pytest.raises(LuckrigError):
        chosen_models(text, OFFERS)


# The command line


@pytest.mark.parametrize(
    ("config", "options", "why"),
    [
        ('[rig]\ntunnel = true\nendpoint = "https://a.example"\n', (), "take one of them out"),
        ("", ("--open", "noon"), "schedule.open"),
        ("", ("not a tracker",), "looks like https://host"),
        ("[rig]\nmodel = 1\n", (), "rig.model is no key"),
    ],
)
def test_wrong_choices_are_told_before_anything_starts(
    config: str, options: tuple[str, ...], why: str, luckrig: Luckrig, home: Home
) -> None:
    home.path.mkdir()
    (home.path / "config.toml").write_text(config, "utf-8")
    result = luckrig("register", *options, "--yes")
    assert result.code == 1
    assert why in result.err
    assert (home.path / "config.toml").read_text("utf-8") == config
