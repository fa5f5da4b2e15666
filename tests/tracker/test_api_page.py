"""/api : every operation, parameter and shape of the OpenAPI document stands on it."""

import re
from html import unescape
from typing import Any

from luckrig.web.api_page import make_api_page
from luckrig.web.assets import static_files
from luckrig.web.render import make_renderer
from tests.tracker.trackers import running_tracker
from tests.web.documents import read
from tests.web.rigs import SITE
from tests.web.test_page_languages import ENGLISH, own_words
from tests.web.xss import XSS


async def test_the_page_says_all_that_the_document_says() -> None:
    async with running_tracker() as tracker:
        document = (await tracker.http.get("/api/openapi.json")).json()
        reply = await tracker.http.get("/api")
    assert reply.headers["content-type"].startswith("text/html")
    page = read(reply.text)
    assert page.problems == []
    text = unescape(re.sub("<[^>]+>", "", reply.text))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in text
            assert operation["summary"] in text
            for parameter in operation["parameters"]:
                assert parameter["description"] in text
            for answer in operation["responses"].values():
                assert answer["description"] in text
    for name, schema in document["components"]["schemas"].items():
        assert f"shape-{name}" in {each.get("id") for each in page.having("id")}
        for field in schema.get("properties", {}):
            assert field in text


async def test_every_link_of_the_page_leads_somewhere() -> None:
    async with running_tracker() as tracker:
        page = read((await tracker.http.get("/api")).text)
        ids = [each.get("id") for each in page.having("id")]
        assert len(ids) == len(set(ids))
        for link in {each.get("href") for each in page.all("a")}:
            if link.startswith("#"):
                assert link[1:] in ids, link
            elif link.startswith("/"):
                status = (await tracker.http.get(link)).status_code
                assert status == (401 if link == "/me" else 200), link


async def test_every_page_links_to_it() -> None:
    async with running_tracker() as tracker:
        for path in ("/", "/about", "/report", "/nope"):
            page = read((await tracker.http.get(path)).text)
            assert "/api" in {each.get("href") for each in page.all("a")}


async def test_no_text_of_the_document_is_markup() -> None:
    """They are ours today; a summary that quotes a tag must not become one."""
    async with running_tracker() as tracker:
        document: dict[str, Any] = (await tracker.http.get("/api/openapi.json")).json()
    text = "\n".join(XSS)
    operation = document["paths"]["/api/v1/nodes.csv"]["get"]
    operation["summary"] = operation["responses"]["200"]["description"] = text
    operation["responses"]["200"]["content"]["text/csv"]["example"] = text
    operation["parameters"][0]["description"] = text
    document["components"]["schemas"]["NodePage"]["description"] = text
    html = make_renderer(static_files()).render(make_api_page(document, site=SITE))
    page = read(html)
    assert page.problems == []
    assert not [each for each in page.elements if each.tag in ("iframe", "object", "base", "img")]
    assert len(page.all("script")) == 1
    assert not [name for each in page.elements for name in each.attributes if name[:2] == "on"]


async def test_the_frame_is_in_the_language_and_the_document_says_that_it_is_english() -> None:
    async with running_tracker() as tracker:
        reply = await tracker.http.get("/api", headers={"accept-language": "ja"})
        english = await tracker.http.get("/api?lang=en", headers={"accept-language": "ja"})
    assert reply.headers["vary"] == "Accept-Language"
    page = read(reply.text)
    assert page.problems == []
    assert page.elements[0].get("lang") == "ja"
    assert ENGLISH.findall(own_words(reply.text)) == []
    assert "OpenAPI 文書のもので、英語だけで書かれています。" in reply.text
    assert read(english.text).elements[0].get("lang") == "en"
    assert not re.search('<(?:p|td|th|ul|h2)[^>]* lang="en"', english.text)


async def test_nobody_gets_the_query_of_another_visitor() -> None:
    async with running_tracker() as tracker:
        for query in ("?x=Zqx", "?x=Zqx&lang=ja", "", "?lang=ja"):
            html = (await tracker.http.get(f"/api{query}")).text
            assert "Zqx" not in html
            assert ('href="/?lang=ja"' in html) == ("lang=ja" in query)
