"""/taste/{id} before any script runs: whole, honest, in two languages, deaf to hostile names."""

import re
from dataclasses import replace

import msgspec
import pytest

from luckrig.protocol.wire import NodeView
from luckrig.web.assets import static_files
from luckrig.web.foreign import clean
from luckrig.web.formats import STATUS_WORDS
from luckrig.web.languages import load_languages
from luckrig.web.pages import RigPage
from luckrig.web.render import make_renderer
from luckrig.web.taste_page import TastePage
from tests.web.documents import read
from tests.web.hostile import HOSTILE
from tests.web.report_samples import site_in
from tests.web.rigs import EMBEDS, SITE, make_rig, offer, twelve_rigs

FILES = static_files()
RENDERER = make_renderer(FILES)
LANGUAGES = list(load_languages())


def relayed(rig: NodeView) -> NodeView:
    """The same rig behind the tracker's relay."""
    return msgspec.structs.replace(rig, base_url=f"{SITE.origin}/n/{rig.id}/v1")


def hostile_rig(text: str) -> NodeView:
    return relayed(
        make_rig(
            text, gpu=text, vram_gb=24, cpu=text, note=text, offers=[offer(text, text, 1, text, 9)]
        )
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_wrote_stays_text(language: str, text: str) -> None:
    html = RENDERER.render(TastePage(site=site_in(language), node=hostile_rig(text)))
    document = read(html)
    assert document.problems == []
    assert document.all("img") == document.all("iframe") == document.all("style") == []
    assert [each.get("type") for each in document.all("script")] == ["module", "module"]
    assert not [
        name for each in document.elements for name in each.attributes if name.startswith("on")
    ]
    (console,) = [each for each in document.elements if each.get("id") == "console"]
    assert console.get("data-name") == clean(text)
    (model,) = document.all("option")
    assert (model.get("value"), model.text) == (clean(text), clean(text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_prompt_has_the_sentence_beside_it(language: str) -> None:
    """Who reads it: in the caveat, above the prompt, and above the snippets."""
    words = load_languages()[language]
    for rig in twelve_rigs():
        for node in (rig, relayed(rig)):
            html = RENDERER.render(TastePage(site=site_in(language), node=node))
            document = read(html)
            assert document.problems == []
            assert document.elements[0].get("lang") == language
            sentences = [each.text for each in document.of_class("reads")]
            assert len(sentences) == 1 + len(
                [x for x in document.elements if x.get("id") == "form"]
            )
            assert set(sentences) == {str(words("taste.readable"))}
            ids = [each.get("id") for each in document.having("id")]
            assert len(ids) == len(set(ids))
            for attribute in ("aria-labelledby", "aria-describedby", "for", "data-copy"):
                assert {each.get(attribute) for each in document.having(attribute)} <= set(ids)


def test_a_rig_with_its_own_address_has_no_console_but_says_why() -> None:
    direct = RENDERER.render(TastePage(site=SITE, node=twelve_rigs()[0]))
    assert "has an address of its own" in direct
    assert 'id="console"' not in direct
    assert "taste/main.js" not in "".join(FILES[url].name for url in _scripts(direct))
    embeds = make_rig("e", gpu=None, vram_gb=None, offers=[offer("bge", None, 1, None, 9, EMBEDS)])
    html = RENDERER.render(TastePage(site=SITE, node=relayed(embeds)))
    assert "No model on this rig chats" in html
    assert 'id="console"' not in html


def _scripts(html: str) -> list[str]:
    return re.findall(r'<script type="module" src="([^"]+)"', html)


def test_scripts_get_every_word_and_only_ask_for_those() -> None:
    html = RENDERER.render(TastePage(site=SITE, node=relayed(twelve_rigs()[0])))
    given = {each.get("data-word") for each in read(html).all("li") if each.get("data-word")}
    code = "".join(
        file.content.decode() for file in FILES.values() if file.name.startswith("taste/")
    )
    asked = set(re.findall(r'\bsay\(\s*"([a-z_]+)"', code))
    assert asked <= given
    for name in given:
        assert f'"{name}"' in code or name.startswith(("finish_", "outcome_")), name


@pytest.mark.parametrize("status", STATUS_WORDS)
def test_rigs_page_leads_there_while_it_is_of_use(status: str) -> None:
    rig = msgspec.structs.replace(twelve_rigs()[0], status=status)
    for node, can_ask in ((rig, False), (relayed(rig), status in ("available", "busy"))):
        page = RigPage(site=SITE, node=node, signed_at=SITE.now)
        assert (f'href="/taste/{rig.id}"' in RENDERER.render_node(page)) == can_ask
    for language in LANGUAGES:
        site = replace(SITE, words=load_languages()[language])
        assert RENDERER.render(TastePage(site=site, node=relayed(rig)))
