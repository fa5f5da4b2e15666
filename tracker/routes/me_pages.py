"""/me: who somebody is here, what operators decided about them, their rigs.

Their data, to take away or delete, is in my_data.py.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from luckrig.protocol.errors import PeerError
from luckrig.protocol.reports import AppealText
from luckrig.tracker.routes.form_values import convert
from luckrig.tracker.routes.sessions import Browsers, private_page, private_redirect
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.service.scores import ScoreService
from luckrig.tracker.service.sessions import Session
from luckrig.tracker.service.statements import StatementService
from luckrig.web.me_pages import MePage, OwnRig
from luckrig.web.operator_pages import Viewer
from luckrig.web.pages import Site
from luckrig.web.render import Renderer

_MENDABLE: Final = frozenset(
    ("invalid_request", "unsafe_text", "decision_conflict", "appeal_refused")
)
_COUNTER_FIELDS: Final = ("name", "address", "phone", "mistaken", "consent", "signature")
_STATEMENTS: Final = ("mistaken", "consent")
"""Boxes: a browser sends nothing for one that isn't ticked."""


class MePages:
    """The handlers. operators: their user ids. site: what pages say of this tracker."""

    def __init__(
        self,
        *,
        browsers: Browsers,
        operators: Collection[str],
        statements: StatementService,
        scores: ScoreService,
        nodes: NodeService,
        renderer: Renderer,
        site: Callable[[], Site],
    ) -> None:
        self._browsers = browsers
        self._operators = operators
        self._statements = statements
        self._scores = scores
        self._nodes = nodes
        self._renderer = renderer
        self._site = site

    def routes(self) -> list[Route]:
        """Every page and form."""
        return [
            Route("/me", self.show, methods=["GET"]),
            Route("/me/appeals", self.appeal, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """GET /me."""
        return await self.page(await self._browsers.signed_in(request))

    async def appeal(self, request: Request) -> Response:
        """POST /me/appeals."""
        session, fields = await self._browsers.posted(request)
        try:
            notice = await self._statements.appeal(_appeal(fields), user_id=session.user_id)
        except PeerError as error:
            if error.code not in _MENDABLE:
                raise
            return await self.page(session, error=error, draft=fields)
        return private_redirect(f"/me#d-{notice.decision_id}")

    async def page(
        self,
        session: Session,
        *,
        error: PeerError | None = None,
        draft: Mapping[str, str] | None = None,
    ) -> Response:
        """The page; with an error, the form that was sent stands in it again. draft: its fields."""
        user_id = session.user_id
        own = await self._nodes.of_owner(user_id)
        listed = {node.node_id for node in await self._nodes.listed()}
        page = MePage(
            site=self._site(),
            viewer=Viewer(
                user_id=user_id,
                csrf=self._browsers.form_token(session),
                is_operator=user_id in self._operators,
            ),
            score=await self._scores.score(user_id),
            statements=(await self._statements.about(user_id)).decisions,
            rigs=[
                OwnRig(
                    node_id=node.node_id,
                    name=node.descriptor.name,
                    status=node.health.status,
                    is_listed=node.node_id in listed,
                )
                for node in own
            ],
            problem=None if error is None else error.message,
            draft=draft or {},
        )
        return private_page(self._renderer, page, status=200 if error is None else error.status)


def _appeal(fields: Mapping[str, str]) -> AppealText:
    """A counter-notice is what has any of its fields."""
    counter = {name: fields[name] for name in _COUNTER_FIELDS if fields.get(name, "").strip()}
    rest = {name: value for name, value in fields.items() if name not in _COUNTER_FIELDS}
    if not counter:
        return convert(rest, AppealText)
    boxes = {name: name in fields for name in _STATEMENTS}
    return convert({**rest, "counter_notice": {**counter, **boxes}}, AppealText)
