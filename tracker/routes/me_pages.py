"""/me: who somebody is here, what operators decided about them, their rigs and tokens.

Their data, to take away or delete, is in my_data.py.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId
from luckrig.protocol.reports import AppealText
from luckrig.tracker.routes.form_values import convert
from luckrig.tracker.routes.me_values import own_rig, own_score, own_tokens
from luckrig.tracker.routes.sessions import Browsers, private_page, private_redirect
from luckrig.tracker.service.own_things import MAX_TOKENS, OwnThings
from luckrig.tracker.service.scores import ScoreService
from luckrig.tracker.service.sessions import Session
from luckrig.tracker.service.statements import StatementService
from luckrig.tracker.service.wishes import WishService
from luckrig.web.me_pages import MePage, SignInPage
from luckrig.web.operator_pages import Viewer
from luckrig.web.pages import Site
from luckrig.web.render import Renderer

_MENDABLE: Final = frozenset(
    ("invalid_request", "unsafe_text", "decision_conflict", "appeal_refused")
)
_COUNTER_FIELDS: Final = ("name", "address", "phone", "mistaken", "consent", "signature")
_STATEMENTS: Final = ("mistaken", "consent")
"""Boxes: a browser sends nothing for one that isn't ticked."""


class RigWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the buttons of a rig send."""

    node_id: NodeId
    wish: Literal["pause", "resume"]


class MePages:
    """The handlers. operators: their user ids. site: what pages say of this tracker, in the
    request's language."""

    def __init__(
        self,
        *,
        browsers: Browsers,
        operators: Collection[str],
        statements: StatementService,
        scores: ScoreService,
        things: OwnThings,
        wishes: WishService,
        renderer: Renderer,
        site: Callable[[Request], Site],
    ) -> None:
        self._browsers = browsers
        self._operators = operators
        self._statements = statements
        self._scores = scores
        self._things = things
        self._wishes = wishes
        self._renderer = renderer
        self._site = site

    def routes(self) -> list[Route]:
        """Every page and form."""
        return [
            Route("/me", self.show, methods=["GET"]),
            Route("/me/appeals", self.appeal, methods=["POST"]),
            Route("/me/rigs", self.want, methods=["POST"]),
            Route("/me/tokens", self.call_back, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """GET /me; for whoever isn't signed in, the ways to."""
        try:
            session = await self._browsers.signed_in(request)
        except PeerError as error:
            page = SignInPage(site=self._site(request))
            return private_page(self._renderer, page, status=error.status)
        return await self.page(request, session)

    async def appeal(self, request: Request) -> Response:
        """POST /me/appeals."""
        session, fields = await self._browsers.posted(request)
        try:
            notice = await self._statements.appeal(_appeal(fields), user_id=session.user_id)
        except PeerError as error:
            if error.code not in _MENDABLE:
                raise
            words, key = self._site(request).words, f"appeal.{error.code}"
            problem = str(words(key)) if words.has(key) else error.message
            return await self.page(
                request, session, problem=problem, status=error.status, draft=fields
            )
        return private_redirect(f"{self._site(request).link('/me')}#d-{notice.decision_id}")

    async def want(self, request: Request) -> Response:
        """POST /me/rigs: pause a rig of one's own, or let it go on."""
        session, fields = await self._browsers.posted(request)
        asked = convert(fields, RigWish)
        await self._wishes.want(
            asked.node_id, paused=asked.wish == "pause", user_id=session.user_id
        )
        return private_redirect(f"{self._site(request).link('/me')}#r-{asked.node_id}")

    async def call_back(self, request: Request) -> Response:
        """POST /me/tokens: call all tokens back, and sign out everywhere."""
        session, _ = await self._browsers.posted(request)
        await self._things.call_back(session.user_id)
        await self._browsers.end(session)
        response = private_redirect(self._site(request).link("/me"))
        self._browsers.forget(response)
        return response

    async def page(
        self,
        request: Request,
        session: Session,
        *,
        problem: str | None = None,
        status: int = 200,
        draft: Mapping[str, str] | None = None,
    ) -> Response:
        """The page; with a problem, the form that was sent stands in it again, with its fields:
        draft."""
        user_id, site = session.user_id, self._site(request)
        reply, score = await self._scores.explained(user_id)
        page = MePage(
            site=site,
            viewer=Viewer(
                user_id=user_id,
                csrf=self._browsers.form_token(session),
                is_operator=user_id in self._operators,
            ),
            score=own_score(reply, score),
            statements=(await self._statements.about(user_id)).decisions,
            rigs=[own_rig(rig) for rig in await self._things.rigs(user_id)],
            tokens=own_tokens(await self._things.tokens(user_id), now=site.now),
            max_tokens=MAX_TOKENS,
            problem=problem,
            draft=draft or {},
        )
        return private_page(self._renderer, page, status=status)


def _appeal(fields: Mapping[str, str]) -> AppealText:
    """A counter-notice is what has any of its fields."""
    counter = {name: fields[name] for name in _COUNTER_FIELDS if fields.get(name, "").strip()}
    rest = {name: value for name, value in fields.items() if name not in _COUNTER_FIELDS}
    if not counter:
        return convert(rest, AppealText)
    boxes = {name: name in fields for name in _STATEMENTS}
    return convert({**rest, "counter_notice": {**counter, **boxes}}, AppealText)
