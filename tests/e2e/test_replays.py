"""/replays in real Chromium: files of luckrig's recorder, played by a clock that the test turns.

No network: whatever the tab asks for is answered here, and counted.
"""

import base64
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Route

from luckrig.client.history.asking import messages_of
from luckrig.client.history.replay import Replay, decode_replay, encode_replay
from luckrig.client.history.store import History
from luckrig.web.assets import static_files
from luckrig.web.headers import PAGE_HEADERS
from luckrig.web.render import make_renderer
from luckrig.web.replays_page import ReplaysPage
from tests.client.replays import (
    BROKEN,
    CREATED_AT,
    RIG,
    changed,
    make_replay,
)
from tests.e2e.axe import RUN, axe_script, serious_faults
from tests.web.report_samples import site_in

ORIGIN: Final = "http://tracker.test"
FILES: Final = static_files()
RENDERER: Final = make_renderer(FILES)
ARTIFACTS: Final = Path(__file__).resolve().parents[2] / ".artifacts"
FRAME_MS: Final = 16
HOSTILE: Final = (
    '<img src=x onerror="alert(1)">&lt;b&gt; \u202e {path} </bdi><script>alert(2)</script>'
)


SHOWN: Final = """
() => [...document.querySelectorAll(".lane")].map((lane) =>
  [".lane-reply", "details .lane-text"].map((part) => lane.querySelector(part).textContent))
"""
CALLS: Final = """
() => [...document.querySelectorAll(".call")].map((call) =>
  ["h4", "pre"].map((part) => call.querySelector(part).textContent).join("\\n"))
"""


@dataclass
class Tab:
    """A tab at /replays. faults: what the browser said. asked: URLs, once it was loaded."""

    page: Page
    faults: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])

    def open(self, *files: Path | dict[str, Any]) -> None:
        """Choose files, and wait for what becomes of them."""
        lines = self.page.locator("#replays tr, #problems li")
        last = lines.nth(lines.count() + len(files) - 1)
        self.page.locator("#files").set_input_files(list(files))  # type: ignore[arg-type]
        last.wait_for()

    def shown(self) -> list[tuple[str, str]]:
        """Reply and reasoning in each lane."""
        found = self.page.evaluate(SHOWN)
        return [(reply, reasoning) for reply, reasoning in found]

    def calls(self) -> list[str]:
        """Of tools, in all lanes."""
        found: list[str] = self.page.evaluate(CALLS)
        return found

    def text(self, selector: str) -> list[str]:
        """What somebody reads there."""
        return self.page.locator(selector).all_text_contents()

    def seek(self, ms: float) -> None:
        """Drag the scrubber there."""
        self.page.locator("#scrubber").evaluate(
            "(box, ms) => { box.value = ms; box.dispatchEvent(new Event('input')); }", ms
        )


def answer(route: Route) -> None:
    """Instead of a network. The path's first part is the language."""
    path = urlsplit(route.request.url).path
    if file := FILES.get(path):
        route.fulfill(body=file.content, content_type=file.media_type)
        return
    language = path.split("/")[1]
    headers = {**PAGE_HEADERS, "content-type": "text/html; charset=utf-8"}
    page = ReplaysPage(site=site_in(language, path="/replays"))
    route.fulfill(body=RENDERER.render(page), headers=headers)


@contextmanager
def visiting(context: BrowserContext, language: str = "en") -> Generator[Tab, None, None]:
    """A tab whose clock stands still. It ends without a fault, and without asking for more."""
    context.route("**/*", answer)
    page = context.new_page()
    tab = Tab(page)
    page.on("pageerror", lambda error: tab.faults.append(str(error)))
    page.on("console", lambda message: tab.faults.append(message.text))
    page.clock.install(time=1_790_000_000)
    page.goto(f"{ORIGIN}/{language}/replays")
    page.locator("#app").wait_for()
    page.clock.pause_at(1_790_000_100)
    page.on("request", lambda request: tab.asked.append(request.url))
    yield tab
    assert [url for url in tab.asked if not url.startswith("blob:")] == []
    # Chromium says that it ignores that header over plain http.
    assert [each for each in tab.faults if "Opener-Policy" not in each] == []
    page.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own."""
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()


@pytest.fixture
def tab(context: BrowserContext) -> Iterator[Tab]:
    """Somebody at the page."""
    with visiting(context) as opened:
        yield opened


def recorded() -> list[Replay]:
    """Two of one prompt with different waits, and one of another, with calls of tools."""
    first = make_replay(1)
    slow = make_replay(2, texts=["Because ", "of ", "air."], thought="", step=0.4)
    calls = json.loads(encode_replay(make_replay(3, thought="")))
    calls["request"] = {"prompt": "Another one."}
    calls["events"] = [
        [100, "text", "Well, "],
        [150, "tool", "look_up\n"],
        [200, "tool", '{"city":\n'],
        [250, "tool", '"Kyōto"}'],
        [300, "tool", "look_up\n"],
        [350, "tool", "{}"],
        [400, "other", HOSTILE],
    ]
    return [first, slow, decode_replay(json.dumps(calls).encode())]


def written(folder: Path, replays: Sequence[Replay]) -> list[Path]:
    """As `luckrig chat`, `race` and `connect` write them."""
    history = History(folder / "history")
    return [history.write(each, now=CREATED_AT) for each in replays]


def expected(replay: Replay, ms: float) -> tuple[str, str]:
    """Reply and reasoning of the events until then."""
    come = [each for each in replay.events if each.at_ms <= ms]
    return (
        "".join(each.text for each in come if each.kind in ("text", "other")),
        "".join(each.text for each in come if each.kind == "reasoning"),
    )


def test_at_each_moment_exactly_what_had_come_is_shown(tab: Tab, tmp_path: Path) -> None:
    replays = recorded()
    tab.open(*written(tmp_path, replays))
    page = tab.page
    page.locator(".lane").nth(2).wait_for()
    duration = max(each.figures.total_ms for each in replays)
    moments = sorted(
        {at for each in replays for piece in each.events for at in (piece.at_ms, piece.at_ms - 1)}
    )
    for ms in (*moments, 0, duration, 225, 10):  # forwards, and back again
        tab.seek(ms)
        assert tab.shown() == [expected(each, ms) for each in replays], ms
    assert tab.text(".lane-state") == ["Asked. Nothing has come yet."] * 3
    tab.seek(duration)
    assert tab.calls() == [
        'Calls look_up\n{\n  "city": "Kyōto"\n}',
        "Calls look_up\n{}",
    ]
    assert page.locator(".lane :is(img, script, a)").count() == 0
    # One clock for all, at its own speed.
    for speed in ("1", "0.5", "4"):
        page.locator("#speed").select_option(speed)
        page.locator("#restart").click()
        passed = 0
        for step in (160, 64, 96, 320):
            page.clock.run_for(step)
            passed += step
            at = float(page.locator("#scrubber").input_value())
            lag = FRAME_MS * float(speed) + 1
            assert -lag < at - min(passed * float(speed), duration) <= 1
            assert tab.shown() == [expected(each, at) for each in replays], (speed, at)
    page.clock.run_for(round(duration) + FRAME_MS)
    assert tab.text("#play") == ["Play"]
    assert tab.text(".lane-state") == ["complete"] * 3


def test_figures_live_and_compared(tab: Tab, tmp_path: Path) -> None:
    first, slow, other = recorded()
    tab.open(*written(tmp_path, [first, slow]))
    page = tab.page
    page.locator(".lane").nth(1).wait_for()

    def figures(lane: int) -> list[str]:
        return page.locator(".lane").nth(lane).locator("dd[data-figure]").all_text_contents()

    tab.seek(60)
    assert tab.text(".lane-state") == ["In the queue: place 1"] * 2
    assert figures(0) == ["–", "–", "–"]
    tab.seek(250)
    assert tab.text(".lane-state") == ["Answering", "In the queue: place 1"]
    # Three pieces, 50 ms apart.
    assert figures(0) == ["150 ms", "20", "≈ 3"]
    tab.seek(10_000)
    assert figures(0) == ["150 ms", "20", "4"]
    assert figures(1) == ["550 ms", "3.8", "4"]
    assert tab.text("#same") == ["All were asked the same."]
    cells = page.locator("#compared tr").first.locator("td").all_text_contents()
    assert cells == [
        "qwen3:8b · Q4_K_M", "150 ms", "20", "4", "312 ms", "3 ms", "110 ms", "43.1", "complete",
    ]  # fmt: skip
    said = page.locator(".lane").first.locator(".asked dl")
    assert said.locator("dt").all_text_contents() == ["system", "user"]
    assert said.locator("dd").all_text_contents() == [
        each.text for each in messages_of(bytes(first.request))
    ]
    tab.open(*written(tmp_path, [other]))
    page.locator(".lane").nth(2).wait_for()
    assert "weren’t asked the same" in tab.text("#same")[0]


def test_the_page_stands_still_while_text_comes(tab: Tab, tmp_path: Path) -> None:
    long = make_replay(1, texts=["A line of it.\n"] * 400, step=0.01)
    tab.open(*written(tmp_path, [long]))
    page = tab.page
    layout = """["lanes", "compared", "scrubber"].map((id) =>
      JSON.stringify(document.getElementById(id).getBoundingClientRect()))"""
    before = page.evaluate(layout)
    page.locator("#play").click()
    page.clock.run_for(2000)
    assert page.locator(".lane-reply").text_content() != ""
    page.clock.run_for(4000)
    assert page.evaluate(layout) == before
    assert page.evaluate("document.querySelector('.lane-body').scrollTop") > 1000
    page.locator("#scrubber").focus()
    page.keyboard.press("Home")
    assert page.locator("#scrubber").input_value() == "0"
    for key, at in (("ArrowRight", 100), ("ArrowRight", 200), ("ArrowLeft", 100), ("PageUp", 516)):
        page.keyboard.press(key)
        assert abs(float(page.locator("#scrubber").input_value()) - at) < 2, key
    page.keyboard.press("Space")
    assert tab.text("#play") == ["Pause"]


def test_what_is_no_replay_is_refused_and_named(tab: Tab) -> None:
    """The browser's reader and luckrig's own agree on each."""
    url = next(url for url, file in FILES.items() if file.name == "replays/format.js")
    read = """async ([url, bodies]) => {
      const { readReplay } = await import(url);
      return bodies.map((body) => {
        const bytes = Uint8Array.from(atob(body), (char) => char.charCodeAt(0));
        try { readReplay(bytes); return "read"; }
        catch (error) { return error.name + " " + error.code; }
      });
    }"""

    def outcomes(bodies: list[bytes]) -> list[str]:
        encoded = [base64.b64encode(each).decode() for each in bodies]
        found: list[str] = tab.page.evaluate(read, [url, encoded])
        return found

    small = [each for each in BROKEN if len(each) <= 2**20]
    assert [
        (body[:80], outcome)
        for body, outcome in zip(small, outcomes(small), strict=True)
        if not outcome.startswith("ReplayError ")
    ] == []
    good = [encode_replay(each) for each in recorded()]
    good += [changed(title="😀" * 120), changed(figures={"total_ms": 0}), changed(tracker=None)]
    assert outcomes(good) == ["read"] * len(good)
    large = "async (url) => (await import(url)).readReplay(new Uint8Array(2 ** 24 + 1))"
    with pytest.raises(Error, match="too_large"):
        tab.page.evaluate(large, url)
    bad = {
        "a.json": (changed(schema_version=2), "not a replay of version 1"),
        HOSTILE: (changed(**{HOSTILE: 1}), f"a field that none has, {HOSTILE}"),
        "c.json": (changed(events=[[2, "text", "a"], [1, "text", "b"]]), "events[1] comes before"),
        "d.json": (changed(rig={"node_id": "n1", "model": "m"}), "rig.node_id is missing"),
        "e.json": (b"\xff\xd8\xff\xe0", "not text in UTF-8"),
    }
    tab.open(
        *[
            {"name": name.replace("/", ""), "mimeType": "text/html", "buffer": body}
            for name, (body, _) in bad.items()
        ]
    )
    tab.page.locator("#problems li").nth(4).wait_for()
    for words, (_, said) in zip(tab.text("#problems li"), bad.values(), strict=True):
        assert said[:40] in words
    assert tab.page.locator("#replays tr").count() == 0
    assert tab.page.locator("main :is(img, script)").count() == 0


KEEP: Final = """
(files) => new Promise((resolve) => {
  const asked = indexedDB.open("luckrig", 1);
  asked.onsuccess = () => {
    const shelf = asked.result.transaction("replays", "readwrite").objectStore("replays");
    for (const [id, file] of files) shelf.put(file, id);
    shelf.transaction.oncomplete = () => { asked.result.close(); resolve(); };
  };
})
"""


def test_what_the_console_kept_is_listed_deleted_and_brought_back(
    context: BrowserContext, tmp_path: Path
) -> None:
    hostile = make_replay(5)
    files = [(each.replay_id, encode_replay(each).decode()) for each in recorded()]
    files.append((hostile.replay_id, changed(title=HOSTILE[:120]).decode()))
    files.append(("broken", "{"))
    with visiting(context) as tab:
        tab.page.evaluate(KEEP, files)
    with visiting(context) as tab:
        page = tab.page
        rows = page.locator("#replays tr")
        assert rows.count() == 5
        broken = rows.nth(4).locator("td").first.text_content()
        assert broken == "broken: no strict JSON object, so no replay."
        newest = rows.first.locator("td").all_text_contents()
        assert newest[0] == RIG.gpu
        assert newest[1] == "qwen3:8b · Q4_K_M"
        assert newest[3:7] == ["200 ms", "30", "4", "complete"]
        with page.expect_download() as waiting:
            rows.first.get_by_role("button", name="download").click()
        replay = decode_replay(waiting.value.path().read_bytes())
        assert waiting.value.suggested_filename == f"luckrig-{replay.replay_id}.json"
        box = rows.first.get_by_role("checkbox")
        box.check()
        page.locator(".lane").wait_for()
        page.locator("#go").click()
        assert tab.text("#play") == ["Pause"]
        rows.first.get_by_role("button", name="delete").click()
        undo = page.get_by_role("button", name="undo")
        undo.wait_for()
        assert not page.locator("#player").is_visible()
        undo.click()
        undo.wait_for(state="detached")
        rows.nth(4).get_by_role("button", name="delete").click()
        undo.wait_for()
        tab.open(written(tmp_path, [make_replay(9)])[0])
        page.get_by_role("button", name="keep here").click()
        page.locator("#told", has_text="Kept in this browser.").wait_for()
    with visiting(context) as tab:
        assert tab.page.locator("#replays tr").count() == 5
        assert tab.page.locator("#replays .broken").count() == 0


def test_files_open_where_nothing_can_be_kept_and_may_be_dropped(
    context: BrowserContext,
) -> None:
    """No IndexedDB, five files at once, reduced motion."""
    context.add_init_script("Object.defineProperty(globalThis, 'indexedDB', { value: undefined })")
    with visiting(context) as tab:
        page = tab.page
        page.emulate_media(reduced_motion="reduce")
        page.reload()
        page.locator("#no-store").wait_for()
        tab.asked.clear()
        texts = [encode_replay(make_replay(number)).decode() for number in range(5)]
        page.evaluate(
            """(texts) => {
              const dataTransfer = new DataTransfer();
              texts.forEach((text, at) => dataTransfer.items.add(new File([text], `${at}.json`)));
              const init = { dataTransfer, bubbles: true, cancelable: true };
              document.body.dispatchEvent(new DragEvent("drop", init));
            }""",
            texts,
        )
        page.locator(".lane").nth(3).wait_for()
        assert tab.text("#chosen") == ["4 of at most 4 chosen"]
        assert page.locator("#replays input:disabled").count() == 1
        assert page.locator("#speed").input_value() == "instant"
        page.locator("#play").click()
        assert tab.shown()[3][0] == make_replay().text("text")


@pytest.mark.parametrize(
    ("scheme", "width", "language"), [("light", 1280, "en"), ("dark", 390, "ja")]
)
def test_axe_finds_nothing_serious(
    browser: Browser,
    tmp_path: Path,
    scheme: Literal["light", "dark"],
    width: int,
    language: str,
) -> None:
    """With everything open. The policy is bypassed for axe's script only."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        reduced_motion="reduce",
        bypass_csp=True,
    )
    context.add_init_script(axe_script())
    with visiting(context, language) as tab:
        page = tab.page
        tab.open(*written(tmp_path, recorded()))
        page.locator(".lane").nth(2).wait_for()
        tab.seek(260)
        page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true })")
        page.clock.resume()  # axe waits between its rules
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious_faults(page.evaluate(RUN)) == []
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"replays-{language}-{width}-{scheme}.png", full_page=True)
    context.close()
