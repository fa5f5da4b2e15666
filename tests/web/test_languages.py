"""All languages say the same things, and a page asks for nothing that none of them says."""

import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from luckrig.protocol.reports import ACTIONS, CATEGORIES, Language
from luckrig.web import languages
from luckrig.web.assets import static_files
from luckrig.web.languages import (
    MAX_ACCEPT_CHARS,
    MAX_ACCEPT_ITEMS,
    Words,
    choose_language,
    english,
    load_languages,
)

WEB = Path(languages.__file__).parent
LANGUAGES = load_languages()
each_language = pytest.mark.parametrize("words", LANGUAGES.values(), ids=LANGUAGES)
CLAIMS = re.compile(
    r"end-to-end|anonym|\bsafe(?:ly)?\b|\bfiltered\b|匿名|安全|エンドツーエンド", re.IGNORECASE
)


def placeholders(words: Words, key: str) -> set[str]:
    texts = words.texts[key].values()
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_pages_speak_each_language_that_reports_are_answered_in() -> None:
    assert set(get_args(Language)) <= set(LANGUAGES)
    assert english() is LANGUAGES["en"]


@each_language
def test_every_language_says_the_same_things(words: Words) -> None:
    assert words.texts.keys() == english().texts.keys()
    for key in words.texts:
        assert placeholders(words, key) - {"n"} == placeholders(english(), key) - {"n"}, key
        if set(words.texts[key]) == {"other"} == set(english().texts[key]):
            assert placeholders(words, key) == placeholders(english(), key), key


@each_language
def test_texts_are_texts(words: Words) -> None:
    """No markup, no leftovers, and nothing that reaches into a value (`{a.b}`, `{a!r}`)."""
    for key, forms in words.texts.items():
        for text in forms.values():
            assert text.strip() == text != ""
            assert not re.search(r"[<>&\x00-\x1f]|TODO|\{[^a-z]", text), key
            assert not CLAIMS.search(text), key
            for _, name, spec, conversion in Formatter().parse(text):
                assert name is None or (re.fullmatch(r"[a-z]+", name) and not spec), key
                assert conversion is None, key


@each_language
def test_every_word_of_the_protocol_has_a_name(words: Words) -> None:
    for category in CATEGORIES:
        assert words.has(f"category.{category}.name")
        assert words.has(f"category.{category}.help")
    for kind, actions in ACTIONS.items():
        for action in actions:
            assert words.has(f"decision.did.{action}_{kind}")


def test_templates_ask_for_words_that_exist() -> None:
    """Keys that a template puts together itself are found by rendering it in every state."""
    asked: set[str] = set()
    beginnings: set[str] = set()
    for path in (WEB / "templates").glob("*.html"):
        text = path.read_text("utf-8")
        asked |= set(re.findall(r'\bt\("([^"]+)"[,)]', text))
        asked |= {f"shared.count.{each}" for each in re.findall(r"\|counted\(.([a-z ]+)", text)}
        beginnings |= set(re.findall(r'\bt\("([^"]+)" ~', text))
    assert asked <= english().texts.keys()
    assert len(asked) > 20
    for beginning in beginnings:
        assert any(key.startswith(beginning) for key in english().texts), beginning


def test_every_page_brings_what_its_script_says() -> None:
    """static/app.js: no word is missing, and none comes along for nothing."""
    (script,) = [file for file in static_files().values() if file.name == "app.js"]
    code = script.content.decode()
    asked = set(re.findall(r'\b(?:say|pieces)\("([a-z_]+)"', code))
    given = {key.removeprefix("shared.live.") for key in english().texts if ".live." in key}
    assert asked == given


def test_plurals_and_numbers() -> None:
    words = LANGUAGES["en"]
    assert words("report.problems", n=1).startswith("One thing is ")
    assert words("report.problems", n=2).startswith("2 things are")
    assert words("error.wait_hours", n=1200) == "Try again in 1,200 hours."
    assert LANGUAGES["ja"]("error.wait_hours", n=1) == "1 時間後にもう一度お試しください。"


def test_values_are_texts_unless_they_are_markup() -> None:
    words = english()
    hostile = words("error.contact", contact="<b>\u202e{x}{contact}</b>")
    assert hostile.endswith("&lt;b&gt;\ufffd{x}{contact}&lt;/b&gt;")
    assert words("error.contact", contact=Markup("<bdi>x</bdi>")).endswith("<bdi>x</bdi>")


def test_a_missing_key_or_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        english()("report.no_such_text")
    with pytest.raises(KeyError):
        english()("error.contact")


@pytest.mark.parametrize(
    ("asked", "accept", "chosen"),
    [
        (None, None, "en"),
        (None, "", "en"),
        (None, "ja", "ja"),
        (None, "ja-JP", "ja"),
        (None, "JA", "ja"),
        (None, "ja,en-US;q=0.9,en;q=0.8", "ja"),
        (None, "en-US,en;q=0.9,ja;q=0.8", "en"),
        (None, "de-AT, de;q=0.9, ja;q=0.1", "ja"),
        (None, "de, *;q=0.5", "en"),
        (None, "ja;q=0, en;q=0.1", "en"),
        (None, "ja;q=0", "en"),
        (None, "en;q=0.5,ja;q=0.5", "en"),
        (None, "ja ; q=1.000", "ja"),
        (None, "ja;q=1.001", "en"),
        (None, "ja;q=2", "en"),
        (None, "ja;q=0.1234", "en"),
        (None, "ja;level=1", "en"),
        (None, "ja,,en", "en"),
        (None, "ja_JP", "en"),
        (None, "japanese", "en"),
        (None, "j\x00a", "en"),
        (None, "ja\n", "en"),
        (None, "ja," * MAX_ACCEPT_ITEMS + "ja,", "en"),
        (None, "ja" + " " * MAX_ACCEPT_CHARS, "en"),
        ("ja", "en", "ja"),
        ("en", "ja", "en"),
        ("xx", "ja", "ja"),
        ("JA", None, "en"),
        ("../en", None, "en"),
    ],
)
def test_the_language_is_chosen(asked: str | None, accept: str | None, chosen: str) -> None:
    assert choose_language(list(LANGUAGES), asked=asked, accept=accept) == chosen


@given(asked=st.none() | st.text(), accept=st.none() | st.text(alphabet="ja,;q=0.19-*en \t"))
def test_whatever_is_asked_some_language_is_chosen(asked: str | None, accept: str | None) -> None:
    assert choose_language(list(LANGUAGES), asked=asked, accept=accept) in LANGUAGES
