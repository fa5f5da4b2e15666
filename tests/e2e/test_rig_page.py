"""What a rig's page tells people to paste works as it stands there, and its hours are the reader's.

The snippets are read from the page of a real tracker and run against its rig, unchanged: by a
shell, Python, Node.js with the openai package, and through the sidecar.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
import msgspec
import openai
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from luckrig.protocol.schedule import Schedule
from luckrig.web.assets import static_files
from luckrig.web.render import make_renderer
from luckrig.web.snippets import TOKEN_VARIABLE
from tests.e2e.commands import environ
from tests.e2e.conftest import Demo
from tests.e2e.sidecars import running_sidecar
from tests.e2e.test_clients_node import FOLDER, install_client
from tests.web.documents import read
from tests.web.rig_samples import SCHEDULE, full_page

Run = Callable[..., str]

FILES: Final = static_files()
RENDERER: Final = make_renderer(FILES)
PAGE: Final = "http://map.test/rig"


@pytest.fixture(scope="module")
def snippets(demo: Demo) -> dict[str, str]:
    """What stands on the page of the demo's rig, by the id of its box."""
    reply = httpx2.get(f"{demo.announced['tracker']}/nodes/{demo.announced['node_id']}")
    codes = read(reply.text).all("code")
    return {each.get("id"): each.text for each in codes if each.get("id").startswith("use-")}


@pytest.fixture(scope="module")
def run(snippets: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a command as a newcomer would: a home of their own, `luckrig` on the path, a key."""
    home = tmp_path_factory.mktemp("newcomer")
    command = home / "bin" / "luckrig"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m luckrig.cli.main "$@"\n')
    command.chmod(0o700)
    variables = environ(home)
    variables["PATH"] = f"{command.parent}{os.pathsep}{variables['PATH']}"

    def run(*words: str, stdin: str, cwd: Path = home) -> str:
        done = subprocess.run(  # noqa: S603 -- what our own page says
            words, input=stdin, env=variables, cwd=cwd, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    token = run("bash", "-e", stdin=f'{snippets["use-token"]}\nprintf %s "${TOKEN_VARIABLE}"')
    variables[TOKEN_VARIABLE] = token
    return run


def test_the_shells_commands_reach_the_rig(run: Run, snippets: dict[str, str]) -> None:
    chunks = run("bash", "-e", stdin=snippets["use-curl"])
    assert chunks.startswith("data: {")
    assert chunks.rstrip().endswith("data: [DONE]")


def test_the_python_snippet_prints_an_answer(run: Run, snippets: dict[str, str]) -> None:
    assert run(sys.executable, "-", stdin=snippets["use-python"]).strip()


def test_the_javascript_snippet_prints_an_answer(run: Run, snippets: dict[str, str]) -> None:
    install_client()
    words = ("node", "--input-type=module", "-")
    assert run(*words, stdin=snippets["use-javascript"], cwd=FOLDER).strip()


def test_the_sidecar_takes_the_model_that_names_the_rig(
    demo: Demo, snippets: dict[str, str], tmp_path: Path
) -> None:
    *command, address = shlex.split(snippets["use-connect"])
    assert command == ["luckrig", "connect", "--tracker"]
    assert address.startswith(f"{demo.announced['tracker']}#r1")
    with (
        running_sidecar(tmp_path / "user", address) as sidecar,
        openai.OpenAI(base_url=sidecar.base_url, api_key=sidecar.key, max_retries=0) as client,
    ):
        reply = client.chat.completions.with_raw_response.create(
            model=snippets["use-pinned"], messages=[{"role": "user", "content": "Hello!"}]
        )
    assert reply.headers["luckrig-node"] == demo.announced["node_id"]


@pytest.fixture
def shown(browser: Browser) -> Iterator[Callable[[str, str, Schedule], Page]]:
    """The page with those opening hours, for a reader in some zone at some time (UTC)."""
    contexts: list[BrowserContext] = []

    def show(zone: str, now: str, schedule: Schedule) -> Page:
        page = full_page()
        policy = msgspec.structs.replace(page.node.policy, schedule=schedule)
        page = replace(page, node=msgspec.structs.replace(page.node, policy=policy))
        html = RENDERER.render(page)

        def answer(route: Route) -> None:
            file = FILES.get(urlsplit(route.request.url).path)
            if file:
                route.fulfill(body=file.content, content_type=file.media_type)
            elif route.request.url == PAGE:
                route.fulfill(body=html, content_type="text/html; charset=utf-8")
            else:
                route.abort()

        context = browser.new_context(timezone_id=zone, locale="en-GB")
        contexts.append(context)
        context.route("**/*", answer)
        tab = context.new_page()
        tab.on("pageerror", lambda error: pytest.fail(str(error)))
        tab.clock.set_fixed_time(datetime.fromisoformat(f"{now}+00:00"))
        tab.goto(PAGE)
        return tab

    yield show
    for context in contexts:
        context.close()


def local_hours(tab: Page) -> list[str]:
    return tab.locator("[data-local-hours] li").all_inner_texts()


def test_opening_hours_are_shown_on_the_readers_clock(
    shown: Callable[[str, str, Schedule], Page],
) -> None:
    """Berlin's nights and weekends; the second reader's week has Europe's change of clocks in it,
    and not America's."""
    tab = shown("Asia/Tokyo", "2026-11-21T12:00", SCHEDULE)
    assert local_hours(tab) == [
        "Sat 17:00 – Sun 02:00",
        "Sun 17:00 – Mon 02:00",
        *(f"{day} 06:00 – {day} 15:00" for day in ("Tue", "Wed", "Thu", "Fri", "Sat")),
        "Sat 17:00 – Sun 02:00",
    ]
    assert "(Asia/Tokyo)" in tab.locator("[data-local-hours] h3").inner_text()
    tab = shown("America/New_York", "2026-03-28T12:00", SCHEDULE)
    assert local_hours(tab)[:3] == [
        "Sat 04:00 – Sat 13:00",
        "Sun 03:00 – Sun 12:00",
        "Mon 16:00 – Tue 01:00",
    ]


def test_a_zone_that_nobody_knows_leaves_the_rigs_own_clock(
    shown: Callable[[str, str, Schedule], Page],
) -> None:
    mars = msgspec.structs.replace(SCHEDULE, timezone="Mars/Olympus")
    tab = shown("Asia/Tokyo", "2026-11-21T12:00", mars)
    assert not tab.locator("[data-local-hours]").is_visible()
    assert "Mars/Olympus" in tab.inner_text("main")
