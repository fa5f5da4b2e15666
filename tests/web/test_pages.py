"""The map's addresses: what the form asks for is what the links say."""

from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from luckrig.web.map_page import MIN_VRAM_GB_STEPS, Filters, MapPage
from luckrig.web.pages import descriptor_path, node_path
from tests.web.rigs import map_page, twelve_rigs

EVERY_FILTER = Filters(
    q="a&b=c",
    gpu="RTX 3090",
    vendor="nvidia",
    model="qwen3:8b",
    family="qwen",
    quant="Q4_K_M",
    tag="#quiet",
    like="n1x",
    status="available",
    capability="tools",
    min_vram=20,
    min_context=32_768,
    sort="name",
)


def query_of(path: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(path).query, strict_parsing=True))


def filtered(view_filters: Filters = EVERY_FILTER) -> MapPage:
    page = map_page(twelve_rigs())
    return replace(page, filters=view_filters, view="table", after="c1", next_cursor="c2")


def test_a_plain_map_has_plain_addresses() -> None:
    page = map_page(twelve_rigs())
    assert page.first_path == page.reset_path == "/"
    assert page.api_path == "/api/v1/nodes"
    assert page.next_path is None
    assert page.view_paths == {"cards": "/", "table": "/?view=table"}
    assert page.active_filters == []


def test_every_filter_travels_to_the_next_page() -> None:
    page = filtered()
    assert page.next_path is not None
    assert query_of(page.next_path) == {
        "q": "a&b=c",
        "gpu": "RTX 3090",
        "vendor": "nvidia",
        "model": "qwen3:8b",
        "family": "qwen",
        "quant": "Q4_K_M",
        "tag": "#quiet",
        "like": "n1x",
        "status": "available",
        "capability": "tools",
        "min_vram": "20",
        "min_context": "32768",
        "sort": "name",
        "view": "table",
        "after": "c2",
    }


def test_the_json_list_is_the_list_on_the_page() -> None:
    query = query_of(filtered().api_path)
    assert query["after"] == "c1"
    assert query["gpu"] == "RTX 3090"
    assert "view" not in query


def test_a_chip_takes_exactly_its_own_filter_away() -> None:
    page = filtered()
    whole = query_of(page.first_path)
    assert len(page.active_filters) == 12
    for active in page.active_filters:
        left = query_of(active.without)
        assert len(whole) - len(left) == 1
        assert set(left.items()) < set(whole.items())


def test_reset_keeps_the_view_only() -> None:
    assert filtered().reset_path == "/?view=table"


def test_a_value_typed_into_the_address_is_offered_by_the_form() -> None:
    assert filtered().min_vram_steps == sorted([*MIN_VRAM_GB_STEPS, 20])
    assert filtered(Filters()).min_vram_steps == list(MIN_VRAM_GB_STEPS)


def test_an_id_cannot_leave_its_path() -> None:
    assert node_path("../x?y#z") == "/nodes/..%2Fx%3Fy%23z"
    assert descriptor_path("a/b") == "/api/v1/nodes/a%2Fb"
