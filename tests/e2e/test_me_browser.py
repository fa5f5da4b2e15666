"""Real Chromium: a key goes from a terminal into a browser, signs in, and comes out as a file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from luckrig.cli.home import key_to_pem
from luckrig.client.key_files import key_from_pem
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from tests.e2e.desk import Desk, running_desk

pytestmark = [pytest.mark.timeout(90), pytest.mark.asyncio(loop_scope="session")]

MINE = PrivateKey(b"\7" * 32)
MY_ID = derive_id("u1", MINE.public)


@pytest_asyncio.fixture(loop_scope="session")
async def desk() -> AsyncIterator[Desk]:
    """A tracker."""
    async with running_desk() as running:
        yield running


async def signs_in(page: Page, desk: Desk, user_id: str) -> None:
    """The button with this browser's key leads to that user's page."""
    await page.get_by_role("button", name="Sign in with this key").click()
    await page.locator(f".desk-bar [title={user_id}]").wait_for()  # signing in is at /me, too
    assert page.url == f"{desk.origin}/me"
    assert user_id in "".join((await page.inner_text(".desk-head .id")).split())


async def says(page: Page, where: str, text: str) -> None:
    """Wait until it stands there."""
    await page.locator(where, has_text=text).wait_for()


async def test_a_key_goes_in_and_out_of_a_browser(
    desk: Desk, async_browser: Browser, tmp_path: Path
) -> None:
    (tmp_path / "cli.key").write_bytes(key_to_pem(MINE))
    (tmp_path / "rsa.key").write_text(
        "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"
    )
    page = await (await async_browser.new_context(accept_downloads=True)).new_page()
    page.set_default_timeout(15_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text))
    reply = await page.goto(f"{desk.origin}/me")
    assert reply is not None and reply.status == 401
    await says(page, "#key-state", "This browser holds no key yet.")
    await page.set_input_files("#key-file", tmp_path / "rsa.key")
    await page.get_by_role("button", name="Use this key here").click()
    await says(page, "#restore-state", "a key of another kind")
    await page.set_input_files("#key-file", tmp_path / "cli.key")
    await page.get_by_role("button", name="Use this key here").click()
    await says(page, "#restore-state", f"This browser holds {MY_ID[:10]}… now.")
    await signs_in(page, desk, MY_ID)
    assert await page.locator("#key-state").inner_text() == "It is in this browser."
    await page.locator("#backup summary").click()
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Make a new key and save it").click()
    await (await waiting.value).save_as(tmp_path / "saved.key")
    new_id = derive_id("u1", _key_in(tmp_path / "saved.key").public)
    assert await desk.store.users.handover(MY_ID) is None, "nothing has changed yet"
    await page.get_by_role("button", name="I have the file").click()
    await says(page, "#backup-state", f"Moved. You are {new_id[:10]}… now")
    handover = await desk.store.users.handover(MY_ID)
    assert handover is not None and handover.new_user_id == new_id
    await signs_in(page, desk, new_id)
    await says(page, "#backup-has", "Keep that file")
    assert [fault for fault in faults if not fault.startswith("Failed to load")] == []
    stored = await page.evaluate(READ_KEYS)
    assert stored == {"own": False}, "no script can read it, and nothing else is left"


def _key_in(file: Path) -> PrivateKey:
    """As `luckrig keys import` reads it."""
    return key_from_pem(file.read_bytes(), source=str(file))


READ_KEYS = """async () => {
  const asked = indexedDB.open("luckrig");
  await new Promise((resolve) => (asked.onsuccess = resolve));
  const shelf = asked.result.transaction("keys").objectStore("keys");
  const done = (request) =>
    new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
  const [names, values] = [await done(shelf.getAllKeys()), await done(shelf.getAll())];
  const pairs = names.map((name, at) => [name, values[at]]).filter(([, value]) => value.privateKey);
  return Object.fromEntries(pairs.map(([name, { privateKey }]) => [name, privateKey.extractable]));
}"""
