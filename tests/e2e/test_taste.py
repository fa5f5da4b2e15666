"""The tasting console in real Chromium: asked, answered, stopped, kept, and shared if one likes."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

from luckrig.client.history.asking import messages_of
from luckrig.client.history.replay import Replay, decode_replay
from luckrig.client.users import make_invite
from luckrig.web.assets import static_files
from luckrig.web.headers import PAGE_HEADERS
from luckrig.web.render import make_renderer
from luckrig.web.taste_page import TastePage
from tests.e2e.axe import RUN, axe_script, serious_faults
from tests.e2e.tasting import ENDLESS, RealScene, Visitor, real_scene, visiting
from tests.e2e.tunnels import NODE_ID, OPERATOR, Scene, tunnelled
from tests.fake_engines.engine import OnDemand
from tests.nodeproxy.conditions import until
from tests.web.rigs import SITE, twelve_rigs

pytestmark = [pytest.mark.timeout(90), pytest.mark.asyncio(loop_scope="session")]

MARKER: Final = "xyzzy-sentinel-4711"
ARTIFACTS: Final = Path(__file__).resolve().parents[2] / ".artifacts"


@pytest_asyncio.fixture(loop_scope="session")
async def browser(async_browser: Browser) -> Browser:
    """Real Chromium."""
    return async_browser


@pytest_asyncio.fixture(loop_scope="session")
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """One rig behind a tunnel."""
    async with tunnelled(tmp_path) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, scene: Scene) -> AsyncIterator[Visitor]:
    """Somebody at its console."""
    async with visiting(browser, scene.process.address.origin) as tab:
        yield tab


async def saved_replay(visitor: Visitor) -> Replay:
    """What "save replay" puts on the disk, read by luckrig's own reader."""
    async with visitor.page.expect_download() as waiting:
        await visitor.page.locator("#save").click()
    download = await waiting.value
    replay = decode_replay(_content(await download.path()))
    assert download.suggested_filename == f"luckrig-{replay.replay_id}.json"
    return replay


def _content(path: Path) -> bytes:
    return path.read_bytes()


@pytest.mark.parametrize("way", ["relay", "direct"])
async def test_the_real_engine_answers_and_stop_frees_its_slot(
    tmp_path: Path, browser: Browser, way: str
) -> None:
    """Plain and sealed, through the relay and at the rig's own address."""
    async with (
        real_scene(tmp_path, is_direct=way == "direct") as scene,
        visiting(browser, scene.origin, rig=scene.rig_origin) as visitor,
    ):
        await visitor.open()
        for mode in ("plain", "subtext"):
            await one_question(visitor, mode)
        asked = [url for url, _ in visitor.posted if url.endswith("/chat/completions")]
        base = scene.rig_origin or f"/n/{NODE_ID}"
        assert asked == [f"{base}/v1/chat/completions"] * 2
        await visitor.page.add_init_script(ENDLESS)
        await visitor.open(accept=False)
        for mode in ("plain", "subtext"):
            await stopped_question(visitor, scene, mode)
        if way == "direct":
            await unreachable_rigs(visitor, scene)


async def unreachable_rigs(visitor: Visitor, scene: RealScene) -> None:
    """Browsers tell pages nothing of why; the page says what it may be, and what is certain."""
    page, rig = visitor.page, scene.rig_origin
    foreign = {"access-control-allow-origin": "https://other.example"}  # follows another tracker
    chat = f"{rig}/v1/chat/completions"
    await page.route(chat, lambda route: route.fulfill(body="{}", headers=foreign))
    for mode in ("plain", "subtext"):
        await visitor.ask("Hello?", mode=mode)
        await visitor.state(f"Something answers at {rig}, but doesn’t let pages of {scene.origin}")
    await page.unroute_all()
    await page.route(f"{rig}/**", lambda route: route.abort("connectionrefused"))
    for mode in ("plain", "subtext"):
        await visitor.ask("Hello?", mode=mode)
        await visitor.state(f"Nobody answered at {rig}.")
    refusals = [each for each in visitor.faults if "blocked by CORS policy" in each]
    assert len(refusals) == 2
    visitor.faults = [each for each in visitor.faults if each not in refusals]


async def one_question(visitor: Visitor, mode: str) -> None:
    """Asked, answered, measured."""
    before = len(visitor.posted)
    await visitor.ask("Tell me about Ann.", mode=mode)
    await visitor.state("Complete.")
    reply = await visitor.text("#reply")
    assert len(reply) > 10
    replay = await saved_replay(visitor)
    assert replay.text("text") == reply
    assert (replay.mode, replay.outcome, replay.title) == (mode, "complete", "Tell me about Ann.")
    assert replay.rig.node_id == NODE_ID
    assert replay.figures.counted == "engine"
    assert (replay.figures.ttft_ms or 0) > 0
    assert (replay.figures.tokens_per_second or 0) > 0
    # What the page shows is what it measured, and what the rig told is there, sealed or not.
    assert (await visitor.text("#figure-tokens")).replace(",", "") == str(
        replay.figures.completion_tokens
    )
    told = await visitor.text("#told-rows")
    for name in ("luckrig-node", "luckrig-engine", "luckrig-request", "tokens_per_second"):
        assert name in told
    sent = [body for url, body in visitor.posted[before:] if url.endswith("/chat/completions")]
    assert len(sent) == 1
    assert ("Ann" in sent[0]) == (mode == "plain")


async def stopped_question(visitor: Visitor, scene: RealScene, mode: str) -> None:
    """Stopped in the middle; what it frees is read from the engine itself."""
    await visitor.ask("Tell me a very long story.", mode=mode)
    await visitor.state("Answering")
    assert await scene.busy_slots() == 1
    await visitor.page.keyboard.press("Escape")
    await visitor.state("Stopped.")
    while await scene.busy_slots():
        pass  # the test's timeout ends this if the reply runs on
    replay = await saved_replay(visitor)
    assert (replay.outcome, replay.error_code) == ("cut", None)
    assert replay.text("text") == await visitor.text("#reply") != ""


@pytest.mark.parametrize("mode", ["plain", "subtext"])
async def test_stop_frees_the_engines_slot(scene: Scene, visitor: Visitor, mode: str) -> None:
    scene.engine.pace = pace = OnDemand()
    pace.allow(2)
    await visitor.open()
    await visitor.ask("Tell me a very long story.", mode=mode)
    await visitor.state("Answering")
    assert scene.engine.answering == 1
    await visitor.page.keyboard.press("Escape")
    await visitor.state("Stopped.")
    await asyncio.wait_for(scene.engine.left.acquire(), 10)
    await until(lambda: scene.engine.answering == 0 and scene.rig.node.queue.active == 0)
    replay = await saved_replay(visitor)
    assert (replay.outcome, replay.error_code) == ("cut", None)
    assert replay.text("text") == await visitor.text("#reply") != ""
    # And the next question finds a free engine.
    pace.allow(100)
    await visitor.ask("Another one.", mode=mode)
    await visitor.state("Complete.")


async def test_a_page_through_a_forwarded_port_asks_like_any_other(
    browser: Browser, scene: Scene
) -> None:
    """What is signed names the tracker as it calls itself; what is asked is where the page is."""
    forwarded = f"http://localhost:{scene.process.port}"
    async with visiting(browser, forwarded) as visitor:
        await visitor.open()
        for mode in ("plain", "subtext"):
            await visitor.ask("Hello?", mode=mode)
            await visitor.state("Complete.")


@pytest.mark.parametrize("mode", ["plain", "subtext"])
async def test_place_in_the_queue_is_shown_and_left_by_stopping(
    scene: Scene, visitor: Visitor, mode: str
) -> None:
    scene.engine.pace = pace = OnDemand()
    token = (await scene.token()).token
    first = asyncio.create_task(scene.http.send(scene.chat(token)))
    await until(lambda: scene.engine.answering == 1)
    await visitor.open()
    await visitor.ask("Is anybody there?", mode=mode)
    await visitor.state("In the queue: place 1")
    assert await visitor.text("#figure-queue") == "1"
    assert await visitor.text("#figure-ttft") == "–"
    await visitor.page.locator("#stop").click()
    await visitor.state("Stopped.")
    await until(lambda: scene.rig.node.queue.waiting == 0)
    replay = await saved_replay(visitor)
    assert replay.queue[0].position == 1
    pace.allow(100)
    assert (await first).status_code == 200


def asked_of(scene: Scene) -> list[tuple[str, str]]:
    """The messages that reached the engine last."""
    return [(each["role"], each["content"]) for each in scene.engine.asked["messages"]]


async def test_follow_ups_take_along_what_was_said(scene: Scene, visitor: Visitor) -> None:
    page = visitor.page
    first = "".join(scene.engine.reply)
    await visitor.open()
    await page.locator(".parameters summary").click()
    await page.locator("#system").fill("Be brief.")
    await visitor.ask("First?")
    await visitor.state("Complete.")
    assert await page.locator("#prompt").input_value() == ""
    assert not await page.locator("#earlier").is_visible()
    scene.engine.reply = [HOSTILE[0]]
    await visitor.ask("Second?")
    await visitor.state("Complete.")
    said = [("user", "First?"), ("assistant", first), ("user", "Second?")]
    assert asked_of(scene) == [("system", "Be brief."), *said]
    assert await page.locator("#turns p").all_text_contents() == ["First?", first]
    assert await visitor.text("#asked p") == "Second?"
    replay = await saved_replay(visitor)
    assert replay.title == "Second?"
    assert [(each.role, each.text) for each in messages_of(bytes(replay.request))] == asked_of(
        scene
    )


async def test_a_stopped_reply_is_followed_up_until_a_new_conversation(
    scene: Scene, visitor: Visitor
) -> None:
    """What was sealed isn't sent in plain: that is a new conversation, and the page says so."""
    page = visitor.page
    await visitor.open()
    await visitor.ask("Sealed?")
    await visitor.state("Complete.")
    scene.engine.reply = ["One ", "two ", "three ", "four."]
    scene.engine.pace = pace = OnDemand()
    pace.allow(2)
    await visitor.ask("In plain?", mode="plain")
    await visitor.state("Answering")
    assert asked_of(scene) == [("user", "In plain?")]
    assert "sealed before isn’t sent" in await visitor.text("#note")
    await page.keyboard.press("Escape")
    await visitor.state("Stopped.")
    await until(lambda: scene.engine.answering == 0 and scene.rig.node.queue.active == 0)
    cut = await visitor.text("#reply")
    pace.allow(100)
    await visitor.ask("And then?", mode="plain")
    await visitor.state("Complete.")
    assert asked_of(scene) == [("user", "In plain?"), ("assistant", cut), ("user", "And then?")]
    await page.locator("#anew").click()
    await visitor.state("A new conversation.")
    assert not await page.locator("#earlier").is_visible()
    assert not await page.locator("#reply").is_visible()
    await visitor.ask("Who are you?", mode="plain")
    await visitor.state("Complete.")
    assert asked_of(scene) == [("user", "Who are you?")]


HOSTILE: Final[tuple[str, ...]] = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>",
    "</div><form action=//evil.test><button>",
    "javascript:alert(3) \u202e\u2066 {{7*7}} {position} \u0000 &lt;b&gt;",
    '"}]}}</ul><iframe srcdoc="<script>alert(4)</script>"></iframe>',
)


async def test_what_a_model_says_stays_text(scene: Scene, visitor: Visitor) -> None:
    call = {"index": 0, "id": "c", "function": {"name": HOSTILE[0], "arguments": HOSTILE[3]}}
    scene.engine.reply = [str(each) for each in HOSTILE]
    scene.engine.before = [{"reasoning_content": HOSTILE[1]}]
    scene.engine.after = [{"tool_calls": [call]}]
    await visitor.open()
    for mode in ("plain", "subtext"):
        await visitor.ask(HOSTILE[0], mode=mode)
        await visitor.state("The model wants to call a tool.")
        assert await visitor.text("#reply") == "".join(HOSTILE)
        assert await visitor.text("#reasoning") == HOSTILE[1]
        assert await visitor.text(".call h3") == f"Calls {HOSTILE[0]}"
        assert await visitor.text(".call pre") == HOSTILE[3]
        assert HOSTILE[0] in await visitor.text("#kept li bdi >> nth=0")
    inside = await visitor.page.locator(
        "#console :is(img, script, iframe, a:not(.small > a, .figures a))"
    ).count()
    assert inside == 0
    assert await visitor.page.locator("form").count() == 1
    replay = await saved_replay(visitor)
    assert replay.text("tool") == f"{HOSTILE[0]}\n{HOSTILE[3]}"


async def test_json_and_calls_of_tools_are_laid_out(scene: Scene, visitor: Visitor) -> None:
    scene.engine.reply = ['{"gpu": "P40", ', '"good": [true, 24, null]}']
    arguments = {"function": {"name": "look_up", "arguments": '{"city": "Kyōto"}'}}
    scene.engine.after = [{"tool_calls": [{"index": 0, "id": "c", **arguments}]}]
    await visitor.open()
    await visitor.page.locator(".parameters summary").click()
    await visitor.page.locator("#json").check()
    await visitor.page.locator("#system").fill("Be brief.")
    await visitor.page.locator("#temperature").fill("0.5")
    await visitor.page.locator("#max-tokens").fill("50")
    await visitor.page.locator("#tools").fill("{no list")
    await visitor.ask("Which one?")
    await visitor.state("The tools aren’t a list in JSON.")
    assert visitor.posted == []
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    await visitor.page.locator("#tools").fill(json.dumps([tool]))
    await visitor.ask("Which one?")
    await visitor.state("The model wants to call a tool.")
    laid_out = {"gpu": "P40", "good": [True, 24, None]}
    assert await visitor.text("#reply") == json.dumps(laid_out, indent=2)
    assert await visitor.page.locator("#reply .key").all_text_contents() == ['"gpu"', '"good"']
    assert await visitor.text(".call pre") == '{\n  "city": "Kyōto"\n}'
    await visitor.page.locator("#laid-out").click()
    assert await visitor.text("#reply") == "".join(scene.engine.reply)
    asked = scene.engine.asked
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (asked["temperature"], asked["max_tokens"]) == (0.5, 50)
    assert asked["response_format"] == {"type": "json_object"}
    assert asked["tools"][0]["function"]["name"] == "look_up"


async def test_caveat_is_accepted_once_and_the_key_stays(browser: Browser, scene: Scene) -> None:
    origin = scene.process.address.origin
    context = await browser.new_context()
    async with visiting(context, origin) as visitor:
        await visitor.open(accept=False)
        await visitor.page.locator("#caveat").wait_for()
        assert not await visitor.page.locator("#prompt").is_visible()
        assert "can read what you send it" in await visitor.page.inner_text("#caveat")
        await visitor.open()
        await visitor.ask("Hello?")
        await visitor.state("Complete.")
        user_id = await visitor.text("#user-id")
        assert user_id.startswith("u1")
    async with visiting(context, origin) as visitor:
        await visitor.open(accept=False)
        await visitor.page.locator("#prompt").wait_for()
        assert not await visitor.page.locator("#caveat").is_visible()
        assert "can read what you send it" in await visitor.page.inner_text("#form")
        assert await visitor.text("#user-id") == user_id
        # No script can copy it out, not even ours.
        assert await visitor.page.evaluate(EXTRACT) == ["InvalidAccessError", "InvalidAccessError"]
        assert await visitor.page.locator("#kept li").count() == 1
        # Whatever runs is stopped, and isn't kept afterwards.
        scene.engine.pace = pace = OnDemand()
        pace.allow(1)
        await visitor.ask("And now?")
        await visitor.state("Answering")
        await visitor.page.locator("#forget").click()
        await visitor.page.locator("#forget").click()
        await visitor.state("Key and answers are gone.")
        await visitor.page.reload()
        await visitor.page.locator("#caveat").wait_for()
        assert await visitor.text("#kept") == "Nothing is kept."
        assert await visitor.text("#user-id") == "–"
    await context.close()


EXTRACT: Final = """
() => new Promise((resolve) => {
  indexedDB.open("luckrig").onsuccess = ({ target }) => {
    const keys = target.result.transaction("keys").objectStore("keys").getAll();
    keys.onsuccess = async () => {
      const tried = ["pkcs8", "jwk"].map((format) =>
        crypto.subtle.exportKey(format, keys.result[0].privateKey)
          .then(() => "out", (error) => error.name));
      resolve(await Promise.all(tried));
    };
  };
})
"""


async def test_timings_leave_only_when_they_are_shared(scene: Scene, visitor: Visitor) -> None:
    await visitor.open()
    await visitor.ask(MARKER)
    await visitor.state("Complete.")
    assert {path.split("/")[-1] for path, _ in visitor.posted} == {"tokens", "completions"}
    await visitor.page.locator("#share").click()
    shown = json.loads(await visitor.text("#share-numbers"))
    body = await visitor.text("#share-raw")
    assert shown["receipt"]["iss"] == NODE_ID
    assert shown["countersignature"]["agrees"] is True
    assert set(shown["countersignature"]["measured"]) == {"ttft_ms", "generation_ms"}
    assert MARKER not in json.dumps(shown) + body
    await visitor.page.locator("#share-keep").click()
    await visitor.state("Nothing was sent.")
    assert [path for path, _ in visitor.posted if "receipts" in path] == []
    await visitor.page.locator("#share").click()
    body = await visitor.text("#share-raw")
    await visitor.page.locator("#share-send").click()
    await visitor.state("The tracker has your numbers: two-sided.")
    assert [sent for path, sent in visitor.posted if path == "/api/v1/receipts"] == [body]
    receipt = json.loads(body)["receipts"][0]["receipt"]
    assert receipt


async def test_a_refusal_says_why(scene: Scene, visitor: Visitor) -> None:
    await visitor.open()
    scene.engine.fault = "loading"
    for mode in ("plain", "subtext"):
        await visitor.ask("Hello?", mode=mode)
        await visitor.state("(engine_loading)")
        assert (await saved_replay(visitor)).error_code == "engine_loading"
    scene.engine.fault = "error"
    for mode in ("plain", "subtext"):
        await visitor.ask("Hello?", mode=mode)
        await visitor.state("(engine_error)")
        replay = await saved_replay(visitor)
        assert (replay.outcome, replay.error_code) == ("failed", "engine_error")
        assert replay.text("text") == await visitor.text("#reply") != ""


async def test_a_new_key_does_the_work_that_the_tracker_asks_for(
    tmp_path: Path, browser: Browser
) -> None:
    async with (
        tunnelled(tmp_path, registration_work=12) as scene,
        visiting(browser, scene.process.address.origin) as visitor,
    ):
        await visitor.open()
        await visitor.ask("Hello?")
        await visitor.state("Complete.")
        assert "/api/v1/registration" in [path for path, _ in visitor.posted]


async def test_an_invite_is_asked_for_where_one_is_needed(tmp_path: Path, browser: Browser) -> None:
    async with (
        tunnelled(tmp_path, registration="invite") as scene,
        visiting(browser, scene.process.address.origin) as visitor,
    ):
        await visitor.open()
        await visitor.ask("Hello?")
        await visitor.state("takes new keys with an invite only")
        await visitor.page.locator("#invite").fill(await invite_code(scene))
        await visitor.page.locator("#send").click()
        await visitor.state("Complete.")


async def invite_code(scene: Scene) -> str:
    """What the operator hands out."""
    invite = await make_invite(scene.tracker, uses=1, days=1, operator_key=OPERATOR)
    return invite.code


@pytest.mark.parametrize(
    ("origin", "tracker", "said"),
    [
        # A name that isn't localhost, as a machine in the same network has one.
        (
            "http://attic.lan:8787",
            "http://attic.lan:8787",
            ("plain http", "https address", "below"),
        ),
        # A rig at its own address lets pages of its tracker's own name ask, and no others.
        (
            "http://localhost:8787",
            "http://127.0.0.1:8787",
            ("http://127.0.0.1:8787", "Open it there"),
        ),
    ],
)
async def test_where_it_can_not_work_the_page_says_why_and_what_to_do(
    browser: Browser, origin: str, tracker: str, said: tuple[str, ...]
) -> None:
    files = static_files()
    site = replace(SITE, address=SITE.address.replace(SITE.origin, tracker))
    relayed = f"{tracker}/n/{twelve_rigs()[0].id}" if origin == tracker else "http://127.0.0.1:9"
    rig = msgspec.structs.replace(twelve_rigs()[0], base_url=f"{relayed}/v1")
    html = make_renderer(files).render(TastePage(site=site, node=rig))

    async def answer(route: Route) -> None:
        if file := files.get(urlsplit(route.request.url).path):
            await route.fulfill(body=file.content, content_type=file.media_type)
        else:
            headers = {**PAGE_HEADERS, "content-type": "text/html; charset=utf-8"}
            await route.fulfill(body=html, headers=headers)

    context = await browser.new_context()
    await context.route("**/*", answer)
    async with visiting(context, origin) as visitor:
        await visitor.open(accept=False)
        await visitor.page.locator("#blocked").wait_for()
        text = await visitor.page.inner_text("#blocked")
        assert [words for words in said if words not in text] == []
        assert not await visitor.page.locator("#console").is_visible()
        elsewhere = await visitor.page.inner_text(".elsewhere")
        assert "curl -N" in elsewhere
        assert "luckrig connect --subtext --tracker" in elsewhere
        assert ("ssh -L 8787:attic.lan:8787 attic.lan" in elsewhere) == (origin == tracker)
        # Chromium says that it ignores that header over plain http.
        visitor.faults = [each for each in visitor.faults if "Opener-Policy" not in each]
    await context.close()


async def test_without_scripts_the_page_says_what_to_use_instead(
    browser: Browser, scene: Scene
) -> None:
    for language, words in (("en", "needs JavaScript"), ("ja", "JavaScript が必要です")):
        context = await browser.new_context(java_script_enabled=False, locale=language)
        page = await context.new_page()
        await page.goto(f"{scene.process.address.origin}/taste/{NODE_ID}")
        text = await page.inner_text("main")
        for expected in (words, "curl -N", f"luckrig chat {NODE_ID}", "from openai import"):
            assert expected in text
        assert not await page.locator("#console").is_visible()
        await context.close()


@pytest.mark.parametrize(
    ("scheme", "width", "language"), [("light", 1280, "en"), ("dark", 390, "ja")]
)
async def test_axe_finds_nothing_serious(
    browser: Browser, scene: Scene, scheme: Literal["light", "dark"], width: int, language: str
) -> None:
    """Before the caveat, and with everything open. The policy is bypassed for axe's script only."""
    scene.engine.reply = ['{"gpu": ["P40", 24, null]}']
    scene.engine.before = [{"reasoning_content": "Well."}]
    scene.engine.after = [
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}
    ]
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale=language,
        reduced_motion="reduce", bypass_csp=True,
    )  # fmt: skip
    await context.add_init_script(axe_script())
    async with visiting(context, scene.process.address.origin) as visitor:
        page = visitor.page
        await visitor.open(accept=False)
        await page.locator("#accept").wait_for()
        assert serious_faults(await page.evaluate(RUN)) == []
        await keep_picture(page, f"taste-caveat-{width}-{scheme}")
        await page.locator("#accept").click()
        await visitor.ask("Which one?")
        await page.locator("#share").click()
        await page.locator("#share-box").wait_for()
        await page.evaluate(
            "document.querySelectorAll('details').forEach((e) => { e.open = true })"
        )
        assert serious_faults(await page.evaluate(RUN)) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await keep_picture(page, f"taste-{width}-{scheme}")
    await context.close()


async def keep_picture(page: Page, name: str) -> None:
    """To be looked at after a run."""
    ARTIFACTS.mkdir(exist_ok=True)
    await page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


async def test_everything_can_be_done_by_keyboard(scene: Scene, visitor: Visitor) -> None:
    """From the prompt: Ctrl + Enter, Esc, and Tab leads to what can be done with the answer."""
    await visitor.open()
    page = visitor.page
    assert await page.evaluate("document.activeElement.id") == "prompt"
    await page.keyboard.type("Hello?")
    await page.keyboard.press("Control+Enter")
    await visitor.state("Complete.")
    await page.locator("#send:enabled").wait_for()
    reached: list[str] = []
    while "share" not in reached and len(reached) < 30:
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate("document.activeElement.id"))
    assert [each for each in reached if each in ("send", "reply", "save", "share")] == [
        "send", "reply", "save", "share",
    ]  # fmt: skip
    await page.keyboard.press("Enter")
    await page.locator("#share-box").wait_for()
    assert await page.evaluate("document.activeElement.id") == "share-box"
