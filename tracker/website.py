"""Every page of a tracker, made of its services: routes for people, and their error page."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.routing import Route

from luckrig.protocol.address import TrackerAddress
from luckrig.tracker.domain.stored_data import TABLES
from luckrig.tracker.routes.api_page import ApiPages
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.compare_pages import ComparePages
from luckrig.tracker.routes.feeds import Feeds
from luckrig.tracker.routes.me_pages import MePages
from luckrig.tracker.routes.my_data import MyDataPages
from luckrig.tracker.routes.operations import Operation
from luckrig.tracker.routes.operator_pages import OperatorPages
from luckrig.tracker.routes.pages import Pages
from luckrig.tracker.routes.queue_pages import QueuePages
from luckrig.tracker.routes.replay_pages import ReplayPages
from luckrig.tracker.routes.report_pages import ReportPages
from luckrig.tracker.routes.rig_pages import RigPages
from luckrig.tracker.routes.sessions import Browsers, SessionRoutes
from luckrig.tracker.routes.showcase_pages import ShowcasePages
from luckrig.tracker.routes.signed import SignedRequests
from luckrig.tracker.routes.sites import Sites
from luckrig.tracker.routes.text_pages import TextPages
from luckrig.tracker.services import Services
from luckrig.tracker.settings import TrackerSettings
from luckrig.web.assets import static_files
from luckrig.web.render import make_renderer
from luckrig.web.text_pages import Operator


@dataclass(frozen=True, kw_only=True)
class Website:
    """pages: those that also show errors; its `run` is to run. operations: of the API, for what
    pages share with it.
    """

    pages: Pages
    routes: list[Route]
    operations: list[Operation]


def make_website(
    settings: TrackerSettings,
    services: Services,
    *,
    root_id: str,
    signed: SignedRequests,
    networks: ClientNetworks,
    hosts: Collection[str],
    clock: Callable[[], float],
    random_bytes: Callable[[int], bytes],
    version: str,
    document: Callable[[], Mapping[str, Any]],
) -> Website:
    """hosts: Host values for this tracker, lower case. random_bytes: secret ones, for forms.

    document: the API's, of which it isn't asked before the first request.
    """
    files = static_files()
    renderer = make_renderer(files)
    sites = Sites(
        address=str(TrackerAddress(settings.public_url, root_id)),
        version=version,
        clock=clock,
        contact=settings.contact,
    )
    pages = Pages(nodes=services.nodes, renderer=renderer, files=files, sites=sites, clock=clock)
    rigs = RigPages(
        nodes=services.nodes,
        notes=services.notes,
        scores=services.scores,
        renderer=renderer,
        sites=sites,
    )
    compare = ComparePages(comparisons=services.comparisons, renderer=renderer, sites=sites)
    showcase = ShowcasePages(
        showcase=services.showcase, nodes=services.nodes, renderer=renderer, sites=sites
    )
    queue = QueuePages(nodes=services.nodes, renderer=renderer, sites=sites)
    browsers = Browsers(services.sessions, public_url=settings.public_url, hosts=hosts)
    signing_in = SessionRoutes(
        services.sessions,
        browsers,
        signed=signed,
        networks=networks,
        renderer=renderer,
        site=sites.of,
        public_url=settings.public_url,
    )
    me = MePages(
        browsers=browsers,
        operators=settings.operators,
        statements=services.statements,
        scores=services.scores,
        things=services.own_things,
        wishes=services.wishes,
        renderer=renderer,
        site=sites.of,
    )
    texts = TextPages(
        transparency=services.transparency,
        renderer=renderer,
        site=sites.of,
        operator=Operator(
            name=settings.operator_name,
            contact=settings.contact,
            jurisdiction=settings.jurisdiction,
            address=settings.address,
            dmca_agent=settings.dmca_agent,
        ),
        stored=tuple(TABLES),
        root_id=root_id,
    )
    reports = ReportPages(
        reports=services.reports,
        renderer=renderer,
        networks=networks,
        hosts=hosts,
        site=sites.of,
        random_bytes=random_bytes,
    )
    own_data = MyDataPages(
        browsers=browsers, people=services.people, me=me, renderer=renderer, site=sites.of
    )
    desk = OperatorPages(
        browsers=browsers,
        operators=services.operators,
        desk=services.desk,
        decisions=services.decisions,
        renderer=renderer,
        site=sites.of,
    )
    feeds = Feeds(nodes=services.nodes, renderer=renderer, site=sites.english)
    api = ApiPages(document=document, renderer=renderer, site=sites.of)
    replays = ReplayPages(renderer=renderer, sites=sites)
    parts = (
        pages, rigs, compare, showcase, queue, replays, api, feeds, reports, texts, signing_in, me,
        own_data, desk,
    )  # fmt: skip
    return Website(
        pages=pages,
        routes=[route for part in parts for route in part.routes()],
        operations=[*signing_in.operations, *texts.operations, *feeds.operations],
    )
