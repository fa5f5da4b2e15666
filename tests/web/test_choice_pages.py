"""/compare, /showcase and /queue before any script runs: whole, translated, ranking nobody."""

import re
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from luckrig.protocol.descriptor import Policy
from luckrig.protocol.schedule import Schedule, parse_windows
from luckrig.protocol.wire import NodeView
from luckrig.web.assets import static_files
from luckrig.web.compare_page import ComparedRig
from luckrig.web.foreign import clean
from luckrig.web.headers import CONTENT_SECURITY_POLICY
from luckrig.web.languages import load_languages
from luckrig.web.pages import Page
from luckrig.web.queue_page import QueuePage
from luckrig.web.render import make_renderer
from tests.web.choice_samples import (
    NUMBERS,
    compare_page,
    compared,
    left_out,
    queue_rigs,
    sample_pages,
    showcase_page,
    similar,
    timing,
)
from tests.web.documents import Document, read
from tests.web.hostile import HOSTILE
from tests.web.rigs import SITE, make_rig, offer

FILES = static_files()
RENDERER = make_renderer(FILES)
LANGUAGES = list(load_languages())


def rendered(page: Page) -> Document:
    return read(RENDERER.render(page))


def rig(name: str, *, gpu: str = "NVIDIA GeForce RTX 3090", model: str = "qwen3:8b") -> NodeView:
    return make_rig(name, gpu=gpu, vram_gb=24, offers=[offer(model, None, None, "Q4_K_M", 8192)])


def columns(*nodes: NodeView) -> list[ComparedRig]:
    return [ComparedRig(node=node) for node in nodes]


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_whole_in_each_language(language: str) -> None:
    for name, page in sample_pages(language):
        document = rendered(page)
        assert document.problems == [], name
        assert document.elements[0].get("lang") == language
        ids = [each.get("id") for each in document.having("id")]
        assert len(ids) == len(set(ids)), name
        for attribute in ("aria-labelledby", "aria-describedby", "for", "data-copy"):
            asked = {each.get(attribute) for each in document.having(attribute)}
            assert asked <= set(ids), (name, attribute)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_wrote_stays_text(text: str) -> None:
    node = make_rig(
        text, gpu=text, vram_gb=24, cpu=text, note=text, offers=[offer(text, text, 1, text, 9)]
    )
    one = msgspec.structs.replace(compared(0)[0].node, name=text)
    measured = [ComparedRig(node=each, timings=[timing(each, text)]) for each in (node, one)]
    rigs = [*compared(1), *measured]
    for page in (
        compare_page(rigs, left_out=left_out(text), similar=similar()),
        showcase_page(rigs=[node, node, node]),
        QueuePage(site=SITE, rig=queue_rigs(text)["direct"]),
    ):
        html = RENDERER.render(page)
        document = read(html)
        assert document.problems == []
        assert document.all("img") == document.all("iframe") == document.all("style") == []
        assert len(document.all("script")) == (2 if isinstance(page, QueuePage) else 1)
        assert not [x for each in document.elements for x in each.attributes if x.startswith("on")]
        assert clean(text) in "".join(each.text for each in document.all("bdi"))


def test_one_column_for_each_rig_and_one_cell_in_each_row() -> None:
    table = rendered(compare_page(compared(1, 4, 7, 11)))
    assert len([each for each in table.all("th") if each.get("scope") == "col"]) == 4
    html = RENDERER.render(compare_page(compared(1, 4, 7, 11)))
    for row in re.findall(r"<tr.*?</tr>", html, re.DOTALL):
        assert "colspan" in row or len(re.findall(r"<t[hd][ >]", row)) == 5


def test_rows_that_differ_are_marked_and_others_are_not() -> None:
    one, two = rig("one"), rig("two", gpu="rtx3090")
    page = compare_page(columns(one, two))
    assert page.differing == frozenset()
    several = rig("two", gpu="2 \N{MULTIPLICATION SIGN} NVIDIA GeForce RTX 3090")
    page = compare_page(columns(one, several))
    assert page.differing == {"gpu"}
    assert RENDERER.render(page).count('<tr class="unlike">') == 1


def test_opening_hours_are_said_in_the_pages_language() -> None:
    hours = Schedule(windows=parse_windows(["weekdays 22:00-07:00; sat,sun 10:00-23:00"]),
                     timezone="Asia/Tokyo")  # fmt: skip
    open_at_night = msgspec.structs.replace(
        rig("one"), policy=Policy(max_active=1, max_queue=1, schedule=hours)
    )
    for language, text in (("en", "weekdays 22:00-07:00"), ("ja", "平日 22:00-07:00")):
        page = compare_page(columns(open_at_night, rig("two")), language=language)
        assert page.differing == {"policy", "hours"}
        said = [each.text for each in rendered(page).of_class("open")]
        assert (said[0], len(said)) == (text, 2)


def test_models_stand_in_one_row_however_rigs_spell_them() -> None:
    spelled = rig("one", model="Qwen/Qwen3-8B-Instruct-GGUF")
    rows = compare_page(columns(rig("a", model="phi4"), rig("b"), spelled)).models
    assert [row.name for row in rows] == ["qwen3:8b", "phi4"]  # the shared one comes first
    assert [len(cell) for cell in rows[0].cells] == [0, 1, 1]
    assert [row.differs for row in rows] == [True, True]


def test_measured_numbers_stand_by_model_and_prompt_and_nobody_wins() -> None:
    page = compare_page(compared(8, 11))
    rows = [(row.model, row.low, row.high) for row in page.measured]
    assert rows == [("qwen3:32b", 0, 256), ("qwen3:32b", 65_536, None)]
    fast, slow = page.measured[0].cells[1][0], page.measured[0].cells[0][0]
    assert (slow.rate, fast.rate) == ("65.2", "87.0")
    assert fast.first_token_range == "150 ms\N{EN DASH}1.2 s"
    html = RENDERER.render(page)
    assert not re.search(r"\b(?:winner|fastest|wins|best)\b", html)
    bare = RENDERER.render(compare_page(compared(8, 11, timings=False)))
    assert bare.count("not measured yet") == 2


def test_scripts_keep_the_status_of_every_listed_rig_true() -> None:
    one, two, three = rig("one"), rig("two"), rig("three")
    hidden = ComparedRig(node=two, is_listed=False)  # no list of the tracker would say anything
    page = compare_page([*columns(one), hidden, *columns(three)])
    document = rendered(page)
    (main,) = document.all("main")
    assert main.get("data-refresh") == f"/api/v1/nodes?rigs={one.id},{three.id}"
    assert main.get("data-events") == "/api/v1/events"
    assert {each.get("data-node") for each in document.having("data-node")} == {one.id, three.id}
    assert not rendered(compare_page([])).all("main")[0].get("data-refresh")

    document = rendered(showcase_page())
    asked = document.all("main")[0].get("data-refresh").partition("=")[2].split(",")
    assert len(set(asked)) == len(asked)
    assert set(asked) == {each.get("data-node") for each in document.having("data-node")}


def test_links_add_and_take_away_and_keep_the_language() -> None:
    page = compare_page(compared(7, 8), language="ja", similar=similar())
    first, second = page.node_ids
    added = parse_qsl(urlsplit(page.with_rig("n1x")).query)
    assert added == [("rigs", first), ("rigs", second), ("rigs", "n1x"), ("lang", "ja")]
    assert parse_qsl(urlsplit(page.without_rig(first)).query) == [("rigs", second), ("lang", "ja")]
    assert page.address.endswith(f"/compare?rigs={first}&rigs={second}")
    fields = [each for each in rendered(page).all("input") if each.get("type") == "hidden"]
    kept = {(each.get("name"), each.get("value")) for each in fields}
    assert kept == {("rigs", first), ("rigs", second), ("lang", "ja")}
    assert 'id="another"' not in RENDERER.render(compare_page(compared(1, 4, 7, 11)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_rig_in_the_showcase_has_its_number_and_why(language: str) -> None:
    page = showcase_page(language)
    words = load_languages()[language]
    assert [each.key for each in page.categories] == list(NUMBERS)
    document = rendered(page)
    assert len(document.of_class("why")) == len(document.of_class("figure"))
    for category in page.categories:
        shown = category.rigs[0]
        assert str(page.figure(category, shown)) in [x.text for x in document.of_class("figure")]
        assert words.has(f"showcase.category.{category.key}.title")
        assert "{" not in page.why(category, shown)


def test_numbers_read_as_people_write_them() -> None:
    page = showcase_page()
    figures = {each.key: str(page.figure(each, each.rigs[0])) for each in page.categories}
    assert figures == {
        "lowest-vram": "8 GB",
        "cpu-only": "7.9 GB RAM",
        "apple-silicon": "128 GB",
        "oldest-gpu": "2016",
        "lowest-power": "75 W",
        "largest-context": "256k tokens",
        "first-of-its-kind": "2026-11-20",
        "most-reproduced": "3 people",
    }


def test_a_page_of_tickets_asks_its_own_rig_and_no_other() -> None:
    """One with an address of its own only if the console may ask it there, too."""
    origins: dict[str, str] = {}
    for name, node in queue_rigs().items():
        page = QueuePage(site=SITE, rig=node)
        document = rendered(page)
        (box,) = [each for each in document.elements if each.get("id") == "queue"]
        origins[name] = page.policy.partition("connect-src ")[2].partition(";")[0]
        assert box.get("data-node-id") == node.id
        assert box.get("data-base-url") == (node.base_url if name == "direct" else "")
        assert f"/taste/{node.id}" in [each.get("href") for each in document.all("a")]
        said = document.all("main")[0].text
        assert ("network address" in said) == (name == "direct")
        assert ("Pages can’t ask" in said) == (name == "mixed")
    alone = "'self'"
    assert origins == {"relay": alone, "direct": "'self' https://rig.example", "mixed": alone}
    assert QueuePage(site=SITE).policy == CONTENT_SECURITY_POLICY


def test_scripts_of_the_queue_get_every_word_and_only_ask_for_those() -> None:
    page = QueuePage(site=SITE)
    given = {each.get("data-word") for each in rendered(page).all("li")} - {""}
    code = "".join(x.content.decode() for x in FILES.values() if x.name.startswith("queue/"))
    asked = set(re.findall(r'\bsay(?:\(|\(isRunning \? )"([a-z_]+)"', code))
    assert asked <= given
    assert {name for name in given if f'"{name}"' not in code} == set()
