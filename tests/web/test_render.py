"""Whole pages: well-formed, self-contained, honest, and deaf to hostile names."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
from jinja2 import Environment, UndefinedError, nodes

from luckrig.protocol.descriptor import EngineInfo, Policy
from luckrig.protocol.schedule import Schedule, parse_windows
from luckrig.protocol.wire import NodeStatus, NodeView
from luckrig.web import render
from luckrig.web.assets import static_files
from luckrig.web.foreign import clean
from luckrig.web.formats import STATUSES, format_iso_time, format_time
from luckrig.web.map_page import Choices, Filters
from luckrig.web.pages import ErrorPage, Page
from luckrig.web.render import make_renderer
from luckrig.web.rig_page import RigPage
from tests.web.documents import Document, read
from tests.web.hostile import HOSTILE
from tests.web.lazy import Lazy
from tests.web.rig_samples import hostile_pages, sample_pages
from tests.web.rigs import (
    NOW,
    SITE,
    TIMES,
    make_rig,
    many_rigs,
    map_page,
    offer,
    rig_page,
    twelve_rigs,
)

FILES = static_files()
RENDERER = make_renderer(FILES)


def hostile_rig(text: str) -> NodeView:
    return make_rig(
        text,
        gpu=text,
        vram_gb=24,
        cpu=text,
        note=f"{text}\n{text}",
        engine=EngineInfo(kind="ollama", version=text),
        offers=[offer(text, text, 10**9, text, 4096)],
    )


def pages() -> Iterator[tuple[str, Page]]:
    """Every kind of page in every state that changes its shape."""
    twelve = twelve_rigs()
    whole = map_page(twelve)
    busy = replace(whole, filters=Filters(q="x", gpu='"', min_vram=20, sort="name"), view="table")
    yield "empty", map_page([])
    yield "one", map_page(twelve[:1])
    yield "twelve", whole
    yield "table", replace(whole, view="table")
    yield "300", map_page(many_rigs(300))
    yield "filtered", replace(busy, after="c1", next_cursor="c2")
    yield "nothing", replace(busy, nodes=[], matching=0)
    yield "past the end", replace(whole, nodes=[], after="c9")
    for rig in twelve:
        yield f"rig {rig.name}", rig_page(rig)
    for name, page in sample_pages(SITE):
        yield name, page
    for status, code in ((404, "node_not_found"), (404, "not_found"), (500, "internal_error")):
        error = ErrorPage(site=SITE, status=status, code=code, message="m", request_id="r")
        yield f"{status} {code}", error
    for number, text in enumerate(HOSTILE):
        rig = hostile_rig(text)
        choices = Choices(gpus=[text], models=[text], quants=[text])
        filters = Filters(q=text, gpu=text, model=text, quant=text)
        hostile = replace(map_page([rig]), choices=choices, filters=filters, after=text)
        yield f"hostile map {number}", replace(hostile, next_cursor=text)
        yield f"hostile table {number}", replace(hostile, view="table")
        for name, page in hostile_pages(text, rig):
            yield f"hostile {name} {number}", page
        error = ErrorPage(site=SITE, status=400, code=text, message=text, request_id=text)
        yield f"hostile error {number}", error


def shown(page: Page) -> tuple[str, Document]:
    html = RENDERER.render(page)
    return html, read(html)


PAGES = Lazy(shown, dict(pages()))
each_page = pytest.mark.parametrize("name", PAGES)


@pytest.fixture
def html(name: str) -> str:
    """Of that page."""
    return PAGES[name][0]


@pytest.fixture
def document(name: str) -> Document:
    """The same page, read."""
    return PAGES[name][1]


def doc(name: str) -> Document:
    return PAGES[name][1]


@each_page
def test_is_well_formed(html: str, document: Document) -> None:
    assert html.startswith("<!doctype html>\n<html lang=")
    assert document.problems == []
    ids = [element.get("id") for element in document.having("id")]
    assert len(ids) == len(set(ids))


@each_page
def test_holds_nothing_that_the_policy_forbids(html: str, document: Document) -> None:
    assert document.all("style") == []
    assert document.all("base") == document.all("iframe") == document.all("img") == []
    for script in document.all("script"):
        assert (script.get("type"), script.text) == ("module", "")
        assert script.get("src") in FILES
    for element in document.elements:
        assert not [name for name in element.attributes if name.startswith("on")]
        assert "style" not in element.attributes
    assert not re.search(r"(?:src|href|action)=[\"']?\s*(?:javascript|data|https?|//)", html)


@each_page
def test_every_link_leads_somewhere(html: str, document: Document) -> None:
    ids = {element.get("id") for element in document.having("id")}
    known = re.compile(
        r"/(?:\?[\w=&%.+:*~-]+)?|/nodes/n1[a-z2-7]{32}(?:#offers|(?:\?notes=\d+)?#notes)?"
        r"|/badge/n1[a-z2-7]{32}\.svg|/compare\?rigs=n1[a-z2-7]{32}|/taste/n1[a-z2-7]{32}"
        r"|/(?:api/v1/)?notes/[\w-]{16,64}(?:\?before=\d+)?|/api/v1/timings\?node=n1[a-z2-7]{32}"
        r"|/api(?:/openapi\.json)?|/feed\.atom"
        r"|/api/v1/nodes(?:/n1[a-z2-7]{32}|(?:\.csv)?(?:\?[\w=&%.+:*~-]+)?)?"
        r"|/(?:compare|showcase|queue|replays|me|report|transparency|terms|privacy|compliance|about)(?:\?[\w=&%.+-]+)?"
    )
    for element in (*document.having("href"), *document.having("src")):
        target = element.get("href") or element.get("src")
        if target.startswith("/static/"):
            assert target in FILES
        elif target.startswith("#"):
            assert target[1:] in ids
        else:
            assert known.fullmatch(target), target
    for attribute in ("data-copy", "aria-labelledby", "for", "list"):
        assert {element.get(attribute) for element in document.having(attribute)} <= ids


@each_page
def test_is_labelled_for_those_who_do_not_see_it(html: str, document: Document) -> None:
    assert len(document.all("h1")) == 1
    assert len(document.all("main")) == 1
    assert document.elements[0].get("lang") == "en"
    labelled = {element.get("for") for element in document.all("label")}
    fields = [*document.all("input"), *document.all("select")]
    shown = [field for field in fields if field.get("type") != "hidden"]
    assert {field.get("id") for field in shown} == labelled
    for svg in document.all("svg"):
        assert "aria-hidden" in svg.attributes or svg.get("aria-label")


@each_page
def test_tells_what_it_cannot_promise(html: str, document: Document) -> None:
    assert "the rig that answers can read what you send it" in html.lower()
    assert not re.search(r"end-to-end|anonymous|\bsafe\b|leaderboard|fastest", html, re.IGNORECASE)
    assert SITE.address in [element.text for element in document.all("code")]


@each_page
def test_no_invisible_character_gets_out(html: str, document: Document) -> None:
    """The only ones are our own isolates, in pairs."""
    left = html.replace("\u2068", "").replace("\u2069", "")
    assert html.count("\u2068") == html.count("\u2069")
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufe0f]", left
    )


@pytest.mark.parametrize("number", range(len(HOSTILE)))
@pytest.mark.parametrize("kind", ["map", "table", "rig"])
def test_a_hostile_name_is_a_name(number: int, kind: str) -> None:
    """It stands in the page as text, to the letter, inside <bdi>, and adds no element."""
    name = clean(HOSTILE[number])
    document = doc(f"hostile {kind} {number}")
    assert name in [element.text for element in document.all("bdi")]
    tags = [element.tag for element in document.elements]
    assert tags == [element.tag for element in doc(f"hostile {kind} 3").elements]


@pytest.mark.parametrize("view", ["map", "table", "rig", "note"])
def test_every_foreign_text_is_isolated(view: str) -> None:
    rig = hostile_rig("Zqx")
    html = {
        "map": RENDERER.render(map_page([rig])),
        "table": RENDERER.render(replace(map_page([rig]), view="table")),
        **{name: RENDERER.render(page) for name, page in hostile_pages("Zqx", rig)},
    }[view]
    bare = re.sub(r"<bdi[ >].*?</bdi>|\u2068.*?\u2069", "", html, flags=re.DOTALL)
    bare = re.sub(r"<pre.*?</pre>|<datalist.*?</datalist>", "", bare, flags=re.DOTALL)
    assert "Zqx" in html
    assert "Zqx" not in bare


def test_the_gpu_is_the_headline_of_each_card() -> None:
    headlines = [element.text for element in doc("twelve").all("h3")]
    names = [rig.hardware.gpu or rig.hardware.cpu for rig in twelve_rigs()]
    assert headlines == names


def test_a_card_tells_all_that_a_choice_needs() -> None:
    card = doc("twelve").of_class("rig")[7].text
    for fact in (
        f"2 {TIMES} NVIDIA GeForce RTX 3090",
        "zwei-alte-freunde",
        "48 GB",
        "252 GB",
        "AMD EPYC 7302P",
        "qwen2.5:72b",
        "72.7B",
        "IQ4_XS",
        "32k",
        "1 more model",
        "NVLink bridge",
        "rare",
        "58%",
        "busy",
        "2 of 2 slots busy, 3 waiting",
        "seen 12 s ago",
        twelve_rigs()[7].id[2:10],
    ):
        assert fact in card


def test_a_rigs_page_tells_everything() -> None:
    rig = twelve_rigs()[7]
    html, document = PAGES[f"rig {rig.name}"]
    for fact in (rig.id, rig.owner_id, rig.base_url, f"luckrig token {rig.id}", rig.note):
        assert fact in " ".join(element.text for element in document.all("main"))
    for fact in ("Claimed by its owner; not measured yet", str(rig.seq), "llama-server", "bge-m3"):
        assert fact in html
    assert f'href="/api/v1/nodes/{rig.id}"' in html


def test_a_note_keeps_its_lines_and_gains_no_markup() -> None:
    note = "# not a heading\n\n  - **not bold**\n\thttps://example.com"
    rig = msgspec.structs.replace(twelve_rigs()[0], note=note)
    document = read(RENDERER.render(rig_page(rig)))
    (box,) = document.of_class("full-note")
    assert box.text == note
    assert not [element for element in document.all("a") if "example.com" in element.get("href")]


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_has_a_word_and_a_shape(status: NodeStatus) -> None:
    rig = msgspec.structs.replace(twelve_rigs()[0], status=status)
    document = read(RENDERER.render(map_page([rig])))
    (pill,) = document.of_class("pill")
    assert pill.text.strip()
    shapes = [element.get("href") for element in document.all("use")]
    assert shapes.count(f"#s-{status}") == 3  # chart, legend, card


def test_a_paused_rig_says_when_it_opens_and_keeps_its_hours() -> None:
    schedule = Schedule(windows=parse_windows(["weekdays 22:00-07:00"]), timezone="Europe/Berlin")
    policy = Policy(max_active=1, max_queue=2, schedule=schedule)
    rig = msgspec.structs.replace(
        twelve_rigs()[0], status="paused", opens_at=NOW + 3600, policy=policy
    )
    pages = (RENDERER.render(map_page([rig])), RENDERER.render(rig_page(rig)))
    for html in pages:
        (time,) = [each for each in read(html).all("time") if "data-opens" in each.attributes]
        assert time.get("data-opens") == str(NOW + 3600)
        assert time.get("datetime") == format_iso_time(NOW + 3600)
        assert time.text == format_time(NOW + 3600)  # UTC, for readers without scripts
    document = read(pages[1])
    assert [each.text for each in document.having("data-days")] == ["weekdays 22:00-07:00"]
    assert [each.text for each in document.having("data-zone")] == ["Europe/Berlin"]
    late = msgspec.structs.replace(rig, opens_at=NOW)
    assert "data-opens" not in RENDERER.render(map_page([late]))


def test_unknown_facts_are_dashes_with_a_reason() -> None:
    rig = twelve_rigs()[3]
    html, document = PAGES[f"rig {rig.name}"]
    assert len([element for element in document.of_class("none") if element.text == "—"]) == 4
    assert "the engine doesn" in html


@pytest.mark.parametrize("status", [400, 404, 405, 413, 418, 429, 500, 502, 503])
def test_an_error_says_what_to_do(status: int) -> None:
    error = ErrorPage(site=SITE, status=status, code="x", message="Because.", request_id="req-7")
    document = read(RENDERER.render(error))
    (section,) = document.of_class("failure")
    texts = [e.text for e in document.all("p") if "section" in e.path]
    assert texts[:2] == [str(status), "Because."]
    assert len(texts[2]) > 15
    assert "req-7" in section.text


def test_a_missing_rig_has_its_own_words() -> None:
    assert "on the map" in doc("404 node_not_found").all("h1")[0].text


def test_an_empty_map_says_how_to_begin() -> None:
    html, document = PAGES["empty"]
    assert "No rig is on this map yet" in html
    assert "luckrig register" in [element.text for element in document.all("code")]
    assert document.all("form") == document.of_class("chart") == []


def test_no_results_lead_back() -> None:
    html, document = PAGES["nothing"]
    assert "No rig on this map is like that" in html
    assert "/?view=table" in [element.get("href") for element in document.all("a")]


def test_the_form_shows_what_is_filtered() -> None:
    document = doc("filtered")
    fields = {
        field.get("name"): field.get("value")
        for field in document.all("input")
        if not field.get("form")  # of another one, which compares
    }
    empty = dict.fromkeys(("model", "family", "quant", "tag", "like"), "")
    assert fields == {"q": "x", "gpu": '"', "view": "table", **empty}
    chosen = [
        option.get("value") for option in document.all("option") if "selected" in option.attributes
    ]
    assert chosen == ["20", "name"]
    form = document.all("form")[0]
    assert (form.get("method"), form.get("action")) == ("get", "/")


def test_speed_and_size_are_no_orders_unless_asked_for_and_say_what_they_are() -> None:
    (orders,) = [each for each in doc("twelve").all("select") if each.get("name") == "sort"]
    lines = [line for line in orders.text.strip().splitlines() if line]
    assert "".join(lines).startswith("scarcest first")
    assert "context (claimed)" in orders.text
    assert "tokens a second (measured)" in orders.text
    assert not re.search(r"fast|size|VRAM", orders.text)


def test_fifty_rigs_fit_in_50_kilobytes_packed() -> None:
    rigs = [*twelve_rigs(), *many_rigs(38)]
    html = RENDERER.render(map_page(rigs))
    asked = [
        file.packed or file.content
        for url, file in FILES.items()
        if url in html and file.name != "preview.png"  # other sites ask for it, no reader does
    ]
    assert len(asked) == 4, "two styles, a script, an icon"
    assert len(gzip.compress(html.encode())) + sum(map(len, asked)) <= 50_000
    assert len(html.encode()) <= 130_000, "for those who take no gzip"


def test_templates_use_filters_that_exist() -> None:
    """Jinja says so only when it prints that very place."""
    environment = Environment(autoescape=True)
    known = environment.filters.keys() | render.FILTERS.keys()
    for path in Path(render.__file__).parent.glob("templates/*"):
        used = {each.name for each in environment.parse(path.read_text()).find_all(nodes.Filter)}
        assert used <= known, path.name


class Misplaced(RigPage):
    """A rig's page with the map's template, which asks for what it hasn't."""

    template: ClassVar[str] = "map.html"


def test_a_missing_name_in_a_template_is_an_error() -> None:
    rig = rig_page(twelve_rigs()[0])
    page = Misplaced(site=rig.site, node=rig.node, signed_at=rig.signed_at)
    with pytest.raises((UndefinedError, AttributeError)):
        RENDERER.render(page)


def test_no_template_switches_escaping_off() -> None:
    for path in (Path(render.__file__).parent / "templates").iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|autoescape|Markup|tojson|xmlattr", text), path.name


def test_pages_with_snippets_say_who_reads_and_that_it_is_an_ai() -> None:
    """Wherever what sends prompts is shown: a rig's page."""
    rigs = [document for name, (_, document) in PAGES.items() if name.startswith("rig ")]
    assert rigs
    for document in rigs:
        (banner,) = document.of_class("readable")
        assert "The rig that answers can read what you send it." in banner.text
        assert "You are talking to an AI" in banner.text
