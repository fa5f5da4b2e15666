"""The map in both languages and in every state: what it says of likeness, of measuring, of what
is scarce, and that nothing a stranger wrote gets out of its place.
"""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from luckrig.protocol.wire import NodeView, Quantiles, TimingView
from luckrig.web.assets import static_files
from luckrig.web.map_page import Filters, LikedRig, MapPage, ScarceNow, View
from luckrig.web.render import make_renderer
from tests.web.documents import Document, read
from tests.web.hostile import HOSTILE
from tests.web.lazy import Lazy
from tests.web.report_samples import site_in
from tests.web.rigs import GB, SEES, make_rig, map_page, offer, rig_page, twelve_rigs

RENDERER = make_renderer(static_files())
RIG = twelve_rigs()[7]
LIKED = LikedRig(node_id=RIG.id, name=RIG.name, gpu=RIG.hardware.gpu, ram_bytes=None)


def measured(node: NodeView, tps: float, *, users: int, model: str = "qwen3:8b") -> NodeView:
    figure = Quantiles(p10=tps, p50=tps, p90=tps)
    timing = TimingView(
        node_id=node.id,
        model=model,
        prompt_tokens_from=1024 if users > 1 else 0,
        users=users,
        streams=users,
        ttft_ms=figure,
        tokens_per_second=figure,
    )
    return msgspec.structs.replace(node, measured=timing)


def alive(language: str, text: str = "Tesla P40") -> MapPage:
    """Twelve rigs, of which two are measured; tags, what is scarce, one that others are like."""
    first, second, third, *rest = twelve_rigs()
    first = measured(first, 7.26, users=1, model=text)
    second = measured(second, 41.6, users=3, model=text)
    third = msgspec.structs.replace(third, note=f"{text} #quiet #夜間")
    scarce = [
        ScarceNow(gpu=gpu, model=text, quant=quant, scarcity=1.0, answering=number)
        for gpu, quant, number in ((text, text, 1), (None, None, 2))
    ]
    page = map_page([first, second, third, *rest])
    return replace(page, site=site_in(language), scarce=scarce)


def states(language: str) -> Iterator[tuple[str, MapPage]]:
    page = alive(language)
    by_ram = replace(LIKED, gpu=None, ram_bytes=(40 * GB, 96 * GB))
    like = Filters(like=RIG.id, vendor="cpu", family="qwen", tag="#quiet", sort="measured")
    yield "cards", page
    yield "table", replace(page, view="table", next_cursor="c")
    yield "like", replace(page, filters=like, liked=LIKED)
    yield "like ram", replace(page, filters=like, liked=by_ram)
    yield "like any", replace(page, liked=replace(LIKED, gpu=None))
    yield "like nobody", replace(page, filters=like, nodes=[], matching=0)
    yield "none", replace(map_page([]), site=page.site)
    yield "silent", replace(page, scarce=[])
    yield "past the end", replace(page, nodes=[], after="c")


PAGES = {
    language: Lazy(lambda page: read(RENDERER.render(page)), dict(states(language)))
    for language in ("en", "ja")
}


@pytest.mark.parametrize("language", PAGES)
def test_every_state_is_well_formed_and_in_its_language(language: str) -> None:
    for name, document in PAGES[language].items():
        assert document.problems == [], name
        assert document.elements[0].get("lang") == language
        for link in document.all("a"):
            target = urlsplit(link.get("href"))
            if target.path == "/" and target.query and not link.get("hreflang"):
                assert dict(parse_qsl(target.query)).get("lang", "en") == language


def text_of(document: Document, css_class: str) -> list[str]:
    return [" ".join(each.text.split()) for each in document.of_class(css_class)]


def test_likeness_is_said_in_words() -> None:
    english, japanese = PAGES["en"], PAGES["ja"]
    assert text_of(english["like"], "likeness")[0].startswith(
        "Rigs like zwei-alte-freunde: with the same GPU as its 2 × NVIDIA GeForce RTX 3090"
    )
    assert "with 40 GB to 96 GB of RAM" in text_of(english["like ram"], "likeness")[0]
    assert "40 GB から 96 GB" in text_of(japanese["like ram"], "likeness")[0]
    assert "No rig with that id is on this map." in text_of(english["like nobody"], "blank")[0]
    assert RIG.id in text_of(english["like nobody"], "blank")[0]
    assert "luckrig register" in text_of(english["like nobody"], "blank")[0]


def test_what_was_measured_says_by_whom_and_with_what() -> None:
    for name in ("cards", "table"):
        figures = text_of(PAGES["en"][name], "measured")
        assert any(
            "7.3 tok/s Tesla P40, 1 user, prompts below 256 tokens" in each for each in figures
        )
        assert any(
            "42 tok/s Tesla P40, 3 users, prompts from 1,024 tokens" in each for each in figures
        )


def test_what_is_scarce_leads_to_the_list_of_it() -> None:
    (section,) = text_of(PAGES["en"]["cards"], "scarce-now")
    assert "Tesla P40 Tesla P40 Tesla P40 only one · 1 rig answers" in section
    assert "no GPU Tesla P40 only one · 2 rigs answer" in section
    page = alive("ja")
    queries = [dict(parse_qsl(urlsplit(page.scarce_path(each)).query)) for each in page.scarce]
    assert queries == [
        {"gpu": "Tesla P40", "model": "Tesla P40", "quant": "Tesla P40", "lang": "ja"},
        {"gpu": "cpu", "model": "Tesla P40", "lang": "ja"},
    ]
    assert text_of(PAGES["en"]["silent"], "scarce-now") == [
        "What is scarce now No rig answers now. Yours could."
    ]


@pytest.mark.parametrize("view", ["cards", "table"])
def test_rigs_are_ticked_to_be_compared(view: View) -> None:
    """A plain form: /compare takes what it sends."""
    page = replace(alive("ja"), view=view)
    document = read(RENDERER.render(replace(page, site=replace(page.site, lang="ja"))))
    (form,) = [each for each in document.all("form") if each.get("id") == "picks"]
    assert (form.get("method"), form.get("action")) == ("get", "/compare")
    boxes = [each for each in document.all("input") if each.get("type") == "checkbox"]
    assert {(each.get("name"), each.get("form")) for each in boxes} == {("rigs", "picks")}
    assert [each.get("value") for each in boxes] == [node.id for node in page.nodes]
    assert "比べる arc-nemesis" in " ".join(each.text for each in document.of_class("pick"))
    assert 'name="lang" value="ja"' in RENDERER.render(
        replace(page, site=replace(page.site, lang="ja"))
    )


def test_rigs_without_rigs_or_matches_say_how_to_register() -> None:
    for language, pages in PAGES.items():
        for name in ("none", "like nobody"):
            codes = [each.text for each in pages[name].all("code")]
            assert any(each.startswith("luckrig register") for each in codes), (language, name)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_write_stays_text(text: str) -> None:
    page = replace(
        alive("ja", text),
        filters=Filters(like=text, tag=text, family=text),
        liked=replace(LIKED, name=text, gpu=text),
    )
    hostile = read(RENDERER.render(page))
    assert hostile.problems == []
    assert len(hostile.all("script")) == 1
    assert not [
        each for each in hostile.elements if any(a.startswith("on") for a in each.attributes)
    ]


def test_what_models_can_do_is_said_in_the_pages_language() -> None:
    """The form, a filter in force and a rig's page say it; the address keeps the API's name."""
    page = replace(alive("ja"), filters=Filters(capability="vision"))
    assert "capability=vision" in page.api_path
    html = RENDERER.render(page)
    assert '<option value="vision" selected>画像の読み取り</option>' in html
    assert "画像の読み取り" in [each.text for each in read(html).all("bdi")]
    rig = make_rig("r", gpu="T4", vram_gb=16, offers=[offer("m", None, None, None, None, SEES)])
    for language, text in (
        ("en", "chat · tools · vision"),
        ("ja", "会話 · ツール呼び出し · 画像の読み取り"),
    ):
        html = RENDERER.render(replace(rig_page(rig), site=site_in(language)))
        assert text in [each.text for each in read(html).all("td")]
