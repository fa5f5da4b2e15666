"""A report's whole way: visitor, operator, rig, owner, second operator; all of it real.

Real processes, the real engine behind a real tunnel, the stock client, real Chromium.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.commands import Owner, running

REASON = "It says RTX 5090, and the engine is a toaster's."


@contextmanager
def a_tab(browser: Browser, *, scripts: bool = True) -> Generator[Page, None, None]:
    """Somebody's browser, that complains of nothing."""
    context = browser.new_context(java_script_enabled=scripts)
    tab = context.new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda message: faults.append(message.text))
    yield tab
    context.close()
    # A page that says "not found" is one that the story asks for.
    assert [fault for fault in faults if "404" not in fault] == []


def sign_in(tab: Page, person: Owner) -> None:
    """With the one-time address that the terminal gives."""
    tab.goto(person.ask("login")["url"])
    tab.get_by_role("button", name="Sign in").click()


def report(browser: Browser, origin: str, node_id: str) -> str:
    """A visitor without scripts reports the rig from its page; the ticket's address."""
    with a_tab(browser, scripts=False) as tab:
        tab.goto(f"{origin}/nodes/{node_id}")
        tab.get_by_role("link", name="Report this rig").click()
        assert tab.input_value("[name=subject_id]") == node_id
        tab.check("[name=category][value=terms]")
        tab.fill("[name=reason]", "This is no RTX 5090.")
        tab.fill("[name=name]", "Kim Example")
        tab.fill("[name=email]", "kim@example.org")
        tab.check("[name=good_faith]")
        tab.get_by_role("button", name="Send").click()
        tab.wait_for_url("**/report/*")
        return tab.url.partition("?")[0]


def ban(tab: Page, node_id: str) -> None:
    """Three clicks and a reason: the case, what to do, do it."""
    tab.goto(tab.url.split("/me")[0].split("/operator")[0] + "/operator")
    tab.locator(f"a[href*='/operator/cases/']:has-text('{node_id[2:6]}')").first.click()
    tab.fill("form[action$='/decide'] [name=reason]", REASON)
    tab.get_by_role("radio", name="ban").first.check()
    tab.get_by_role("button", name="Decide").click()


@pytest.mark.timeout(120)  # five processes and a browser, on a busy machine
def test_from_a_report_to_an_appeal_that_is_heard(tmp_path: Path, browser: Browser) -> None:
    first, second, owner, guest = (
        Owner(tmp_path / name, "") for name in ("first", "second", "owner", "guest")
    )
    operators = ",".join(each.ask("keys", "create")["id"] for each in (first, second))
    start = ("tracker", "--allow-private", "--listen", "127.0.0.1:0")
    variables = {"LUCKRIG_TRACKER_OPERATORS": operators}
    with running(tmp_path / "tracker", *start, variables=variables) as (_, tracker):
        address, origin = tracker["address"], tracker["tracker"]
        first, second, owner, guest = (
            Owner(each.home, address) for each in (first, second, owner, guest)
        )
        register = ("register", address, "--engine", "tiny", "--yes", "--name", "Attic")
        with running(owner.home, *register) as (rig, announced):
            node_id = announced["node_id"]
            with running_stream(rig, guest) as stream:
                ticket = report(browser, origin, node_id)
                with a_tab(browser) as tab:
                    sign_in(tab, first)
                    ban(tab, node_id)
                    tab.goto(origin)
                    assert "Attic" not in tab.inner_text("main")
                with pytest.raises(openai.APIError):
                    for _ in stream:
                        pass
            the_reporter_reads_it(browser, ticket)
            the_owner_appeals(browser, owner)
            another_operator_lifts_it(browser, second, owner)
            assert guest.node(node_id)["name"] == "Attic"
        the_log_holds(first)


@contextmanager
def running_stream(rig: Any, guest: Owner) -> Generator[openai.Stream[Any], None, None]:
    """A reply that is being streamed at another terminal, for as long as the test needs."""
    client, model = guest.client("Attic")
    (engine,) = psutil.Process(rig.pid).children()
    try:
        with client:
            stream = client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": "Tell me a long story."}],
                stream=True,
            )
            next(iter(stream))
            engine.suspend()
            yield stream
    finally:
        engine.resume()


def the_reporter_reads_it(browser: Browser, ticket: str) -> None:
    with a_tab(browser, scripts=False) as tab:
        tab.goto(ticket)
        assert REASON in tab.inner_text("main")


def the_owner_appeals(browser: Browser, owner: Owner) -> None:
    (decision,) = owner.ask("status")["decisions"]
    assert (decision["reason"], decision["action"]) == (REASON, "ban")
    with a_tab(browser, scripts=False) as tab:
        sign_in(tab, owner)
        assert REASON in tab.inner_text("main")
        tab.locator("summary", has_text="Appeal").click()
        tab.fill("[name=text]", "It is an RTX 5090 in a toaster's case.")
        tab.get_by_role("button", name="Appeal").click()
        assert "An operator will look at it and answer here" in tab.inner_text("main")


def another_operator_lifts_it(browser: Browser, operator: Owner, owner: Owner) -> None:
    with a_tab(browser, scripts=False) as tab:
        sign_in(tab, operator)
        tab.goto(f"{tab.url.split('/me')[0].split('/operator')[0]}/operator?appealed=1")
        tab.locator("a[href*='/operator/cases/']").first.click()
        tab.check("[name=uphold][value=false]")
        tab.fill("form[action$='/answers'] [name=answer]", "So it is. Sorry.")
        tab.get_by_role("button", name="Answer the appeal").click()
    (decision,) = owner.ask("status")["decisions"]
    assert decision["undone_at"] is not None
    assert decision["appeal"]["answer"] == "So it is. Sorry."


def the_log_holds(operator: Owner) -> None:
    done = operator.run("admin", "audit", "verify")
    assert done.returncode == 0, done.stderr
