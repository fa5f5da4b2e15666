"""Every page is in its language from top to bottom, and its links stay in it."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from luckrig.web.assets import static_files
from luckrig.web.languages import load_languages
from luckrig.web.pages import ErrorPage, Page, Site
from luckrig.web.render import make_renderer
from luckrig.web.replays_page import ReplaysPage
from luckrig.web.taste_page import TastePage
from tests.web import choice_samples, desk_samples, report_samples, rig_samples
from tests.web.documents import read
from tests.web.report_samples import site_in
from tests.web.rigs import twelve_rigs
from tests.web.test_map_page import alive
from tests.web.text_samples import text_pages

RENDERER = make_renderer(static_files())
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
ENGLISH = re.compile(r"\b(?!luckrig )[A-Za-z][a-z’]+(?: [a-z’]+){2,}\b")
"""Three words in a row; names and units are fewer, and commands stand in sentences."""
TOLD_APART = re.compile(
    r"<(script|code|pre|bdi|textarea|title)\b.*?</\1>|\u2068.*?\u2069"
    r"|<(?!html)(\w+)[^>]* lang=\"en\".*?</\2>",
    re.DOTALL,
)
"""What strangers say, what a terminal takes, and what says itself that it is in English."""
NAMES = re.compile(
    r"luckrig\b.*|JSON|CyberTipline|INHOPE|https?://.*|/api/openapi.json|VRAM|JavaScript|Markdown"
    r"|NVIDIA|Apple|Intel|[\w.-]+:[\w.-]+"
    r"|Python|curl|ollama|llama-server|(?:chat|completion|embedding|tools|vision)(?:, \w+)*|Words\."
)
"""Also what a sample's operators say where no stranger can."""
FOR_MACHINES = ("/me/export", "/static/", "/api/", "/feed.atom", "/badge/", "/transparency.")


def pages_in(site: Site) -> Iterator[tuple[str, Page]]:
    """With a name each. /api is made of the document: tests/tracker/test_api_page.py."""
    yield "map", alive(site.lang)
    yield "taste", TastePage(site=site, node=twelve_rigs()[1])
    yield "replays", ReplaysPage(site=site)
    yield "error", ErrorPage(site=site, status=404, code="not_found", message="Nothing is here.")
    yield from text_pages(site)
    yield from desk_samples.sample_pages(site=site)
    yield from report_samples.sample_pages(site.lang)
    yield from choice_samples.sample_pages(site.lang)
    yield from rig_samples.sample_pages(site)


PAGES = {
    f"{language} {name}": page
    for language in load_languages()
    for name, page in pages_in(site_in(language))
}
each_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


def own_words(html: str) -> str:
    """What the page itself says, without markup."""
    return unescape(re.sub(r"<[^>]+>", "\n", TOLD_APART.sub(" ", html)))


@each_page
def test_a_page_is_in_its_language_from_top_to_bottom(page: Page) -> None:
    html = RENDERER.render(page)
    document = read(html)
    assert document.problems == []
    assert document.elements[0].get("lang") == page.site.words.language
    if page.site.words.language == "en":
        assert not JAPANESE.search(own_words(html).replace("日本語", ""))
    if page.site.words.language == "ja":
        assert ENGLISH.findall(own_words(html)) == []
        for element in document.elements:
            for attribute in ("aria-label", "title", "data-label"):
                assert not ENGLISH.search(element.get(attribute)), element.get(attribute)


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("ja ")])
def test_nothing_stays_as_it_is_in_english(name: str) -> None:
    """Not even a word of its own, but for names."""
    pieces = [
        {each.strip() for each in own_words(RENDERER.render(PAGES[page])).splitlines()}
        for page in (name, f"en {name.removeprefix('ja ')}")
    ]
    names = {each.name for each in load_languages().values()}
    same = {each for each in pieces[0] & pieces[1] - names if re.search("[A-Za-z]{4}", each)}
    assert {each for each in same if not NAMES.fullmatch(each)} == set()


@each_page
def test_every_link_and_form_stays_in_the_language(page: Page) -> None:
    document = read(RENDERER.render(page))
    links = [link.get("href") for link in document.all("a") if not link.get("hreflang")]
    # A form that asks has its language in a field.
    forms = [form for form in document.all("form") if form.get("method") == "post"]
    paths = [*links, *(form.get("action") for form in forms)]
    for path in paths:
        if path.startswith("/") and not path.startswith(FOR_MACHINES):
            assert parse_qs(urlsplit(path).query).get("lang") == [page.site.lang], path
