"""Numbers as people, spreadsheets and programs read them."""

import pytest

from luckrig.web.languages import english, load_languages
from luckrig.web.tables import neutral
from luckrig.web.transparency_page import format_duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "—"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (11_520, "3 h 12 min"),
        (172_799, "47 h 59 min"),
        (172_800, "2 days 0 h"),
        (691_200, "8 days 0 h"),
    ],
)
def test_durations_are_in_the_units_that_people_wait_in(seconds: int | None, words: str) -> None:
    assert format_duration(seconds, english()) == words


def test_durations_are_in_the_language_of_the_page() -> None:
    assert format_duration(11_520, load_languages()["ja"]) == "3 時間 12 分"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start: str) -> None:
    assert neutral(f"{start}1+1") == f"'{start}1+1"
    assert neutral("2026-H2") == "2026-H2"
