"""`luckrig race` as a process, with a real tracker and three real rigs."""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.commands import Owner, finished
from tests.e2e.rig_field import MODEL, Field, rig_field
from tests.e2e.terminals import on_a_terminal
from tests.fake_engines.knobs import REPLY, AtOnce, OnDemand
from tests.fake_engines.llama_server import FakeLlamaServer

SAID = "".join(REPLY)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Three rigs that no test ends."""
    with rig_field(tmp_path_factory.mktemp("race"), *three_engines()) as found:
        yield found


@pytest.fixture
def field(lasting: Field, tmp_path: Path) -> Field:
    """Those, well again, and a new user."""
    for rig in lasting.rigs:
        rig.engine.pace = AtOnce()
    return Field(Owner(tmp_path, lasting.user.tracker), lasting.rigs)


def three_engines() -> list[FakeLlamaServer]:
    return [FakeLlamaServer() for _ in range(3)]


@pytest.mark.timeout(90)  # seven processes start before the first look
def test_a_model_races_on_every_rig_that_serves_it(field: Field) -> None:
    found = field.user.ask("race", MODEL, "--prompt", "Why?", "--max-tokens", "99")
    contestants = found["contestants"]
    assert {each["name"] for each in contestants} == {"Attic", "Cellar", "Barn"}
    assert {each["text"] for each in contestants} == {SAID}
    assert {each["figures"]["completion_tokens"] for each in contestants} == {len(REPLY)}
    fastest = min(contestants, key=lambda each: each["figures"]["total_ms"])
    assert found["best"]["total_ms"] == fastest["number"]
    for rig in field.rigs:
        assert rig.asked["messages"][-1]["content"] == "Why?"
    kept = field.user.ask("replay", "list")["replays"]
    assert {each["replay_id"] for each in kept} == {each["replay"] for each in contestants}

    piped = finished(
        field.user.home, "race", "Attic", f"{MODEL}@{field.rigs[1].node_id}", "--no-replays",
        stdin="From a pipe", variables={"LUCKRIG_TRACKER": field.user.tracker},
    )  # fmt: skip
    assert piped.returncode == 0, piped.stderr
    assert piped.stdout.count(SAID) == 2
    assert re.search(r"Rig +Model +Quant +Queue +First +tok/s +Tokens +Total", piped.stdout)
    assert "★" in piped.stdout
    assert "Attic: first token after" in piped.stderr
    assert "Barn" not in piped.stdout
    assert len(field.user.ask("replay", "list")["replays"]) == 3

    for wrong, why in (
        (("Attic",), "only Attic fits"),
        (("Attic", "Loft"), "Loft"),
        ((MODEL,) * 7, "too many"),
        (("Attic", "Barn", "--gpu", "RTX 5090"), "without gpu"),
    ):
        refused = field.user.run("race", *wrong)
        assert refused.returncode == 1
        assert why in refused.stderr


@pytest.mark.timeout(90)
def test_a_rig_that_dies_is_a_row_and_not_the_end(tmp_path: Path) -> None:
    with rig_field(tmp_path, *three_engines()) as field:
        table = table_of_a_race_whose_second_rig_dies(field)
    assert re.search(r"Cellar +\S+ +\S+ .*broke off", table)
    assert re.search(r"Barn +\S+ +\S+ .*10", table)
    assert re.search(r"✗ Cellar +rig_lost: ", table)
    assert "★ " in table


def table_of_a_race_whose_second_rig_dies(field: Field) -> str:
    pace = OnDemand()
    field.rigs[1].engine.pace = pace
    command = ("race", "Attic", "Cellar", "Barn", "--tracker", field.user.tracker)
    with on_a_terminal(field.user.home, *command, columns=120, lines=30) as terminal:
        field.rigs[1].room.call(lambda: pace.allow(1))
        terminal.expect("▶ ≥1 token")
        terminal.expect("✓ .*✓ ")
        field.rigs[1].kill()
        table = terminal.expect("Kept on this machine")
        assert terminal.process.wait(15) == 0
    return table


@pytest.mark.timeout(90)
def test_ctrl_c_ends_all_and_keeps_what_came(field: Field) -> None:
    for rig in field.rigs[1:]:
        rig.engine.pace = pace = OnDemand()
        rig.room.call(partial(pace.allow, 1))
    command = ("race", MODEL, "--tracker", field.user.tracker)
    with on_a_terminal(field.user.home, *command, columns=80, lines=24) as terminal:
        terminal.expect("✓")
        terminal.expect(r"▶ ≥1 token(?:.|\n)*▶ ≥1 token")
        terminal.type("\x03")
        for rig in field.rigs[1:]:
            rig.left()
        assert terminal.process.wait(15) == 130
    kept = [json.loads(path.read_bytes()) for path in (field.user.home / "history").iterdir()]
    assert sorted(each["outcome"] for each in kept) == ["complete", "cut", "cut"]
