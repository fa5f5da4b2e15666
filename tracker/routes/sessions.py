"""Signing in and out: /login, /logout, and POST /api/v1/sessions, which makes the address."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from luckrig.protocol.account import LoginReply
from luckrig.protocol.errors import PeerError
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.forms import check_same_site, read_form
from luckrig.tracker.routes.http import BODY_ERRORS, json_response
from luckrig.tracker.routes.operations import Operation
from luckrig.tracker.routes.signed import PROOF, SignedRequests
from luckrig.tracker.service.sessions import SESSION_SECONDS, Session, SessionService
from luckrig.web.me_pages import LoginPage
from luckrig.web.pages import Page, Site
from luckrig.web.render import Renderer

_NO_STORE: Final[Mapping[str, str]] = {"Cache-Control": "no-store"}
"""What somebody sees who has signed in stays in no cache."""


class Browsers:
    """Which browser is whose. hosts: the tracker's Host values, lower case.

    On https the cookie's name begins with __Host-, so that no other host and no plain http can set
    it. A tracker on plain http is one on somebody's own machine.
    """

    def __init__(
        self, sessions: SessionService, *, public_url: str, hosts: Collection[str]
    ) -> None:
        self._sessions = sessions
        self._hosts = frozenset(hosts)
        self._is_https = public_url.startswith("https://")
        self._cookie = "__Host-luckrig" if self._is_https else "luckrig"

    async def signed_in(self, request: Request) -> Session:
        """The session that a request comes from. Raises PeerError sign_in_required."""
        cookie = self._read_cookie(request)
        session = None if cookie is None else await self._sessions.user_of(cookie)
        if session is None:
            raise PeerError("sign_in_required", "Nobody is signed in here, or no longer.")
        return session

    async def posted(self, request: Request) -> tuple[Session, Mapping[str, str]]:
        """A form that a page of this very session sent: whose it is, and its fields.

        Raises PeerError cross_site, sign_in_required, and as read_form does.
        """
        check_same_site(request, hosts=self._hosts)
        session = await self.signed_in(request)
        fields = await read_form(request)
        self._sessions.check_csrf(session, fields.get("csrf", ""))
        return session, {name: value for name, value in fields.items() if name != "csrf"}

    def form_token(self, session: Session) -> str:
        """What each form of a session carries, as `csrf`."""
        return self._sessions.csrf_token(session)

    async def enter(self, request: Request, *, to: str) -> Response:
        """Use a code up, and go there. The browser's earlier session, if it has one, ends."""
        check_same_site(request, hosts=self._hosts)
        fields = await read_form(request)
        secret, _ = await self._sessions.enter(fields.get("code", ""))
        earlier = self._read_cookie(request)
        if earlier is not None:
            await self._sessions.leave(earlier)
        response = RedirectResponse(to, 303, _NO_STORE)
        self._set_cookie(response, secret, max_age=SESSION_SECONDS)
        return response

    async def leave(self, request: Request, *, to: str) -> Response:
        """End the session that a form names, and go there."""
        session, _ = await self.posted(request)
        await self._sessions.leave(session.secret)
        response = RedirectResponse(to, 303, _NO_STORE)
        self.forget(response)
        return response

    async def end(self, session: Session) -> None:
        """End a session whose user is no more."""
        await self._sessions.leave(session.secret)

    def forget(self, response: Response) -> None:
        """Make the browser drop its cookie."""
        self._set_cookie(response, "", max_age=0)

    def _set_cookie(self, response: Response, value: str, *, max_age: int) -> None:
        response.set_cookie(
            self._cookie,
            value,
            max_age=max_age,
            path="/",
            secure=self._is_https,
            httponly=True,
            samesite="strict",
        )

    def _read_cookie(self, request: Request) -> str | None:
        """The cookie, if the request has exactly one of that name.

        Two may come where another server on the same host has set one: whichever it is, it isn't
        certain to be ours.
        """
        pairs = [
            pair.strip().partition("=")
            for header in request.headers.getlist("cookie")
            for pair in header.split(";")
        ]
        values = [value for name, _, value in pairs if name == self._cookie]
        return values[0] if len(values) == 1 else None


class SessionRoutes:
    """The handlers of signing in. site: what pages say of this tracker, in the language of the
    request."""

    def __init__(
        self,
        sessions: SessionService,
        browsers: Browsers,
        *,
        signed: SignedRequests,
        networks: ClientNetworks,
        renderer: Renderer,
        site: Callable[[Request], Site],
        public_url: str,
    ) -> None:
        self._sessions = sessions
        self._browsers = browsers
        self._signed = signed
        self._networks = networks
        self._renderer = renderer
        self._site = site
        self._public_url = public_url
        self.operations = (self._operation(),)

    def routes(self) -> list[Route]:
        """The pages."""
        return [
            Route("/login/{code}", self.show_login, methods=["GET"]),
            Route("/login", self.enter, methods=["POST"]),
            Route("/logout", self.leave, methods=["POST"]),
        ]

    async def show_login(self, request: Request) -> Response:
        """GET /login/{code}: a button. Looking at it changes nothing, so that no preview of the
        address signs anybody in."""
        code = request.path_params["code"]
        page = LoginPage(site=self._site(request), code=code, user_id=self._sessions.whose(code))
        return private_page(self._renderer, page)

    async def enter(self, request: Request) -> Response:
        """POST /login."""
        return await self._browsers.enter(request, to=self._site(request).link("/me"))

    async def leave(self, request: Request) -> Response:
        """POST /logout."""
        return await self._browsers.leave(request, to=self._site(request).link("/"))

    async def make_login(self, request: Request) -> Response:
        """POST /api/v1/sessions."""
        signed = await self._signed.read(request)
        code, expires_at = await self._sessions.invite(
            signed.user_id, network=self._networks.prefix(request)
        )
        url = f"{self._public_url}/login/{code}"
        return json_response(LoginReply(url=url, expires_at=expires_at))

    def _operation(self) -> Operation:
        return Operation(
            method="POST",
            path="/api/v1/sessions",
            name="makeLogin",
            summary="An address that signs one browser in with your key, once.",
            handler=self.make_login,
            response=LoginReply,
            parameters=(PROOF,),
            errors=(*BODY_ERRORS, "proof_invalid", "key_replaced", "rate_limited"),
        )


def private_page(renderer: Renderer, page: Page, *, status: int = 200) -> Response:
    """A page for somebody in particular."""
    headers = {**_NO_STORE, "Vary": "Accept-Language"}
    return HTMLResponse(renderer.render(page), status_code=status, headers=headers)


def private_redirect(path: str) -> Response:
    """Where a form leads: reloading that page sends nothing again."""
    return RedirectResponse(path, 303, _NO_STORE)
