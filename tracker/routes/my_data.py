"""Somebody's own data, out of a browser: /me/export, /me/delete."""

from collections.abc import Callable
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from luckrig.protocol.account import AccountExport, EraseReply, EraseRequest
from luckrig.tracker.routes.http import JSON
from luckrig.tracker.routes.me_pages import MePages
from luckrig.tracker.routes.sessions import Browsers, private_page
from luckrig.web.me_pages import GonePage
from luckrig.web.pages import Site
from luckrig.web.render import Renderer


class People(Protocol):
    """What is stored of a person: service/people.py."""

    async def export(self, user_id: str) -> AccountExport:
        """All of it."""
        ...

    async def erase(self, request: EraseRequest, *, asked_by: str) -> EraseReply:
        """Delete it. Raises PeerError invalid_request unless asked_by is who is to be deleted."""
        ...


class MyDataPages:
    """The handlers. me: shows /me again with what was wrong."""

    def __init__(
        self,
        *,
        browsers: Browsers,
        people: People,
        me: MePages,
        renderer: Renderer,
        site: Callable[[Request], Site],
    ) -> None:
        self._browsers = browsers
        self._people = people
        self._me = me
        self._renderer = renderer
        self._site = site

    def routes(self) -> list[Route]:
        """Both."""
        return [
            Route("/me/export", self.export, methods=["GET"]),
            Route("/me/delete", self.delete, methods=["POST"]),
        ]

    async def export(self, request: Request) -> Response:
        """GET /me/export: a file."""
        session = await self._browsers.signed_in(request)
        found = await self._people.export(session.user_id)
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": 'attachment; filename="luckrig-export.json"',
        }
        body = msgspec.json.format(msgspec.json.encode(found), indent=2)
        return Response(body, 200, headers, JSON)

    async def delete(self, request: Request) -> Response:
        """POST /me/delete: the id that was typed must be one's own."""
        session, fields = await self._browsers.posted(request)
        typed = fields.get("user_id", "").strip()
        if typed != session.user_id:
            problem = str(self._site(request).words("me.delete.wrong"))
            return await self._me.page(
                request, session, problem=problem, status=400, draft={"user_id": ""}
            )
        reply = await self._people.erase(EraseRequest(user_id=typed), asked_by=session.user_id)
        await self._browsers.end(session)
        page = GonePage(site=self._site(request), erased=reply.erased, held=reply.held)
        response = private_page(self._renderer, page)
        self._browsers.forget(response)
        return response
