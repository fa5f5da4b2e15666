"""Which rig of those that fit: drawn by chance, weighed by what is known. Virtual rigs and time."""

import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from luckrig.client.calling.matching import Candidate, find
from luckrig.client.calling.picking import (
    FIRST_REST_SECONDS,
    LONGEST_REST_SECONDS,
    Choice,
    Measure,
    Standing,
    cost,
    pick,
)
from luckrig.client.wanted import Wanted
from luckrig.protocol.descriptor import Offer
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.wire import NodeView, QueueView
from tests.client.fake_tracker import make_rig

QUICK, SLOW = Measure(0.2, 80), Measure(2.0, 8)
CHAT = "/v1/chat/completions"


def choice(number: int = 1, *, shared: Measure | None = None, **changes: Any) -> Choice:
    view = msgspec.structs.replace(make_rig(number, scarcity=0).view, **changes)
    return Choice(Candidate(view, view.offers[0]), Standing(), shared)


def drawn(choices: list[Choice], times: int = 2000) -> Counter[int]:
    """How often each one was picked, by its place."""
    rng = random.Random(7)  # noqa: S311 -- picks rigs, guards nothing
    return Counter(choices.index(pick(choices, rng)) for _ in range(times))


def test_the_quicker_of_two_is_always_taken() -> None:
    assert drawn([choice(1, shared=SLOW), choice(2, shared=QUICK)]) == {1: 2000}


def test_load_spreads_over_rigs_that_are_alike() -> None:
    counts = drawn([choice(number, shared=QUICK) for number in range(4)])
    assert min(counts.values()) > 300


def test_the_slowest_of_many_is_never_taken_and_the_best_not_always() -> None:
    counts = drawn([choice(number, shared=Measure(number, 50)) for number in range(1, 6)])
    assert counts[4] == 0
    assert 0.3 < counts[0] / 2000 < 0.5


def test_ones_own_measurements_go_before_those_of_others() -> None:
    praised, proven = choice(1, shared=QUICK), choice(2, shared=SLOW)
    praised.standing.measured("llama3.1:8b", SLOW)
    proven.standing.measured("llama3.1:8b", QUICK)
    assert drawn([praised, proven]) == {1: 2000}


def test_a_new_rig_is_tried_once_and_then_known() -> None:
    known, new = choice(1, shared=QUICK), choice(2)
    assert drawn([known, new]) == {1: 2000}
    new.standing.measured("llama3.1:8b", SLOW)
    assert drawn([known, new]) == {0: 2000}


def test_a_measurement_moves_what_is_known_a_little() -> None:
    standing = Standing()
    standing.measured("m", Measure(1.0, 100))
    standing.measured("m", Measure(2.0, 50))
    assert standing.own["m"].first_seconds == pytest.approx(1.3)
    assert standing.own["m"].tokens_per_second == pytest.approx(85)


def test_a_full_rig_is_left_to_others() -> None:
    full = QueueView(active=2, waiting=4, max_active=2)
    free = QueueView(active=0, waiting=0, max_active=2)
    queues = [choice(1, shared=QUICK, queue=full), choice(2, shared=QUICK, queue=free)]
    assert drawn(queues) == {1: 2000}


def test_ones_own_running_requests_count_before_the_tracker_knows_them() -> None:
    used, idle = choice(1, shared=QUICK), choice(2, shared=QUICK)
    used.standing.running = 3
    assert drawn([used, idle]) == {1: 2000}


def test_a_scarce_rig_is_spared_when_a_common_one_is_as_good() -> None:
    scarce, common = choice(1, shared=QUICK, scarcity=1.0), choice(2, shared=QUICK)
    assert drawn([scarce, common]) == {1: 2000}
    assert drawn([choice(1, shared=QUICK, scarcity=1.0), choice(2, shared=SLOW)]) == {0: 2000}
    many = [choice(number, shared=QUICK, scarcity=1.0) for number in range(3)]
    counts = drawn([*many, choice(3, shared=QUICK), choice(4, shared=QUICK)])
    assert counts[3] + counts[4] > 1700


@pytest.mark.parametrize("scarcity", [-5.0, 7.0, 1e308])
def test_a_trackers_nonsense_does_no_harm(scarcity: float) -> None:
    queue = QueueView(active=-3, waiting=-3, max_active=0)
    odd = [choice(number, scarcity=scarcity, queue=queue) for number in range(3)]
    assert sum(drawn([*odd, choice(4, shared=Measure(-1.0, 0.0))], 50).values()) == 50


def test_what_it_costs_grows_with_who_is_ahead() -> None:
    costs = [
        cost(choice(1, queue=QueueView(active=2, waiting=n, max_active=2)), 4.0) for n in range(5)
    ]
    assert costs == sorted(set(costs))


def test_a_rig_that_fails_rests_twice_as_long_each_time() -> None:
    standing, rests = Standing(), list[float]()
    for _ in range(12):
        standing.failed(100.0, None)
        rests.append(standing.rests_until - 100)
    assert rests[:3] == [FIRST_REST_SECONDS, 2 * FIRST_REST_SECONDS, 4 * FIRST_REST_SECONDS]
    assert max(rests) == LONGEST_REST_SECONDS
    standing.worked()
    standing.failed(100.0, None)
    assert standing.rests_until == 100 + FIRST_REST_SECONDS
    standing.failed(100.0, 7)
    assert (standing.rests_until, standing.asked) == (107, True)
    standing.failed(100.0, 10**6)
    assert standing.rests_until == 100 + LONGEST_REST_SECONDS


def no_speed(rig: NodeView, offer: Offer) -> float | None:
    return None


def views(*changes: dict[str, Any]) -> list[NodeView]:
    made: list[NodeView] = []
    for number, change in enumerate(changes):
        fields = {name: change[name] for name in ("gpu", "name", "models") if name in change}
        view = make_rig(number, **fields).view
        offer = {
            name: change[name]
            for name in ("quantization", "context_length", "capabilities")
            if name in change
        }
        offers = [msgspec.structs.replace(each, **offer) for each in view.offers]
        rest = {name: change[name] for name in ("status", "opens_at") if name in change}
        made.append(msgspec.structs.replace(view, offers=offers, **rest))
    return made


def places(rigs: list[NodeView], path: str = CHAT, **wanted: Any) -> list[int]:
    """Which of them fit."""
    found = find(rigs, Wanted(**wanted), path=path, speed=no_speed)
    return [rigs.index(each.rig) for each in found]


def test_models_gpus_and_quantisations_match_in_any_common_spelling() -> None:
    rigs = views(
        {"models": ["qwen3:8b"], "gpu": "NVIDIA GeForce RTX 4090", "quantization": "Q4_K_M"},
        {"models": ["Qwen/Qwen3-8B-GGUF"], "gpu": "RTX 5090 32GB", "quantization": "q8_0"},
        {"models": ["llama3.1:8b"], "gpu": None, "quantization": "BF16"},
    )
    assert places(rigs) == [0, 1, 2]
    assert places(rigs, model="qwen3-8b") == [0, 1]
    assert places(rigs, gpu="rtx4090") == [0]
    assert places(rigs, quant="q4-k-m") == [0]
    assert places(rigs, quant=">=Q5") == [1, 2]
    assert places(rigs, quant=">=Q8", model="qwen3:8b") == [1]


def test_the_exact_name_goes_before_another_spelling() -> None:
    [rig] = views({"models": ["Qwen3-8B-Instruct", "qwen3:8b"]})
    [found] = find([rig], Wanted(model="qwen3:8b"), path=CHAT, speed=no_speed)
    assert found.offer.model == "qwen3:8b"


def test_context_and_capability_are_needed_where_they_are_told() -> None:
    rigs = views(
        {"context_length": 8192},
        {"context_length": None},
        {"context_length": 32_768, "capabilities": ["embedding"]},
        {"capabilities": ["chat", "tools"]},
    )
    assert places(rigs, ctx=8192) == [0, 3]
    assert places(rigs, capability="tools") == [3]
    assert places(rigs, path="/v1/embeddings") == [2]
    assert places(rigs) == [0, 1, 3]
    assert places(rigs, model="llama3.1:8b") == [0, 1, 2, 3]


def test_a_rig_that_is_known_to_be_slow_is_left_out() -> None:
    rigs = views({}, {}, {})
    speeds = {rigs[0].id: 10.0, rigs[1].id: 60.0}
    found = find(rigs, Wanted(min_tps=40), path=CHAT, speed=lambda rig, _: speeds.get(rig.id))
    assert [each.rig for each in found] == rigs[1:]


def test_closed_rigs_are_left_out_unless_they_are_named() -> None:
    rigs = views(
        {"status": "paused", "opens_at": 77, "name": "attic"}, {"status": "busy", "name": "x"}
    )
    assert places(rigs) == [1]
    assert places(rigs, node="attic") == [0]
    with pytest.raises(LuckrigError, match=r"attic is paused.*77") as raised:
        places(rigs[:1])
    assert raised.value.code == "node_offline"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"model": "gpt-9"}, "There is: llama3.1:8b, qwen3:8b."),
        ({"gpu": "5090", "quant": "Q4_K_M"}, "without gpu 2 rigs would"),
        ({"gpu": "5090", "ctx": 10**8}, "drop more than one"),
        ({"node": "n1zz"}, "No rig on the map"),
        ({"node": "attic", "model": "llama3.1:8b"}, "attic doesn't serve"),
        ({"node": "twin"}, "Several rigs fit"),
    ],
)
def test_when_nothing_fits_the_error_says_what_there_is(wanted: dict[str, Any], told: str) -> None:
    rigs = views({"models": ["qwen3:8b"], "name": "attic"}, {"name": "twin"}, {"name": "twin"})
    with pytest.raises(LuckrigError) as raised:
        places(rigs[: 2 if "quant" in wanted else 3], **wanted)
    assert told in raised.value.message


def test_an_empty_map_says_so() -> None:
    with pytest.raises(LuckrigError, match="No rig is on this tracker's map"):
        places([])


def test_a_strangers_name_cannot_harm_a_terminal() -> None:
    rigs = [msgspec.structs.replace(view, name="\x1b[2Jattic") for view in views({}, {})]
    with pytest.raises(LuckrigError) as raised:
        places(rigs, node="\x1b[2Jattic")
    assert raised.value.message.isprintable()
