"""/terms, /privacy, /compliance, /about: an operator's own words, or that some are missing."""

from typing import Any

import pytest

from luckrig.protocol.reports import APPEAL_DAYS
from luckrig.tracker.domain.stored_data import TABLES
from luckrig.tracker.settings import (
    MAX_ADDRESS_CHARS,
    MAX_CONTACT_CHARS,
    MAX_JURISDICTION_CHARS,
    MAX_OPERATOR_NAME_CHARS,
    TrackerSettings,
)
from luckrig.web.languages import english, load_languages
from tests.tracker.trackers import KEYS, running_tracker
from tests.web.documents import read

PAGES = ("/terms", "/privacy", "/compliance", "/about")
OPERATOR: dict[str, Any] = {
    "operator_name": "Rig Commons e.V.",
    "contact": "desk@tracker.example",
    "jurisdiction": "Germany, courts of Freiburg",
    "address": "Rig Commons\nSome Street 1\n79098 Freiburg",
    "dmca_agent": "Kim Agent\n+49 000",
}
WHERE = {
    "operator_name": PAGES,
    "contact": PAGES,
    "jurisdiction": ("/terms", "/compliance"),
    "address": ("/terms", "/privacy", "/compliance"),
    "dmca_agent": ("/compliance",),
}
"""setting -> the pages that say it."""


async def get(path: str, **settings: Any) -> str:
    """A page of a tracker with these settings."""
    async with running_tracker(**settings) as tracker:
        reply = await tracker.http.get(path)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    return reply.text


@pytest.mark.parametrize("path", PAGES)
async def test_pages_say_what_the_operator_has_said(path: str) -> None:
    html = await get(path, **OPERATOR)
    for setting, pages in WHERE.items():
        assert (OPERATOR[setting] in html) == (path in pages), setting
    assert "This operator hasn" not in html
    assert 'href="mailto:desk@tracker.example"' in html


@pytest.mark.parametrize(
    ("setting", "missing"),
    [
        ("operator_name", "This operator hasn’t given a name."),
        ("contact", "This operator hasn’t named a contact."),
        ("jurisdiction", "This operator hasn’t said whose law applies"),
        ("address", "This operator hasn’t given a postal address."),
        ("dmca_agent", "This operator hasn’t named an agent for copyright notices."),
    ],
)
async def test_what_the_operator_has_not_said_is_said_to_be_missing(
    setting: str, missing: str
) -> None:
    for path in WHERE[setting]:
        assert missing in await get(path)
        assert missing in await get(path, **(OPERATOR | {setting: ""}))
        assert missing not in await get(path, **OPERATOR)


async def test_an_operators_words_are_text_only() -> None:
    hostile = "<script>alert(1)</script>\"'{{ 7*7 }}"
    settings = {name: hostile for name in OPERATOR if name != "contact"}
    for path in PAGES:
        html = await get(path, **settings, contact="https://t.example/?a=1&b='2'")
        assert "alert(1)</script>" not in html
        assert "49" not in read(html).all("main")[0].text.replace("7*7", "")
        (link, *_) = [each for each in read(html).all("a") if "t.example" in each.get("href")]
        assert link.get("href") == "https://t.example/?a=1&b='2'"


async def test_terms_prohibit_child_sexual_exploitation_first_of_all() -> None:
    html = await get("/terms")
    rules = [each for each in read(html).all("li") if "rules" not in each.get("class")]
    (first, *_) = [each for each in rules if each.path[-1] == "ol" and "section" in each.path]
    assert first.text.startswith("Child sexual exploitation, first of all.")
    assert f"For {APPEAL_DAYS} days" in html
    assert "without warranty" in html
    assert "costs money" in html


async def test_privacy_says_who_can_read_a_prompt() -> None:
    html = await get("/privacy")
    assert "The rig that answers can read what you send it." in html
    assert "luckrig account export" in html
    assert "luckrig account delete" in html


async def test_privacy_lists_every_table() -> None:
    """What is in the list is compared with the database in test_people.py."""
    for language, words in load_languages().items():
        main = read(await get(f"/privacy?lang={language}")).all("main")[0].text
        for table in TABLES:
            assert table in main
            for about in ("what", "why", "kept", "erased"):
                assert words.texts[f"stored.{table}.{about}"]["other"] in main


def test_nothing_is_said_of_tables_that_there_are_not() -> None:
    said = {key.split(".")[1] for key in english().texts if key.startswith("stored.")}
    assert said == set(TABLES)


@pytest.mark.parametrize("path", [*PAGES, "/transparency"])
async def test_pages_are_in_the_language_that_a_browser_asks_for(path: str) -> None:
    async with running_tracker() as tracker:
        reply = await tracker.http.get(path, headers={"accept-language": "ja"})
    assert reply.headers["vary"] == "Accept-Language"
    assert read(reply.text).elements[0].get("lang") == "ja"


@pytest.mark.parametrize("path", ["/terms", "/privacy", "/compliance"])
async def test_what_binds_somebody_says_that_english_is_authoritative(path: str) -> None:
    assert "The English text is authoritative" in await get(path)
    document = read(await get(f"{path}?lang=ja"))
    (english_text,) = [a for a in document.all("a") if a.text == "英語版"]
    assert english_text.get("href") == f"{path}?lang=en"
    assert "英語版が優先します" in document.all("header")[1].text


async def test_compliance_page_lists_every_deadline() -> None:
    main = read(await get("/compliance")).all("main")[0].text
    assert main.count("48 hours") == 2
    assert main.count("72 hours") == 4
    assert main.count("7 days") == 1


async def test_about_names_version_root_and_licence() -> None:
    html = await get("/about")
    for fact in (KEYS.root_id, "1.2.3", "Apache License 2.0"):
        assert fact in html


@pytest.mark.parametrize("path", [*PAGES, "/transparency"])
async def test_pages_are_well_formed_and_keep_to_the_policy(path: str) -> None:
    document = read(await get(path, **OPERATOR))
    assert document.problems == []
    ids = [element.get("id") for element in document.having("id")]
    assert len(ids) == len(set(ids))
    assert document.all("style") == []
    for element in document.elements:
        assert "style" not in element.attributes
        assert not [name for name in element.attributes if name.startswith("on")]
    for element in document.having("href"):
        if element.get("href").startswith("#"):
            assert element.get("href")[1:] in ids
    for element in document.having("aria-labelledby"):
        assert element.get("aria-labelledby") in ids
    assert len(document.all("h1")) == 1


@pytest.mark.parametrize("path", [*PAGES, "/transparency"])
async def test_every_link_to_this_tracker_leads_somewhere(path: str) -> None:
    """Also /report, /me and the parts of other pages, as long as those pages are served."""
    async with running_tracker() as tracker:
        html = (await tracker.http.get(path)).text
        for target in {each.get("href") for each in read(html).having("href")}:
            if not target.startswith("/"):
                continue
            page, _, part = target.partition("#")
            reply = await tracker.http.get(page)
            assert reply.status_code == 200 or page in ("/report", "/me"), target
            if part:
                assert f'id="{part}"' in reply.text, target


# Settings


def settings(name: str, value: str) -> TrackerSettings:
    return TrackerSettings.from_env({f"LUCKRIG_TRACKER_{name}": value})


def test_an_operators_words_come_from_the_environment() -> None:
    variables = {f"LUCKRIG_TRACKER_{name.upper()}": text for name, text in OPERATOR.items()}
    read_back = TrackerSettings.from_env(variables)
    assert {name: getattr(read_back, name) for name in OPERATOR} == OPERATOR
    assert settings("ADDRESS", "  Street 1\r\nTown \n").address == "Street 1\nTown"


def test_what_is_not_set_is_empty() -> None:
    nothing = TrackerSettings.from_env({})
    assert {getattr(nothing, name) for name in OPERATOR} == {""}


@pytest.mark.parametrize(
    "contact",
    [
        "desk@tracker.example",
        "first.last+luckrig@example.org",
        "https://tracker.example/contact?a=1",
    ],
)
def test_contacts_are_addresses(contact: str) -> None:
    assert settings("CONTACT", f" {contact} ").contact == contact


@pytest.mark.parametrize(
    "contact",
    [
        "me",
        "@example.org",
        "a@b@c",
        "a b@example.org",
        "a@example.org?bcc=all",
        "Kim <kim@example.org>",
        "http://tracker.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "https://user:password@tracker.example/",
        "https://tracker.example/ x",
        'https://tracker.example/"x',
        "https://[::1",
        "a@example.org\nb@example.org",
        "\u202ea@example.org",
        "a@" + "b" * MAX_CONTACT_CHARS,
    ],
)
def test_contacts_that_lead_nowhere_stop_the_start(contact: str) -> None:
    with pytest.raises(ValueError, match="LUCKRIG_TRACKER_CONTACT"):
        settings("CONTACT", contact)


@pytest.mark.parametrize(
    ("name", "max_chars", "lines"),
    [
        ("OPERATOR_NAME", MAX_OPERATOR_NAME_CHARS, False),
        ("JURISDICTION", MAX_JURISDICTION_CHARS, False),
        ("ADDRESS", MAX_ADDRESS_CHARS, True),
        ("DMCA_AGENT", MAX_ADDRESS_CHARS, True),
    ],
)
def test_texts_are_bounded_and_plain(name: str, max_chars: int, *, lines: bool) -> None:
    settings(name, "x" * max_chars)
    for text in ("x" * (max_chars + 1), "a\x00b", "a\u202eb", "a\u200bb"):
        with pytest.raises(ValueError, match=f"LUCKRIG_TRACKER_{name} must be"):
            settings(name, text)
    if lines:
        settings(name, "a\nb")
    else:
        with pytest.raises(ValueError, match="one line"):
            settings(name, "a\nb")


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"CONTACT.*OPERATOR_NAME|OPERATOR_NAME.*CONTACT"):
        TrackerSettings.from_env(
            {"LUCKRIG_TRACKER_CONTACT": "x", "LUCKRIG_TRACKER_OPERATOR_NAME": "a\nb"}
        )
