"""/replays before any script runs: whole, in two languages, with every word its scripts ask for."""

import re

import pytest

from luckrig.web.assets import static_files
from luckrig.web.languages import load_languages
from luckrig.web.render import make_renderer
from luckrig.web.replays_page import ReplaysPage
from tests.web.documents import read
from tests.web.report_samples import site_in

FILES = static_files()
RENDERER = make_renderer(FILES)
PUT_TOGETHER = ("outcome_", "mode_", "error_", "keep_")
"""Words whose names the scripts put together of one that a list in them allows."""


@pytest.mark.parametrize("language", load_languages())
def test_page_is_whole_and_says_what_it_needs(language: str) -> None:
    page = ReplaysPage(site=site_in(language, path="/replays"))
    html = RENDERER.render(page)
    document = read(html)
    assert document.problems == []
    assert document.elements[0].get("lang") == language
    ids = [each.get("id") for each in document.having("id")]
    assert len(ids) == len(set(ids))
    for attribute in ("aria-labelledby", "aria-describedby", "for"):
        assert {each.get(attribute) for each in document.having(attribute)} <= set(ids)
    (told,) = document.all("noscript")
    assert "luckrig replay play" in html
    assert told.text == str(load_languages()[language]("replays.no_script"))


def test_scripts_get_every_word_and_only_ask_for_those() -> None:
    html = RENDERER.render(ReplaysPage(site=site_in("en")))
    given = {each.get("data-word") or "" for each in read(html).all("li")} - {""}
    code = "".join(
        file.content.decode() for file in FILES.values() if file.name.startswith("replays/")
    )
    asked = set(re.findall(r'\bsay\(\s*"([a-z_]+)"', code))
    assert asked <= given
    # By its name in a script, as a parameter of one, or in the template.
    taken = set(re.findall(r'"([a-z_]+)"', code)) | {"seconds", "milliseconds"}
    assert [name for name in given - taken if not name.startswith(PUT_TOGETHER)] == []
    codes = re.search(r'@param \{((?:"[a-z_]+"(?: \| )?)+)\} code', code)
    assert codes is not None
    assert {f"error_{each}" for each in re.findall(r'"([a-z_]+)"', codes[1])} == {
        name for name in given if name.startswith("error_")
    }
    ids = {each.get("id") for each in read(html).having("id")}
    assert set(re.findall(r'\bbyId\("([a-z-]+)"\)', code)) <= ids
