"""Filters, order and pages of the list."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.tracker.domain.listing import NodeQuery, Selection, Sort, select
from luckrig.tracker.domain.records import NodeRecord
from tests.tracker.factories import (
    GIB,
    NOW,
    make_hardware,
    make_health,
    make_node,
    make_offer,
)

SORTS: list[Sort] = ["scarcity", "newest", "name", "last_seen"]

NODES = [
    make_node(
        1,
        name="attic",
        note="Water-cooled\nand quiet",
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
SCARCITY = {NODES[0].node_id: 0.2, NODES[1].node_id: 0.1, NODES[2].node_id: 0.9}


def listed(query: NodeQuery) -> list[int]:
    """The numbers of the listed rigs."""
    numbers = {node.node_id: number for number, node in enumerate(NODES, start=1)}
    return [numbers[node.node_id] for node in select(NODES, SCARCITY, query).nodes]


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
    ],
)
def test_a_query_lists(query: NodeQuery, numbers: list[int]) -> None:
    assert listed(query) == numbers


def test_one_offer_must_meet_every_wish_about_offers() -> None:
    """The first rig serves qwen3:8b, and something as Q8_0, but not qwen3:8b as Q8_0."""
    assert listed(NodeQuery(model="qwen3:8b", quant="Q8_0")) == []


def all_pages(nodes: list[NodeRecord], query: NodeQuery) -> list[Selection]:
    scarcity = {node.node_id: len(node.descriptor.name) / 10 for node in nodes}
    pages = [select(nodes, scarcity, query)]
    while (after := pages[-1].next_cursor) is not None:
        pages.append(select(nodes, scarcity, replace(query, after=after)))
    return pages


TIED = [
    make_node(
        seed,
        name=f"rig {seed % 3}" if seed % 2 else f"RIG {seed % 3}",
        listed_at=NOW + seed % 4,
        health=make_health(seen_at=NOW + seed % 2),
    )
    for seed in range(1, 24)
]


@given(st.sampled_from(SORTS), st.integers(1, 30), st.randoms(use_true_random=False))
def test_pages_hold_every_rig_once_in_one_order(sort: Sort, limit: int, rng: Random) -> None:
    """However the store orders the rigs, and however many of them tie."""
    shuffled = rng.sample(TIED, k=len(TIED))
    pages = all_pages(shuffled, NodeQuery(sort=sort, limit=limit))
    paged = [node for page in pages for node in page.nodes]
    assert paged == all_pages(TIED, NodeQuery(sort=sort, limit=200))[0].nodes
    assert len(paged) == len(TIED)
    assert {page.total for page in pages} == {len(TIED)}
    assert all(len(page.nodes) == limit for page in pages[:-1])


def test_a_page_goes_on_where_the_last_one_ended_though_its_last_rig_left() -> None:
    first = select(TIED, {node.node_id: 0.5 for node in TIED}, NodeQuery(limit=5))
    remaining = [node for node in TIED if node != first.nodes[-1]]
    query = NodeQuery(limit=200, after=first.next_cursor)
    rest = select(remaining, {node.node_id: 0.5 for node in TIED}, query)
    assert {node.node_id for node in rest.nodes} == {
        node.node_id for node in TIED if node not in first.nodes
    }


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
        select(NODES, SCARCITY, NodeQuery(after=after))
    assert (caught.value.code, caught.value.param) == ("invalid_request", "after")


@given(st.binary(max_size=60), st.sampled_from(SORTS))
def test_any_cursor_gives_a_page_or_a_refusal(data: bytes, sort: Sort) -> None:
    try:
        select(NODES, SCARCITY, NodeQuery(after=b64url_encode(data), sort=sort))
    except PeerError as error:
        assert error.param == "after"
