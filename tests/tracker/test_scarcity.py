"""Scarcity: the worked example, and what must hold for any map."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.descriptor import Offer
from luckrig.protocol.wire import NodeStatus
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.scarcity import ScarcityIndex, scarcities
from tests.tracker.factories import make_hardware, make_health, make_node, make_offer, seeded

GPUS = ["RTX 4090", "RTX 3090", "Tesla P40", None]
MODELS = ["qwen3:8b", "qwen3:4b", "llama3.1:8b", "gemma3:27b"]

OFFERS = st.builds(
    make_offer,
    st.sampled_from(MODELS),
    quantization=st.sampled_from(["Q4_K_M", "Q8_0", None]),
)


RIGS = [make_node(seed) for seed in range(120)]


def rig(
    number: int,
    gpu: str | None = "RTX 4090",
    offers: Sequence[Offer] = (make_offer(),),
    status: NodeStatus = "available",
) -> NodeRecord:
    """Rig `number` with other hardware and models; nobody signs them here."""
    descriptor = msgspec.structs.replace(
        RIGS[number].descriptor, hardware=make_hardware(gpu), offers=list(offers)
    )
    return replace(RIGS[number], descriptor=descriptor, health=make_health(status))


@st.composite
def maps(draw: st.DrawFn) -> list[NodeRecord]:
    """Some rigs with some offers in some states."""
    offers = st.lists(OFFERS, min_size=1, max_size=3, unique_by=lambda offer: offer.model)
    statuses: list[NodeStatus] = ["available", "starting", "paused"]
    return [
        rig(number, draw(st.sampled_from(GPUS)), draw(offers), draw(st.sampled_from(statuses)))
        for number in range(draw(st.integers(1, 8)))
    ]


def test_the_worked_example_is_true() -> None:
    common = [rig(number) for number in range(100)]
    assert set(scarcities(common).values()) == {0.01}
    retyped = rig(0, offers=[make_offer("qwen3:8b-mine")])
    assert scarcities([retyped, *common[1:]])[retyped.node_id] == 0.0316
    p40 = rig(110, "Tesla P40")
    assert scarcities([p40, *common])[p40.node_id] == 0.5004


@pytest.mark.parametrize("status", ["available", "busy", "starting", "paused", "unavailable"])
def test_the_only_rig_is_as_scarce_as_can_be(status: NodeStatus) -> None:
    node = rig(0, status=status)
    assert scarcities([node]) == {node.node_id: 1.0}


def test_an_empty_map_has_no_scarcity() -> None:
    assert scarcities([]) == {}


def test_rigs_without_a_gpu_share_their_gpu() -> None:
    assert set(scarcities(rig(number, gpu=None) for number in range(10)).values()) == {0.1}


def test_spelling_makes_no_rig_scarce() -> None:
    respelled = rig(
        1,
        gpu="NVIDIA GeForce RTX 4090 24GB",
        offers=[make_offer("Qwen/Qwen3-8B-GGUF", quantization="q4_k_m")],
    )
    assert scarcities([rig(0), respelled]) == scarcities([rig(0), rig(1)])


@pytest.mark.parametrize(
    ("model", "quantization"), [("qwen3:8b", "Q4_K_MM"), ("qwne3:8b", "Q4_K_M"), ("x", "x")]
)
def test_a_typo_is_scarcer_than_no_typo_but_not_than_a_scarce_gpu(
    model: str, quantization: str
) -> None:
    common = [rig(number) for number in range(30)]
    mistyped = rig(0, offers=[make_offer(model, quantization=quantization)])
    p40 = rig(110, "Tesla P40")
    scarcity = scarcities([mistyped, *common[1:], p40])
    assert scarcity[common[1].node_id] < scarcity[mistyped.node_id] <= 30**-0.6
    assert scarcity[mistyped.node_id] < scarcity[p40.node_id] / 4


def test_rigs_that_are_not_live_count_for_nobody_else() -> None:
    live, down = [rig(number) for number in range(3)], rig(3, status="paused")
    scarcity = scarcities([*live, down])
    assert {scarcity[node.node_id] for node in live} == {round(1 / 3, 4)}
    assert scarcity[down.node_id] == 0.25


def test_many_offers_of_one_rig_count_as_one_rig() -> None:
    offers = [make_offer(f"qwen3:8b-q{bits}_0", quantization="Q4_K_M") for bits in (4, 5, 8)]
    node = rig(0, offers=offers)
    assert scarcities([node]) == {node.node_id: 1.0}


@given(maps())
def test_scarcity_lies_between_0_and_1(nodes: list[NodeRecord]) -> None:
    scarcity = scarcities(nodes)
    assert set(scarcity) == {node.node_id for node in nodes}
    assert all(0 < value <= 1 for value in scarcity.values())


@given(maps(), st.data())
def test_one_more_of_the_same_never_raises_scarcity(
    nodes: list[NodeRecord], data: st.DataObject
) -> None:
    twin = data.draw(st.sampled_from(nodes)).descriptor
    added = rig(99, twin.hardware.gpu, twin.offers)
    before, after = scarcities(nodes), scarcities([*nodes, added])
    assert all(after[node_id] <= value for node_id, value in before.items())


@given(maps(), st.randoms(use_true_random=False))
def test_the_order_of_the_rigs_does_not_matter(nodes: list[NodeRecord], rng: Random) -> None:
    assert scarcities(rng.sample(nodes, k=len(nodes))) == scarcities(nodes)


@pytest.mark.parametrize("seed", range(5))
def test_the_index_is_what_counting_from_scratch_gives(seed: int) -> None:
    """After any history of rigs that come, go, change and fall silent."""
    rng = seeded(f"index {seed}")
    index, listed = ScarcityIndex(), dict[str, NodeRecord]()
    gpus, models = [None, "RTX 4090", "rtx4090", "P40"], ["qwen3:8b", "llama3:8b", "odd"]
    for _ in range(300):
        node = make_node(
            rng.randint(1, 12),
            hardware=make_hardware(rng.choice(gpus)),
            offers=[make_offer(model) for model in rng.sample(models, rng.randint(1, 3))],
            health=make_health(rng.choice(["available", "busy", "unavailable", "paused"])),
        )
        if rng.random() < 0.3:
            listed.pop(node.node_id, None)
            index.drop(node.node_id)
        elif rng.random() < 0.7:
            listed[node.node_id] = node
            index.put(node)
        else:
            listed[node.node_id] = node
            index.follow(list(listed.values()))
        assert len(index) == len(listed)
        assert index.scarcities() == scarcities(listed.values())


def test_a_change_touches_only_its_own_rig() -> None:
    """Its cost can't depend on how many others there are: none of theirs is read."""
    index = ScarcityIndex()
    index.follow([make_node(seed, health=make_health()) for seed in range(1, 30)])
    unread = replace(make_node(1), health=make_health("unavailable"))
    for seed in range(2, 30):
        index._rigs[make_node(seed).node_id] = None  # type: ignore[assignment]  # pyright: ignore
    index.put(unread)
    assert index.scarcity(unread.node_id) == pytest.approx(1 / 29, abs=1e-4)
