"""The report form and a report's page, through the tracker, as browsers without scripts do it."""

import ipaddress
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import MAX_REPORT_CHARS, ReportRequest, check_report
from luckrig.tracker.routes.forms import FORM
from luckrig.tracker.routes.report_form import find_problems, make_report, read_values
from luckrig.tracker.routes.report_pages import MAX_REPORT_FORM_BYTES
from luckrig.web.foreign import clean
from luckrig.web.report_pages import FIELDS, LIMITS
from tests.tracker.factories import NOW, make_node
from tests.tracker.trackers import URL, Tracker, running_tracker
from tests.web.documents import Document, read
from tests.web.hostile import HOSTILE

OPERATOR = PrivateKey(b"\x01" * 32)
OPERATOR_ID = derive_id("u1", OPERATOR.public)
RIG = make_node(1)
USER_ID = "u1" + "a" * 32
HOUR, DAY = 3600, 86_400
CHILD_SAFETY: Mapping[str, str] = {
    "subject_kind": "node",
    "subject_id": RIG.node_id,
    "category": "child_safety",
    "reason": "It offers\r\nwhat nobody may.",
    "good_faith": "yes",
}
TERMS: Mapping[str, str] = {
    **CHILD_SAFETY,
    "category": "terms",
    "evidence": "request id 1",
    "name": "Kim Example",
    "email": "kim@example.org",
}
COPYRIGHT: Mapping[str, str] = {
    **TERMS,
    "category": "copyright",
    "work": "A poem.",
    "address": "1 Road",
    "phone": "1",
    "accurate": "yes",
    "signature": "Kim Example",
}


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker with a rig and an operator, behind a proxy that says where people come from."""
    proxies = (ipaddress.ip_network("127.0.0.1"),)
    operators = frozenset({OPERATOR_ID})
    async with running_tracker(operators=operators, trusted_proxies=proxies) as running:
        assert (await running.publish(RIG)).status_code == 200
        yield running


async def open_form(tracker: Tracker, query: str = "", **headers: str) -> Document:
    """GET the form."""
    reply = await tracker.http.get(f"/report{query}", headers=headers)
    assert reply.status_code == 200
    return read(reply.text)


async def send(
    tracker: Tracker,
    fields: Mapping[str, str],
    path: str = "/report",
    *,
    headers: Mapping[str, str] | None = None,
) -> httpx2.Response:
    """POST a form as a browser does."""
    sent = {"content-type": FORM, "sec-fetch-site": "same-origin", **(headers or {})}
    return await tracker.http.post(path, content=urlencode(fields).encode(), headers=sent)


async def report(tracker: Tracker, fields: Mapping[str, str] = CHILD_SAFETY) -> str:
    """Fill in a new form and send it; the ticket."""
    form_id = typed(await open_form(tracker))["form_id"]
    reply = await send(tracker, {**fields, "form_id": form_id})
    assert reply.status_code == 303, reply.text
    return urlsplit(reply.headers["location"]).path.removeprefix("/report/")


async def cases(tracker: Tracker) -> Any:
    """What operators see of all cases."""
    return (await tracker.get("/api/v1/admin/cases", key=OPERATOR)).json()["cases"]


async def decide(tracker: Tracker, action: str = "dismiss") -> None:
    """Close the only case."""
    (case,) = await cases(tracker)
    fields = {"case_id": case["case_id"], "reason": "It is what it says."}
    assert (await tracker.decide(action, RIG.node_id, key=OPERATOR, **fields)).status_code == 200


def typed(document: Document) -> dict[str, str]:
    """What stands in a form's text fields."""
    fields = {field.get("name"): field.get("value") for field in document.all("input")}
    areas = {area.get("name"): area.text.removeprefix("\n") for area in document.all("textarea")}
    return fields | areas


def faults(document: Document) -> set[str]:
    """The names of the fields that have one."""
    return {fault.get("id").removeprefix("e-") for fault in document.of_class("fault")}


# The form


async def test_a_link_fills_in_what_is_reported(tracker: Tracker) -> None:
    rig = read((await tracker.http.get(f"/nodes/{RIG.node_id}")).text)
    (link,) = [a.get("href") for a in rig.all("a") if a.text == "Report this rig"]
    document = read((await tracker.http.get(link)).text)
    assert typed(document)["subject_id"] == RIG.node_id
    (chosen,) = [option for option in document.all("option") if "selected" in option.attributes]
    assert chosen.get("value") == "node"


@pytest.mark.parametrize("path", ["/", f"/nodes/{RIG.node_id}", "/report", "/no/such/page"])
async def test_every_page_leads_to_the_form(tracker: Tracker, path: str) -> None:
    document = read((await tracker.http.get(path)).text)
    assert "/report" in [link.get("href") for link in document.all("a")]


async def test_each_form_has_an_id_of_its_own(tracker: Tracker) -> None:
    ids = {typed(await open_form(tracker))["form_id"] for _ in range(5)}
    assert len(ids) == 5
    assert {len(form_id) for form_id in ids} == {32}


@pytest.mark.parametrize("fields", [CHILD_SAFETY, TERMS, COPYRIGHT])
async def test_a_report_leads_to_its_private_page(
    tracker: Tracker, fields: Mapping[str, str]
) -> None:
    ticket = await report(tracker, fields)
    reply = await tracker.http.get(f"/report/{ticket}?new=1")
    assert reply.status_code == 200
    document = read(reply.text)
    assert f"{URL}/report/{ticket}" in [code.text for code in document.all("code")]
    assert RIG.node_id in document.all("main")[0].text
    (case,) = await cases(tracker)
    assert (case["category"], case["reports"]) == (fields["category"], 1)
    path = f"/api/v1/admin/cases/{case['case_id']}"
    (stored,) = (await tracker.get(path, key=OPERATOR)).json()["reports"]
    assert stored["reason"] == "It offers\nwhat nobody may."
    assert stored["name"] == fields.get("name", "")
    assert (stored["copyright"] is not None) == (fields is COPYRIGHT)


async def test_the_same_form_sent_again_is_the_same_report(tracker: Tracker) -> None:
    """A double click, a reload, a replay next day: one receipt, one report."""
    fields = {**TERMS, "form_id": "f" * 32}
    first = await send(tracker, fields)
    tracker.clock.now += DAY
    again = [await send(tracker, fields), await send(tracker, {**fields, "reason": "else"})]
    assert {reply.headers["location"] for reply in (first, *again)} == {first.headers["location"]}
    assert [case["reports"] for case in await cases(tracker)] == [1]


async def test_pages_of_reports_are_nobody_elses(tracker: Tracker) -> None:
    ticket = await report(tracker)
    page = await tracker.http.get(f"/report/{ticket}")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex"
    assert page.headers["referrer-policy"] == "no-referrer"
    form = await tracker.http.get("/report")
    assert "private" in form.headers["cache-control"]
    assert form.headers["vary"] == page.headers["vary"] == "Accept-Language"
    assert "set-cookie" not in form.headers.keys() | page.headers.keys()


@pytest.mark.parametrize(
    "text",
    [
        RIG.node_id,
        f"  {RIG.node_id}\t",
        f"{URL}/nodes/{RIG.node_id}",
        f"{URL}/nodes/{RIG.node_id}?lang=ja#use",
        f"/nodes/{RIG.node_id}",
    ],
)
async def test_the_address_of_a_rigs_page_is_as_good_as_its_id(tracker: Tracker, text: str) -> None:
    await report(tracker, {**CHILD_SAFETY, "subject_id": text})
    (case,) = await cases(tracker)
    assert case["subject_id"] == RIG.node_id


def broken_forms() -> Iterator[tuple[dict[str, str], set[str]]]:
    """Changes to a whole form, and the fields that are at fault then."""
    for fields in (TERMS, COPYRIGHT):
        for name in fields:
            if name not in ("category", "evidence"):
                yield {**fields, name: "" if name in ("accurate", "good_faith") else " "}, {name}
        for name, limit in LIMITS.items():
            if name in fields and name not in ("email", "subject_id"):
                yield {**fields, name: "字" * (limit + 1)}, {name}
    yield {**TERMS, "category": ""}, {"category"}
    yield {**TERMS, "category": "spam"}, {"category"}
    yield {**TERMS, "subject_kind": "planet"}, {"subject_kind"}
    yield {**TERMS, "subject_kind": "user"}, {"subject_id"}
    yield {**TERMS, "subject_id": make_node(9).node_id}, {"subject_id"}
    yield {**TERMS, "subject_kind": "note", "subject_id": "n" * 20}, {"subject_id"}
    yield {**TERMS, "subject_kind": "reply", "subject_id": RIG.node_id + "/"}, {"subject_id"}
    yield {**TERMS, "subject_id": "n1" * 400}, {"subject_id"}
    yield {**TERMS, "email": "nobody"}, {"email"}
    yield {**TERMS, "email": "a b@example.org"}, {"email"}
    yield {**TERMS, "email": "a" * 250 + "@example.org"}, {"email"}
    yield {**CHILD_SAFETY, "email": "nobody"}, {"email"}
    yield {}, {"subject_kind", "subject_id", "category", "reason", "name", "email", "good_faith"}


@pytest.mark.parametrize(("fields", "at_fault"), list(broken_forms()))
async def test_a_form_comes_back_with_what_was_typed_and_all_its_faults(
    tracker: Tracker, fields: Mapping[str, str], at_fault: set[str]
) -> None:
    reply = await send(tracker, {**fields, "form_id": "f" * 32})
    assert reply.status_code == 400
    document = read(reply.text)
    assert document.problems == []
    assert faults(document) == at_fault
    assert len(document.of_class("summary")) == 1
    shown = typed(document)
    assert shown["form_id"] == "f" * 32
    for name in ("subject_id", "name", "email", "phone", "signature"):
        assert shown[name] == fields.get(name, "").strip()
    for name in ("reason", "evidence", "work", "address"):
        assert shown[name] == fields.get(name, "").replace("\r\n", "\n")
    assert await cases(tracker) == []


async def test_child_safety_needs_no_name(tracker: Tracker) -> None:
    ticket = await report(tracker, CHILD_SAFETY)
    status = (await tracker.http.get(f"/api/v1/reports/{ticket}")).json()
    assert status["due_at"] == NOW + 48 * HOUR


@pytest.mark.parametrize("form_id", [None, "", "short", "x" * 65, "<b>" * 8])
async def test_a_form_without_its_id_comes_back_with_a_new_one(
    tracker: Tracker, form_id: str | None
) -> None:
    fields = {**TERMS, **({} if form_id is None else {"form_id": form_id})}
    reply = await send(tracker, fields)
    assert reply.status_code == 400
    document = read(reply.text)
    assert len(typed(document)["form_id"]) == 32
    assert typed(document)["name"] == "Kim Example"
    assert (await send(tracker, {**TERMS, "form_id": typed(document)["form_id"]})).is_redirect


async def test_the_longest_report_in_the_widest_script_is_taken(tracker: Tracker) -> None:
    wide = {name: "𠮷" * LIMITS[name] for name in ("reason", "evidence", "work", "address", "name")}
    fields = {**COPYRIGHT, **wide, "signature": wide["name"], "form_id": "f" * 32}
    assert 65_536 < len(urlencode(fields)) < MAX_REPORT_FORM_BYTES
    assert (await send(tracker, fields)).status_code == 303


# What isn't taken


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": URL},
    ],
)
async def test_a_form_of_another_site_is_refused(
    tracker: Tracker, headers: Mapping[str, str]
) -> None:
    ticket = await report(tracker)
    for path in ("/report", f"/report/{ticket}"):
        reply = await send(tracker, {**TERMS, "form_id": "f" * 32}, path, headers=headers)
        assert reply.status_code == 403
        assert "Another site" in read(reply.text).all("main")[0].text
    assert [case["reports"] for case in await cases(tracker)] == [1]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{URL}.evil.example"])
async def test_a_forged_origin_is_refused(tracker: Tracker, origin: str) -> None:
    body = urlencode({**TERMS, "form_id": "f" * 32}).encode()
    headers = {"content-type": FORM, "origin": origin}
    reply = await tracker.http.post("/report", content=body, headers=headers)
    assert reply.status_code == 403
    assert await cases(tracker) == []


async def test_what_is_no_form_is_refused(tracker: Tracker) -> None:
    large = await send(tracker, {"reason": "x" * MAX_REPORT_FORM_BYTES})
    assert (large.status_code, "Too large" in large.text) == (413, True)
    for media_type in ("application/json", "multipart/form-data; boundary=x"):
        wrong = await send(tracker, TERMS, headers={"content-type": media_type})
        assert wrong.status_code == 415, "no files either"
    many = await send(tracker, {f"f{number}": "" for number in range(100)})
    assert many.status_code == 400
    for body in (b"%00=%00", b"a=\xff", b"a=%ff", b"a=%ed%a0%80", b"reason=a&reason=b"):
        headers = {"content-type": FORM}
        reply = await tracker.http.post("/report", content=body, headers=headers)
        assert reply.status_code == 400
    assert await cases(tracker) == []


async def test_too_many_from_one_network_keep_what_they_wrote(tracker: Tracker) -> None:
    """And learn when to try again. Another network, and a repeated form, are taken."""
    here, there = {"x-forwarded-for": "203.0.113.7"}, {"x-forwarded-for": "198.51.100.7"}
    for number in range(5):
        assert (await send(tracker, form(number), headers=here)).status_code == 303
    reply = await send(tracker, form(6), headers=here)
    document = read(reply.text)
    assert reply.status_code == 429
    assert 0 < int(reply.headers["retry-after"]) <= HOUR
    assert "Try again in " in document.of_class("summary")[0].text
    assert typed(document)["evidence"] == "request id 1"
    assert (await send(tracker, form(6), headers=there)).status_code == 303
    assert (await send(tracker, form(0), headers=here)).status_code == 303
    tracker.clock.now += HOUR
    assert (await send(tracker, form(7), headers=here)).status_code == 303


def form(number: int) -> dict[str, str]:
    """A whole form, another for each number."""
    return {**TERMS, "form_id": f"form-{number:016}"}


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_taken_as_text(tracker: Tracker, text: str) -> None:
    fields = {**TERMS, **dict.fromkeys(("reason", "evidence", "name"), text)}
    ticket = await report(tracker, fields)
    assert read((await tracker.http.get(f"/report/{ticket}")).text).problems == []
    broken = await send(tracker, {**fields, "email": text, "subject_id": text, "form_id": text})
    document = read(broken.text)
    assert (broken.status_code, document.problems) == (400, [])
    assert typed(document)["subject_id"] == clean(text.strip())
    assert len(document.all("script")) == 1
    prefilled = "?" + urlencode({"kind": text, "id": text, "category": text, "lang": text})
    document = await open_form(tracker, prefilled)
    assert (document.problems, typed(document)["subject_id"]) == ([], clean(text))


# A report's page


@pytest.mark.parametrize("ticket", ["x", "a" * 43, "a" * 5000, "%00", "%22%3E%3Cb%3E"])
async def test_guessed_tickets_all_get_the_same_answer(tracker: Tracker, ticket: str) -> None:
    await report(tracker)
    wanted = await tracker.http.get(f"/report/{'b' * 43}")
    reply = await tracker.http.get(f"/report/{ticket}")
    assert reply.status_code == wanted.status_code == 404
    texts = [read(each.text).all("main")[0].text for each in (reply, wanted)]
    assert texts[0] == texts[1]
    sent = await send(tracker, {"decision_id": "d" * 16, "text": "x"}, f"/report/{ticket}")
    assert sent.status_code == 404


async def test_a_report_shows_what_becomes_of_it(tracker: Tracker) -> None:
    ticket = await report(tracker, TERMS)
    waiting = read((await tracker.http.get(f"/report/{ticket}")).text)
    assert "Waiting for a person to decide" in waiting.all("main")[0].text
    assert waiting.all("form") == []
    tracker.clock.now += 8 * DAY
    late = read((await tracker.http.get(f"/report/{ticket}")).text)
    assert "Late" in late.all("main")[0].text
    await decide(tracker, "ban")
    text = read((await tracker.http.get(f"/report/{ticket}")).text).all("main")[0].text
    assert "The rig was banned" in text
    assert "It is what it says." in text


async def test_who_reported_may_appeal_once_and_reads_the_answer(tracker: Tracker) -> None:
    ticket = await report(tracker, TERMS)
    await decide(tracker)
    document = read((await tracker.http.get(f"/report/{ticket}")).text)
    fields = {"decision_id": typed(document)["decision_id"], "text": "Look\r\nagain."}
    sent = await send(tracker, fields, f"/report/{ticket}")
    assert (sent.status_code, sent.headers["location"]) == (303, f"/report/{ticket}?appealed=1")
    page = read((await tracker.http.get(sent.headers["location"])).text)
    assert "Your appeal has arrived" in page.all("main")[0].text
    assert "Look\nagain." in [each.text for each in page.all("bdi")]
    assert page.all("form") == []
    again = await send(tracker, fields, f"/report/{ticket}")
    assert again.status_code == 409
    assert "you have appealed it before" in read(again.text).of_class("summary")[0].text
    (case,) = (await tracker.get("/api/v1/admin/cases?appealed=1", key=OPERATOR)).json()["cases"]
    path = f"/api/v1/admin/cases/{case['case_id']}"
    (appeal,) = (await tracker.get(path, key=OPERATOR)).json()["appeals"]
    body = {"appeal_id": appeal["appeal_id"], "uphold": False, "answer": "Right."}
    answered = await tracker.ask("/api/v1/admin/answers", json.dumps(body).encode(), key=OPERATOR)
    assert answered.status_code == 200
    text = read((await tracker.http.get(f"/report/{ticket}")).text).all("main")[0].text
    assert "You were right" in text
    assert "Right." in text


@pytest.mark.parametrize(
    ("text", "told"), [(" \n", "Say why"), ("字" * (MAX_REPORT_CHARS + 1), "at most 4,000")]
)
async def test_an_appeal_comes_back_with_its_fault(tracker: Tracker, text: str, told: str) -> None:
    ticket = await report(tracker, TERMS)
    await decide(tracker)
    document = read((await tracker.http.get(f"/report/{ticket}")).text)
    fields = {"decision_id": typed(document)["decision_id"], "text": text}
    reply = await send(tracker, fields, f"/report/{ticket}")
    document = read(reply.text)
    assert (reply.status_code, typed(document)["text"]) == (400, text)
    assert told in document.of_class("fault")[0].text


@pytest.mark.parametrize("decision_id", ["", "d" * 16, "<b>", "x" * 100])
async def test_decisions_about_something_else_cannot_be_appealed(
    tracker: Tracker, decision_id: str
) -> None:
    ticket = await report(tracker, TERMS)
    fields = {"decision_id": decision_id, "text": "No."}
    reply = await send(tracker, fields, f"/report/{ticket}")
    assert reply.status_code == 403
    assert "can’t be appealed" in read(reply.text).of_class("summary")[0].text


async def test_after_180_days_there_is_no_appeal(tracker: Tracker) -> None:
    ticket = await report(tracker, TERMS)
    await decide(tracker)
    shown = read((await tracker.http.get(f"/report/{ticket}")).text)
    tracker.clock.now += 180 * DAY + 1
    document = read((await tracker.http.get(f"/report/{ticket}")).text)
    assert document.all("form") == []
    assert "The time to appeal ended" in document.all("main")[0].text
    fields = {"decision_id": typed(shown)["decision_id"], "text": "No."}
    assert (await send(tracker, fields, f"/report/{ticket}")).status_code == 403


# Languages


async def test_a_visitor_reads_their_own_language(tracker: Tracker) -> None:
    for query, header, language in (
        ("", "", "en"),
        ("", "ja", "ja"),
        ("?lang=ja", "en", "ja"),
        ("?lang=en", "ja", "en"),
        ("?lang=xx", "ja;q=0.5", "ja"),
    ):
        document = await open_form(tracker, query, **{"accept-language": header})
        assert document.elements[0].get("lang") == language


async def test_the_language_goes_along_to_the_receipt_and_to_errors(tracker: Tracker) -> None:
    document = await open_form(tracker, f"?lang=ja&kind=node&id={RIG.node_id}")
    (action,) = [each.get("action") for each in document.all("form")]
    assert action == "/report?lang=ja"
    sent = await send(tracker, {**TERMS, "form_id": "f" * 32}, action)
    location = sent.headers["location"]
    assert location.endswith("?new=1&lang=ja")
    ticket = read((await tracker.http.get(location)).text)
    assert ticket.elements[0].get("lang") == "ja"
    refused = await send(tracker, TERMS, action, headers={"sec-fetch-site": "cross-site"})
    assert read(refused.text).elements[0].get("lang") == "ja"
    (case,) = await cases(tracker)
    path = f"/api/v1/admin/cases/{case['case_id']}"
    (stored,) = (await tracker.get(path, key=OPERATOR)).json()["reports"]
    assert stored["language"] == "ja"


async def test_the_switch_keeps_the_page_and_what_was_filled_in(tracker: Tracker) -> None:
    document = await open_form(tracker, f"?kind=node&id={RIG.node_id}")
    switches = {a.get("lang"): a.get("href") for a in document.all("a") if a.get("hreflang")}
    assert switches["ja"] == f"/report?kind=node&id={RIG.node_id}&lang=ja"


@pytest.mark.parametrize("path", ["//evil.example/x", "/%5C%5Cevil.example", "/%2F%2Fevil.example"])
async def test_no_address_makes_the_switch_lead_to_another_site(
    tracker: Tracker, path: str
) -> None:
    request = httpx2.Request("GET", f"{URL}/{path.removeprefix('/')}")
    document = read((await tracker.http.send(request)).text)
    for link in document.all("a"):
        assert link.get("href").startswith(("/", "#"))
        assert not link.get("href").startswith(("//", "/\\"))


# The form and the protocol agree


@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            **{name: st.sampled_from(["", " ", "x", "x@y.z", "字" * 4001]) for name in FIELDS},
            "subject_kind": st.sampled_from(["node", "note", "user", "reply", "planet"]),
            "subject_id": st.sampled_from(["", RIG.node_id, USER_ID, f"{RIG.node_id}/{'r' * 16}"]),
            "category": st.sampled_from(["child_safety", "copyright", "terms", "spam"]),
        },
    )
)
def test_a_form_without_faults_is_a_whole_report(fields: Mapping[str, str]) -> None:
    values = read_values(fields)
    if find_problems(values):
        with pytest.raises(PeerError):
            make_report(values, form_id="f" * 32, language="en")
    else:
        whole = make_report(values, form_id="f" * 32, language="ja")
        assert isinstance(whole, ReportRequest)
        check_report(whole)


@pytest.mark.parametrize(("page", "asked"), [("ja", "ja"), ("en", "en"), ("eo", "en")])
def test_a_page_in_any_language_makes_a_report(page: str, asked: str) -> None:
    values = read_values({**TERMS, "subject_id": RIG.node_id})
    assert make_report(values, form_id="f" * 32, language=page).language == asked
