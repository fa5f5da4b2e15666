"""Filters, order and pages of the list."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.descriptor import Hardware
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.wire import TimingView
from luckrig.tracker.domain.listing import NodeQuery, Row, Selection, Sort, sort_key
from luckrig.tracker.domain.map_index import MapIndex
from luckrig.tracker.domain.records import NodeRecord
from tests.tracker.factories import (
    GIB,
    NOW,
    make_hardware,
    make_health,
    make_node,
    make_offer,
    make_timing,
    seeded,
)

SORTS: tuple[Sort, ...] = get_args(Sort)

NODES = [
    make_node(
        1,
        name="attic",
        note="Water-cooled\nand quiet #Attic #24h",
        hardware=make_hardware("NVIDIA GeForce RTX 4090"),
        offers=[make_offer("qwen3:8b"), make_offer("gemma3:27b", quantization="Q8_0")],
        health=make_health("available", seen_at=NOW + 5),
        listed_at=NOW + 1,
    ),
    make_node(
        2,
        name="Basement",
        hardware=make_hardware("rtx4090", vram_gib=48),
        offers=[make_offer("Qwen3-8B-GGUF", context_length=131_072, capabilities=("tools",))],
        health=make_health("busy", seen_at=NOW + 4),
        listed_at=NOW + 3,
    ),
    make_node(
        3,
        name="cellar",
        hardware=make_hardware(None),
        offers=[make_offer("mistral:7b", family="llama", quantization=None, context_length=None)],
        listed_at=NOW + 2,
    ),
]
TIMINGS = [
    make_timing(NODES[0], "qwen3:8b", 40.0),
    make_timing(NODES[0], "gemma3:27b", 90.0, users=9),
    make_timing(NODES[0], "a model of last week", 900.0, users=99),
    make_timing(NODES[1], "Qwen3-8B-GGUF", 50.0),
]


def index_of(nodes: Sequence[NodeRecord], timings: Sequence[TimingView] = ()) -> MapIndex:
    """As a tracker has it that never saw any other rigs."""
    index = MapIndex()
    index.follow(list(nodes))
    index.count_scarcity()
    index.put_timings(timings)
    return index


INDEX = index_of(NODES, TIMINGS)


def listed(query: NodeQuery) -> list[int]:
    """The numbers of the listed rigs."""
    numbers = {node.node_id: number for number, node in enumerate(NODES, start=1)}
    return [numbers[row.node.node_id] for row in INDEX.select(query).rows]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (NodeQuery(), [3, 1, 2]),
        (NodeQuery(text="4090"), [1, 2]),
        (NodeQuery(text="QUIET water"), [1]),
        (NodeQuery(text="base"), [2]),
        (NodeQuery(text="mistral"), [3]),
        (NodeQuery(text="quiet basement"), []),
        (NodeQuery(text=" "), [3, 1, 2]),
        (NodeQuery(gpu="4090 24GB"), [1, 2]),
        (NodeQuery(gpu="RTX 409"), []),
        (NodeQuery(gpu="CPU"), [3]),
        (NodeQuery(vendor="nvidia"), [1, 2]),
        (NodeQuery(vendor="cpu"), [3]),
        (NodeQuery(model="qwen3:8b"), [1, 2]),
        (NodeQuery(family="Qwen"), [1, 2]),
        (NodeQuery(family="mistral"), [3]),
        (NodeQuery(quant="q4-k-m"), [1, 2]),
        (NodeQuery(min_context=32_768), [1, 2]),
        (NodeQuery(min_context=32_769), [2]),
        (NodeQuery(min_vram_bytes=24 * GIB), [1, 2]),
        (NodeQuery(min_vram_bytes=48 * GIB), [2]),
        (NodeQuery(status="busy"), [2]),
        (NodeQuery(status="unknown"), [3]),
        (NodeQuery(capability="tools"), [2]),
        (NodeQuery(model="gemma3:27b", quant="Q8_0"), [1]),
        (NodeQuery(sort="newest"), [2, 3, 1]),
        (NodeQuery(sort="name"), [1, 2, 3]),
        (NodeQuery(sort="last_seen"), [1, 2, 3]),
        (NodeQuery(sort="context"), [2, 1, 3]),
        (NodeQuery(sort="measured"), [1, 2, 3]),
        (NodeQuery(sort="measured", family="qwen"), [2, 1]),
        (NodeQuery(tag="attic"), [1]),
        (NodeQuery(tag="#ATTIC"), [1]),
        (NodeQuery(tag="quiet"), []),
        (NodeQuery(like=NODES[1].node_id), [1, 2]),
        (NodeQuery(like=NODES[2].node_id), [3]),
        (NodeQuery(like="n1nobody"), []),
        (NodeQuery(node_ids=frozenset((NODES[2].node_id, NODES[0].node_id, "n1nobody"))), [3, 1]),
    ],
)
def test_a_query_lists(query: NodeQuery, numbers: list[int]) -> None:
    assert listed(query) == numbers


def test_one_offer_must_meet_every_wish_about_offers() -> None:
    """The first rig serves qwen3:8b, and something as Q8_0, but not qwen3:8b as Q8_0."""
    assert listed(NodeQuery(model="qwen3:8b", quant="Q8_0")) == []


def all_pages(index: MapIndex, query: NodeQuery) -> list[Selection]:
    pages = [index.select(query)]
    while (after := pages[-1].next_cursor) is not None:
        pages.append(index.select(replace(query, after=after)))
    return pages


def ids(rows: Iterable[Row]) -> list[str]:
    return [row.node.node_id for row in rows]


GPUS = ("RTX 4090", "RTX 3090", None)
TIED = [
    make_node(
        seed,
        name=f"rig {seed % 3}" if seed % 2 else f"RIG {seed % 3}",
        note="#quiet" if seed % 2 else "",
        hardware=make_hardware(GPUS[seed % 3], vram_gib=24 + seed % 2),
        offers=[
            make_offer(model, context_length=(None, 4096, 8192)[seed % 3])
            for model in ("qwen3:8b", "gemma3:27b")[: 1 + seed % 2]
        ],
        listed_at=NOW + seed % 4,
        health=make_health(("available", "busy", "paused")[seed % 3], seen_at=NOW + seed % 2),
    )
    for seed in range(1, 24)
]
TIED_TIMINGS = [
    make_timing(node, model, float(10 + number % 3))
    for number, node in enumerate(TIED[:15])
    for model in ("qwen3:8b", "gemma3:27b")[: 1 + number % 2]
]
TIED_INDEX = index_of(TIED, TIED_TIMINGS)
QUERIES = st.builds(
    NodeQuery,
    text=st.sampled_from([None, None, "rig 1", "qwen"]),
    vendor=st.sampled_from([None, None, "nvidia", "cpu"]),
    model=st.sampled_from([None, None, "gemma3:27b", "qwen3-8b"]),
    family=st.sampled_from([None, None, "qwen"]),
    tag=st.sampled_from([None, None, "quiet"]),
    like=st.sampled_from([None, None, TIED[0].node_id, TIED[2].node_id]),
    min_context=st.sampled_from([None, None, 4096]),
    status=st.sampled_from([None, None, "available"]),
    sort=st.sampled_from(SORTS),
    limit=st.integers(1, 30),
)


@given(QUERIES, st.randoms(use_true_random=False))
def test_pages_hold_every_rig_once_in_one_order(query: NodeQuery, rng: Random) -> None:
    """Whatever is asked for, however the store orders the rigs, and however many of them tie."""
    shuffled = index_of(rng.sample(TIED, k=len(TIED)), TIED_TIMINGS)
    pages = all_pages(shuffled, query)
    whole = TIED_INDEX.matching(query)
    assert [id for page in pages for id in ids(page.rows)] == ids(whole)
    assert {page.total for page in pages} == {len(whole)}
    assert all(len(page.rows) == query.limit for page in pages[:-1])
    key = sort_key(query)
    positions = [(key(row), row.node.node_id) for row in whole]
    assert positions == sorted(positions)


def test_a_page_goes_on_where_the_last_one_ended_though_its_last_rig_left() -> None:
    first = TIED_INDEX.select(NodeQuery(sort="newest", limit=5))
    gone = first.rows[-1].node
    remaining = index_of([node for node in TIED if node is not gone])
    rest = remaining.select(NodeQuery(sort="newest", limit=200, after=first.next_cursor))
    assert {*ids(rest.rows)} == {node.node_id for node in TIED} - {*ids(first.rows)}


@pytest.mark.parametrize("seed", range(3))
def test_an_index_that_follows_is_one_made_from_scratch(seed: int) -> None:
    """After any history of rigs that come, go, change, answer and are measured."""
    rng = seeded(f"map {seed}")
    index, listed_now, timings = MapIndex(), dict[str, NodeRecord](), list[TimingView]()
    for step in range(120):
        for old in rng.sample(TIED, k=rng.randrange(3)):
            descriptor = old.descriptor
            if rng.random() < 0.3:
                offers = [make_offer(rng.choice(["qwen3:8b", "phi4:14b"]))]
                name = rng.choice(["a", "b", "c"])
                descriptor = msgspec.structs.replace(
                    descriptor, seq=step + 2, name=name, note="#new", offers=offers
                )
            health = make_health(rng.choice(["available", "paused"]), seen_at=NOW + step)
            listed_now[old.node_id] = replace(old, descriptor=descriptor, health=health)
        if listed_now and rng.random() < 0.3:
            del listed_now[rng.choice(list(listed_now))]
        index.follow(list(listed_now.values()))
        index.count_scarcity()
        if rng.random() < 0.2:
            timings = rng.sample(TIED_TIMINGS, k=rng.randrange(len(TIED_TIMINGS)))
            index.put_timings(timings)
        fresh = index_of(list(listed_now.values()), timings)
        assert (index.summary(), index.scarce()) == (fresh.summary(), fresh.scarce())
        assert index.scarcities() == fresh.scarcities()
        for sort in SORTS:
            query = NodeQuery(sort=sort, model=rng.choice([None, "qwen3:8b"]))
            assert index.matching(query) == fresh.matching(query)


def test_a_status_alone_leaves_scarcity_for_the_next_count() -> None:
    index = index_of(NODES)
    later = replace(NODES[0], health=make_health("paused"))
    assert not index.follow([later, *NODES[1:]])
    assert index.select(NodeQuery(status="paused")).rows[0].node is later
    assert index.follow(NODES[1:])


def test_likeness_is_the_gpu_or_about_as_much_memory_without_one() -> None:
    def rig(number: int, ram_gib: int | None) -> NodeRecord:
        ram_bytes = None if ram_gib is None else ram_gib * GIB
        hardware = Hardware(gpu=None, vram_bytes=None, cpu="CPU", ram_bytes=ram_bytes)
        return make_node(number, hardware=hardware)

    sizes = (64, 43, 96, 42, 97, None)
    nodes = [*(rig(number, size) for number, size in enumerate(sizes, start=11)), NODES[0]]
    index = index_of(nodes)
    assert {*ids(index.matching(NodeQuery(like=nodes[0].node_id)))} == {
        node.node_id for node in nodes[:3]
    }
    without = index.matching(NodeQuery(like=nodes[5].node_id))  # it doesn't say how much it has
    assert len(without) == 6


def test_what_is_scarce_now_answers_and_is_one_of_each_gpu() -> None:
    answering = [make_node(seed, health=make_health("busy")) for seed in (1, 2)]
    silent = make_node(3, hardware=make_hardware("Tesla P40"), health=make_health("paused"))
    offers = [make_offer("phi4:14b", quantization=None), make_offer("qwen3:8b")]
    cpu = make_node(4, hardware=make_hardware(None), offers=offers, health=make_health())
    scarce = index_of([*answering, silent, cpu]).scarce()
    assert [(each.gpu, each.model, each.quant, each.answering) for each in scarce] == [
        (None, "phi4:14b", None, 1),
        ("NVIDIA GeForce RTX 3090", "qwen3:8b", "Q4_K_M", 2),
    ]
    assert scarce[0].scarcity == 1.0


HOSTILE = [
    "",
    "%",
    "next",
    "AAAA",
    "n" * 100_000,
    b64url_encode(b"null"),
    b64url_encode(b"[]"),
    b64url_encode(b'["scarcity", "0.5", "n1"]'),
    b64url_encode(b'["scarcity", NaN, "n1"]'),
    b64url_encode(b'["scarcity", 1e999, "n1"]'),
    b64url_encode(b'["scarcity", true, "n1"]'),
    b64url_encode(b'["scarcity", 0.5, 7]'),
    b64url_encode(b'["scarcity", 0.5, "n1", "more"]'),
    b64url_encode(b'["name", "rig", "n1"]'),
    b64url_encode(b'["speed", 0.5, "n1"]'),
    b64url_encode(b"[" * 100_000),
    b64url_encode(b'["scarcity", 0.5, "\xff"]'),
]


@pytest.mark.parametrize("after", HOSTILE, ids=range(len(HOSTILE)))
def test_a_cursor_that_was_never_given_out_is_refused(after: str) -> None:
    with pytest.raises(PeerError) as caught:
        INDEX.select(NodeQuery(after=after))
    assert (caught.value.code, caught.value.param) == ("invalid_request", "after")


@given(st.binary(max_size=60), st.sampled_from(SORTS))
def test_any_cursor_gives_a_page_or_a_refusal(data: bytes, sort: Sort) -> None:
    try:
        INDEX.select(NodeQuery(after=b64url_encode(data), sort=sort))
    except PeerError as error:
        assert error.param == "after"
