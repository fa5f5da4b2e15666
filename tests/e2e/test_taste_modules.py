"""The console's pure modules, each by itself, in real Chromium."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page

from luckrig.protocol import work
from tests.e2e.subtext.pages import modules, running_site

USER: Final = "u1" + "a" * 32
ROOT: Final = "r1" + "b" * 32

READ: Final = """
async ([url, parts, contentType]) => {
  const { readReply } = await import(`${url}/stream.js`);
  const bytes = (part) => Uint8Array.from(atob(part), (each) => each.charCodeAt(0));
  async function* chunks() { for (const part of parts) yield bytes(part); }
  const found = [];
  try {
    for await (const each of readReply(chunks(), contentType)) found.push(each);
  } catch (error) {
    found.push(error.code ?? error.name);
  }
  return found;
}
"""
MEASURE: Final = """
async ([url, times, tokens]) => {
  const { Meter } = await import(`${url}/meter.js`);
  const meter = new Meter(times[0]);
  for (const at of times.slice(1)) meter.piece(at);
  return [meter.ttftMs, meter.generationMs, meter.liveRate, meter.finalRate(tokens)];
}
"""
CALL: Final = """
async ([url, module, name, given]) => (await import(`${url}/${module}.js`))[name](...given)
"""
SOLVE: Final = """
async ([url, start, bits]) =>
  (await import(`${url}/tracker.js`)).solve(start, bits, new AbortController().signal)
"""


TALK: Final = """
async ([url, turns, room]) => {
  const { Conversation } = await import(`${url}/conversation.js`);
  const talk = new Conversation();
  for (let at = 0; at < turns; at += 1) {
    const mode = at ? "plain" : "subtext";
    talk.add({ prompt: `${at}?`.padEnd(300), reply: "x".repeat(300), mode });
  }
  const { messages, unsent, leftOut } = talk.messages(room);
  const first = parseInt(messages[0]?.content ?? "-1");
  return [messages.length, first, unsent, leftOut, talk.fits("plain"), talk.fits("subtext")];
}
"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A page with the product's headers."""
    with running_site() as site:
        tab = browser.new_page()
        tab.goto(site.origin)
        yield tab
        tab.close()


def folder() -> str:
    """Where the modules are."""
    return modules().replace("/subtext", "/taste")


def read(page: Page, parts: list[bytes], content_type: str = "text/event-stream") -> Any:
    """What readReply() yields."""
    encoded = [b64encode(part).decode() for part in parts]
    return page.evaluate(READ, [folder(), encoded, content_type])


def call(page: Page, module: str, name: str, *given: Any) -> Any:
    """A function of a module."""
    return page.evaluate(CALL, [folder(), module, name, list(given)])


def test_a_stream_means_the_same_however_it_is_cut(page: Page) -> None:
    text = ": queue position=3 eta=12 ticket=x\r\n\n"
    text += 'data: {"a":"潮"}\n\n: hi\ndata:1\ndata: 2\n\ndata: x'
    body = text.encode()
    place = {"position": 3, "eta": 12, "ticket": "x"}
    expected = [{"queue": place}, {"data": '{"a":"潮"}'}, {"data": "1\n2"}]
    for size in (1, 2, 3, 7, len(body)):
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        assert read(page, parts) == expected


def test_what_is_no_text_or_too_long_is_refused(page: Page) -> None:
    assert read(page, [b"data: \xff\n\n"]) == ["cut_off"]
    assert read(page, [b"data: " + b"x" * (1 << 20), b"x"]) == ["too_long"]
    assert read(page, [b'{"error"', b":1}"], "application/json") == [{"data": '{"error":1}'}]


@pytest.mark.parametrize(
    ("comment", "place"),
    [
        (" queue position=1 eta=unknown ticket=x", {"position": 1, "eta": None, "ticket": "x"}),
        (" queue position=1 eta=1.5", {"position": 1, "eta": 1.5, "ticket": None}),
        (" queue position=1 eta=1.5 x=y", {"position": 1, "eta": 1.5, "ticket": None}),
        (" queue position=1 eta=1.5.5", {"position": 1, "eta": None, "ticket": None}),
        (" queue position=1 eta=999999999999", {"position": 1, "eta": None, "ticket": None}),
        (" queue position=1 eta=1 ticket=../x", {"position": 1, "eta": 1, "ticket": None}),
        (" queue position=-1 eta=5", None),
        (" queue position=<b> eta=5", None),
        ("keep-alive", None),
    ],
)
def test_places_in_the_queue(page: Page, comment: str, place: Any) -> None:
    assert call(page, "stream", "placeIn", comment) == place


@pytest.mark.parametrize(
    ("times", "tokens", "figures"),
    [
        ([100, 350, 450, 550], None, [250, 200, 10, 10]),
        ([100, 350, 450, 550], 5, [250, 200, 10, 20]),
        ([100, 350], 1, [250, 0, None, None]),
        ([100, 350, 350], 2, [250, 0, None, None]),
        ([100], None, [None, None, None, None]),
    ],
)
def test_figures(page: Page, times: list[int], tokens: int | None, figures: list[Any]) -> None:
    """First token: since the request left. Rate: the first token isn't counted."""
    assert page.evaluate(MEASURE, [folder(), times, tokens]) == figures


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "1",
        '{"choices": 5}',
        '{"choices":[{"delta":{"content":5}}]}',
        '{"choices":[null]}',
    ],
)
def test_documents_that_make_no_sense(page: Page, document: str) -> None:
    assert call(page, "documents", "hear", document) is None


def test_only_json_of_a_bounded_depth_is_laid_out(page: Page) -> None:
    assert call(page, "json_view", "indented", ' {"a":[1]}') == json.dumps({"a": [1]}, indent=2)
    for text in ("plain", '{"a":', "5", '"x"', "[" * 33 + "]" * 33, "[" + "1," * 60_000 + "1]"):
        assert call(page, "json_view", "indented", text) is None
    brackets = json.dumps(["[" * 100])
    assert call(page, "json_view", "indented", brackets) is not None


@pytest.mark.parametrize(
    ("turns", "context", "most", "found"),
    [
        # A turn is taken for 216 tokens; what is asked now for 108.
        (3, 32_768, None, [6, 0, 0, 0, False, True]),
        (3, 1024, 500, [2, 2, 2, 2, False, True]),
        (3, 1024, 4096, [0, -1, 3, 3, False, True]),
        (30, None, None, [26, 17, 17, 17, False, True]),
        (102, 1_000_000, 1, [200, 2, 0, 2, True, True]),
        (0, 1024, None, [0, -1, 0, 0, True, True]),
    ],
)
def test_as_much_of_a_conversation_goes_along_as_there_is_room_for(
    page: Page, turns: int, context: int | None, most: int | None, found: list[Any]
) -> None:
    room = {"context": context, "maxTokens": most, "now": "x" * 300}
    assert page.evaluate(TALK, [folder(), turns, room]) == found


def test_the_tracker_takes_the_browsers_work(page: Page) -> None:
    for bits in (0, 1, 8, 11):
        nonce = page.evaluate(SOLVE, [folder(), f"lr-work v1|{ROOT}|{USER}|", bits])
        assert work.check(nonce, root_id=ROOT, user_id=USER, bits=bits)
