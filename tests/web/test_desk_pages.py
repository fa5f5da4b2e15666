"""The pages behind a sign-in: well-formed, labelled, self-contained, and deaf to hostile texts."""

import re
from typing import Any, get_args

import pytest

from luckrig.protocol.reports import CATEGORIES, Action, Ground, SubjectKind, TargetKind
from luckrig.tracker.domain.audit_log import AuditEvent
from luckrig.web.assets import static_files
from luckrig.web.desk_words import describe_detail, describe_due, describe_hold, short_name
from luckrig.web.foreign import clean
from luckrig.web.languages import english, load_languages
from luckrig.web.operator_pages import case_path, subject_path
from luckrig.web.render import make_renderer
from tests.web.desk_samples import RIG_ID, notice, sample_pages
from tests.web.documents import read
from tests.web.hostile import HOSTILE
from tests.web.lazy import Lazy
from tests.web.rigs import NOW

FILES = static_files()
EN = english()
RENDERER = make_renderer(FILES)
PLAIN = Lazy(RENDERER.render, dict(sample_pages()))
HOSTILE_PAGES = {
    f"{name}, {number}": (name, text, page)
    for number, text in enumerate(HOSTILE)
    for name, page in sample_pages(text)
}
DAY, HOUR = 86_400, 3600


@pytest.mark.parametrize("name", PLAIN)
def test_is_well_formed_and_self_contained(name: str) -> None:
    html, document = PLAIN[name], read(PLAIN[name])
    assert document.problems == []
    ids = [element.get("id") for element in document.having("id")]
    assert len(ids) == len(set(ids))
    assert document.all("style") == document.all("iframe") == document.all("img") == []
    with_keys = name.startswith(("me", "sign in"))
    assert len(document.all("script")) == (2 if with_keys else 1)
    assert len(document.all("h1")) == len(document.all("main")) == 1
    for element in document.elements:
        assert "style" not in element.attributes
        assert not [attribute for attribute in element.attributes if attribute.startswith("on")]
    for attribute in ("aria-labelledby", "aria-describedby", "for"):
        assert {element.get(attribute) for element in document.having(attribute)} <= set(ids)
    assert not re.search(r"(?:src|href|action)=[\"']?\s*(?:javascript|data|https?|//)", html)


@pytest.mark.parametrize("name", PLAIN)
def test_every_field_has_a_label_and_every_form_a_token(name: str) -> None:
    document = read(PLAIN[name])
    labelled = {element.get("for") for element in document.all("label")}
    for field in (*document.all("input"), *document.all("textarea")):
        if field.get("type") in ("radio", "checkbox"):
            assert field.path[-1] == "label" or field.get("id") in labelled
        elif field.get("type") != "hidden":
            assert field.get("id") in labelled
    forms = document.all("form")
    assert {form.get("method") for form in forms} <= {"post"}
    tokens = [field for field in document.all("input") if field.get("name") == "csrf"]
    assert len(tokens) == len([form for form in forms if form.get("action") != "/login"])


@pytest.mark.parametrize("name", HOSTILE_PAGES)
def test_a_hostile_text_adds_no_element(name: str) -> None:
    plain, text, page = HOSTILE_PAGES[name]
    html = RENDERER.render(page)
    document = read(html)
    assert document.problems == []
    expected = read(PLAIN[plain]).elements
    assert [element.tag for element in document.elements] == [each.tag for each in expected]
    attributes = [sorted(element.attributes) for element in document.elements]
    assert attributes == [sorted(each.attributes) for each in expected]
    if "Words." in PLAIN[plain]:
        assert clean(text) in document.all("main")[0].text or "value=" in html


@pytest.mark.parametrize("name", ["case", "me", "audit"])
def test_every_foreign_text_is_isolated(name: str) -> None:
    """<bdi>, and fields, which are a direction of their own."""
    page = dict(sample_pages("Zqx"))[name]
    html = RENDERER.render(page)
    bare = re.sub(r"<bdi[ >].*?</bdi>|\u2068.*?\u2069", "", html, flags=re.DOTALL)
    bare = re.sub(r"<textarea.*?</textarea>|<input[^>]*>", "", bare, flags=re.DOTALL)
    bare = re.sub(r'<p class="problem".*?</p>', "", bare, flags=re.DOTALL)  # our own sentence
    assert "Zqx" in html
    assert "Zqx" not in bare


def test_a_long_text_scrolls_and_can_be_reached_by_key() -> None:
    (page,) = [page for name, page in sample_pages("x\n" * 40) if name == "case"]
    long = [each for each in read(RENDERER.render(page)).of_class("quoted") if "x\n" in each.text]
    assert long
    assert {each.get("tabindex") for each in long} == {"0"}
    assert all(each.get("aria-label") for each in long)


def test_everything_that_a_code_stands_for_has_a_word() -> None:
    for table, codes in {
        "category": CATEGORIES,
        "severity": {rule.severity for rule in CATEGORIES.values()},
        "subject": {*get_args(SubjectKind), *get_args(TargetKind)},
        "action": get_args(Action),
        "did": get_args(Action),
        "ground": get_args(Ground),
        "event": get_args(AuditEvent),
    }.items():
        beginning = f"desk.{table}."
        known = {key.removeprefix(beginning) for key in EN.texts if key.startswith(beginning)}
        assert known == {str(code) for code in codes}


@pytest.mark.parametrize(
    ("left", "text", "is_late"),
    [
        (2 * DAY, "due in 2 days", False),
        (2 * DAY - 1, "due in 47 h", False),
        (HOUR, "due in 1 h", False),
        (59, "due in 0 min", False),
        (0, "due in 0 min", False),
        (-1, "0 min late", True),
        (-5 * HOUR, "5 h late", True),
        (-3 * DAY, "3 days late", True),
    ],
)
def test_deadlines(left: int, text: str, is_late: bool) -> None:
    assert describe_due(NOW + left, NOW, EN) == (text, is_late)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "banned for good"),
        (
            {"action": "suspend", "expires_at": 1_800_000_000},
            "suspended until 2027-01-15 08:00 UTC",
        ),
        ({"action": "limit"}, "limited"),
        ({"action": "hide", "automated": True}, "hidden until an operator decides"),
        ({"action": "dismiss"}, "dismissed"),
    ],
)
def test_what_a_decision_does(changes: dict[str, Any], words: str) -> None:
    assert describe_hold(notice(**changes), EN) == words


@pytest.mark.parametrize(
    ("event", "detail", "in_english", "in_japanese"),
    [
        ("held", "1800000000", "until 2027-01-15 08:00 UTC", "2027-01-15 08:00 UTC まで"),
        ("held", "soon", "soon", "soon"),
        ("reported", "threat", "threat", "脅威"),
        ("decided", "ban n1abc", "banned n1abc", "禁止 n1abc"),
        ("decided", "explode n1abc", "explode n1abc", "explode n1abc"),
        ("answered", "upheld d1", "upheld d1", "異議を認めず d1"),
        ("hidden", "ban", "ban", "ban"),
    ],
)
def test_details_of_the_audit_log_are_said_in_words(
    event: str, detail: str, in_english: str, in_japanese: str
) -> None:
    assert describe_detail(event, detail, EN) == in_english
    assert describe_detail(event, detail, load_languages()["ja"]) == in_japanese


def test_names_are_short_where_that_tells_them_apart() -> None:
    assert short_name(RIG_ID) == f"{RIG_ID[:10]}…"
    assert short_name(f"{RIG_ID}/request-number-1") == f"{RIG_ID[:10]}…/request-…"
    assert short_name("203.0.113.0/24") == "203.0.113.0/24"
    assert short_name("2001:db8::/48") == "2001:db8::/48"


def test_an_id_cannot_leave_its_path() -> None:
    assert case_path("../x?y#z") == "/operator/cases/..%2Fx%3Fy%23z"
    assert subject_path("note", "a/b") == "/api/v1/notes/a%2Fb"
    assert subject_path("reply", f"{RIG_ID}/request") == f"/nodes/{RIG_ID}"
    assert subject_path("user", "u1x") is None
