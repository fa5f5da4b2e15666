"""A browser as a tracker meets one: it keeps cookies, and says where a request is from."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from luckrig.protocol.keys import PrivateKey
from tests.tracker.trackers import URL, Tracker
from tests.web.documents import Document, read

SAME_ORIGIN = {"sec-fetch-site": "same-origin", "origin": URL}
COOKIE = "luckrig"
"""On plain http."""


@dataclass
class Visitor:
    """Somebody's browser, at the tracker under test. csrf: of the last page that had a form."""

    tracker: Tracker
    http: httpx2.AsyncClient
    csrf: str = ""

    @property
    def cookie(self) -> str | None:
        """What signs it in."""
        return self.http.cookies.get(COOKIE)

    async def login_code(self, key: PrivateKey) -> str:
        """What `luckrig login` gets."""
        reply = await self.tracker.ask("/api/v1/sessions", b"", key=key)
        assert reply.status_code == 200, reply.text
        url: str = reply.json()["url"]
        return urlsplit(url).path.removeprefix("/login/")

    async def sign_in(self, key: PrivateKey) -> httpx2.Response:
        """Open the address and press the button."""
        code = await self.login_code(key)
        assert (await self.http.get(f"/login/{code}")).status_code == 200
        reply = await self.http.post("/login", data={"code": code}, headers=SAME_ORIGIN)
        assert reply.status_code == 303, reply.text
        return reply

    async def open(self, path: str, *, status: int = 200) -> Document:
        """GET a page; it must be well-formed."""
        reply = await self.http.get(path)
        assert reply.status_code == status, reply.text
        return self.look(reply)

    async def send(self, path: str, **fields: str) -> httpx2.Response:
        """POST a form as the last page would."""
        form = {"csrf": self.csrf, **fields}
        return await self.http.post(path, data=form, headers=SAME_ORIGIN)

    def look(self, reply: httpx2.Response) -> Document:
        """Read a page, and remember what its forms carry."""
        page = read(reply.text)
        assert page.problems == []
        for field in page.all("input"):
            if field.get("name") == "csrf":
                self.csrf = field.get("value")
        return page


def visitor(tracker: Tracker) -> Visitor:
    """A fresh browser."""
    return Visitor(tracker, httpx2.AsyncClient(transport=tracker.transport, base_url=URL))


async def signed_in(tracker: Tracker, key: PrivateKey, *, at: str = "/me") -> Visitor:
    """A browser that is signed in and has opened a page."""
    browser = visitor(tracker)
    await browser.sign_in(key)
    await browser.open(at)
    return browser


def text_of(page: Document) -> str:
    """What stands on it, as one line."""
    return " ".join(page.all("body")[0].text.split())
