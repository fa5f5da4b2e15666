"""Over a hundred hostile texts through every field that somebody can fill in, in real Chromium.

None runs, and none even meets the policy: the browser would say so. What terminals print is in
tests/cli/test_hostile_reports.py.
"""

import csv
import io
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.notes import Note, sign_note
from luckrig.protocol.proofs import make_proof
from luckrig.web.compare_page import MAX_COMPARED
from tests.e2e.desk import OPERATOR, RIG, Desk, running_desk
from tests.tracker.factories import make_hardware, make_node, make_offer, owner_key
from tests.web.xss import XSS

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

OWNER = owner_key(1)
AT_ONCE = 20
"""Texts in one case: it shows as many reports."""
QUERIES = (
    "/?q={0}", "/?gpu={0}&view=table", "/report?kind={0}&id={0}&category={0}&lang={0}",
    "/report/{0}", "/login/{0}", "/operator?after={0}", "/operator/cases/{0}",
    "/transparency?period={0}", "/nodes/{0}", "/{0}",
    "/compare?rigs={0}&lang={0}",
)  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def desk() -> AsyncIterator[Desk]:
    """A tracker with a rig and an operator."""
    async with running_desk() as running:
        yield running


async def signed(desk: Desk, path: str, body: dict[str, Any], key: PrivateKey) -> Any:
    """POST as somebody; the answer."""
    content = json.dumps(body).encode()
    proof = make_proof(
        key=key,
        method="POST",
        url=f"{desk.origin}{path}",
        body=content,
        now=time.time(),
        jti=os.urandom(16).hex(),
    )
    headers = {"DPoP": proof, "content-type": "application/json"}
    reply = await desk.http.post(path, content=content, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()


def a_claim(text: str) -> dict[str, Any]:
    """A copyright notice, or most of a counter-notice, of nothing but that text."""
    return {"address": text, "phone": text[:50], "signature": text}


async def fill(desk: Desk, number: int, texts: Sequence[str]) -> tuple[str, str]:
    """A case of whose texts each is a whole report, decision, appeal, answer and undo.

    Returns (a ticket, the case's id).
    """
    tickets = [await report(desk, f"{number}-{each}", text) for each, text in enumerate(texts)]
    case_id = ""
    for text in texts:
        case_id = await decide(desk, case_id, text)
    hold = {"case_id": case_id, "days": 365, "reason": " ".join(texts)[:1000]}
    await signed(desk, "/api/v1/admin/holds", hold, OPERATOR)
    status = (await desk.http.get(f"/api/v1/reports/{tickets[0]}")).json()
    for text, decision in zip(texts, status["decisions"], strict=True):
        appeal = {"decision_id": decision["decision_id"], "text": text}
        await desk.http.post(f"/api/v1/reports/{tickets[0]}/appeals", json=appeal)
    return tickets[0], case_id


async def report(desk: Desk, number: str, text: str) -> str:
    """A copyright notice about the rig; its ticket."""
    body = {
        "form_id": f"hostile-form-{number}", "subject_kind": "node", "subject_id": RIG.node_id,
        "category": "copyright", "reason": text, "evidence": text, "name": text,
        "email": "a@example.org", "good_faith": True,
        "copyright": {"work": text, "accurate": True, **a_claim(text)},
    }  # fmt: skip
    reply = await desk.http.post("/api/v1/reports", json=body)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["ticket"])


async def decide(desk: Desk, case_id: str, text: str) -> str:
    """A decision that the owner appeals, which is answered and undone; the case's id."""
    target = {"target_kind": "node", "target_id": RIG.node_id, "ground": "law"}
    wanted = {"action": "limit", "reason": text, "rule": text, **target}
    of_case = {"case_id": case_id} if case_id else {}
    decision = await signed(desk, "/api/v1/admin/decisions", wanted | of_case, OPERATOR)
    decision_id = decision["notice"]["decision_id"]
    counter = {"name": text, "mistaken": True, "consent": True, **a_claim(text)}
    appeal = {"decision_id": decision_id, "text": text, "counter_notice": counter}
    notice = await signed(desk, "/api/v1/me/appeals", appeal, OWNER)
    answer = {"appeal_id": notice["appeal"]["appeal_id"], "uphold": True, "answer": text}
    await signed(desk, "/api/v1/admin/answers", answer, OPERATOR)
    undo = {"decision_id": decision_id, "reason": text}
    await signed(desk, "/api/v1/admin/undo", undo, OPERATOR)
    return str(decision["case_id"])


async def publish(desk: Desk, number: int, text: str) -> str | None:
    """A rig that says nothing but that text, if the tracker lists it."""
    node = make_node(
        100 + number,
        name=text[:40].strip() or "x",
        note=text,
        hardware=make_hardware(text[:120].strip()),
        offers=[make_offer(text[:120].strip())],
    )
    headers = {"content-type": "application/json"}
    reply = await desk.http.post("/api/v1/nodes", content=node.signed, headers=headers)
    return node.node_id if reply.status_code == 200 else None


async def write_note(desk: Desk, number: int, texts: Sequence[str]) -> str:
    """A note about the rig, each of the texts a version of it; its id. What the tracker refuses as
    deceptive is left out."""
    note_id = f"hostile-note-{number:08}"
    version = 1
    for text in texts:
        note = Note(
            note_id=note_id,
            version=version,
            node_id=RIG.node_id,
            text=f"{text}\n```\n{text}\n```\n$ {text}\n{text}",
            references=[f"note:{note_id}@1"],
            iat=int(time.time()),
        )
        body = {"note": sign_note(note, author_key=OWNER)}
        reply = await desk.http.post("/api/v1/notes", json=body)
        version += reply.status_code == 200
    assert version > len(texts) // 2
    return note_id


async def watched(context: BrowserContext, faults: list[str]) -> Page:
    """A tab that notes what runs, what is refused, and who else is asked."""
    page = await context.new_page()
    page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if "status of 4" not in message.text  # a page that isn't there, as it should be
            else None
        ),
    )
    page.on(
        "request",
        lambda request: (
            faults.append(request.url)
            if not request.url.startswith(("http://127.0.0.1:", "data:image/"))
            else None
        ),
    )
    return page


async def test_no_text_ever_runs(desk: Desk, async_browser: Browser) -> None:
    assert len(XSS) >= 100
    paths = ["/", "/?view=table", "/api", "/transparency", "/operator", "/operator?appealed=1",
             "/operator/audit", "/me", "/showcase"]  # fmt: skip
    node_ids: list[str] = []
    for number in range(0, len(XSS), AT_ONCE):
        ticket, case_id = await fill(desk, number, XSS[number : number + AT_ONCE])
        note_id = await write_note(desk, number, XSS[number : number + AT_ONCE])
        paths += [f"/report/{ticket}", f"/operator/cases/{case_id}", f"/notes/{note_id}"]
    paths += [f"/nodes/{RIG.node_id}"]
    for number, text in enumerate(XSS[::5]):
        paths.append(QUERIES[number % len(QUERIES)].format(quote(text, safe="")))
        node_id = await publish(desk, number, text)
        if node_id is not None:
            node_ids.append(node_id)
            shown = ("name", "gpu", "model")[number % 3]
            elsewhere = (f"/report?kind=node&id={node_id}", f"/badge/{node_id}.svg?show={shown}")
            paths += [f"/nodes/{node_id}", elsewhere[number % 2]]
    for number in range(0, len(node_ids), MAX_COMPARED):
        paths.append(f"/compare?rigs={','.join(node_ids[number : number + MAX_COMPARED])}")
    faults: list[str] = []
    for key in (OPERATOR, OWNER):
        context = await async_browser.new_context()
        page = await watched(context, faults)
        await page.goto(await desk.login_address(key))
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{desk.origin}/me")
        for path in paths if key is OPERATOR else ["/me"]:
            await page.goto(f"{desk.origin}{path}")
            assert await page.evaluate("window.ran") is None, path
            assert await page.locator("img, iframe, object, base, math").count() == 0, path
            assert faults == [], path
        await context.close()


async def test_no_address_puts_an_element_into_a_page(desk: Desk) -> None:
    """All of them in all addresses, without a browser: what would be an element isn't one."""
    texts = [text for text in XSS if "<" in text]
    for path in QUERIES:
        for text in texts:
            reply = await desk.http.get(path.format(quote(text, safe="")))
            assert reply.status_code < 500
            assert text not in reply.text, path


async def test_machines_get_json_and_tables_of_no_formulas(desk: Desk) -> None:
    ticket, _ = await fill(desk, 0, XSS[-AT_ONCE:])
    status = await desk.http.get(f"/api/v1/reports/{ticket}")
    assert status.headers["content-type"] == "application/json"
    assert status.headers["x-content-type-options"] == "nosniff"
    assert [each["reason"] for each in status.json()["decisions"]] == list(XSS[-AT_ONCE:])
    table = await desk.http.get("/transparency.csv")
    assert table.headers["content-type"].startswith("text/csv")
    for row in csv.reader(io.StringIO(table.text)):
        assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]
