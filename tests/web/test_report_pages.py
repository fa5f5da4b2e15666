"""The report form and reports' pages: whole in every language, and deaf to what is typed."""

import re
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from luckrig.protocol.reports import CATEGORIES
from luckrig.web.assets import static_files
from luckrig.web.foreign import clean
from luckrig.web.languages import load_languages
from luckrig.web.pages import ErrorPage, Page
from luckrig.web.render import make_renderer
from luckrig.web.report_pages import FIELDS, LIMITS, ReportPage, TicketPage
from tests.web.documents import Document, Element, read
from tests.web.hostile import HOSTILE
from tests.web.report_samples import (
    FILLED,
    FORM_ID,
    NODE_ID,
    TICKET,
    make_appeal,
    make_notice,
    report_page,
    sample_pages,
    site_in,
    ticket_page,
)
from tests.web.rigs import NOW, SITE

FILES = static_files()
RENDERER = make_renderer(FILES)
PAGES = {
    f"{language} {name}": page
    for language in load_languages()
    for name, page in sample_pages(language)
}
each_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
BEYOND_LATIN = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def show(page: Page) -> Document:
    return read(RENDERER.render(page))


def fields_of(document: Document) -> list[Element]:
    every = (*document.all("input"), *document.all("select"), *document.all("textarea"))
    return [field for field in every if field.get("type") != "hidden"]


@each_page
def test_is_whole_and_holds_nothing_that_the_policy_forbids(page: Page) -> None:
    html = RENDERER.render(page)
    document = read(html)
    assert document.problems == []
    ids = [element.get("id") for element in document.having("id")]
    assert len(ids) == len(set(ids))
    assert document.all("style") == document.all("img") == document.all("iframe") == []
    for element in document.elements:
        assert not [name for name in element.attributes if name.startswith("on")]
        assert "style" not in element.attributes
    assert not re.search(r"(?:src|href|action)=[\"']?\s*(?:javascript|data|https?|//)", html)
    assert not re.search(r"end-to-end|anonym|\bsafe\b|匿名|安全", html, re.IGNORECASE)


@each_page
def test_everything_has_its_label_and_its_help(page: Page) -> None:
    document = show(page)
    ids = {element.get("id") for element in document.having("id")}
    assert len(document.all("h1")) == 1
    assert {field.get("id") for field in fields_of(document)} == {
        label.get("for") for label in document.all("label")
    }
    for attribute in ("aria-describedby", "aria-labelledby", "data-copy"):
        for element in document.having(attribute):
            assert set(element.get(attribute).split()) <= ids
    for link in document.all("a"):
        if link.get("href").startswith("#"):
            assert link.get("href")[1:] in ids


@each_page
def test_a_page_is_in_its_language_from_top_to_bottom(page: Page) -> None:
    document = show(page)
    language = page.site.words.language
    assert document.elements[0].get("lang") == language
    for tag in ("h1", "h2", "legend", "label", "button", "option"):
        for element in document.all(tag):
            if language == "ja" and element.text.strip():
                assert BEYOND_LATIN.search(element.text), element.text
    if language == "en":
        assert not BEYOND_LATIN.search(RENDERER.render(page).replace("日本語", ""))


@each_page
def test_the_language_stays_in_links_and_forms(page: Page) -> None:
    document = show(page)
    lang = page.site.lang
    paths = [form.get("action") for form in document.all("form")]
    paths += [link.get("href") for link in document.all("a") if "/report" in link.get("href")]
    switches = [link for link in document.all("a") if "hreflang" in link.attributes]
    for path in paths:
        if path not in {switch.get("href") for switch in switches}:
            assert dict(parse_qsl(urlsplit(path).query))["lang"] == lang
    assert [switch.text for switch in switches] == [each.name for each in load_languages().values()]
    assert [each.get("lang") for each in switches if "aria-current" in each.attributes] == [lang]


def test_who_did_not_ask_for_a_language_gets_plain_links() -> None:
    site = replace(site_in("ja"), lang="")
    document = show(ReportPage(site=site, form_id=FORM_ID))
    assert document.all("form")[0].get("action") == "/report"
    assert "/report" in [link.get("href") for link in document.all("a")]


def test_the_form_asks_for_all_fields_and_keeps_what_was_typed() -> None:
    document = show(report_page("en", **FILLED))
    names = {field.get("name") for field in fields_of(document)}
    assert names == set(FIELDS)
    typed = {field.get("name"): field.get("value") for field in document.all("input")}
    typed |= {area.get("name"): area.text.removeprefix("\n") for area in document.all("textarea")}
    for name in ("subject_id", "name", "email", "phone", "signature"):
        assert typed[name] == FILLED[name]
    for name in ("reason", "evidence", "work", "address"):
        assert typed[name] == FILLED[name]
    assert typed["form_id"] == FORM_ID
    checked = [box.get("id") for box in document.all("input") if "checked" in box.attributes]
    assert checked == ["r-category-copyright", "r-accurate", "r-good_faith"]
    (chosen,) = [option for option in document.all("option") if "selected" in option.attributes]
    assert chosen.get("value") == "reply"


def test_every_limit_stands_at_its_field() -> None:
    document = show(report_page("en"))
    shown = {
        field.get("name"): int(field.get("maxlength"))
        for field in fields_of(document)
        if "maxlength" in field.attributes
    }
    assert shown == LIMITS


def test_each_category_says_until_when_a_decision_is_due() -> None:
    document = show(report_page("en"))
    (group,) = [each for each in document.all("fieldset") if each.get("role") == "radiogroup"]
    dues = [element.text for element in document.of_class("within")]
    assert dues == [
        "due in 48 hours", "due in 48 hours", *["due in 72 hours"] * 4, "due in 7 days",
    ]  # fmt: skip
    assert len(CATEGORIES) == len(dues)
    assert "needn’t give your name" in group.text


def test_faults_stand_at_their_fields_and_in_a_summary() -> None:
    for name in ("form with every fault", "form copyright with every fault"):
        page = PAGES[f"en {name}"]
        assert isinstance(page, ReportPage)
        document = show(page)
        (summary,) = document.of_class("summary")
        assert summary.get("role") == "alert"
        links = [link for link in document.all("a") if link.get("href").startswith("#r-")]
        assert len(links) == len(page.problems)
        for field in page.problems:
            (fault,) = [e for e in document.having("id") if e.get("id") == f"e-{field}"]
            assert fault.text.strip() in summary.text
            (faulty,) = [
                each
                for each in document.having("aria-invalid")
                if f"e-{field}" in each.get("aria-describedby").split()
            ]
            assert faulty.get("name") == field or faulty.get("role") == "radiogroup"
    assert show(PAGES["en form"]).having("aria-invalid") == []


def test_too_many_reports_are_told_when_and_whom() -> None:
    (summary,) = show(PAGES["en form too often"]).of_class("summary")
    assert "Try again in 40 minutes." in summary.text
    assert "ops@luckrig.example" in summary.text
    page = PAGES["en form too often"]
    assert isinstance(page, ReportPage)
    (summary,) = show(replace(page, site=replace(page.site, contact=""))).of_class("summary")
    assert "reached" not in summary.text


def test_a_ticket_says_where_it_stands() -> None:
    new = show(PAGES["en ticket new"])
    text = new.all("main")[0].text
    assert f"https://luckrig.example/report/{TICKET}" in [e.text for e in new.all("code")]
    assert "Your report has arrived" in new.all("h1")[0].text
    for fact in (NODE_ID, "Waiting for a person", "Against this tracker’s terms", "2026-11-"):
        assert fact in text
    assert new.all("form") == []
    assert "Late" in show(PAGES["en ticket late"]).all("main")[0].text


def test_a_decision_comes_with_its_reason_and_a_way_to_appeal() -> None:
    document = show(PAGES["en ticket ban node"])
    text = document.all("main")[0].text
    for fact in ("The rig was banned", "4090", "for good", "what you reported", "2027-05-"):
        assert fact in text
    (form,) = document.all("form")
    assert form.get("action") == f"/report/{TICKET}?lang=en"
    hidden = {field.get("name"): field.get("value") for field in document.all("input")}
    assert hidden == {"decision_id": "ban-node-decision"}


@pytest.mark.parametrize("name", ["hidden", "undone", "appealed", "too late"])
def test_what_cannot_be_appealed_has_no_form(name: str) -> None:
    assert show(PAGES[f"en ticket {name}"]).all("form") == []


def test_who_stands_behind_a_rig_is_not_named() -> None:
    for notice in (make_notice("ban", "user", ""), make_notice("ban", "network", "")):
        assert "whoever stands behind it" in RENDERER.render(ticket_page("en", notice))


def test_an_answered_appeal_shows_both_sides() -> None:
    text = show(PAGES["en ticket answered"]).all("main")[0].text
    for fact in ("It is one.", "You were right", "has only one", "Taken back on"):
        assert fact in text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_typed_is_text(text: str) -> None:
    """In every field, to the letter, and it adds no element."""
    form = report_page("en", **dict.fromkeys(FIELDS, text))
    plain = report_page("en", **dict.fromkeys(FIELDS, "Zqx"))
    document = show(form)
    assert document.problems == []
    assert [e.tag for e in document.elements] == [e.tag for e in show(plain).elements]
    for area in document.all("textarea"):
        assert area.text.removeprefix("\n") == clean(text)
    for field in document.all("input"):
        if field.get("name") in ("subject_id", "name", "email", "phone", "signature"):
            assert field.get("value") == clean(text)
    refused = replace(form, alert="report.error.refused", refused=text)
    assert clean(text) in [bdi.text for bdi in show(refused).all("bdi")]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_operators_and_reporters_wrote_is_text(text: str) -> None:
    def page(words: str) -> TicketPage:
        appeal = make_appeal(words, answered=True)
        notice = make_notice(target_id=words, text=words, appeal=appeal, undone_at=NOW)
        shown = ticket_page("en", notice)
        status = replace(shown, ticket=words, appeal_to=words, appeal_text=words)
        return replace(status, site=replace(SITE, contact=words))

    document = show(page(text))
    assert document.problems == []
    assert [e.tag for e in document.elements] == [e.tag for e in show(page("Zqx")).elements]
    assert [bdi.text for bdi in document.all("bdi")].count(clean(text)) >= 5


@pytest.mark.parametrize("language", load_languages())
@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "cross_site"), (404, "report_not_found"), (413, "body_too_large"), (418, "x")],
)
def test_an_error_is_in_the_language_of_its_page(language: str, status: int, code: str) -> None:
    error = ErrorPage(
        site=site_in(language), status=status, code=code, message="M.", retry_after_seconds=7201
    )
    document = show(error)
    assert bool(BEYOND_LATIN.search(document.all("h1")[0].text)) == (language == "ja")
    assert document.problems == []
    texts = [each.text for each in document.all("p") if "section" in each.path]
    assert (texts[1] == "M.") == (code == "x")
    assert "3" in texts[2]  # hours, rounded up
