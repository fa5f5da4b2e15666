"""Strangers' texts are shown, never obeyed."""

import pytest
from markupsafe import Markup

from luckrig.web.foreign import clean, excerpt, finalize, isolate


@pytest.mark.parametrize("text", ["RTX 3090", "寝室のP40", "café", "a\nb\tc", "עברית", ""])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "character",
    [
        "\x00",
        "\x1b",
        "\r",
        "\x9b",
        "\u00ad",
        "\u061c",
        "\u200b",
        "\u200d",
        "\u200e",
        "\u202e",
        "\u2028",
        "\u2066",
        "\u2068",
        "\u2069",
        "\ufe0f",
        "\ufeff",
        "\ud800",
        "\ue000",
        "\U000e0041",
        "\U000e0100",
    ],
)
def test_deceptive_characters_become_visible(character: str) -> None:
    assert clean(f"a{character}b") == "a\ufffdb"


def test_isolate_escapes_and_cannot_be_left() -> None:
    assert isolate("\u2069</title><b>") == "\u2068\ufffd&lt;/title&gt;&lt;b&gt;\u2069"


def test_finalize_cleans_texts_and_leaves_markup_and_numbers() -> None:
    markup = Markup("<b>\u2068x\u2069</b>")
    assert finalize("\u202ex") == "\ufffdx"
    assert finalize(markup) is markup
    assert finalize(3) == 3


@pytest.mark.parametrize(
    ("note", "text"),
    [
        ("", ""),
        ("short", "short"),
        ("a\n\nfew\twords", "a few words"),
        ("one two three four", "one two…"),
        ("あいうえおかきくけこさしすせそ", "あいうえおかきくけこ…"),
    ],
)
def test_an_excerpt_is_one_short_line(note: str, text: str) -> None:
    assert excerpt(note, max_chars=11) == text
